"""All that screens and the CLI know of the control service: calls, the snapshot, and the events after it.

:class:`ServiceClient` is one connection, for a verb. :class:`LiveClient` keeps itself connected for ever and a mirror
current, for the board.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ccp_tui import clock, wire
from ccp_tui.failures import START_FIX, ServiceFailure, ServiceUnavailable, unreachable
from ccp_tui.rows import Link, LinkState
from ccp_tui.wire import Event, Json

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from ccp_tui.mirror import Mirror
    from ccp_tui.paths import Home

__all__ = ["START_FIX", "LiveClient", "ServiceClient", "ServiceFailure", "ServiceUnavailable"]

MAX_FRAME = 64 * 2**20  # bytes; a snapshot of 10,000 tasks is about 8 MiB
MAX_EVENTS = 20_000  # received and not yet read; past this the client resynchronises instead of growing
FIRST_RETRY, LAST_RETRY = 0.2, 5.0  # seconds between attempts to reconnect
BATCH_PAUSE = 1 / 60  # seconds between two batches of events, so that a flood costs the screen few repaints


def socket_of(where: Home | Path) -> Path:
    """The control socket of a home; a path stands for itself."""
    return where if isinstance(where, Path) else where.control_socket


class ServiceClient:
    """One connection to the control service. Use it as ``async with ServiceClient(home) as client``.

    Every method raises :class:`ServiceUnavailable` when the service is not there or gets lost, and
    :class:`ServiceFailure` when it answers with an error.
    """

    def __init__(self, where: Home | Path, name: str = "cli") -> None:
        self.socket_path = socket_of(where)
        self.name = name
        self.hello: Json = {}  # what the service said of itself: service, version, protocol, pid, home, demo
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._lost: ServiceUnavailable | None = None
        self._pending: dict[str, asyncio.Future[Json]] = {}
        self._requests = 0
        self._subscription = ""  # the id of the latest subscribe request
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._last_seq = 0

    async def __aenter__(self) -> ServiceClient:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self, timeout: float = 5.0) -> Json:  # noqa: ASYNC109
        """Connects and says hello; returns the service's answer."""
        from websockets.asyncio.client import unix_connect
        from websockets.exceptions import WebSocketException

        try:
            async with asyncio.timeout(timeout):
                self._socket = await unix_connect(
                    str(self.socket_path),
                    compression=None,
                    max_size=MAX_FRAME,
                    ping_interval=None,  # the kernel tells at once when the other end of a Unix socket is gone
                    open_timeout=None,
                    close_timeout=1,
                    user_agent_header=None,
                    proxy=None,
                )
        except (OSError, WebSocketException, EOFError) as error:  # TimeoutError is an OSError
            raise unreachable(error, self.socket_path) from None
        self._reader = asyncio.create_task(self._read(self._socket), name="service-client")
        try:
            self.hello = await self.call("hello", {"client": self.name}, timeout=timeout)
        except BaseException:
            await self.close()
            raise
        return self.hello

    async def call(self, method: str, params: Json | None = None, *, timeout: float = 30.0) -> Json:  # noqa: ASYNC109
        """One request and its answer. When the service is lost in between, nobody knows whether the call was done."""
        from websockets.exceptions import WebSocketException

        if self._socket is None or self._lost:
            raise self._lost or ServiceUnavailable("Not connected to the control service.")
        self._requests += 1
        request = str(self._requests)
        if method == "subscribe":
            self._subscription = request
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        frame = wire.encode(wire.Request(request, method, params or {}))
        self._pending[request] = answer
        try:
            async with asyncio.timeout(timeout):
                await self._socket.send(frame)
                return await answer
        except TimeoutError:
            raise ServiceUnavailable(
                f"The control service did not answer {method} within {timeout:g} s.",
                "look at what came of it before trying again; logs/serve.log may say more.",
            ) from None
        except (
            WebSocketException,
            AttributeError,
        ):  # the latter from the transport of a connection just lost
            raise self._lost or ServiceUnavailable("The control service was lost.") from None
        finally:
            self._pending.pop(request, None)

    async def subscribe(self, *, timeout: float = 30.0) -> Json:  # noqa: ASYNC109
        """The snapshot of everything on the board; :meth:`events` then tells what happened after it, nothing else."""
        return await self.call("subscribe", timeout=timeout)

    async def watch(self, session_key: str) -> None:
        """Asks for the messages and the run events of one session. A ``resync`` ends it, as it ends a subscription."""
        await self.call("watch", {"session_key": session_key})

    async def unwatch(self, session_key: str) -> None:
        """Ends :meth:`watch`."""
        await self.call("unwatch", {"session_key": session_key})

    async def events(self) -> AsyncIterator[Event]:
        """The events, one by one, until :meth:`close`. After a ``resync`` event: subscribe (and watch) again."""
        while batch := await self.next_events():
            for event in batch:
                yield event

    async def next_events(self) -> list[Event]:
        """The events that came since the last call, at least one; empty only after :meth:`close`."""
        while not self._events:
            if self._socket is None:
                return []
            if self._lost:
                raise self._lost
            self._arrived.clear()
            await self._arrived.wait()
        batch = list(self._events)
        self._events.clear()
        return batch

    async def close(self) -> None:
        """Ends the connection; calls that still wait fail."""
        socket, self._socket = self._socket, None
        if socket is not None and self._lost is None:
            with contextlib.suppress(AttributeError):  # from the transport of a connection just lost
                await socket.close()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        self._fail_pending(ServiceUnavailable("The connection to the control service was closed."))
        self._lost = None
        self._arrived.set()

    async def _read(self, socket: ClientConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        detail = "The control service was lost."
        try:
            while True:
                self._take(wire.decode(await socket.recv()))
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.reason:
                detail = closed.rcvd.reason
        except wire.BadFrame as error:
            detail = f"The control service sent what is no frame ({error})."
            await socket.close()
        finally:
            self._lost = ServiceUnavailable(detail)
            self._fail_pending(self._lost)
            self._arrived.set()

    def _take(self, frame: wire.Frame) -> None:
        match frame:
            case wire.Response():
                if frame.id == self._subscription and frame.ok:
                    self._events.clear()  # they came before the snapshot, which holds what they said
                answer = self._pending.get(frame.id)
                if answer is None or answer.done():
                    return
                if frame.error is not None:
                    answer.set_exception(ServiceFailure.from_error(frame.error))
                else:
                    answer.set_result(frame.payload or {})
            case Event():
                gap = frame.seq is not None and frame.seq != self._last_seq + 1
                self._last_seq = frame.seq if frame.seq is not None else self._last_seq
                if gap or len(self._events) >= MAX_EVENTS:
                    self._events.clear()
                    frame = Event("resync")
                self._events.append(frame)
                self._arrived.set()

    def _fail_pending(self, reason: ServiceUnavailable) -> None:
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(reason)
        self._pending.clear()


class LiveClient:
    """A connection that keeps itself, and a mirror that it keeps current. For the board: :meth:`start` it and listen
    to the mirror, which also tells how the link stands (``mirror.link``, ``change.link``)."""

    def __init__(self, where: Home | Path, mirror: Mirror, *, name: str = "board") -> None:
        self.socket_path = socket_of(where)
        self.mirror = mirror
        self.name = name
        self.hello: Json = {}
        self._client: ServiceClient | None = None
        self._task: asyncio.Task[None] | None = None
        self._watched: dict[str, int] = {}  # session key → how many watch it here

    @property
    def link(self) -> Link:
        """Where this client stands with the service; detail and fix are set when it is lost."""
        return self.mirror.link

    def start(self) -> None:
        """Connects, and reconnects for ever, in a task of its own. Returns at once."""
        if self._task is None:
            self.mirror.set_link(Link(LinkState.CONNECTING, since=clock.now()))
            self._task = asyncio.create_task(self._run(), name="live-client")

    async def stop(self) -> None:
        """Ends the connection and the task."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def call(self, method: str, params: Json | None = None, *, timeout: float = 30.0) -> Json:  # noqa: ASYNC109
        """As :meth:`ServiceClient.call`; while the link is down it fails at once with the link's reason and fix."""
        if self._client is None:
            raise ServiceUnavailable(
                self.link.detail or "Still connecting to the control service.", self.link.fix
            )
        return await self._client.call(method, params, timeout=timeout)

    async def watch(self, session_key: str) -> None:
        """Asks for a session's messages and run events (``change.events``), now and after every reconnect.

        Watches are counted: two that watch the same session each end their own. While the link is down this only
        notes the wish.
        """
        self._watched[session_key] = self._watched.get(session_key, 0) + 1
        if self._watched[session_key] == 1 and self._client is not None:
            with contextlib.suppress(ServiceUnavailable):
                await self._client.watch(session_key)

    async def unwatch(self, session_key: str) -> None:
        """Ends one :meth:`watch`."""
        count = self._watched.get(session_key, 0) - 1
        if count > 0:
            self._watched[session_key] = count
        elif self._watched.pop(session_key, None) is not None and self._client is not None:
            with contextlib.suppress(ServiceUnavailable):
                await self._client.unwatch(session_key)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        delay = FIRST_RETRY
        while True:
            began = loop.time()
            client = ServiceClient(self.socket_path, self.name)
            try:
                self.hello = await client.connect()
                await self._load(client)
                await self._follow(client)
            except ServiceUnavailable as lost:
                self._link(LinkState.LOST, lost.message, lost.fix)
            except ServiceFailure as failure:
                self._link(LinkState.LOST, failure.message, str(failure.details.get("fix") or START_FIX))
            finally:
                self._client = None
                await client.close()
            if loop.time() - began > LAST_RETRY:
                delay = FIRST_RETRY  # it had lasted: this is a new loss, not the next failure of the same one
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_RETRY)

    async def _load(self, client: ServiceClient) -> None:
        """Watches first, then the snapshot, so that whoever reads a session again after it misses nothing."""
        for session_key in tuple(self._watched):
            await client.watch(session_key)
        snapshot = await client.subscribe()
        self._client = client
        self._link(LinkState.CONNECTED)
        self.mirror.apply_snapshot(snapshot)

    async def _follow(self, client: ServiceClient) -> None:
        while batch := await client.next_events():
            if any(event.name == "resync" for event in batch):
                await self._load(client)
            else:
                self.mirror.apply_many(batch)
            await asyncio.sleep(BATCH_PAUSE)

    def _link(self, state: LinkState, detail: str = "", fix: str = "") -> None:
        known = self.mirror.link
        if (known.state, known.detail, known.fix) != (state, detail, fix):
            self.mirror.set_link(Link(state, detail, fix, clock.now()))
