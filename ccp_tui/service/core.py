"""The control service: its duties put together, and started and stopped in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from ccp_tui.gateway import GatewayClient, GatewayEvent, GatewaySettings, GatewayStatus, Hello
from ccp_tui.lifecycle import State
from ccp_tui.paths import Home
from ccp_tui.service.background import Background
from ccp_tui.service.board import tampering
from ccp_tui.service.board.agentdelete import AgentDelete
from ccp_tui.service.board.agents import Agents
from ccp_tui.service.board.decisions import Decisions
from ccp_tui.service.board.missions import Missions
from ccp_tui.service.board.overview import Overview
from ccp_tui.service.board.summary import Summary
from ccp_tui.service.board.tasks import Tasks
from ccp_tui.service.board.timeline import Timelines
from ccp_tui.service.context import Context
from ccp_tui.service.database import Database
from ccp_tui.service.door.hub import Hub
from ccp_tui.service.door.methods import guarded
from ccp_tui.service.door.sockets import Caller, Handler
from ccp_tui.service.execution import machinestop
from ccp_tui.service.execution.dependencies import Dependencies
from ccp_tui.service.execution.dispatch import Dispatcher
from ccp_tui.service.execution.halts import Halts
from ccp_tui.service.execution.machinestop import MachineStop
from ccp_tui.service.execution.outcomes import Outcomes
from ccp_tui.service.gatewaywatch import GatewayWatch
from ccp_tui.service.live import Live
from ccp_tui.service.planning.crew import Crew
from ccp_tui.service.planning.duties import Duties
from ccp_tui.service.planning.planning import Planning
from ccp_tui.service.planning.plansteps import deliver_answer
from ccp_tui.service.questions.attention import Attention
from ccp_tui.service.questions.gatewayquestions import GatewayQuestions
from ccp_tui.service.questions.questions import Questions
from ccp_tui.service.reports.askreports import AskReports, answerer
from ccp_tui.service.reports.commands import Commands
from ccp_tui.service.reports.reports import Reports
from ccp_tui.service.reports.skill import Skill
from ccp_tui.service.reports.tokens import Tokens
from ccp_tui.service.reports.workreports import WorkReports
from ccp_tui.service.sessions.chat import Chat
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.service.sessions.subagents import Subagents
from ccp_tui.service.settings import Settings
from ccp_tui.service.shortages import Shortages
from ccp_tui.service.verification.reviewing import Reviewing
from ccp_tui.service.verification.verdicts import Verdicts
from ccp_tui.service.verification.verification import Verification
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
        self._live = Live(policy=settings.policy)
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
        self._deliveries = Deliveries(context, tokens, background, self._settle)
        self._verification = Verification(context, self._deliveries, background)
        work, asking = WorkReports(context, self._verification.verify), AskReports(context)
        verdicts = Verdicts(context, self._deliveries)
        self._commands = Commands(context)
        self._reports = Reports(
            context,
            self._commands,
            {
                "deliver": work.deliver,
                "submit": work.submit,
                "block": asking.block,
                "ask": asking.ask,
                "subtask": asking.subtask,
            },
            {"verdict": verdicts.verdict},
        )
        self._outcomes = Outcomes(context, self._deliveries.report, self._deliveries.wake)
        self._runs = Runs(context, self._outcomes, background)
        self._runs.send_stuck = self._deliveries.send_stuck
        self._dispatcher = Dispatcher(context, tokens, self._runs, self._deliveries, background)
        self._halts = Halts(context, self._runs, self._deliveries, self._dispatcher, background)
        self._machine = MachineStop(context, self._deliveries)
        self._attention = Attention(context, background)
        agents = Agents(context)
        self._skill = Skill(context)
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
        duties = Duties(context)
        self._reviewing = Reviewing(context, tasks, tokens, duties, self._runs, self._deliveries, background)
        self._subagents = Subagents(context, self._runs, background)
        self._gateway_questions = GatewayQuestions(
            context, background, self._deliveries.wake, self._attention.changed
        )
        questions = Questions(
            context,
            self._gateway_questions,
            {"planning": deliver_answer, "report": answerer(self._deliveries.report)},
            self._deliveries.wake,
        )
        self._planning = Planning(context, duties, self._runs, self._deliveries, background)
        self._crew = Crew(context, background)
        self._dependencies = Dependencies(context, tasks, self._deliveries, background)
        self._overview = Overview(context, self._attention)
        self._summary = Summary(context, self._attention, background)
        self._shortages = Shortages(context, background, self._short)
        parts = (
            Missions(context),
            tasks,
            Decisions(context, tasks, self._dispatcher, self._deliveries, self._planning),
            self._dispatcher,
            self._dependencies,
            self._halts,
            Timelines(context),
            self._reviewing,
            questions,
            agents,
            AgentDelete(context, self._deliveries),
            Chat(context, self._runs, self._deliveries),
            self._attention,
            self._overview,
            self._summary,
        )
        self.methods: Mapping[str, Handler] = {
            name: guarded(method, self._fix) for part in parts for name, method in part.methods().items()
        }

    async def start(self) -> None:
        """Takes up what the last service left: follows its sessions, verifies what was submitted, goes on."""
        await self._halts.start()
        if self._c.settings.abort_on_stop:
            await self._c.db(lambda store: machinestop.go_on(store, self._deliveries.report))
        if odd := await self._c.db(tampering.notice):
            log.warning("the states of %s were written by another program", ", ".join(odd))
        sessions, submitted = await self._c.db(_left_open)
        for session_key, agent, ref, attempt in sessions:
            self._runs.learn(session_key, agent, ref, attempt)
        for part in (
            self._runs,
            self._deliveries,
            self._dispatcher,
            self._dependencies,
            self._reviewing,
            self._crew,
            self._gateway_questions,
            self._attention,
            self._summary,
            self._shortages,
        ):
            part.start()
        await self._subagents.start()
        await self._planning.start()
        for attempt in submitted:
            self._verification.verify(attempt)
        self._attention.changed()
        self._dispatcher.wake()
        await self.gateway.start()

    async def wind_down(self) -> None:
        """SIGTERM: where that means that the machine stops, the runs at the gateway are aborted."""
        if self._c.settings.abort_on_stop:
            await self._machine.stop()

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

    async def _settle(self, session_key: str) -> None:
        await self._runs.settle(session_key)

    def _event(self, event: GatewayEvent) -> None:
        self._commands.event(event)
        self._halts.event(event)
        self._runs.event(event)
        self._subagents.event(event)
        self._gateway_questions.event(event)
        self._attention.event(event)
        self._watch.event(event)

    def _status(self, status: GatewayStatus) -> None:
        self._watch.status(status)
        self._summary.wake()
        self._shortages.wake()
        self._halts.status(connected=self._c.connected)

    def _short(self) -> None:
        self._watch.tell()
        self._summary.wake()

    async def _connected(self, hello: Hello) -> None:
        self._commands.forget()
        await self._halts.connected()
        await self._skill.connected()
        await self._gateway_questions.reconcile()
        await self._subagents.connected()
        await self._watch.connected(hello)
        await self._reviewing.connected()
        self._planning.wake()
        await self._crew.connected()

    def _committed(self, committed: Committed) -> None:
        """Tells everybody what a transaction changed, and the duties what may follow from it."""
        for card in committed.tasks:
            if card["state"] != State.IN_PROGRESS:
                self._live.activity.pop(card["ref"], None)
        for name, payload, session in self._live.committed(committed):
            self._hub.publish(name, payload, session=session)
        self._halts.committed(committed)
        self._verification.committed(committed)
        self._reviewing.committed(committed)
        if committed.tasks:
            self._attention.changed()
            self._summary.wake()
            self._dependencies.wake()
        if committed.tasks or committed.events:  # the end of an emergency stop touches no task
            self._planning.wake()
        if committed.tasks or committed.agents:
            self._crew.wake()
        if committed.tasks or committed.agents:  # a run's end frees its agent and touches no task
            self._dispatcher.wake()


def _left_open(store: Store) -> tuple[list[tuple[str, str, str | None, int | None]], list[int]]:
    """The sessions to follow, and the attempts whose checks were not finished."""
    sessions = []
    for row in store.sessions.all():
        attempt = store.attempts.by_session(row["session_key"])
        if attempt is None or not attempt["ended_at"]:
            sessions.append(
                (row["session_key"], row["agent"], row["task"], attempt["id"])
                if attempt
                else (row["session_key"], row["agent"], None, None)
            )
    testing = [store.attempts.of_task(task["id"]) for task in store.tasks.in_states(State.TESTING)]
    return sessions, [attempt["id"] for attempt in testing if attempt]
