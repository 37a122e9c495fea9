"""The demo's own gateway and control service, in one event loop, on a folder that goes away with them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ccp_tui.gateway import GatewaySettings
from ccp_tui.gateway.demo.server import EmbeddedGateway
from ccp_tui.paths import Home
from ccp_tui.service.core import ControlService
from ccp_tui.service.host.process import serve
from ccp_tui.service.settings import Settings

THINKING = 1.2  # seconds before each command of an agent: slow enough to be watched

# Sockets live in the folder, and a socket's path has 107 bytes at most.
LONGEST_TEMPORARY = 60


@contextmanager
def throw_away(name: str) -> Iterator[Path]:
    """A private folder that is gone afterwards, with all that agents wrote."""
    usual = tempfile.gettempdir()
    where = usual if len(usual) <= LONGEST_TEMPORARY else "/tmp"
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def home_in(folder: Path) -> Home:
    return Home(folder / "home")


@dataclass(frozen=True)
class Stage:
    """What runs. ``stop`` is set when the service was told to end, by whomever; setting it ends the service."""

    home: Home
    gateway: EmbeddedGateway
    stop: asyncio.Event


@asynccontextmanager
async def stage(folder: Path, *, think: float, port: int = 0) -> AsyncIterator[Stage]:
    """Gateway and service, ready. ``think`` is how many seconds agents take before each command. Raises what kept
    one of them from starting."""
    home = home_in(folder)
    token = secrets.token_urlsafe(18)
    gateway = EmbeddedGateway(folder / "gateway", port, token, think=think)
    stop, ready = asyncio.Event(), asyncio.Event()
    async with gateway:
        address = GatewaySettings(gateway.url, token, "the demo", home.device)
        settings = Settings.load(demo=True, env={})
        service = asyncio.create_task(
            serve(
                home,
                lambda at, hub: ControlService(at, hub, lambda: address, settings),
                demo=True,
                on_ready=ready.set,
                stop=stop,
            )
        )
        waiting = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait((service, waiting), return_when=asyncio.FIRST_COMPLETED)
            if not ready.is_set():
                await service
            yield Stage(home, gateway, stop)
        finally:
            stop.set()
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await service
