"""What agents report through ``agents.sock``: whose token it is, whether it counts, and who takes it.

A worker's report counts for its attempt while that is open, a reviewer's for its round while a verdict is wanted; and
either only while the gateway shows a command of that very session running. Every refusal is in words that an agent can
act on, and is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ccp_tui.lifecycle import Actor, ActorKind, Refused
from ccp_tui.service.board.moves import SERVICE, note_refusal, record
from ccp_tui.service.context import Context
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import ServiceError, not_allowed, usage
from ccp_tui.service.door.methods import as_error
from ccp_tui.service.reports.commands import Commands
from ccp_tui.service.reports.reporter import LONGEST_WORDS, worker
from ccp_tui.service.reports.tokens import hash_of, hide
from ccp_tui.service.verification.deliverables import NotDelivered
from ccp_tui.store import Store
from ccp_tui.text import one_line
from ccp_tui.wire import Json

Row = dict[str, Any]

# A restarted gateway takes up interrupted turns before we are back with it: their reports wait for us so long.
AWAY_PATIENCE_S = 25.0

WorkerVerb = Callable[
    [Json, Row, Row], Awaitable[str]
]  # parameters, attempt, task → the words the agent reads
ReviewerVerb = Callable[[Json, Row, Row], Awaitable[str]]  # parameters, review request, task → the words


@dataclass(frozen=True)
class Caller:
    """Whom a token was made for: a worker's attempt, or a reviewer's request. ``row`` is that."""

    row: Row
    task: Row
    actor: Actor
    reviews: bool

    @property
    def session_key(self) -> str:
        return str(self.row["session_key"])


class Reports:
    """The one method of ``agents.sock``.

    ``workers`` and ``reviewers`` are the verbs of each; both may report progress besides.
    """

    def __init__(
        self,
        context: Context,
        commands: Commands,
        workers: Mapping[str, WorkerVerb],
        reviewers: Mapping[str, ReviewerVerb],
    ) -> None:
        self._c = context
        self._commands = commands
        self._workers = workers
        self._reviewers = reviewers

    async def report(self, params: Json) -> Json:
        token, kind = _token(params), p.text(params, "kind")
        caller = await self._c.db(lambda store: _caller(store, token))
        verbs = self._reviewers if caller.reviews else self._workers
        others = self._workers if caller.reviews else self._reviewers
        if kind not in verbs and kind != "progress":
            if kind in others:
                await self._refuse(
                    caller, f"{kind} is not for {'a reviewer' if caller.reviews else 'a worker'}"
                )
            raise usage(f"there is no report {kind!r}; there are {', '.join(('progress', *verbs))}")
        if self._c.settings.check_commands:
            await self._check(caller, kind)
        try:
            if kind == "progress":
                return {"ok": True, "message": await self._progress(params, caller)}
            return {"ok": True, "message": await verbs[kind](params, caller.row, caller.task)}
        except Refused as refusal:
            kept = refusal
            await self._c.db(
                lambda store: note_refusal(store, store.tasks.get(caller.task["id"]), caller.actor, kept)
            )
            raise as_error(refusal) from refusal
        except NotDelivered as refusal:
            await self._note(caller, caller.actor, str(refusal))
            raise usage(str(refusal)) from refusal

    async def _progress(self, params: Json, caller: Caller) -> str:
        words = one_line(hide(p.text(params, "text")), LONGEST_WORDS)

        def work(store: Store) -> None:
            _still_wanted(store, caller)
            record(store, caller.task, caller.actor, "progress", f"progress: {words}")

        await self._c.db(work)
        return "Noted."

    async def _check(self, caller: Caller, kind: str) -> None:
        """A token that another agent copied is worth nothing: the report must come from a command of its session."""
        if not self._c.connected:
            await self._connected_again()
        if await self._commands.running(caller.session_key):
            return
        if not self._c.connected:
            raise not_allowed(
                "the gateway is away, so nobody can see that this report is yours: report again in a moment"
            )
        # Who it was is not known: only whose token it was.
        text = f"{kind} with the token of {caller.actor.name}, while no command of its session was running"
        await self._note(caller, SERVICE, text)
        raise not_allowed(
            "this report counts only from a command that you run now in your own session: run the report command of "
            "your task yourself, with your exec tool and in the foreground. A token of another session is of no use"
        )

    async def _connected_again(self) -> None:
        """Who reports is run by a gateway: so it is there, and the line to it is tried at once and waited for."""
        self._c.gateway.retry_now()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AWAY_PATIENCE_S):
                await self._c.live.up.wait()

    async def _refuse(self, caller: Caller, words: str) -> None:
        await self._note(caller, caller.actor, words)
        raise not_allowed(f"{words}: use the words that your task names")

    async def _note(self, caller: Caller, actor: Actor, words: str) -> None:
        text = f"report refused: {words}"
        await self._c.db(lambda store: record(store, caller.task, actor, "refused", text))


def _token(params: Json) -> str:
    token = params.get("token")
    if not isinstance(token, str) or not token.strip():
        raise not_allowed(
            "a report needs the token of its attempt: use the report command of your task as given"
        )
    return token


def _caller(store: Store, token: str) -> Caller:
    hashed = hash_of(token)
    if attempt := store.attempts.by_token(hashed):
        found = Caller(attempt, store.tasks.get(attempt["task_id"]), worker(attempt), reviews=False)
    elif request := store.review_requests.by_token(hashed):
        task = store.tasks.get(store.rounds.task_of(request["round_id"]))
        actor = Actor(ActorKind.REVIEWER, request["agent_id"] or "the reviewer")
        found = Caller(request, task, actor, reviews=True)
    else:
        raise not_allowed(
            "this token is not known: use the report command of your task exactly as it was given"
        )
    if not found.reviews:  # the duty has its own words for a verdict that comes too late
        _still_wanted(store, found)
    return found


def _still_wanted(store: Store, caller: Caller) -> None:
    if problem := _over(store, caller):
        raise problem


def _over(store: Store, caller: Caller) -> ServiceError | None:
    if caller.reviews:
        if store.review_requests.get(caller.row["id"])["ended_at"]:
            return not_allowed("this review is over: nothing more is taken from you for this round")
    elif store.attempts.get(caller.row["id"])["ended_at"]:
        return not_allowed("this attempt has ended: stop working on the task, nothing more is taken from you")
    return None
