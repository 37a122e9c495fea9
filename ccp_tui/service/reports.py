"""What agents report through ``agents.sock``: progress, deliverables, a submission, or that they are stuck.

A report counts for the attempt whose token it shows, while that attempt is open. Every refusal is in words that an
agent can act on, and is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ccp_tui.lifecycle import Actor, ActorKind, Refused, State, Trigger
from ccp_tui.model import HoldKind
from ccp_tui.service import params as p
from ccp_tui.service.context import Context
from ccp_tui.service.deliverables import Found, NotDelivered, look
from ccp_tui.service.errors import Code, ServiceError, not_allowed, usage
from ccp_tui.service.methods import as_error
from ccp_tui.service.moves import move, note_refusal, record
from ccp_tui.service.outcomes import hold
from ccp_tui.service.tokens import hash_of, hide
from ccp_tui.store import Store
from ccp_tui.text import clean, one_line
from ccp_tui.wire import Json

Row = dict[str, Any]

LONGEST_WORDS = 4_000


class Reports:
    """The one method of ``agents.sock``. ``verify`` is called with an attempt that was submitted."""

    def __init__(self, context: Context, verify: Callable[[int], None]) -> None:
        self._c = context
        self._verify = verify

    async def report(self, params: Json) -> Json:
        token, kind = _token(params), p.text(params, "kind")
        handlers = {
            "progress": self._progress,
            "deliver": self._deliver,
            "submit": self._submit,
            "block": self._block,
        }
        if kind not in handlers:
            raise usage(f"there is no report {kind!r}; there are {', '.join(handlers)}")
        attempt, task = await self._c.db(lambda store: _attempt_of(store, token))
        try:
            return {"ok": True, "message": await handlers[kind](params, attempt, task)}
        except Refused as refusal:
            kept = refusal
            await self._c.db(
                lambda store: note_refusal(store, store.tasks.get(task["id"]), _worker(attempt), kept)
            )
            raise as_error(refusal) from refusal
        except NotDelivered as refusal:
            words = f"report refused: {refusal}"
            await self._c.db(lambda store: record(store, task, _worker(attempt), "refused", words))
            raise usage(str(refusal)) from refusal

    async def _progress(self, params: Json, attempt: Row, task: Row) -> str:
        words = one_line(hide(p.text(params, "text")), LONGEST_WORDS)

        def work(store: Store) -> None:
            _still_open(store, attempt)
            record(store, task, _worker(attempt), "progress", f"progress: {words}")

        await self._c.db(work)
        return "Noted."

    async def _deliver(self, params: Json, attempt: Row, task: Row) -> str:
        path = p.text(params, "path")
        description = one_line(hide(p.maybe_text(params, "description") or ""), LONGEST_WORDS)
        found = await asyncio.to_thread(look, await self._workspace(attempt), path)

        def work(store: Store) -> list[str]:
            _still_open(store, attempt)
            row = store.tasks.get(task["id"])
            if row["state"] != State.IN_PROGRESS:
                raise Refused("state", _not_now(row), State(row["state"]), Trigger.SUBMIT)
            current = store.rounds.current(attempt["id"])
            store.rounds.deliver(current["id"], found.path, description, found.size, found.sha256)
            store.tasks.edit(task["id"])
            record(store, row, _worker(attempt), "delivered", f"delivered {found.path} ({found.size} bytes)")
            return _missing(store, attempt, current["id"])

        missing = await self._c.db(work)
        then = (
            f"Still to deliver: {', '.join(missing)}." if missing else "Everything is delivered: submit now."
        )
        return f"{found.path} is recorded ({found.size} bytes). {then}"

    async def _submit(self, params: Json, attempt: Row, task: Row) -> str:
        summary = clean(hide(p.maybe_text(params, "summary") or p.maybe_text(params, "text") or ""))[
            :LONGEST_WORDS
        ]
        workspace = await self._workspace(attempt)
        seen = await self._c.db(lambda store: _reported(store, attempt))
        found, problem = await asyncio.to_thread(_look_again, workspace, seen)

        def work(store: Store) -> tuple[int, int]:
            _still_open(store, attempt)
            row = store.tasks.get(task["id"])
            if row["state"] != State.IN_PROGRESS:
                raise Refused("state", _not_now(row), State(row["state"]), Trigger.SUBMIT)
            current = store.rounds.current(attempt["id"])
            missing = _missing(store, attempt, current["id"])
            reason = problem
            if current["result"]:
                reason = "all rounds of this attempt are used up: stop working, a person decides"
            elif missing:
                reason = f"not delivered yet: {', '.join(missing)}. Run `deliver PATH` for each, then submit"
            text = f"was submitted, round {current['number']}"
            move(
                store,
                row,
                Trigger.SUBMIT,
                _worker(attempt),
                text,
                reason=summary,
                deliverables_problem=reason,
            )
            for one in found:
                store.rounds.deliver(current["id"], one.path, seen[one.path], one.size, one.sha256)
            store.rounds.submitted(current["id"], summary)
            spec = store.specs.get(attempt["spec_id"])
            return current["number"], len(spec["checks"])

        number, checks = await self._c.db(work)
        self._verify(attempt["id"])
        return f"Round {number} is submitted. {checks} checks run now; you are told here if one fails. Stop working."

    async def _block(self, params: Json, attempt: Row, task: Row) -> str:
        reason = one_line(hide(p.text(params, "text")), LONGEST_WORDS)

        def work(store: Store) -> None:
            _still_open(store, attempt)
            row = store.tasks.get(task["id"])
            if row["state"] != State.IN_PROGRESS:
                raise Refused("state", _not_now(row), State(row["state"]), Trigger.SUBMIT)
            record(store, row, _worker(attempt), "blocked", f"is blocked: {reason}", reason=reason)
            release = "Answer it in its chat, or retry, assign another agent, or cancel."
            hold(store, row, HoldKind.QUESTION, f"{attempt['agent_id']} is blocked: {reason}", release)

        await self._c.db(work)
        return "A person is told. Stop working; you get the answer here."

    async def _workspace(self, attempt: Row) -> Path:
        agent = await self._c.db(lambda store: store.agents.row(attempt["agent_id"]))
        if not agent["workspace"]:
            raise ServiceError(Code.FAILED, "the gateway did not tell where the workspace of this agent is")
        return Path(agent["workspace"])


def _token(params: Json) -> str:
    token = params.get("token")
    if not isinstance(token, str) or not token.strip():
        raise not_allowed(
            "a report needs the token of its attempt: use the report command of your task as given"
        )
    return token


def _attempt_of(store: Store, token: str) -> tuple[Row, Row]:
    attempt = store.attempts.by_token(hash_of(token))
    if attempt is None:
        raise not_allowed(
            "this token is not known: use the report command of your task exactly as it was given"
        )
    _still_open(store, attempt)
    return attempt, store.tasks.get(attempt["task_id"])


def _still_open(store: Store, attempt: Row) -> None:
    if store.attempts.get(attempt["id"])["ended_at"]:
        raise not_allowed("this attempt has ended: stop working on the task, nothing more is taken from you")


def _worker(attempt: Row) -> Actor:
    return Actor(ActorKind.WORKER, attempt["agent_id"])


def _not_now(task: Row) -> str:
    return f"the task is in {State(task['state']).label}: stop working, you are told here if it comes back"


def _missing(store: Store, attempt: Row, round_id: int) -> list[str]:
    reported = {row["path"] for row in store.rounds.delivered(round_id)}
    spec = store.specs.get(attempt["spec_id"])
    return [one["path"] for one in spec["deliverables"] if one["path"] not in reported]


def _reported(store: Store, attempt: Row) -> dict[str, str]:
    current = store.rounds.current(attempt["id"])
    return {row["path"]: row["description"] for row in store.rounds.delivered(current["id"])}


def _look_again(workspace: Path, paths: dict[str, str]) -> tuple[list[Found], str]:
    """The deliverables as they are at the submission, and why one of them is none."""
    found = []
    for path in paths:
        try:
            found.append(look(workspace, path))
        except NotDelivered as error:
            return found, str(error)
    return found, ""
