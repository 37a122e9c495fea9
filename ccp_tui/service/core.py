"""The control service: its duties put together, and started and stopped in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from ccp_tui.gateway import GatewayClient, GatewayEvent, GatewaySettings, GatewayStatus, Hello
from ccp_tui.lifecycle import State
from ccp_tui.paths import Home
from ccp_tui.service.agents import Agents
from ccp_tui.service.attention import Attention
from ccp_tui.service.background import Background
from ccp_tui.service.chat import Chat
from ccp_tui.service.context import Context
from ccp_tui.service.database import Database
from ccp_tui.service.decisions import Decisions
from ccp_tui.service.delivery import Deliveries
from ccp_tui.service.dispatch import Dispatcher
from ccp_tui.service.gatewaywatch import GatewayWatch
from ccp_tui.service.hub import Hub
from ccp_tui.service.live import Live
from ccp_tui.service.methods import guarded
from ccp_tui.service.missions import Missions
from ccp_tui.service.outcomes import Outcomes
from ccp_tui.service.overview import Overview
from ccp_tui.service.reports import Reports
from ccp_tui.service.runs import Runs
from ccp_tui.service.settings import Settings
from ccp_tui.service.sockets import Caller, Handler
from ccp_tui.service.tasks import Tasks
from ccp_tui.service.tokens import Tokens
from ccp_tui.service.verification import Verification
from ccp_tui.store import Committed, Store
from ccp_tui.wire import Json

log = logging.getLogger(__name__)


class ControlService:
    """One per ``CCP_HOME``: the only gateway operator, the only database writer, the only dispatcher.

    Opening the store may raise StoreError; nothing is started then.
    """

    def __init__(
        self,
        home: Home,
        hub: Hub,
        load_gateway: Callable[[], GatewaySettings],
        settings: Settings,
    ) -> None:
        store = Store(home.database, home.backups)
        self._background = background = Background()
        self._live = Live()
        self._hub = hub
        self.gateway = GatewayClient(
            load_gateway(),
            on_event=self._event,
            on_status=self._status,
            on_connected=self._connected,
            reload=load_gateway,
        )
        self._c = context = Context(
            home=home,
            settings=settings,
            home_id=store.home_id,
            db=Database(store, self._committed),
            hub=hub,
            live=self._live,
            gateway=self.gateway,
        )
        tokens = Tokens(home.root / "token.key")
        self._deliveries = Deliveries(context, tokens, background, self._judge)
        self._verification = Verification(context, self._deliveries, background)
        self._reports = Reports(context, self._verification.verify)
        self._outcomes = Outcomes(context, self._deliveries.report, self._deliveries.wake)
        self._runs = Runs(context, self._outcomes, background)
        self._dispatcher = Dispatcher(context, tokens, self._runs, self._deliveries, background)
        self._attention = Attention(context, background)
        agents = Agents(context)
        self._watch = GatewayWatch(
            context,
            self._runs,
            self._outcomes,
            agents,
            self._attention,
            self._deliveries,
            self._dispatcher,
            background,
        )
        tasks = Tasks(context)
        self._overview = Overview(context, self._attention)
        parts = (
            Missions(context),
            tasks,
            Decisions(context, tasks, self._dispatcher, self._deliveries),
            agents,
            Chat(context, self._runs, self._deliveries),
            self._attention,
            self._overview,
        )
        self.methods: Mapping[str, Handler] = {
            name: guarded(method, self._fix) for part in parts for name, method in part.methods().items()
        }

    async def start(self) -> None:
        """Takes up what the last service left: follows its sessions, verifies what was submitted, goes on."""
        sessions, submitted = await self._c.db(_left_open)
        for session_key, agent, ref, attempt in sessions:
            self._runs.learn(session_key, agent, ref, attempt)
        for part in (self._runs, self._deliveries, self._dispatcher, self._attention):
            part.start()
        for attempt in submitted:
            self._verification.verify(attempt)
        self._attention.changed()
        self._dispatcher.wake()
        await self.gateway.start()

    async def stop(self) -> None:
        """Ends the line to the gateway, lets the database finish, closes it. Runs in the gateway go on."""
        await self.gateway.stop()
        await self._background.stop()
        await self._c.db.close()

    async def snapshot(self) -> Json:
        return await self._overview.snapshot()

    async def report(self, params: Json, _: Caller) -> Json:
        """The one method of the agents' socket."""

        async def method(given: Json) -> Json:
            return await self._reports.report(given)

        return await guarded(method, self._fix)(params, _)

    def _fix(self) -> str:
        return self.gateway.status.fix or "Try again in a moment."

    async def _judge(self, attempt: int) -> None:
        await self._outcomes.run_ended(attempt)

    def _event(self, event: GatewayEvent) -> None:
        self._runs.event(event)
        self._attention.event(event)
        self._watch.event(event)

    def _status(self, status: GatewayStatus) -> None:
        self._watch.status(status)

    async def _connected(self, hello: Hello) -> None:
        await self._watch.connected(hello)

    def _committed(self, committed: Committed) -> None:
        """Tells everybody what a transaction changed, and the duties what may follow from it."""
        for card in committed.tasks:
            if card["state"] != State.IN_PROGRESS:
                self._live.activity.pop(card["ref"], None)
        for name, payload, session in self._live.committed(committed):
            self._hub.publish(name, payload, session=session)
        if committed.tasks:
            self._attention.changed()
        if committed.tasks or committed.agents:  # a run's end frees its agent and touches no task
            self._dispatcher.wake()


def _left_open(store: Store) -> tuple[list[tuple[str, str, str | None, int | None]], list[int]]:
    """The sessions to follow, and the attempts whose checks were not finished."""
    sessions = []
    for row in store.sessions.all():
        attempt = store.attempts.by_session(row["session_key"])
        if attempt is None or not attempt["ended_at"]:
            sessions.append(
                (row["session_key"], row["agent"], row["task"], attempt["id"] if attempt else None)
            )
    testing = [store.attempts.of_task(task["id"]) for task in store.tasks.in_states(State.TESTING)]
    return sessions, [attempt["id"] for attempt in testing if attempt]
