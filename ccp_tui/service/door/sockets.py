"""WebSocket servers on Unix sockets that answer requests and push events; and the person's, ``control.sock``.

Access is by the file's mode: whoever may open the socket may use what it offers.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, unix_serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ccp_tui import wire
from ccp_tui.service.door.errors import Code, ServiceError, usage
from ccp_tui.service.door.hub import MAX_WATCHED, Hub, Outbox
from ccp_tui.service.door.unixsocket import guarded, listen, peer
from ccp_tui.wire import Json

log = logging.getLogger(__name__)

PROTOCOL = 1
DEADLINE = 60.0  # seconds that one request may take
MAX_FRAME = 8 * 2**20  # bytes of one request of the person
IN_FLIGHT = 64  # requests of one connection that are worked on or whose answer is unsent; then it is not read
SNAPSHOT_CHUNK = 200  # rows encoded before the event loop gets its turn
CLOSING = 2.0  # seconds that a client gets to take leave
GOING_AWAY = 1001  # WebSocket close code
STOPPED = "The control service was stopped."


@dataclass
class Caller:
    """Who sent a request: the name it gave in ``hello``, and what the kernel says of its process."""

    name: str
    pid: int | None
    uid: int | None


Handler = Callable[[Json, Caller], Awaitable[Json]]
Snapshot = Callable[[], Json | Awaitable[Json]]


class SocketServer:
    """One WebSocket server on one Unix socket; the two kinds differ in what they let a connection ask.

    ``start`` replaces a socket file that is there, so call it only while holding the home's lock. ``accepted`` bounds
    how many connections exist at once.
    """

    def __init__(
        self,
        path: Path,
        *,
        mode: int,
        max_frame: int,
        deadline: float,
        accepted: int | None = None,
        group: str = "",
    ) -> None:
        self.path = path
        self._group = group
        self._accepted = accepted
        self._mode = mode
        self._max_frame = max_frame
        self._deadline = deadline
        self._server: Server | None = None
        self._open: set[ServerConnection] = set()
        self._requests: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Opens the socket. Raises SocketError."""
        self._server = await unix_serve(
            self._connection,
            sock=listen(self.path, self._mode, self._group),
            compression=None,
            max_size=self._max_frame,
            ping_interval=None,  # the kernel tells at once when the other end of a Unix socket is gone
            close_timeout=CLOSING,
            server_header=None,
            process_request=self._request,
            create_connection=guarded(self._accepted) if self._accepted else None,
            logger=_quiet,
        )

    async def stop(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - how long requests may take to end
        """Takes no more connections, removes the socket, lets running requests end, then closes the connections."""
        server, self._server = self._server, None
        if server is None:
            return
        self.path.unlink(missing_ok=True)
        server.close(close_connections=False)
        if self._requests:
            await asyncio.wait(tuple(self._requests), timeout=timeout)
        for request in tuple(self._requests):
            request.cancel()
        await asyncio.sleep(0.05)  # the writers' turn: the last answers leave before the connections close
        if closing := [asyncio.create_task(open_.close(GOING_AWAY, STOPPED)) for open_ in self._open]:
            await asyncio.wait(closing, timeout=CLOSING)
        for open_ in self._open:  # one that reads nothing does not take our good-bye either
            open_.transport.abort()
        await server.wait_closed()

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        """An HTTP answer for a connection that is not wanted; None lets it in."""
        return None

    async def _answer(self, request: wire.Request, caller: Caller, outbox: Outbox) -> str:
        """The text of the response to one request. Never raises, save when it is cancelled."""
        raise NotImplementedError

    def _join(self) -> Outbox:
        return Outbox()

    def _leave(self, outbox: Outbox) -> None:
        pass

    async def _connection(self, connection: ServerConnection) -> None:
        self._open.add(connection)
        pid, uid = peer(connection)
        caller = Caller("", pid, uid)
        outbox = self._join()
        free = asyncio.Semaphore(IN_FLIGHT)
        writer = asyncio.create_task(_write(connection, outbox, free), name="socket-writer")
        try:
            async for message in connection:
                await free.acquire()
                try:
                    frame = wire.decode(message)
                    if not isinstance(frame, wire.Request):
                        raise wire.BadFrame("only requests are taken here")
                except wire.BadFrame as error:
                    outbox.answer(_done(_refusal(_id_in(message), Code.USAGE, f"Bad frame: {error}.")))
                    continue
                # A request outlives its connection: what a person asked for is not left half done.
                task = asyncio.create_task(self._serve(frame, caller, outbox), name=f"request {frame.method}")
                self._requests.add(task)
                task.add_done_callback(self._requests.discard)
        finally:
            self._open.discard(connection)
            self._leave(outbox)
            writer.cancel()

    async def _serve(self, request: wire.Request, caller: Caller, outbox: Outbox) -> None:
        try:
            text = await self._answer(request, caller, outbox)
        except asyncio.CancelledError:
            text = _refusal(request.id, Code.UNAVAILABLE, STOPPED)
        if text:
            outbox.answer(_done(text))

    async def _call(self, request: wire.Request, handler: Handler, caller: Caller) -> str:
        """Runs a handler within the deadline; whatever it raises becomes an error response."""
        try:
            async with asyncio.timeout(self._deadline):
                payload = await handler(request.params, caller)
            return wire.encode(wire.Response(request.id, payload=payload))
        except ServiceError as error:
            return _refusal(request.id, error.code, error.message, error.details)
        except TimeoutError:
            log.error("%s took longer than %g s and was given up", request.method, self._deadline)
            return _refusal(
                request.id, Code.FAILED, f"{request.method} took longer than {self._deadline:g} s."
            )
        except Exception as error:
            log.exception("%s failed", request.method)
            return _refusal(request.id, Code.FAILED, f"{request.method} failed: {_short(error)}")


class ControlServer(SocketServer):
    """The person's socket: every method, the snapshot, and the events.

    ``hello`` is the answer to that method. ``snapshot`` gives the payload of ``subscribe``: a plain function, called
    on the loop, fits the first event exactly; a coroutine function never loses an event, but one that is published
    while it runs may come again after it. Its rows must not be changed after it returned.
    """

    def __init__(
        self,
        path: Path,
        hub: Hub,
        methods: Mapping[str, Handler],
        *,
        snapshot: Snapshot,
        hello: Json,
        deadline: float = DEADLINE,
    ) -> None:
        super().__init__(path, mode=0o600, max_frame=MAX_FRAME, deadline=deadline)
        self._hub = hub
        self._methods = methods
        self._snapshot = snapshot
        self._hello = hello

    def _join(self) -> Outbox:
        return self._hub.join()

    def _leave(self, outbox: Outbox) -> None:
        self._hub.leave(outbox)

    async def _answer(self, request: wire.Request, caller: Caller, outbox: Outbox) -> str:
        match request.method:
            case "hello":
                return await self._call(request, self._greet, caller)
            case "subscribe":
                await self._subscribe(request, caller, outbox)
                return ""
            case "watch" | "unwatch":
                watch = request.method == "watch"

                async def change(params: Json, _: Caller) -> Json:
                    return _watch(outbox, params.get("session_key"), watch)

                return await self._call(request, change, caller)
        handler = self._methods.get(request.method)
        if handler is None:
            return _refusal(request.id, Code.USAGE, f"There is no method {request.method!r}.")
        return await self._call(request, handler, caller)

    async def _greet(self, params: Json, caller: Caller) -> Json:
        caller.name = str(params.get("client") or "")[:80]
        return {**self._hello, "protocol": PROTOCOL}

    async def _subscribe(self, request: wire.Request, caller: Caller, outbox: Outbox) -> None:
        """Takes the answer's place in the order, subscribes and takes the snapshot, all in one step of the loop."""
        text: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        outbox.answer(text)
        outbox.subscribed = True

        async def take(params: Json, _: Caller) -> Json:
            found = self._snapshot()
            payload = await found if inspect.isawaitable(found) else found
            body = await encode_slowly(payload)
            text.set_result(f'{{"type":"res","id":{json.dumps(request.id)},"ok":true,"payload":{body}}}')
            return {}

        try:
            refusal = await self._call(request, take, caller)
        except asyncio.CancelledError:
            refusal = _refusal(request.id, Code.UNAVAILABLE, STOPPED)
        if not text.done():
            outbox.subscribed = False
            text.set_result(refusal)


async def encode_slowly(payload: Json) -> str:
    """An object as JSON, with turns for the event loop between the rows of its long lists."""
    parts = []
    for key, value in payload.items():
        if isinstance(value, list) and len(value) > SNAPSHOT_CHUNK:
            chunks = []
            for start in range(0, len(value), SNAPSHOT_CHUNK):
                chunks.append(_dump(value[start : start + SNAPSHOT_CHUNK])[1:-1])
                await asyncio.sleep(0)
            parts.append(f"{_dump(key)}:[{','.join(chunks)}]")
        else:
            parts.append(f"{_dump(key)}:{_dump(value)}")
    return "{" + ",".join(parts) + "}"


async def _write(connection: ServerConnection, outbox: Outbox, free: asyncio.Semaphore) -> None:
    """Sends what the outbox holds, as fast as the client reads it."""
    try:
        while True:
            frame = await outbox.next()
            await connection.send(frame)
            if not frame.startswith('{"type":"event"'):
                free.release()
    except (
        ConnectionClosed,
        AttributeError,
    ):  # the latter from the transport of a connection that is lost already
        pass


def _watch(outbox: Outbox, session_key: object, watch: bool) -> Json:
    if not isinstance(session_key, str) or not session_key:
        raise usage("session_key must be a non-empty string.", field="session_key")
    if not watch:
        outbox.watching.discard(session_key)
    elif len(outbox.watching) >= MAX_WATCHED and session_key not in outbox.watching:
        raise usage(f"One connection may watch at most {MAX_WATCHED} sessions.")
    else:
        outbox.watching.add(session_key)
    return {}


def _refusal(request: str, code: Code, message: str, details: Json | None = None) -> str:
    error: Json = {"code": str(code), "message": message}
    if details:
        error["details"] = details
    return wire.encode(wire.Response(request, error=error))


def _done(text: str) -> asyncio.Future[str]:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.set_result(text)
    return future


def _id_in(message: str | bytes) -> str:
    """The id of a frame that is otherwise bad, so that whoever waits for the answer gets it; "?" when there is none."""
    try:
        body = json.loads(message)
    except (ValueError, RecursionError):
        return "?"
    found = body.get("id") if isinstance(body, dict) else None
    return found if isinstance(found, str) and found else "?"


def _short(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_quiet = logging.getLogger("ccp_tui.websockets")
_quiet.setLevel(logging.CRITICAL)  # a client that goes away in the middle of a handshake is no news
