"""The embedded gateway: a WebSocket server on loopback that speaks OpenClaw's protocol 4, with scripted agents."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ccp_tui.gateway.demo import agents, approvals, chat, config, ledger, sessions
from ccp_tui.gateway.demo.connection import Connection
from ccp_tui.gateway.demo.handshake import Grant, admit
from ccp_tui.gateway.demo.protocol import (
    EVENTS,
    MAX_BUFFERED,
    MAX_PAYLOAD,
    MAX_PREAUTH_PAYLOAD,
    PREAUTH_SECONDS,
    PROTOCOL,
    READ,
    TICK_SECONDS,
    VERSION,
    Json,
    Method,
    Refusal,
    allowed,
    missing_scope,
)
from ccp_tui.gateway.demo.rows import now_ms
from ccp_tui.gateway.demo.store import Store
from ccp_tui.gateway.demo.world import World

_log = logging.getLogger(__name__)


async def _health(world: World, connection: Connection, params: Json) -> Json:
    return {"ok": True, "ts": now_ms(), "uptimeMs": now_ms() - world.started_at_ms}


METHODS: dict[str, Method] = {
    **agents.METHODS,
    **sessions.METHODS,
    **chat.METHODS,
    **approvals.METHODS,
    **config.METHODS,
    **ledger.METHODS,
    "health": Method(READ, _health),
}


class EmbeddedGateway:
    """One gateway on one state folder. ``port`` 0 takes a free one; ``speed`` 2 makes agents twice as quick;
    ``think`` is how many seconds they take before each command. ``anyone``: programs of this machine are let in with
    whatever token, or none.

    For ``starting`` seconds after :meth:`start` it refuses everybody, as a real one does while it comes up.
    """

    def __init__(
        self,
        state: Path,
        port: int = 0,
        token: str = "demo",
        *,
        speed: float = 1.0,
        think: float = 0.0,
        starting: float = 0.0,
        anyone: bool = False,
    ) -> None:
        self.token = token
        self._anyone = anyone
        self._state, self._port = state, port
        self._speed, self._think, self._starting = speed, think, starting
        self._world: World | None = None
        self._server: Server | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._ready_at = 0.0
        self._closing = False

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    async def start(self) -> EmbeddedGateway:
        """Listens. Raises StateInUse if another gateway has the folder, OSError if something has the port."""
        store = Store(self._state)
        self._world = World(store, speed=self._speed, think=self._think)
        self._closing = False
        self._ready_at = asyncio.get_running_loop().time() + self._starting
        try:
            self._server = await serve(
                self._socket,
                "127.0.0.1",
                self._port,
                process_request=self._http,
                max_size=MAX_PAYLOAD,
                compression=None,
                ping_interval=25,
                ping_timeout=25,
                close_timeout=2,
            )
        except OSError:
            store.close()
            raise
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        self._world.port = self._port
        self._world.runs.recover()
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def stop(self) -> None:
        """Ends in good order: a ``shutdown`` event, close 1012. Turns that go on are resumed by the next start."""
        world = self._world
        if world is None:
            return
        self._closing = True
        await world.runs.close()
        world.broadcast("shutdown", {"reason": "gateway stopping"})
        closing = [connection.close(1012, "service restart") for connection in set(world.connections)]
        await asyncio.gather(*closing)
        await self._end(world)

    async def kill(self) -> None:
        """Ends as a crash does: sockets break off, nothing is said or saved."""
        world = self._world
        if world is None:
            return
        self._closing = True
        for connection in set(world.connections):
            connection.socket.transport.abort()
        await world.runs.close()
        await self._end(world)

    async def _end(self, world: World) -> None:
        tasks = [*self._requests, *([self._ticker] if self._ticker else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server:
            self._server.close()
            await self._server.wait_closed()
        world.store.close()
        self._world = self._server = self._ticker = None

    async def __aenter__(self) -> EmbeddedGateway:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- HTTP -------------------------------------------------------------------------------------------------

    def _http(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answers health probes on the port of the WebSocket; None lets an upgrade go on."""
        path = request.path.split("?")[0]
        if path == "/healthz":
            return _json(socket, HTTPStatus.OK, {"ok": True, "status": "live"})
        if path == "/readyz":
            body: Json = {"ready": self._ready, "failing": [] if self._ready else ["startup-sidecars"]}
            return _json(socket, HTTPStatus.OK if self._ready else HTTPStatus.SERVICE_UNAVAILABLE, body)
        if self._closing:
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Gateway websocket admission closed\n")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return socket.respond(HTTPStatus.NOT_FOUND, "This is a WebSocket server.\n")
        return None

    @property
    def _ready(self) -> bool:
        return asyncio.get_running_loop().time() >= self._ready_at

    # -- sockets ----------------------------------------------------------------------------------------------

    async def _socket(self, socket: ServerConnection) -> None:
        world = self._world
        if world is None:
            return
        connection = Connection(socket)
        try:
            if await self._handshake(world, connection):
                world.connections.add(connection)
                async for data in socket:
                    self._frame(world, connection, data)
        except ConnectionClosed:
            pass
        finally:
            world.connections.discard(connection)
            await connection.gone()

    async def _handshake(self, world: World, connection: Connection) -> bool:
        nonce = str(uuid.uuid4())
        challenge = {"nonce": nonce, "ts": now_ms(), "capabilities": ["model-catalog-snapshot"]}
        connection.challenge(challenge)
        try:
            async with asyncio.timeout(PREAUTH_SECONDS):
                data = await connection.socket.recv()
        except TimeoutError:
            await connection.close(1000, "handshake timeout")
            return False
        if len(data) > MAX_PREAUTH_PAYLOAD:
            await connection.close(1009, "preauth payload too large")
            return False
        request = _request(data)
        if request is None:
            await connection.close(1008, "invalid request frame")
            return False
        try:
            connection.grant = self._admit(world, connection, request, nonce)
        except Refusal as refusal:
            connection.refuse(request["id"], refusal.error)
            await connection.close(refusal.close, str(refusal)[:120])
            return False
        connection.answer(request["id"], self._hello(world, connection, connection.grant))
        return True

    def _admit(self, world: World, connection: Connection, request: Json, nonce: str) -> Grant:
        if request["method"] != "connect":
            raise Refusal("invalid handshake: first request must be connect")
        if not self._ready:
            raise Refusal(
                "gateway starting; retry shortly",
                "UNAVAILABLE",
                details={"reason": "startup-sidecars"},
                retryable=True,
                retry_after_ms=500,
                close=1013,
            )
        headers = connection.socket.request.headers if connection.socket.request else {}
        origin = headers.get("Origin")
        grant = admit(
            request["params"],
            token=self.token,
            nonce=nonce,
            devices=world.store.devices,
            origin=origin,
            anyone=self._anyone,
        )
        world.store.save()
        return grant

    def _hello(self, world: World, connection: Connection, grant: Grant) -> Json:
        auth: Json = {"method": grant.method, "role": grant.role, "scopes": sorted(grant.scopes)}
        if grant.device_token:
            auth |= {"deviceToken": grant.device_token, "issuedAtMs": now_ms()}
        server = {"version": VERSION, "buildId": "demo", "bootId": world.boot_id, "connId": connection.id}
        return {
            "type": "hello-ok",
            "protocol": PROTOCOL,
            "server": server,
            "features": {"methods": sorted(METHODS), "events": EVENTS, "capabilities": []},
            "snapshot": {
                "presence": [],
                "health": {"ok": True},
                "stateVersion": {"presence": 1, "health": 1},
                "uptimeMs": now_ms() - world.started_at_ms,
            },
            "auth": auth,
            "policy": {
                "maxPayload": MAX_PAYLOAD,
                "maxBufferedBytes": MAX_BUFFERED,
                "tickIntervalMs": int(TICK_SECONDS * 1000),
                "attachments": {"maxBytes": 19_464_192, "maxImageBytes": 6_291_456},
            },
        }

    def _frame(self, world: World, connection: Connection, data: str | bytes) -> None:
        request = _request(data)
        if request is None:
            connection.refuse("invalid", Refusal("invalid request frame").error)
            return
        task = asyncio.create_task(self._answer(world, connection, request))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    async def _answer(self, world: World, connection: Connection, request: Json) -> None:
        name, params = request["method"], request["params"]
        try:
            if self._closing:
                raise Refusal(
                    "gateway restarting",
                    "UNAVAILABLE",
                    details={"reason": "gateway-restarting"},
                    retryable=True,
                )
            method = METHODS.get(name)
            if method is None:
                raise Refusal(f"unknown method: {name}")
            if not allowed(connection.scopes, method.scope):
                raise missing_scope(method.scope)
            method.check(name, params)
            connection.answer(request["id"], await method.run(world, connection, params))
        except Refusal as refusal:
            connection.refuse(request["id"], refusal.error)
        except Exception as error:  # one broken call must not end the connection
            _log.exception("%s broke", name)
            connection.refuse(request["id"], Refusal(f"{type(error).__name__}: {error}", "UNAVAILABLE").error)

    async def _tick(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while self._world:
                await asyncio.sleep(TICK_SECONDS)
                self._world.broadcast("tick", {"ts": now_ms()})


def _json(socket: ServerConnection, status: HTTPStatus, body: Json) -> Response:
    response = socket.respond(status, json.dumps(body))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json; charset=utf-8"
    return response


def _request(data: str | bytes) -> Json | None:
    """The request in a message; None for anything else."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or body.get("type") != "req":
        return None
    params = body.get("params", {})
    texts = all(isinstance(body.get(name), str) and body[name] for name in ("id", "method"))
    return {**body, "params": params} if texts and isinstance(params, dict) else None
