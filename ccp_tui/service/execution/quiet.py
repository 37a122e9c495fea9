"""Planners and reviewers that give no sign of life: asked once, then the task is held. Their run is left alone.

What a worker's silence is to stalls.py, theirs is here. Who is waited for is decided from the database at every look;
only when each was last heard of is kept in memory. Time without a gateway, or waiting for the person, does not count.
"""

from __future__ import annotations

import asyncio
import contextlib

from ccp_tui.gateway import GatewayError, GatewayEvent
from ccp_tui.lifecycle import State
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import SERVICE, Row, record
from ccp_tui.service.context import Context
from ccp_tui.service.execution.goingon import SIGN, asked_for_sign, purpose
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.execution.stalls import is_sign, long
from ccp_tui.service.planning import planprompts
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.feedback import say
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.service.verification import reviewprompts
from ccp_tui.store import Store

_BY_ITSELF = "It goes on by itself at the next sign of life."
PLANNER_RELEASE = f"{_BY_ITSELF} Or plan again to ask the planner once more, or drop the plan."
REVIEWER_RELEASE = f"{_BY_ITSELF} Or review it yourself, or ask a reviewer again."


class Quiet:
    """One deadline for all of them; an event moves it at no cost."""

    def __init__(self, context: Context, runs: Runs, deliveries: Deliveries, background: Background) -> None:
        self._c = context
        self._runs = runs
        self._deliveries = deliveries
        self._background = background
        self._wakeup = asyncio.Event()
        self._heard: dict[str, float] = {}  # session → the loop's time
        self._held: set[str] = set()  # of these, the sessions for whose silence their task is held
        self._away: float | None = None

    def start(self) -> None:
        self._background.start(self._loop(), "quiet planners and reviewers")

    def wake(self) -> None:
        self._wakeup.set()

    def event(self, event: GatewayEvent) -> None:
        """Called before the event is taken in: what runs is then what ran before it."""
        for key in self._c.live.upwards(event.session_key):
            if key in self._heard and is_sign(event, self._c.live):
                self._heard[key] = _now()
                if key in self._held:
                    self._held.discard(key)
                    self._background.start(self._alive(key), f"{key} is alive")

    def connected(self, connected: bool) -> None:
        if not connected:
            self._away = self._away or _now()
        elif self._away is not None:
            gone, self._away = _now() - self._away, None
            self._heard = {key: heard + gone for key, heard in self._heard.items()}
            self.wake()

    async def _loop(self) -> None:
        wait: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wakeup.wait()
            self._wakeup.clear()
            await survive(self._look(), "looking for a sign of life")
            wait = self._next()

    def _next(self) -> float | None:
        """How many seconds the next deadline is away."""
        if not self._c.connected:
            return None  # the next connect wakes us
        heard = [at for key, at in self._heard.items() if key not in self._held]
        left = min(heard, default=None)
        return None if left is None else max(0.1, left + self._c.settings.stalled_after - _now())

    async def _look(self) -> None:
        followed = await self._c.db(waited_for)
        self._heard = {key: self._heard.get(key, _now()) for key in followed}
        self._held = {key for key, held in followed.items() if held}
        if not self._c.connected:
            return
        for key in [key for key, at in self._heard.items() if key not in self._held and self._due(at)]:
            await self._silent(key)

    def _due(self, heard: float) -> bool:
        return _now() - heard >= self._c.settings.stalled_after

    async def _silent(self, session_key: str) -> None:
        """A deadline passed. Without a run, here or below, the session's owner knows what follows."""
        heard = self._heard[session_key]
        if self._c.live.request_in(session_key):
            self._heard[session_key] = _now()  # it waits for the person
            return
        try:
            going = await self._runs.sync(session_key)
        except GatewayError:
            self._heard[session_key] = _now()
            return
        if self._heard.get(session_key) != heard:
            return  # just then
        self._heard[session_key] = _now()
        below = await self._c.db(lambda store: store.sessions.at_work_below(session_key))
        if going.run_id is None and not going.pending and not below:
            self._runs.settle_later(session_key, 0.0)
            return
        after = self._c.settings.stalled_after
        await self._c.db(lambda store: ask_or_hold(store, session_key, after, self._deliveries.report))
        self._deliveries.wake()

    async def _alive(self, session_key: str) -> None:
        def work(store: Store) -> None:
            if waited_for(store).get(session_key):
                task = _task(store, session_key)
                store.tasks.hold(task["id"], None)
                agent = store.sessions.get(session_key)["agent_id"]
                record(store, task, SERVICE, "released", f"goes on: {agent} gave a sign of life")

        await self._c.db(work)


def waited_for(store: Store) -> dict[str, bool]:
    """The sessions of planners and reviewers whose turn it is, and whether the task is held for their silence."""
    if store.emergency():
        return {}
    rows = [one for one in store.plannings.open_ones() if one["state"] == "planner"]
    keys = [one["session_key"] for one in (*rows, *store.review_requests.open_ones()) if one["session_key"]]
    found = {}
    for key in keys:
        task = _task(store, key)
        held = quiet(task)
        if held or not task["hold_kind"]:
            found[key] = held
    return found


def quiet(task: Row) -> bool:
    """Whether a task is held because its planner or reviewer gives no sign of life."""
    return task["hold_kind"] == HoldKind.STALLED and task["hold_release"] in (
        PLANNER_RELEASE,
        REVIEWER_RELEASE,
    )


def ask_or_hold(store: Store, session_key: str, after: float, report: str) -> None:
    """Asks for a sign of life, or holds the task when that was done. ``after``: how many seconds are a silence."""
    if waited_for(store).get(session_key) is not False or store.outbox.unsent_in(session_key):
        return
    task, agent = _task(store, session_key), store.sessions.get(session_key)["agent_id"]
    if asked_for_sign(store, session_key):
        reason = f"no sign of life from {agent} for {long(2 * after)}, also after it was asked"
        planned = task["state"] == State.PLANNING
        hold(store, task, HoldKind.STALLED, reason, PLANNER_RELEASE if planned else REVIEWER_RELEASE)
        return
    planning = store.plannings.by_session(session_key)
    request = store.review_requests.by_session(session_key)
    if planning:
        text = planprompts.sign_of_life(task, planning, long(after))
    elif request:
        text = reviewprompts.sign_of_life(
            store, store.review_requests.context(request["id"]), long(after), report
        )
    else:
        return
    say(store, session_key, agent, purpose(store, session_key, SIGN), text)
    record(store, task, SERVICE, "nudged", f"{agent} gave no sign of life for {long(after)} and was asked")


def _task(store: Store, session_key: str) -> Row:
    return store.tasks.get(store.sessions.get(session_key)["task_id"])


def _now() -> float:
    return asyncio.get_running_loop().time()
