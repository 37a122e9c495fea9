"""Runs that give no sign of life: shown, then the worker is asked once, then the task is held. The run is left alone.

A sign of life is any event of the attempt's session that the worker's run made, or that a sub-agent at work below it
made in its own; neither our own messages nor the gateway's word about its health is one. Time without a gateway does
not count.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ccp_tui import clock
from ccp_tui.gateway import (
    GatewayEvent,
    MessageAdded,
    RunAborted,
    RunDelta,
    RunFailed,
    RunFinal,
    RunStatus,
    ToolEvent,
)
from ccp_tui.lifecycle import State
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background
from ccp_tui.service.board.moves import SERVICE, record
from ccp_tui.service.context import Context
from ccp_tui.service.execution import prompts
from ccp_tui.service.execution.goingon import SIGN, alive, purpose
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.live import Live
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.feedback import send_back
from ccp_tui.store import Committed, Store

RELEASE = "It goes on by itself at the next sign of life. Or retry, assign another agent, or cancel."


@dataclass
class Watch:
    """One worker's session: when it was last heard of (the loop's time), and the deadline if one is set."""

    ref: str
    heard: float
    asked: bool = False
    held: bool = False
    signs: int = 0
    timer: asyncio.TimerHandle | None = None


class Stalls:
    """One deadline for each session that is worked in; an event moves it at no cost."""

    def __init__(self, context: Context, deliveries: Deliveries, background: Background) -> None:
        self._c = context
        self._deliveries = deliveries
        self._background = background
        self._watched: dict[str, Watch] = {}
        self._away: float | None = None

    async def start(self) -> None:
        self._away = _now()

        def work(store: Store) -> list[tuple[str, str, bool, bool]]:
            return [
                (
                    attempt["session_key"],
                    task["ref"],
                    attempt["stalled_at"] is not None,
                    bool(task["hold_kind"]),
                )
                for attempt in store.attempts.open_ones()
                if (task := store.tasks.get(attempt["task_id"]))["state"] == State.IN_PROGRESS
            ]

        for session_key, ref, asked, held in await self._c.db(work):
            self._watched[session_key] = Watch(ref, _now(), asked, held)
            self._arm(session_key)

    def committed(self, committed: Committed) -> None:
        """Follows which sessions are worked in."""
        for card in committed.tasks:
            key = card["session_key"] if card["state"] == State.IN_PROGRESS else None
            for other in [k for k, watch in self._watched.items() if watch.ref == card["ref"] and k != key]:
                self._disarm(self._watched.pop(other))
            if key is None:
                continue
            watch = self._watched.setdefault(key, Watch(card["ref"], _now()))
            was, watch.held = watch.held, card["hold"] is not None
            if watch.held:
                self._disarm(watch)
            elif was or watch.timer is None:
                watch.heard = _now()
                self._arm(key)

    def event(self, event: GatewayEvent) -> None:
        """Called before the event is taken in: what runs is then what ran before it."""
        for session_key in self._c.live.upwards(event.session_key):
            if (watch := self._watched.get(session_key)) and is_sign(event, self._c.live):
                self._heard_of(session_key, watch)

    def _heard_of(self, session_key: str, watch: Watch) -> None:
        watch.heard = _now()
        watch.signs += 1
        if watch.asked:
            watch.asked = False
            self._background.start(self._alive(session_key, watch.ref), f"{watch.ref} is alive")
        self._arm(session_key)

    def connected(self, connected: bool) -> None:
        """The gateway came or went: what a worker did meanwhile nobody could have heard."""
        if not connected:
            self._away = self._away or _now()
        elif self._away is not None:
            gone, self._away = _now() - self._away, None
            for session_key, watch in self._watched.items():
                watch.heard += gone
                self._arm(session_key)

    def _arm(self, session_key: str) -> None:
        watch = self._watched[session_key]
        if watch.timer is None and not watch.held and self._away is None:
            left = watch.heard + self._c.settings.stalled_after - _now()
            watch.timer = asyncio.get_running_loop().call_later(max(0.0, left), self._due, session_key)

    def _disarm(self, watch: Watch) -> None:
        if watch.timer:
            watch.timer.cancel()
            watch.timer = None

    def _due(self, session_key: str) -> None:
        watch = self._watched.get(session_key)
        if watch is None:
            return
        watch.timer = None
        if self._c.live.request_in(session_key):
            watch.heard = _now()  # it waits for the person
        if _now() - watch.heard < self._c.settings.stalled_after:
            self._arm(session_key)
        elif self._away is None:
            self._background.start(self._silent(session_key, watch), f"{watch.ref} is silent")

    async def _silent(self, session_key: str, watch: Watch) -> None:
        """A deadline passed: asks once, then holds. Without a run, here or below, there is nobody to ask."""
        signs = watch.signs
        silent = long(self._c.settings.stalled_after * (2 if watch.asked else 1))
        asked = await self._c.db(lambda store: self._ask_or_hold(store, session_key, silent))
        if watch.signs != signs:  # just then
            await self._alive(session_key, watch.ref)
        elif asked is not None:
            watch.asked = True
            activity = {"kind": "quiet", "text": f"no sign of life for {silent}", "at": clock.now()}
            self._c.live.activity[watch.ref] = activity
            self._c.hub.publish("activity", {"ref": watch.ref, "activity": activity})
        if asked:
            watch.heard = _now()
            self._deliveries.wake()
            if session_key in self._watched:
                self._arm(session_key)

    def _ask_or_hold(self, store: Store, session_key: str, silent: str) -> bool | None:
        """True: it was asked; False: it is held; None: there is nothing to wait for."""
        attempt = store.attempts.by_session(session_key)
        if attempt is None or attempt["ended_at"]:
            return None
        task = store.tasks.get(attempt["task_id"])
        if (
            task["state"] != State.IN_PROGRESS
            or task["hold_kind"]
            or not (store.attempts.running(attempt["id"]) or store.sessions.at_work_below(session_key))
        ):
            return None
        agent = attempt["agent_id"]
        if attempt["stalled_at"]:
            reason = f"no sign of life from {agent} for {silent}, also after it was asked"
            hold(store, task, HoldKind.STALLED, reason, RELEASE)
            return False
        store.attempts.change(attempt["id"], stalled_at=clock.now())
        number = store.rounds.current(attempt["id"])["number"]
        text = prompts.sign_of_life(task, number, silent, self._deliveries.report)
        send_back(store, attempt, purpose(store, session_key, SIGN), text)
        record(store, task, SERVICE, "nudged", f"gave no sign of life for {silent}; {agent} was asked")
        return True

    async def _alive(self, session_key: str, ref: str) -> None:
        if self._c.live.activity.get(ref, {}).get("kind") == "quiet":
            del self._c.live.activity[ref]

        def work(store: Store) -> None:
            attempt = store.attempts.by_session(session_key)
            if attempt and not attempt["ended_at"]:
                alive(store, attempt)

        await self._c.db(work)


def is_sign(event: GatewayEvent, live: Live) -> bool:
    """Whether an event of a session is a sign of life of the agent that works in it."""
    match event:
        case MessageAdded():
            return event.message.role in ("assistant", "tool")
        case RunFinal():  # an empty one says that a message of ours was taken, and nothing of the agent
            return event.text is not None or event.run_id in live.runs
        case RunDelta() | ToolEvent() | RunStatus() | RunAborted() | RunFailed():
            return True
    return False


def _now() -> float:
    return asyncio.get_running_loop().time()


def long(seconds: float) -> str:
    """A time for people."""
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
