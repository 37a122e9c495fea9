"""One blocking line to the control service, for verbs that ask a question, print the answer and end.

A verb lives for some tens of milliseconds, and importing asyncio and a whole WebSocket library would be most of
them. The little of RFC 6455 that a client on a private Unix socket needs is here: the upgrade, masked text frames
out, fragments, pings and the closing frame in. The frames inside are :mod:`ccp_tui.wire`'s.
"""

from __future__ import annotations

import os
import socket
import time
from base64 import b64encode
from collections import deque
from pathlib import Path
from typing import Any

from ccp_tui import wire
from ccp_tui.cli.errors import CliError
from ccp_tui.paths import SOCKET_PATH_LIMIT

Json = dict[str, Any]

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_ANSWER_SECONDS = 60.0


class NoService(Exception):
    """Nobody listens on the socket."""


class Lost(CliError):
    """The line broke, or never stood: what was asked last may have been done, or not."""


class Line:
    """A connected socket. Not for several threads."""

    def __init__(self, path: Path, connect_seconds: float = 5.0) -> None:
        """Connects. Raises NoService when nobody listens, Lost when what listens does not let us in as a
        service does, CliError when the socket is another user's."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._buffer = bytearray()
        self._events: deque[wire.Event] = deque()
        self._last_id = 0
        if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
            self._socket.close()
            raise NoService(str(path))
        try:
            self._socket.settimeout(connect_seconds)
            self._socket.connect(os.fspath(path))
            self._upgrade(time.monotonic() + connect_seconds)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            self._socket.close()
            raise NoService(str(path)) from None
        except PermissionError:
            self._socket.close()
            raise CliError("NOT_ALLOWED", f"{path} belongs to another user.") from None
        except OSError as error:
            self._socket.close()
            raise _lost(str(error)) from None
        except CliError:
            self._socket.close()
            raise

    def call(self, method: str, params: Json | None = None, timeout: float = _ANSWER_SECONDS) -> Json:
        """The payload of one request's answer. Events that come meanwhile wait for :meth:`next_event`."""
        self._last_id += 1
        wanted = str(self._last_id)
        self._send(_TEXT, wire.encode(wire.Request(wanted, method, params or {})).encode())
        deadline = time.monotonic() + timeout
        while True:
            frame = self._frame(deadline)
            if frame is None:
                raise _lost(f"no answer to {method} within {timeout:.0f} s")
            if isinstance(frame, wire.Event):
                self._events.append(frame)
            elif isinstance(frame, wire.Response) and frame.id == wanted:
                if frame.error is not None:
                    details = frame.error.get("details")
                    raise CliError(
                        str(frame.error.get("code")),
                        str(frame.error.get("message") or "failed without a reason"),
                        details if isinstance(details, dict) else None,
                    )
                return frame.payload or {}

    def next_event(self, deadline: float | None = None) -> wire.Event | None:
        """The next pushed event; None when ``deadline`` (monotonic seconds) passes first."""
        if self._events:
            return self._events.popleft()
        while True:
            frame = self._frame(deadline)
            if frame is None or isinstance(frame, wire.Event):
                return frame

    def fileno(self) -> int:
        """For waiting, beside other things, until something arrives; what has arrived already does not show there."""
        return self._socket.fileno()

    def close(self) -> None:
        """Says goodbye if the other side still listens."""
        try:
            self._socket.settimeout(0.2)
            self._send(_CLOSE, (1000).to_bytes(2, "big"))
        except (OSError, CliError):
            pass
        finally:
            self._socket.close()

    def _upgrade(self, deadline: float) -> None:
        key = b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > 65536 or not self._receive(deadline):
                raise _lost("it does not answer")
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        status = head.split(b"\r\n", 1)[0].split(b" ")
        if len(status) < 2 or status[1] != b"101":
            busy = len(status) > 1 and status[1] == b"503"
            raise _lost("it has too many connections" if busy else "it answers, but not as a control service")

    def _frame(self, deadline: float | None) -> wire.Frame | None:
        data = self._message(deadline)
        if data is None:
            return None
        try:
            return wire.decode(data)
        except wire.BadFrame as error:
            raise _lost(f"it sent something that is no frame: {error}") from None

    def _message(self, deadline: float | None) -> bytes | None:
        """The next whole message, its fragments joined; None when the deadline passes between two messages."""
        whole = bytearray()
        while True:
            head = self._take(2, deadline)
            if head is None:
                return None
            length = head[1] & 0x7F
            if length >= 126:
                length = int.from_bytes(self._must_take(2 if length == 126 else 8), "big")
            payload = self._must_take(length)
            opcode = head[0] & 0x0F
            if opcode == _PING:
                self._send(_PONG, payload)
            elif opcode == _CLOSE:
                raise _lost(payload[2:].decode(errors="replace") or "it closed the connection")
            elif opcode in (_TEXT, _BINARY, _CONTINUATION):
                whole += payload
                if head[0] & 0x80:
                    return bytes(whole)

    def _take(self, count: int, deadline: float | None) -> bytes | None:
        while len(self._buffer) < count:
            if not self._receive(deadline):
                return None
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _must_take(self, count: int) -> bytes:
        """The rest of a frame that has begun to come: half a frame means that the service is gone."""
        taken = self._take(count, time.monotonic() + _ANSWER_SECONDS)
        if taken is None:
            raise _lost("it stopped in the middle of a message")
        return taken

    def _receive(self, deadline: float | None) -> bool:
        """Reads what is there; False when the deadline passes first."""
        remaining = None if deadline is None else deadline - time.monotonic()
        if remaining is not None and remaining <= 0:
            return False
        try:
            self._socket.settimeout(remaining)
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            return False
        except OSError as error:
            raise _lost(str(error)) from None
        if not data:
            raise _lost("it ended")
        self._buffer += data
        return True

    def _send(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 1 << 16:
            head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
        mask = os.urandom(4)
        pattern = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")
        try:
            self._socket.sendall(head + mask + masked)
        except OSError as error:
            raise _lost(str(error)) from None


def _lost(why: str) -> Lost:
    return Lost("UNAVAILABLE", f"The control service can't be reached: {why}.", {"fix": "ccp doctor"})
