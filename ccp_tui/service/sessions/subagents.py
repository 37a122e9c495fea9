"""Sub-agents: the sessions that a run of ours spawns, under the task that they work for, with their words and outcome.

The gateway tells of a new session and of the one that spawned it (``sessions.changed``, and ``task`` events of its
ledger). When a sub-agent ends, the gateway starts a run in the session that spawned it, to announce what came of it;
so an attempt is not over while a sub-agent of it works, nor for some seconds after.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ccp_tui.gateway import (
    GatewayError,
    GatewayEvent,
    GatewayUnavailable,
    RunAborted,
    RunFailed,
    RunFinal,
    SessionChanged,
    SubagentChanged,
)
from ccp_tui.gateway.nouns import text
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import SERVICE, record
from ccp_tui.service.context import Context
from ccp_tui.service.reports.tokens import hide
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.store import Store
from ccp_tui.text import one_line

log = logging.getLogger(__name__)
Row = dict[str, Any]
Work = Callable[[], Awaitable[object]]

RUNNING, DONE, FAILED = "running", "done", "failed"
ANNOUNCE_S = 5.0  # how long the run that announces a sub-agent's end may take to begin
LONGEST_TITLE = 120
AT_ONCE = 8  # sessions that the gateway is asked about at a time
DEEPEST = 8  # sub-agents of sub-agents that are looked for
# What the gateway calls a session or a task of its ledger that came to nothing.
_FAILED = frozenset({"failed", "error", "killed", "timeout", "timed_out", "cancelled", "lost", "aborted"})
_ENDED = frozenset({"done", "completed", "succeeded", "ok", "idle"}) | _FAILED


class Subagents:
    """Takes the gateway's events; its work is done in their order."""

    def __init__(self, context: Context, runs: Runs, background: Background) -> None:
        self._c = context
        self._runs = runs
        self._background = background
        self._work: asyncio.Queue[Work] = asyncio.Queue()
        self._told: dict[str, str] = {}  # what an event said of the end of a sub-agent's run

    async def start(self) -> None:
        """Follows those that were at work when the last service ended."""
        for row in await self._c.db(lambda store: store.sessions.working_children()):
            self._follow(row["session_key"], row["agent_id"], row["parent_key"])
        self._background.start(self._loop(), "sub-agents")

    def event(self, event: GatewayEvent) -> None:
        match event:
            case SessionChanged():
                parent, state = _parent(event), text(event.row.get("status"))
                label = text(event.row.get("label")) or text(event.row.get("displayName"))
                self._seen(event.session_key, parent, event.agent_id, label, state)
            case SubagentChanged():
                self._seen(event.key, event.session_key, event.agent_id, event.label, event.status)
            case RunFinal():
                self._told[event.session_key] = DONE
            case RunFailed() | RunAborted():
                self._told[event.session_key] = FAILED
        if len(self._told) > 1000:
            self._told.pop(next(iter(self._told)))

    async def connected(self) -> None:
        """After a connect: sub-agents that nobody saw begin or end."""
        keys = [row["session_key"] for row in await self._c.db(lambda store: store.sessions.spawning())]
        for at in range(0, len(keys), AT_ONCE):
            looks = (self._find(key, DEEPEST) for key in keys[at : at + AT_ONCE])
            for problem in await asyncio.gather(*looks, return_exceptions=True):
                if isinstance(problem, GatewayUnavailable):
                    return  # the next connect looks again
                if isinstance(problem, BaseException):
                    raise problem
        for row in await self._c.db(lambda store: store.sessions.working_children()):
            self._runs.settle_later(row["session_key"], 1.0)

    def _seen(self, child: str, parent: str, agent: str, label: str, state: str) -> None:
        if child and parent and child != parent:
            self._work.put_nowait(partial(self._note, child, parent, agent, label, state))

    async def _note(self, child: str, parent: str, agent: str, label: str, state: str) -> None:
        """A sub-agent of a session of ours joins the board, or says how it stands."""
        title = one_line(hide(label), LONGEST_TITLE)

        def work(store: Store) -> tuple[bool, bool]:
            above = store.sessions.find(parent)
            if above is None:
                return False, False
            owner = agent or above["agent_id"]
            new = store.sessions.note(
                child, owner, title=title, purpose="subagent", task=above["task_id"], parent=parent
            )
            if new:
                store.sessions.set_state(child, RUNNING)
                if above["task_id"]:
                    task = store.tasks.get(above["task_id"])
                    record(store, task, SERVICE, "spawned", f"has a sub-agent at work: {title or owner}")
            elif title:
                store.sessions.set_title(child, title)
            return True, new

        known, new = await self._c.db(work)
        if known and new:
            self._follow(child, agent or child.split(":", 2)[1], parent)
            try:
                await self._runs.sync(child)  # what it said before it was followed
            except GatewayError as error:
                log.info("history of %s: %s", child, error.message)
        if known and state in _ENDED and (new or state in _FAILED):
            self._told[child] = FAILED if state in _FAILED else self._told.get(child, DONE)
            self._runs.settle_later(child, 0.5)

    def _follow(self, child: str, agent: str, parent: str) -> None:
        self._c.live.spawners[child] = parent
        self._runs.learn(child, agent, None, None, self._ended)

    async def _ended(self, child: str) -> bool:
        """Nothing goes on in a sub-agent's session any more: it is done, and the one that spawned it hears of it."""
        outcome = self._told.pop(child, None) or await self._asked(child)
        if outcome is None:
            return False
        if outcome == RUNNING:
            return True  # the end of its run is told

        def work(store: Store) -> str | None:
            row = store.sessions.find(child)
            if row is None or row["state"] != RUNNING:
                return None
            store.sessions.set_state(child, outcome)
            if row["task_id"]:
                task = store.tasks.get(row["task_id"])
                words = f"sub-agent {row['title'] or row['agent_id']} is {outcome}"
                record(store, task, SERVICE, f"subagent_{outcome}", words)
            return str(row["parent_key"])

        parent = await self._c.db(work)
        self._c.live.spawners.pop(child, None)
        if parent:
            self._runs.settle_later(parent, ANNOUNCE_S)
        return True

    async def _asked(self, child: str) -> str | None:
        """How the gateway says that a sub-agent stands; None when it can't be asked now."""
        try:
            row = await self._c.gateway.calls.session_describe(child)
        except GatewayUnavailable:
            return None
        except GatewayError:
            return FAILED
        if row is None:
            return FAILED
        if row.active:
            return RUNNING
        return FAILED if row.status in _FAILED or row.aborted_last_run or row.last_error else DONE

    async def _find(self, session_key: str, depth: int) -> None:
        """The children that the gateway knows of a session, and theirs. Raises GatewayUnavailable."""
        try:
            children = await self._c.gateway.calls.session_children(session_key)
        except GatewayUnavailable:
            raise
        except GatewayError as error:
            log.info("sub-agents of %s: %s", session_key, error.message)
            return
        for row in children:
            label = text(row.raw.get("label")) or text(row.raw.get("displayName"))
            state = "" if row.active else row.status or DONE
            await self._note(row.key, session_key, row.agent_id, label, state)
            if depth > 1:
                await self._find(row.key, depth - 1)

    async def _loop(self) -> None:
        while True:
            await survive((await self._work.get())(), "a sub-agent")


def _parent(event: SessionChanged) -> str:
    """The session that spawned this one; a fork has a parent too, and is no sub-agent."""
    forked = event.row.get("forkedFromParent") or ":subagent:" not in event.session_key
    return text(event.row.get("spawnedBy")) or ("" if forked else text(event.row.get("parentSessionKey")))
