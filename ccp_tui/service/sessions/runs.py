"""Following the gateway's runs: live words and tools to whoever looks, transcripts to the store, ends to the judge."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from ccp_tui import clock
from ccp_tui.gateway import (
    GatewayError,
    GatewayEvent,
    GatewayUnavailable,
    MessageAdded,
    RemoteMessage,
    RunAborted,
    RunDelta,
    RunFailed,
    RunFinal,
    RunStatus,
    ToolEvent,
)
from ccp_tui.service.background import Background, survive
from ccp_tui.service.context import Context
from ccp_tui.service.execution import retries
from ccp_tui.service.execution.goingon import held_back
from ccp_tui.service.execution.outcomes import Outcomes
from ccp_tui.service.live import LiveRun
from ccp_tui.service.reports.tokens import hide
from ccp_tui.service.sessions.transcripts import shortened, store_messages
from ccp_tui.store import Store
from ccp_tui.text import clean, last_line, one_line

Owner = Callable[[str], Awaitable[bool]]

ACTIVITY_EVERY_S = 0.25
ACTIVITY_CHARS = 120
# How a report gets in says nothing to a reader, and would fill the line.
_ACCESS = re.compile(r" --(?:socket|attempt|token)[ =]\S+")
HISTORY_ROWS = 200
JUDGE_AGAIN_S = 5.0
# A session that is called running for longer than this after a connect, and shows no run, is not taken up any more.
COMES_BACK_S = 240.0


class Runs:
    """Takes the gateway's events for the sessions that the board knows; others' sessions are none of its business."""

    def __init__(self, context: Context, outcomes: Outcomes, background: Background) -> None:
        self._c = context
        self._outcomes = outcomes
        self._background = background
        self._known: dict[str, Known] = {}
        self._told: dict[str, float] = {}
        self._over: deque[str] = deque(
            maxlen=1000
        )  # runs that ended: a straggling event does not revive them
        self._work: asyncio.Queue[Any] = asyncio.Queue()
        self.send_stuck: Callable[[str], Awaitable[bool]] = _nothing_stuck

    def start(self) -> None:
        self._background.start(self._keep(), "transcripts")

    def learn(
        self,
        session_key: str,
        agent: str,
        ref: str | None,
        attempt: int | None,
        owner: Owner | None = None,
    ) -> None:
        """A session joins those that are followed.

        ``owner`` is told whenever nothing goes on in it any more and its history is stored: after a run, and after
        a reconnect. It answers whether it is content, or wants to be asked again in some seconds.
        """
        if attempt is not None:  # what an earlier attempt still does is no sign of life of this one
            for key, known in self._known.items():
                if known.ref == ref and known.attempt is not None:
                    self._known[key] = replace(known, ref=None)
        self._known[session_key] = Known(agent, ref, attempt, owner)

    def owned(self) -> list[str]:
        """The sessions of a planner or a reviewer."""
        return [key for key, known in self._known.items() if known.owner]

    def forget_owner(self, session_key: str) -> None:
        """A planning or a review is over: its session is a transcript like any other from here on."""
        if known := self._known.get(session_key):
            self._known[session_key] = Known(known.agent, known.ref, known.attempt)

    def is_over(self, run_id: str | None) -> bool:
        """Whether the end of this run was told since the service started, among those of late."""
        return run_id in self._over

    def follow(self, session_key: str, agent: str) -> None:
        """A session that somebody looks at joins them, unless it is an open attempt's, which is there already."""
        if session_key not in self._known:
            self.learn(session_key, agent, None, None)

    def event(self, event: GatewayEvent) -> None:
        """One event of the gateway, in its order. Runs on the loop and does not wait."""
        known = self._known.get(event.session_key)
        if known is None:
            return
        if event.run_id in self._over and not isinstance(event, MessageAdded):
            return
        match event:
            case RunDelta():
                self._delta(event, known)
            case ToolEvent():
                self._tool(event, known)
            case RunStatus():
                self._began(event, known)
                self._activity(known, "status", event.phase.replace("_", " ").replace("-", " "))
            case RunFinal() | RunAborted() | RunFailed():
                self._ended(event, known)
            case MessageAdded():
                self._work.put_nowait(("message", event.session_key, event.message))

    async def sync(self, session_key: str) -> Going:
        """Reads a session's history into the store; what goes on in it. Raises GatewayError."""
        before = [run for run in self._c.live.runs.values() if run.session_key == session_key]
        history = await self._c.gateway.calls.chat_history(session_key, limit=HISTORY_ROWS)
        flight = history.in_flight
        if flight is not None and flight.run_id in self._over:
            flight = None
        gone = [run for run in before if flight is None or run.run_id != flight.run_id]
        for run in gone:
            self._lose(run)
        if flight and (known := self._known.get(session_key)):
            self._run(session_key, flight.run_id, known).text = hide(clean(flight.text))

        def work(store: Store) -> None:
            store_messages(store, session_key, history.messages)
            store.touched.agents.update(run.agent for run in gone)

        await self._c.db(work)
        return Going(flight.run_id if flight else None, bool(history.pending))

    async def comes_back(self, session_key: str) -> bool:
        """Whether a gateway that was restarted has yet to take up a turn of this session.

        Until then its row of the session says "running" and its history shows no run in flight (OpenClaw 2026.9.6; it
        begins some five seconds after the start, and on a busy machine minutes later).
        """
        if clock.seconds_since(self._c.gateway.status.since) > COMES_BACK_S:
            return False
        with contextlib.suppress(GatewayError):
            row = await self._c.gateway.calls.session_describe(session_key)
            return row is not None and row.active
        return False

    def settle_later(self, session_key: str, wait: float) -> None:
        """Has whoever owns a session told after so many seconds, if nothing goes on in it then."""
        self._background.start(self._settle_later(session_key, wait), f"settle {session_key}")

    async def _send_stuck(self, session_key: str) -> bool:
        with contextlib.suppress(GatewayError):  # away again: the next connect compares again
            return await self.send_stuck(session_key)
        return False

    async def settle(self, session_key: str) -> bool:
        """Tells the judge, or the owner of a session, that nothing goes on in it; whether that was all.

        While everything is stopped, or the machine stops, nobody is told: what was cut off is no outcome, and goes on
        at the resume, or the next start.
        """
        if self._c.live.emergency or self._c.live.stopping:
            return True
        known = self._known.get(session_key)
        if known and known.attempt is not None:
            return await self._outcomes.run_ended(known.attempt)
        if known and known.owner:
            return self._c.live.run_of(session_key) is not None or await known.owner(session_key)
        return True

    async def _settle_later(self, session_key: str, wait: float) -> None:
        while True:
            await asyncio.sleep(wait)
            wait = JUDGE_AGAIN_S
            if not self._c.connected:
                return  # the next connect compares again
            try:
                going = await self.sync(session_key)
            except GatewayUnavailable:
                continue
            except GatewayError:
                going = Going(None, False)
            if going.run_id is not None:
                return  # it is judged when that run ends
            if await self.comes_back(session_key):
                continue
            if going.pending and await self._send_stuck(session_key):
                continue
            if await self.settle(session_key):
                return

    def _lose(self, run: LiveRun) -> None:
        """A run that the gateway does not show any more: how it ended was not told."""
        if self._c.live.runs.pop(run.run_id, None):
            body = {"run_id": run.run_id, "state": "error", "detail": "the gateway lost this run"}
            self._publish(run.session_key, "run.state", body)

    def _run(self, session_key: str, run_id: str, known: Known) -> LiveRun:
        run = self._c.live.runs.get(run_id)
        if run is None:
            run = self._c.live.runs[run_id] = LiveRun(session_key, known.agent, run_id)
            self._publish(session_key, "run.state", {"run_id": run_id, "state": "started"})
            self._work.put_nowait(("began", known, run_id))
        return run

    def _began(self, event: GatewayEvent, known: Known) -> None:
        if event.run_id:
            self._run(event.session_key, event.run_id, known)

    def _delta(self, event: RunDelta, known: Known) -> None:
        run = self._run(event.session_key, event.run_id, known)
        run.text = hide(clean(event.text))
        self._publish(event.session_key, "run.delta", {"run_id": event.run_id, "text": run.text})
        self._activity(known, "words", last_line(run.text, ACTIVITY_CHARS))

    def _tool(self, event: ToolEvent, known: Known) -> None:
        self._began(event, known)
        body = {
            "run_id": event.run_id,
            "call_id": event.call_id,
            "name": event.name,
            "phase": event.phase,
            "args": None
            if event.args is None
            else {key: hide(clean(str(v))) for key, v in event.args.items()},
            "output": None if event.output is None else shortened(hide(clean(event.output))),
            "is_error": event.is_error,
        }
        self._publish(event.session_key, "run.tool", body)
        if (
            event.phase == "result"
        ):  # the gateway tells results as tool events alone, until its history is read
            self._work.put_nowait(("message", event.session_key, _result_of(event)))
        if event.phase == "start":
            words = _ACCESS.sub("", str((event.args or {}).get("command") or ""))
            self._activity(
                known, "tool", one_line(f"{event.name} {hide(words)}", ACTIVITY_CHARS), at_once=True
            )

    def _ended(self, event: RunFinal | RunAborted | RunFailed, known: Known) -> None:
        self._over.append(event.run_id)
        if event.run_id not in self._c.live.runs and isinstance(event, RunFinal) and event.text is None:
            # Our message was steered into a running run, or waits for it: that run is the one to follow.
            self._work.put_nowait(("ended", event.session_key, known, event.run_id, "final", ""))
            return
        match event:
            case RunFinal():
                state, detail = "final", ""
            case RunAborted():
                state, detail = "aborted", event.stop_reason or ""
            case RunFailed():
                # A gateway that took up a changed configuration did not ask the model: the same again will do.
                state = "superseded" if event.superseded else "error"
                detail = one_line(hide(event.message), 500)
        self._c.live.runs.pop(event.run_id, None)
        told = "error" if state == "superseded" else state
        self._publish(
            event.session_key, "run.state", {"run_id": event.run_id, "state": told, "detail": detail}
        )
        if isinstance(event, RunFailed):
            detail = retries.kept(detail, temporary=event.temporary)
        self._work.put_nowait(("ended", event.session_key, known, event.run_id, state, detail))

    def _publish(self, session_key: str, name: str, body: dict[str, Any]) -> None:
        self._c.hub.publish(name, {"session_key": session_key, **body}, session=session_key)

    def _activity(self, known: Known, kind: str, text: str, *, at_once: bool = False) -> None:
        """What the card shows of a running attempt, at most four times a second."""
        if known.ref is None or not text:
            return
        now = time.monotonic()
        if not at_once and now - self._told.get(known.ref, 0.0) < ACTIVITY_EVERY_S:
            return
        self._told[known.ref] = now
        activity = {"kind": kind, "text": text, "at": clock.now()}
        self._c.live.activity[known.ref] = activity
        self._c.hub.publish("activity", {"ref": known.ref, "activity": activity})

    async def _keep(self) -> None:
        """Stores what the events brought, in their order."""
        while True:
            await survive(self._keep_one(await self._work.get()), "keeping an event")

    async def _keep_one(self, work: Any) -> None:
        match work:
            case ("message", session_key, message):
                await self._store(session_key, message)
            case ("began", known, run_id):
                await self._note_begin(known, run_id)
            case ("ended", session_key, known, run_id, state, detail):
                await self._note_end(session_key, known, run_id, state, detail)

    async def _store(self, session_key: str, message: Any) -> None:
        await self._c.db(lambda store: store_messages(store, session_key, [message]))

    async def _note_begin(self, known: Known, run_id: str) -> None:
        def work(store: Store) -> None:
            if known.attempt is not None:
                store.attempts.run_seen(known.attempt, run_id)
            store.touched.agents.add(known.agent)

        await self._c.db(work)

    async def _is_held_back(self, session_key: str) -> bool:
        policy = self._c.settings.policy
        return await self._c.db(lambda store: held_back(store, session_key, policy))

    async def _note_end(self, session_key: str, known: Known, run_id: str, state: str, detail: str) -> None:
        going = Going(None, False)
        with contextlib.suppress(GatewayError):  # the next connect reads the history again
            going = await self.sync(session_key)

        def work(store: Store) -> bool:
            store.touched.agents.add(known.agent)
            if state != "final":
                why = retries.words_of(detail) or "without a reason"
                words = "the run was aborted" if state == "aborted" else f"the run failed: {why}"
                store.messages.add_note(session_key, words)
            if known.attempt is None:
                return known.owner is not None
            return store.attempts.run_ended(known.attempt, run_id, state, detail)

        if not await self._c.db(work) or going.run_id is not None:
            return
        if state == "aborted" and known.owner and await self._is_held_back(session_key):
            return  # it was cut off for want of a budget: whoever owns it hears of it when it goes on
        if going.pending or not await self.settle(session_key):
            self.settle_later(session_key, JUDGE_AGAIN_S)  # a queued message is about to be a run of its own


def _result_of(event: ToolEvent) -> RemoteMessage:
    """A tool's result as the history will have it."""
    return RemoteMessage(
        id="",
        seq=None,
        role="tool",
        text=event.output or "",
        tool_calls=[],
        tool_call_id=event.call_id,
        tool_name=event.name,
        is_error=event.is_error,
        run_id=event.run_id or None,
    )


async def _nothing_stuck(_: str) -> bool:
    return False


@dataclass(frozen=True)
class Known:
    """Whose session it is: the agent, the task, the attempt of a worker, or who waits for a planner or reviewer."""

    agent: str
    ref: str | None
    attempt: int | None
    owner: Owner | None = None


@dataclass(frozen=True)
class Going:
    """What goes on in a session: the run in flight, and whether messages wait behind it."""

    run_id: str | None
    pending: bool
