"""A control service of a few lines: serves one snapshot on a Unix socket, and events when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed

from ccp_tui import wire

Json = dict[str, Any]


class FakeService:
    """``async with FakeService(path, snapshot)``: answers hello and subscribe, and other methods by ``answers``."""

    def __init__(self, path: Path, snapshot: Json) -> None:
        self.path, self.snapshot = path, snapshot
        self.answers: dict[str, Callable[[Json], Json]] = {}
        self.calls: list[tuple[str, Json]] = []
        self._server: Server | None = None
        self._clients: dict[ServerConnection, int] = {}

    async def __aenter__(self) -> FakeService:
        self._server = await unix_serve(self._serve, str(self.path), compression=None, max_size=None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def emit(self, event: str, /, **payload: Any) -> None:
        """An event to everybody who is connected."""
        for client in list(self._clients):
            self._clients[client] += 1
            await client.send(wire.encode(wire.Event(event, payload, self._clients[client])))

    async def _serve(self, client: ServerConnection) -> None:
        self._clients[client] = 0
        try:
            async for data in client:
                request = wire.decode(data)
                assert isinstance(request, wire.Request)
                self.calls.append((request.method, request.params))
                await client.send(wire.encode(wire.Response(request.id, payload=self._answer(request))))
        except ConnectionClosed:
            pass
        finally:
            del self._clients[client]

    def _answer(self, request: wire.Request) -> Json:
        if request.method == "hello":
            return {"service": "ccp", "version": "0", "protocol": 1, "pid": 1, "home": "", "demo": False}
        if request.method == "subscribe":
            return self.snapshot
        answer = self.answers.get(request.method)
        return answer(request.params) if answer else {}
