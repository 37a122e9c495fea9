"""A tiny gateway that does as each test tells it: for what no real gateway does on command."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Json = dict[str, Any]
HELLO: Json = {
    "type": "hello-ok",
    "protocol": 4,
    "server": {"version": "9.9.9", "bootId": "boot-1", "connId": "c"},
    "features": {"methods": ["chat.send"]},
    "auth": {"role": "operator", "scopes": ["operator.admin"]},
    "policy": {"tickIntervalMs": 30_000, "maxPayload": 1_000_000},
}


class Peer:
    """One connection, seen from the gateway."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.seq = 0

    async def raw(self, data: str | bytes) -> None:
        await self.socket.send(data)

    async def event(self, name: str, payload: Json, *, seq: int | None = None) -> None:
        """An event with the next number, or with the given one."""
        self.seq = self.seq + 1 if seq is None else seq
        await self.raw(json.dumps({"type": "event", "event": name, "payload": payload, "seq": self.seq}))

    async def delta(self, run: str, text: str) -> None:
        message = {"role": "assistant", "content": [{"type": "text", "text": text}]}
        await self.event(
            "chat", {"runId": run, "sessionKey": "agent:a:s", "state": "delta", "message": message}
        )

    async def answer(self, request: Json, payload: object = None, error: Json | None = None) -> None:
        body: Json = {"type": "res", "id": request["id"], "ok": error is None}
        body.update({"error": error} if error else {"payload": payload or {}})
        await self.raw(json.dumps(body))

    async def request(self) -> Json:
        found: Json = json.loads(await self.socket.recv())
        return found

    async def welcome(self, **hello: Any) -> None:
        """The handshake and the subscription, as a gateway in good health does them."""
        await self.raw(
            json.dumps({"type": "event", "event": "connect.challenge", "payload": {"nonce": "n", "ts": 1}})
        )
        await self.answer(await self.request(), {**HELLO, **hello})
        await self.answer(await self.request(), {"subscribed": True})


class FakeGateway:
    """``each`` handles every connection; ``seen`` counts them. ``busy`` of them are first answered with HTTP 503."""

    def __init__(self, each: Callable[[Peer], Awaitable[None]], busy: int = 0) -> None:
        self.each = each
        self.busy = busy
        self.seen = 0
        self.url = ""

    async def _handle(self, socket: ServerConnection) -> None:
        self.seen += 1
        with contextlib.suppress(ConnectionClosed):
            await self.each(Peer(socket))

    def _upgrade(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.busy <= 0:
            return None
        self.busy -= 1
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Gateway websocket admission closed\n")


@contextlib.asynccontextmanager
async def fake(each: Callable[[Peer], Awaitable[None]], busy: int = 0) -> AsyncIterator[FakeGateway]:
    """A listening fake; gone at the end."""
    gateway = FakeGateway(each, busy)
    async with serve(
        gateway._handle,
        "127.0.0.1",
        0,
        process_request=gateway._upgrade,
        compression=None,
        close_timeout=0.2,
        ping_interval=None,
        max_size=None,
    ) as server:
        gateway.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield gateway


async def stay(peer: Peer) -> None:
    """Keeps a connection open and answers nothing more."""
    await peer.socket.wait_closed()
