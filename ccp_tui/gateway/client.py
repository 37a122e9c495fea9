"""The control service's one line to the OpenClaw gateway: it connects, stays connected, and tells the truth about it.

One task supervises: connect, shake hands, subscribe, read until the line is lost, wait, again. Events go through a
bounded box to the owner's callback. Whenever frames were or may have been lost (a new connection, a gap in the
numbering, an overflow) the owner's ``on_connected`` runs, which compares its own state with the gateway's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from ccp_tui import clock, wire
from ccp_tui.gateway import backoff, handshake, refusals
from ccp_tui.gateway.calls import GatewayCalls
from ccp_tui.gateway.connection import Connection
from ccp_tui.gateway.events import GatewayEvent, Reader
from ccp_tui.gateway.handshake import Claim, Hello
from ccp_tui.gateway.identity import Device, IdentityError
from ccp_tui.gateway.inbox import Inbox
from ccp_tui.gateway.refusals import Refusal
from ccp_tui.gateway.settings import GatewaySettings
from ccp_tui.gateway.status import GatewayError, GatewayState, GatewayStatus, GatewayUnavailable
from ccp_tui.text import one_line

log = logging.getLogger(__name__)

MAX_FRAME = 32 * 1024 * 1024
# Callbacks run at most this long in one go; then others get their turn.
SLICE_S = 0.008
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Deadlines:
    """Seconds for each step of connecting."""

    open: float = 10.0
    challenge: float = handshake.CHALLENGE_DEADLINE_S
    hello: float = handshake.HELLO_DEADLINE_S
    subscribe: float = 20.0
    stop: float = 5.0


class GatewayClient:
    """``on_event`` and ``on_status`` are called on the event loop and must not block; ``on_connected`` may wait.

    ``reload`` gives the settings for the next attempt, so that a token which a person has mended is used without a
    restart. ``claim`` changes what the handshake claims; only tests use it.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        on_event: Callable[[GatewayEvent], None],
        on_status: Callable[[GatewayStatus], None],
        on_connected: Callable[[Hello], Awaitable[None]],
        reload: Callable[[], GatewaySettings] | None = None,
        claim: Callable[[Claim], Claim] | None = None,
        deadlines: Deadlines | None = None,
        inbox_capacity: int | None = None,
    ) -> None:
        self.settings = settings
        self.calls = GatewayCalls(self)
        self.counters: Counter[str] = Counter()
        self.status = GatewayStatus(GatewayState.STOPPED, settings.url)
        self._on_event = on_event
        self._on_status = on_status
        self._on_connected = on_connected
        self._reload = reload
        self._claim = claim
        self._deadlines = deadlines or Deadlines()
        self._inbox = Inbox(self.counters, inbox_capacity) if inbox_capacity else Inbox(self.counters)
        self._reader = Reader(self.counters)
        self._connection: Connection | None = None
        self._hello: Hello | None = None
        self._boot_id: str | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._reconcile = asyncio.Event()
        self._nudge = asyncio.Event()
        self._lived = 0.0  # seconds that the latest connection was good for

    @property
    def boot_id(self) -> str | None:
        """The id of the gateway's process life, as of the latest connection: another one means that it restarted."""
        return self._boot_id

    @property
    def hello(self) -> Hello | None:
        """What the gateway said at the handshake of the connection of now; None while not connected."""
        return self._hello if self._connection else None

    async def start(self) -> None:
        """Returns at once; from now on the client connects, and reconnects without end."""
        if self._tasks:
            return
        self._announce(GatewayState.CONNECTING, "Connecting.")
        self._tasks = [
            asyncio.create_task(self._supervise(), name="gateway"),
            asyncio.create_task(self._deliver(), name="gateway-events"),
            asyncio.create_task(self._reconcile_when_asked(), name="gateway-reconcile"),
        ]

    async def stop(self) -> None:
        """Ends everything within a deadline; calls under way fail."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._deadlines.stop)
        self._inbox.clear()
        self._announce(GatewayState.STOPPED)

    def retry_now(self) -> None:
        """A person mended something, or wants to know: try again at once."""
        self._nudge.set()

    async def call(self, method: str, params: wire.Json, *, timeout: float = 30.0) -> wire.Json:  # noqa: ASYNC109
        """One request. Raises GatewayError for a refusal, GatewayUnavailable and GatewayTimeout for the line."""
        connection = self._connection
        if connection is None:
            raise GatewayUnavailable(self.status.detail or "not connected to the gateway", sent=False)
        return await connection.call(method, params, timeout)

    async def _supervise(self) -> None:
        attempt = 0
        while True:
            self._nudge.clear()
            self._lived = 0.0
            try:
                trouble = await self._live()
            except Refusal as refusal:
                trouble = refusal
            except Exception as error:
                log.exception("connecting to the gateway failed")
                trouble = refusals.unreachable(f"Connecting failed: {error}.", "See the log of the service.")
            if self._lived >= backoff.STABLE_S:
                attempt = 0
            match trouble.state:
                case GatewayState.STARTING:
                    wait = backoff.starting(trouble.retry_after_s)
                case GatewayState.REFUSED:
                    wait = backoff.refused(trouble.retry_after_s)
                case _:
                    wait = backoff.lost(attempt)
                    attempt += 1
            self._announce(trouble.state, trouble.detail, trouble.fix, wait)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._nudge.wait()
                    attempt = 0
                    self._announce(GatewayState.CONNECTING, "Connecting.")

    async def _live(self) -> Refusal:
        """One connection from beginning to end; the answer is why it ended. Raises Refusal when it never began."""
        if self._reload is not None:
            self.settings = self._reload()
        try:
            device = await asyncio.to_thread(Device.load, self.settings.device_path)
        except IdentityError as error:
            raise refusals.refused("IDENTITY", str(error), "Then try again.") from None
        socket = await self._open()
        connection: Connection | None = None
        try:
            claim = Claim(self.settings.token, self.settings.token_source)
            hello = await handshake.shake_hands(
                socket,
                device,
                self._claim(claim) if self._claim else claim,
                challenge_s=self._deadlines.challenge,
                hello_s=self._deadlines.hello,
            )
            connection = Connection(
                socket, hello, on_event=self._receive, on_gap=self._reconcile.set, counters=self.counters
            )
            await self._serve(connection)
        finally:
            self._connection = None
            if connection is not None:
                await connection.close()
            else:
                with contextlib.suppress(Exception):
                    socket.transport.abort()
        return _why_lost(connection)

    async def _open(self) -> ClientConnection:
        url = self.settings.url
        try:
            # A proxy from the environment has no business between us and a gateway on this machine.
            proxy: Literal[True] | None = None if urlsplit(url).hostname in _LOOPBACK else True
            return await connect(
                url,
                proxy=proxy,
                compression=None,
                max_size=MAX_FRAME,
                ping_interval=None,
                open_timeout=self._deadlines.open,
                close_timeout=2,
            )
        except InvalidStatus as answer:
            raise refusals.of_upgrade(answer.response.status_code) from None
        except (InvalidURI, ValueError) as error:
            raise refusals.refused(
                "BAD_URL",
                f"The gateway's address can't be used: {error}.",
                "Set CCP_GATEWAY_URL to ws://HOST:PORT.",
            ) from None
        except TimeoutError:
            raise refusals.unreachable(
                f"Nothing answers at {url} within {self._deadlines.open:g} s.", refusals.START_FIX, "TIMEOUT"
            ) from None
        except (InvalidHandshake, EOFError) as error:
            raise refusals.unreachable(
                f"What answers at {url} is no OpenClaw gateway ({error}).",
                "Check CCP_GATEWAY_URL.",
                "NOT_A_GATEWAY",
            ) from None
        except ConnectionRefusedError:
            raise refusals.unreachable(f"No gateway runs at {url}.", code="NOT_RUNNING") from None
        except OSError as error:
            raise refusals.unreachable(f"{url} can't be reached: {error.strerror or error}.") from None

    async def _serve(self, connection: Connection) -> None:
        """Subscribes, announces, and reads until the end."""
        reading = asyncio.create_task(connection.run(), name="gateway-read")
        try:
            await self._subscribe(connection)
            hello = connection.hello
            restarted = self._boot_id is not None and self._boot_id != hello.boot_id
            self._hello, self._boot_id = replace(hello, restarted=restarted), hello.boot_id
            self._connection = connection
            self._announce(GatewayState.CONNECTED)
            self._reconcile.set()
            began = time.monotonic()
            await reading
            self._lived = time.monotonic() - began
        finally:
            reading.cancel()

    async def _subscribe(self, connection: Connection) -> None:
        try:
            await connection.call("sessions.subscribe", {}, self._deadlines.subscribe)
        except GatewayUnavailable as error:
            if error.sent:
                raise refusals.unreachable(f"The connection was lost at once: {error.message}.", "") from None
            raise refusals.starting(
                f"The gateway is not ready: {error.message}.", error.retry_after_s
            ) from None
        except GatewayError as error:
            body = {"code": error.code, "message": error.message, "details": error.details}
            raise refusals.of_error(body, self.settings.token_source) from None

    def _receive(self, frame: wire.Event) -> None:
        for event in self._reader.read(frame):
            if not self._inbox.put(event):
                self._reconcile.set()

    async def _deliver(self) -> None:
        end = time.monotonic() + SLICE_S
        while True:
            event = await self._inbox.get()
            try:
                self._on_event(event)
            except Exception:
                log.exception("handling %s failed", type(event).__name__)
            if time.monotonic() >= end:
                await asyncio.sleep(0)
                end = time.monotonic() + SLICE_S

    async def _reconcile_when_asked(self) -> None:
        """Runs ``on_connected``, never twice at a time; asked again meanwhile, it runs once more afterwards."""
        while True:
            await self._reconcile.wait()
            self._reconcile.clear()
            hello = self.hello
            if hello is None:
                continue
            try:
                await self._on_connected(hello)
            except GatewayUnavailable:
                log.info("the connection was lost while comparing with the gateway")
            except Exception:
                log.exception("comparing with the gateway failed")

    def _announce(
        self, state: GatewayState, detail: str = "", fix: str = "", wait: float | None = None
    ) -> None:
        before = self.status
        hello = self._hello
        status = GatewayStatus(
            state=state,
            url=self.settings.url,
            detail=detail,
            fix=fix,
            version=hello.version if hello else None,
            boot_id=self._boot_id,
            since=before.since if before.state is state else clock.now(),
            retry_at=clock.after(wait) if wait is not None else None,
        )
        if status == before:
            return
        self.status = status
        if (before.state, before.detail) != (state, detail):
            log.info("gateway %s %s", state.value, detail)
        try:
            self._on_status(status)
        except Exception:
            log.exception("telling the gateway's state failed")


def _why_lost(connection: Connection) -> Refusal:
    code, reason = connection.close_code, connection.close_reason
    if code == 1009:
        return refusals.unreachable("A message was too large; the connection was closed.", "", "TOO_LARGE")
    if code in (1012, 1013):
        return refusals.of_close(code, reason)
    # Whatever else it is, a token that was revoked for instance: the next handshake tells it properly.
    words = f": {one_line(reason, 120)}" if reason else ""
    return refusals.unreachable(
        f"The connection to the gateway was lost{words}.", "It is tried again by itself.", "LOST"
    )
