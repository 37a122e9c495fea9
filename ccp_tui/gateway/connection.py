"""One live connection: requests are matched with answers, events handed on, silence and gaps noticed.

A connection never comes back to life; the client makes a new one. Whatever arrives that is not understood is counted
and passed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ccp_tui import wire
from ccp_tui.gateway.handshake import Hello
from ccp_tui.gateway.status import GatewayError, GatewayTimeout, GatewayUnavailable, error_from

# No frame for this many tick intervals: the line is dead although nobody closed it.
SILENCE_TICKS = 2.5
CLOSE_DEADLINE_S = 2.0
# So many frames are read without letting others run; a flood must not starve the event loop.
FRAMES_PER_TURN = 32


class Connection:
    """``on_event`` gets each event frame; ``on_gap`` is called when frames were lost on the way."""

    def __init__(
        self,
        socket: ClientConnection,
        hello: Hello,
        *,
        on_event: Callable[[wire.Event], None],
        on_gap: Callable[[], None],
        counters: Counter[str],
    ) -> None:
        self.hello = hello
        self._socket = socket
        self._on_event = on_event
        self._on_gap = on_gap
        self._counters = counters
        self._ids = itertools.count(1)
        self._pending: dict[str, asyncio.Future[wire.Response]] = {}
        self._sequence: int | None = None
        self._heard = time.monotonic()
        self._closed = False
        self.close_code: int | None = None
        self.close_reason = ""

    async def run(self) -> None:
        """Reads until the connection ends, however it ends. Never raises but when cancelled."""
        watchdog = asyncio.create_task(self._watch_silence(), name="gateway-silence")
        try:
            await self._read()
        except ConnectionClosed as closed:
            frame = closed.rcvd
            self.close_code, self.close_reason = (
                (frame.code, frame.reason) if frame else (None, self.close_reason)
            )
        finally:
            watchdog.cancel()
            self._lose()

    async def call(self, method: str, params: wire.Json, timeout: float) -> wire.Json:  # noqa: ASYNC109
        """The payload of the answer. Raises GatewayError (GatewayUnavailable, GatewayTimeout)."""
        if self._closed:
            raise GatewayUnavailable("the connection to the gateway is lost", sent=False)
        identity = str(next(self._ids))
        frame = wire.encode(wire.Request(identity, method, params))
        if len(frame) > self.hello.max_payload or len(frame.encode()) > self.hello.max_payload:
            # The gateway would close the connection, with all that runs on it.
            raise GatewayError("TOO_LARGE", f"{method}: the request is larger than the gateway takes")
        answered: asyncio.Future[wire.Response] = asyncio.get_running_loop().create_future()
        self._pending[identity] = answered
        try:
            async with asyncio.timeout(timeout):
                await self._socket.send(frame)
                response = await answered
        except TimeoutError:
            raise GatewayTimeout(f"{method}: no answer within {timeout:g} s") from None
        except ConnectionClosed:
            raise GatewayUnavailable(f"{method}: the connection was lost", sent=True) from None
        finally:
            self._pending.pop(identity, None)
        if response.error is not None:
            raise error_from(response.error)
        return response.payload or {}

    async def close(self) -> None:
        """Ends the connection within a deadline; a library that fails at closing is no reason to fail."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await self._socket.close()
        self.abort()

    def abort(self) -> None:
        """Cuts the line at once, without a word."""
        with contextlib.suppress(Exception):
            self._socket.transport.abort()

    async def _read(self) -> None:
        for count in itertools.count(1):
            data = await self._socket.recv()
            self._heard = time.monotonic()
            try:
                frame = wire.decode(data)
            except wire.BadFrame:
                self._counters["bad_frames"] += 1
                continue
            match frame:
                case wire.Response():
                    self._answer(frame)
                case wire.Event():
                    self._check_sequence(frame.seq)
                    self._on_event(frame)
                case _:
                    self._counters["unknown_frames"] += 1
            if count % FRAMES_PER_TURN == 0:
                await asyncio.sleep(0)

    def _answer(self, response: wire.Response) -> None:
        waiting = self._pending.get(response.id)
        if waiting is None or waiting.done():
            self._counters["late_answers"] += 1
        else:
            waiting.set_result(response)

    def _check_sequence(self, sequence: int | None) -> None:
        if sequence is None:
            return
        expected = None if self._sequence is None else self._sequence + 1
        if expected is not None and sequence < expected:
            self._counters["old_sequences"] += 1
            return
        self._sequence = sequence
        if expected is not None and sequence > expected:
            self._counters["gaps"] += 1
            self._on_gap()

    async def _watch_silence(self) -> None:
        limit = self.hello.tick_s * SILENCE_TICKS
        left = limit
        while left > 0:
            await asyncio.sleep(left)
            left = limit - (time.monotonic() - self._heard)
        self._counters["silences"] += 1
        self.close_reason = f"silent for {limit:.0f} s"
        self.abort()

    def _lose(self) -> None:
        self._closed = True
        for answered in self._pending.values():
            if not answered.done():
                answered.set_exception(
                    GatewayUnavailable("the connection was lost during the call", sent=True)
                )
