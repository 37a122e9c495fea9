"""A stop of the whole machine: runs are aborted while there is time, and go on in their sessions after the next start.

A gateway that is told to stop waits for its runs, for minutes, and is killed before they end. So the service, which is
stopped first, aborts them. Which tasks that cut off stands in the event that records it, committed before the first
abort; the next start reads it there. Nothing is held for it, and no round is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ccp_tui.gateway import GatewayError
from ccp_tui.lifecycle import State
from ccp_tui.service.background import survive
from ccp_tui.service.board.moves import SERVICE, record
from ccp_tui.service.context import Context
from ccp_tui.service.execution.goingon import idle, lead_on, sessions_of
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.store import NotFound, Store

log = logging.getLogger(__name__)

STOPPING, BACK = "machine_stopping", "machine_back"  # the events
WHY = "You were interrupted by a stop of the machine; it is back."
QUIET_S = 2.0  # for the message that is being sent
ABORT_S = 7.0  # for all runs together
LOOK_S = 0.1
_WORKED_ON = (State.PLANNING, State.IN_PROGRESS, State.REVIEW)


class MachineStop:
    """Used once, at the end of a service's life. From then on nothing is sent, dispatched or judged."""

    def __init__(self, context: Context, deliveries: Deliveries) -> None:
        self._c = context
        self._deliveries = deliveries

    async def stop(self) -> None:
        """Aborts what runs at the gateway, and records it. Bounded by :data:`QUIET_S` and :data:`ABORT_S`, whatever
        the gateway does."""
        self._c.live.stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET_S):
                await self._deliveries.quiet()  # what is on its way becomes a run that can be aborted
        sessions = await self._c.db(self._note, durable=True)
        try:
            async with asyncio.timeout(ABORT_S):
                await self._abort(sessions)
        except TimeoutError:
            log.warning("not every run could be aborted within %g s", ABORT_S)

    def _note(self, store: Store) -> set[str]:
        """Records the stop with the tasks that it cuts off; the sessions in which something may go on."""
        running = {run.session_key for run in self._c.live.runs.values()}
        for attempt in store.attempts.open_ones():
            if store.attempts.running(attempt["id"]):
                running.add(attempt["session_key"])
        running |= set(store.sessions.running_children())
        refs = [
            task["ref"]
            for task in store.tasks.in_states(*_WORKED_ON)
            if not idle(store, task) and running & set(sessions_of(store, task))
        ]
        told = f": {', '.join(refs)} will go on at its next start" if refs else ""
        store.events.add(SERVICE, STOPPING, f"the machine is stopping{told}", data={"tasks": refs})
        return running

    async def _abort(self, sessions: set[str]) -> None:
        """Until the gateway shows no run any more: one that begins meanwhile, or is resumed, is aborted too."""
        aborted: set[str] = set()
        while True:
            runs = {run.run_id: run.session_key for run in self._c.live.runs.values()}
            wanted = {key for run, key in runs.items() if run not in aborted} | sessions
            if not self._c.connected or not (wanted or runs):
                return
            await asyncio.gather(*(self._abort_one(key) for key in wanted))
            aborted |= runs.keys()
            sessions = set()
            await asyncio.sleep(LOOK_S)

    async def _abort_one(self, session_key: str) -> None:
        with contextlib.suppress(
            GatewayError
        ):  # away, or stopping itself: the next start finds out what became of it
            await survive(self._c.gateway.calls.chat_abort(session_key), f"abort of {session_key}")


def go_on(store: Store, report: str) -> None:
    """At a start: whoever the last stop of the machine cut off is told so, once, and asked to go on."""
    stopped, back = (store.events.page({"kind": kind}, limit=1) for kind in (STOPPING, BACK))
    if not stopped or (back and back[-1]["id"] > stopped[-1]["id"]):
        return
    going = []
    for ref in stopped[-1]["data"].get("tasks", ()):
        with contextlib.suppress(NotFound):
            task = store.tasks.by_ref(ref)
            if State(task["state"]) in _WORKED_ON and not idle(store, task):
                lead_on(store, task, WHY, report)
                record(store, task, SERVICE, "resumed", "goes on after a stop of the machine")
                going.append(ref)
    store.events.add(SERVICE, BACK, "the machine is back", data={"tasks": going})
