"""The planner's side of a task: its session is opened, its replies are read, and what follows is done, each once.

All that is decided is decided from the database, so that a step may be taken again after whatever was killed. Nothing
is asked for on a timer: commits, connects and the ends of runs wake this duty.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from ccp_tui import clock
from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.lifecycle import Refused, State
from ccp_tui.model import HoldKind
from ccp_tui.policy import Auto, Policy
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import SERVICE, stopped
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.planning import plansteps as steps
from ccp_tui.service.planning.approval import approve_spec
from ccp_tui.service.planning.duties import PLANNER, Duties
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.store import Conflict, NotFound, Store
from ccp_tui.text import clean
from ccp_tui.wire import Json

log = logging.getLogger(__name__)
Row = dict[str, Any]

AGAIN_S = 5.0
# A session that shows no run so long after a message reached it has none; before that, the run may only be starting.
SILENT_AFTER_S = 8.0


class Planning:
    """One planner's session per planning. :meth:`wake` it after a commit."""

    def __init__(
        self, context: Context, duties: Duties, runs: Runs, deliveries: Deliveries, background: Background
    ) -> None:
        self._c = context
        self._duties = duties
        self._runs = runs
        self._deliveries = deliveries
        self._background = background
        self._wakeup = asyncio.Event()
        self._opening: set[int] = set()

    async def start(self) -> None:
        """Takes up what the last service left: follows the planners' sessions, opens what was not opened."""
        for key, agent, ref in await self._c.db(_followed):
            self._runs.learn(key, agent, ref, None, self._nothing_goes_on)
        self._background.start(self._loop(), "planning")
        self.wake()

    def wake(self) -> None:
        self._wakeup.set()

    # -- what a person asks ------------------------------------------------------------------------------------

    def plan(self, params: Json) -> Callable[[Store, Row], str | None]:
        """``task.plan``: begins a planning, or tries a held one again."""
        auto = p.maybe_bool(params, "auto")

        def work(store: Store, task: Row) -> None:
            steps.begin(store, task, person(), auto=bool(task["auto"]) if auto is None else auto)

        return work

    def replan(self, params: Json) -> Callable[[Store, Row], str | None]:
        """``task.replan``: the person's words about the plan."""
        words = clean(p.text(params, "text")).strip()

        def work(store: Store, task: Row) -> None:
            steps.replan(store, task, words, person())

        return work

    def approve(self, params: Json) -> Callable[[Store, Row], str | None]:
        """``task.approve_spec``: the spec and all that it asks for."""
        version = p.number(params, "version")

        def work(store: Store, task: Row) -> str | None:
            return approve_spec(store, task, version, person(), self._policy(store, task))

        return work

    # -- what goes on by itself --------------------------------------------------------------------------------

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            await survive(self._look_through(), "looking through the plannings")

    async def _look_through(self) -> None:
        for planning, unsent in await self._c.db(_open_ones):
            if unsent:
                self._deliveries.wake()
            elif planning["state"] == "opening" and planning["id"] not in self._opening:
                self._opening.add(planning["id"])
                self._background.start(self._open(planning["id"]), f"opening planning {planning['id']}")
            elif planning["state"] == "proposed" and planning["auto"]:
                await self._approve_by_policy(planning["id"])

    async def _approve_by_policy(self, planning_id: int) -> None:
        try:
            await self._c.db(lambda store: self._approve(store, planning_id))
        except (Refused, Conflict) as refusal:  # it waits for the person, like any other
            log.info("planning %s: %s", planning_id, refusal)

    async def _open(self, planning_id: int) -> None:
        """Agent and session, then the first message in one transaction. What fails is held, with the words."""
        try:
            ready = await self._c.db(lambda store: self._ready(store, planning_id))
            if ready is None or self._c.gateway_problem:
                return  # a release or the next connect wakes us
            key, ref, policy = ready
            agent = await self._duties.agent_for(PLANNER, policy)
            session_key = await self._c.gateway.calls.session_create(agent, key)
            if await self._c.db(lambda store: steps.opened(store, planning_id, agent, session_key)):
                self._runs.learn(session_key, agent, ref, None, self._nothing_goes_on)
                self._deliveries.wake()
        except GatewayUnavailable:
            if self._c.connected:  # no connect will wake us
                self._background.start(self._wake_later(), "opening a planning again")
        except GatewayError as error:
            await self._fail(planning_id, f"the gateway gave no planner: {error.message}")
        except NotFound as error:
            await self._fail(planning_id, str(error))
        finally:
            self._opening.discard(planning_id)

    async def _wake_later(self) -> None:
        await asyncio.sleep(AGAIN_S)
        self.wake()

    async def _fail(self, planning_id: int, reason: str) -> None:
        def work(store: Store) -> None:
            planning = store.plannings.get(planning_id)
            if planning["state"] == "opening":
                steps.failed(store, planning, reason)

        await self._c.db(work)

    def _ready(self, store: Store, planning_id: int) -> tuple[str, str, Policy] | None:
        planning = store.plannings.get(planning_id)
        task = store.tasks.get(planning["task_id"])
        if planning["state"] != "opening" or task["hold_kind"] or stopped(store):
            return None
        key = f"ccp-{task['ref'].lower()}-plan-{planning['number']}-{self._c.home_id}"
        return key, str(task["ref"]), self._policy(store, task)

    def _approve(self, store: Store, planning_id: int) -> None:
        """A plan by assumptions, where the mission's policy leaves the approval to the service."""
        planning = store.plannings.get(planning_id)
        task = store.tasks.get(planning["task_id"])
        newest = store.specs.newest(task["id"])
        policy = self._policy(store, task)
        if planning["state"] != "proposed" or newest is None or policy.auto is not Auto.FULL:
            return
        if task["hold_kind"] == HoldKind.BUDGET or stopped(store):
            return
        approve_spec(store, task, newest["version"], SERVICE, policy)

    def _policy(self, store: Store, task: Row) -> Policy:
        return store.missions.policy(task["mission_id"], self._c.settings.policy)

    async def _nothing_goes_on(self, session_key: str) -> bool:
        """The owner of the planners' sessions: reads what came. False: ask again, a message may be on its way."""
        if not self._c.connected:
            return True  # what is stored may not be all; the next connect reads the rest and asks again
        said = await self._c.db(lambda store: self._take(store, session_key))
        if said is None:
            self._runs.forget_owner(session_key)
            return True
        if said != "silent":
            self._deliveries.wake()
            return said == "content"
        if not await self._silent(session_key):
            return False
        await self._c.db(lambda store: self._take(store, session_key, silent=True))
        self._deliveries.wake()
        return True

    def _take(self, store: Store, session_key: str, *, silent: bool = False) -> str | None:
        """What there is to take from a session: ``content``, ``waits``, ``silent``; None when its planning is over."""
        planning = store.plannings.by_session(session_key)
        if planning is None or planning["ended_at"]:
            return None
        task = store.tasks.get(planning["task_id"])
        if planning["state"] != "planner" or task["state"] != State.PLANNING:
            return "content"
        if store.outbox.unsent_in(session_key):
            return "content" if stopped(store) or task["hold_kind"] else "waits"
        reply = steps.newest_reply(store, planning)
        if store.sessions.at_work_below(session_key) and not steps.readable(reply):
            return "content"  # asked again when they end: the run that announces it comes after
        if reply is None:
            if silent:
                steps.take_silence(store, planning)
            return "content" if task["hold_kind"] or stopped(store) else "silent"
        if reply["role"] == "system":
            if self._begins(store, session_key):
                return "waits"  # it is about the run before
            steps.take_failure(store, planning, reply["text"])
        else:
            steps.take_reply(store, planning, reply)
        return "content"

    def _begins(self, store: Store, session_key: str) -> bool:
        """Whether the last message may be the beginning of a run that has not shown yet."""
        last = store.outbox.latest_in(session_key)
        if last is None or not last["sent_at"] or self._runs.is_over(last["run_id"]):
            return False
        return clock.seconds_since(last["sent_at"]) < SILENT_AFTER_S

    async def _silent(self, session_key: str) -> bool:
        """Whether the run that took our last message is surely over."""
        last = await self._c.db(lambda store: store.outbox.latest_in(session_key))
        if last is None or self._runs.is_over(last["run_id"]):
            return True
        if not last["sent_at"] or clock.seconds_since(last["sent_at"]) < SILENT_AFTER_S:
            return False
        try:
            going = await self._runs.sync(session_key)
        except GatewayError:
            return False
        return going.run_id is None and not going.pending


def _open_ones(store: Store) -> list[tuple[Row, bool]]:
    return [
        (row, bool(row["session_key"]) and store.outbox.unsent_in(row["session_key"]))
        for row in store.plannings.open_ones()
    ]


def _followed(store: Store) -> list[tuple[str, str, str]]:
    return [
        (row["session_key"], row["agent_id"], store.tasks.get(row["task_id"])["ref"])
        for row in store.plannings.open_ones()
        if row["session_key"]
    ]
