"""A client on a gateway for one test: it keeps what it was told, and waits for things with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

from ccp_tui.gateway import (
    Claim,
    Deadlines,
    GatewayClient,
    GatewayEvent,
    GatewaySettings,
    GatewayState,
    GatewayStatus,
    Hello,
    RunAborted,
    RunFailed,
    RunFinal,
)

E = TypeVar("E", bound=GatewayEvent)
_numbers = itertools.count(1)


class Line:
    """``client`` with all events, statuses and hellos so far."""

    def __init__(
        self,
        url: str,
        token: str | None,
        folder: Path,
        *,
        claim: Callable[[Claim], Claim] | None = None,
        deadlines: Deadlines | None = None,
        **more: Any,
    ) -> None:
        self.settings = GatewaySettings(url, token, "the test", folder / "device.json")
        self.events: list[GatewayEvent] = []
        self.statuses: list[GatewayStatus] = []
        self.hellos: list[Hello] = []
        self._changed = asyncio.Event()
        self.client = GatewayClient(
            self.settings,
            on_event=self._event,
            on_status=self._status,
            on_connected=self._connected,
            reload=lambda: self.settings,
            claim=claim,
            deadlines=deadlines,
            **more,
        )
        self.calls = self.client.calls

    def _event(self, event: GatewayEvent) -> None:
        self.events.append(event)
        self._changed.set()

    def _status(self, status: GatewayStatus) -> None:
        self.statuses.append(status)
        self._changed.set()

    async def _connected(self, hello: Hello) -> None:
        self.hellos.append(hello)
        self._changed.set()

    async def until(self, what: Callable[[], Any], seconds: float = 30.0) -> Any:
        """The first true answer of ``what``, asked after each thing that happens."""
        async with asyncio.timeout(seconds):
            while not (found := what()):
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await self._changed.wait()
            return found

    async def state(self, state: GatewayState, seconds: float = 30.0) -> GatewayStatus:
        await self.until(lambda: self.client.status.state is state, seconds)
        return self.client.status

    async def connected(self, times: int = 1, seconds: float = 30.0) -> Hello:
        await self.until(lambda: len(self.hellos) >= times, seconds)
        return self.hellos[-1]

    def of(self, kind: type[E], session: str = "", run: str = "") -> list[E]:
        """The events of one kind so far, of one session and run where these are given."""
        return [
            event
            for event in self.events
            if isinstance(event, kind)
            and (not session or event.session_key == session)
            and (not run or event.run_id == run)
        ]

    async def event(self, kind: type[E], session: str = "", run: str = "", seconds: float = 30.0) -> E:
        """The latest event of that kind, once there is one."""
        await self.until(lambda: self.of(kind, session, run), seconds)
        return self.of(kind, session, run)[-1]

    async def ended(self, run: str, seconds: float = 30.0) -> RunFinal | RunAborted | RunFailed:
        """How the run ended."""

        def end() -> RunFinal | RunAborted | RunFailed | None:
            for event in self.events:
                if isinstance(event, RunFinal | RunAborted | RunFailed) and event.run_id == run:
                    return event
            return None

        found: RunFinal | RunAborted | RunFailed = await self.until(end, seconds)
        return found

    def drop(self) -> None:
        """Cuts the socket as a broken network would: no goodbye."""
        assert self.client._connection is not None
        self.client._connection.abort()


@contextlib.asynccontextmanager
async def line(url: str, token: str | None, folder: Path, **more: Any) -> AsyncIterator[Line]:
    """A started client; stopped at the end, whatever happens."""
    made = Line(url, token, folder, **more)
    await made.client.start()
    try:
        yield made
    finally:
        await made.client.stop()


def unique(words: str) -> str:
    """A name that no other test of this process uses."""
    return f"{words}-{next(_numbers)}"
