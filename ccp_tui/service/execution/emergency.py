"""The emergency stop: every run that the service started is aborted, and nothing is started until it is lifted.

It is kept in the database, so it outlives the service; and a gateway that was restarted and takes its interrupted turns
up again has them aborted again. Checks that run finish. The person's own chats go on.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from ccp_tui.gateway import GatewayEvent, RunDelta, RunStatus, ToolEvent
from ccp_tui.lifecycle import State
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background
from ccp_tui.service.context import Context, person
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution.dispatch import Dispatcher
from ccp_tui.service.execution.goingon import OURS, idle, release, sessions_of
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.execution.retries import Retries
from ccp_tui.service.gatewaywatch import health
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.store import Store
from ccp_tui.wire import Json

Row = dict[str, Any]

RELEASE = "It goes on in the same session when the emergency stop is lifted: resume."
WHY = "You were stopped with everything else; the stop was lifted."
_SETTLE_S = 1.0


class Emergency:
    """The methods ``emergency.*``, and what keeps everything still while it is on."""

    def __init__(
        self,
        context: Context,
        runs: Runs,
        deliveries: Deliveries,
        dispatcher: Dispatcher,
        retries: Retries,
        background: Background,
    ) -> None:
        self._c = context
        self._runs = runs
        self._deliveries = deliveries
        self._dispatcher = dispatcher
        self._retries = retries
        self._background = background
        self._aborted: deque[str] = deque(maxlen=1000)

    def methods(self) -> dict[str, Method]:
        return {"emergency.stop": self.stop, "emergency.resume": self.resume}

    async def start(self) -> None:
        """A stop outlives the service."""
        self._c.live.emergency = await self._c.db(lambda store: store.emergency())

    async def stop(self, _: Json) -> Json:
        """Stops everything; on already, it is a no-op."""
        actor = person()

        def work(store: Store) -> list[str]:
            if store.emergency():
                return []
            store.set_emergency(actor.name)
            keys = _open_sessions(store)
            for task in store.tasks.in_states(State.PLANNING, State.IN_PROGRESS, State.REVIEW):
                if not idle(store, task) and sessions_of(store, task):
                    hold(store, task, HoldKind.ERROR, f"emergency stop by {actor.name}", RELEASE)
            store.events.add(actor, "emergency_stopped", f"everything was stopped by {actor.name}")
            return keys

        stopped = await self._c.db(work)
        await self._tell()
        for session_key in stopped:
            self._deliveries.abort(session_key)
        return {"emergency": self._c.live.emergency}

    async def resume(self, _: Json) -> Json:
        """Lets everything go on where it was; off already, it is a no-op."""
        actor = person()

        def work(store: Store) -> list[str]:
            if not store.emergency():
                return []
            store.set_emergency(None)
            for task in store.tasks.held(HoldKind.ERROR):
                if task["hold_release"] == RELEASE:
                    words = f"goes on: the stop was lifted by {actor.name}"
                    release(store, task, words, WHY, self._deliveries.report)
            store.events.add(actor, "emergency_resumed", f"everything goes on: resumed by {actor.name}")
            return _open_sessions(store)

        sessions = await self._c.db(work)
        await self._tell()
        self._deliveries.wake()
        self._dispatcher.wake()
        self._retries.wake()
        for session_key in sessions:  # what ended meanwhile was not judged
            self._runs.settle_later(session_key, _SETTLE_S)
        return {"emergency": self._c.live.emergency}

    def event(self, event: GatewayEvent) -> None:
        """While all is stopped, whatever goes on in a session of ours is aborted, however it came to be."""
        if not self._c.live.emergency or not isinstance(event, RunDelta | RunStatus | ToolEvent):
            return
        if event.run_id and event.run_id not in self._aborted:
            self._aborted.append(event.run_id)
            self._background.start(self._abort(event.session_key), f"stopping {event.session_key}")

    async def connected(self) -> None:
        """The gateway is back: what went on without us, or is taken up again, is aborted."""
        if self._c.live.emergency:
            for session_key in await self._c.db(_open_sessions):
                self._deliveries.abort(session_key)

    async def _abort(self, session_key: str) -> None:
        session = await self._c.db(lambda store: store.sessions.find(session_key))
        if session and session["purpose"] in (*OURS, "subagent"):
            self._deliveries.abort(session_key)

    async def _tell(self) -> None:
        await self.start()
        running = (State.IN_PROGRESS,)  # their cards show the stop, also where nothing was aborted
        await self._c.db(
            lambda store: store.touched.tasks.update(task["id"] for task in store.tasks.in_states(*running))
        )
        self._c.hub.publish("health", {"health": health(self._c)})


def _open_sessions(store: Store) -> list[str]:
    """Every session in which something of ours may go on."""
    keys = [attempt["session_key"] for attempt in store.attempts.open_ones()]
    keys += [one["session_key"] for one in store.plannings.open_ones() if one["session_key"]]
    keys += [one["session_key"] for one in store.review_requests.open_ones() if one["session_key"]]
    return [*keys, *store.sessions.running_children()]
