"""What stops work and lets it go on: budgets, stalls, retries and the emergency stop, as one part of the service."""

from __future__ import annotations

from ccp_tui.gateway import GatewayEvent
from ccp_tui.service.background import Background
from ccp_tui.service.context import Context
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution.budgets import Budgets
from ccp_tui.service.execution.dispatch import Dispatcher
from ccp_tui.service.execution.emergency import Emergency
from ccp_tui.service.execution.quiet import Quiet
from ccp_tui.service.execution.retries import Retries
from ccp_tui.service.execution.stalls import Stalls
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.store import Committed


class Halts:
    """Hands on what they need to know: the gateway's events, its coming and going, and every commit."""

    def __init__(
        self,
        context: Context,
        runs: Runs,
        deliveries: Deliveries,
        dispatcher: Dispatcher,
        background: Background,
    ) -> None:
        self._budgets = Budgets(context, deliveries, background)
        self._stalls = Stalls(context, deliveries, background)
        self._quiet = Quiet(context, runs, deliveries, background)
        self._retries = Retries(context, deliveries, background)
        self._emergency = Emergency(context, runs, deliveries, dispatcher, self._retries, background)

    def methods(self) -> dict[str, Method]:
        return self._emergency.methods()

    async def start(self) -> None:
        """Before anything else is started: a stop that was left on holds from the first moment."""
        await self._emergency.start()
        await self._stalls.start()
        self._quiet.start()
        self._budgets.start()
        self._retries.start()

    def event(self, event: GatewayEvent) -> None:
        """Called before the event is taken in."""
        self._stalls.event(event)
        self._quiet.event(event)
        self._emergency.event(event)

    def status(self, *, connected: bool) -> None:
        self._stalls.connected(connected)
        self._quiet.connected(connected)

    async def connected(self) -> None:
        await self._emergency.connected()
        self._budgets.wake()  # what could not be aborted while the gateway was away

    def committed(self, committed: Committed) -> None:
        self._budgets.committed(committed)
        self._stalls.committed(committed)
        if committed.tasks or committed.events:
            self._quiet.wake()
        self._retries.committed(committed)
