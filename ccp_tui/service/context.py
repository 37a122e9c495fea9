"""What every duty of the service shares."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from dataclasses import dataclass, field

from ccp_tui import clock
from ccp_tui.gateway import GatewayClient, GatewayState, GatewayUnavailable
from ccp_tui.lifecycle import Actor, ActorKind
from ccp_tui.paths import Home
from ccp_tui.service.database import Database
from ccp_tui.service.door.hub import Hub
from ccp_tui.service.live import Live
from ccp_tui.service.settings import Settings
from ccp_tui.text import slug

CONNECT_PATIENCE_S = 5.0


@dataclass
class Context:
    """The parts that the duties work with. One per service."""

    home: Home
    settings: Settings
    home_id: str
    db: Database
    hub: Hub
    live: Live
    gateway: GatewayClient
    started_at: str = field(default_factory=clock.now)

    @property
    def connected(self) -> bool:
        return self.gateway.status.state is GatewayState.CONNECTED

    @property
    def gateway_problem(self) -> str:
        """Why nothing can be sent to the gateway now; empty when it can."""
        if self.live.stopping:
            return "the machine is stopping"
        return "" if self.connected else f"the gateway is not connected ({self.gateway.status.detail})"

    def workspace_for(self, name: str) -> str | None:
        """Where a new agent of this name works: a folder called as the id that the gateway makes of the name. None
        where the gateway chooses."""
        agent, folder = slug(name, 64), self.settings.workspaces
        return str(folder / agent) if folder and agent else None

    async def need_gateway(self) -> None:
        """Returns once the gateway is connected; a service that has just been started gets some seconds for it.

        Raises GatewayUnavailable when it is not there, or refuses.
        """
        if self.gateway.status.state in (GatewayState.CONNECTING, GatewayState.STARTING):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONNECT_PATIENCE_S):
                    await self.live.up.wait()
        if not self.connected:
            raise GatewayUnavailable(self.gateway.status.detail or "it is not connected", sent=False)


def person() -> Actor:
    """The person behind the control socket: only this user can open it."""
    return Actor(ActorKind.PERSON, _login())


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "person"
