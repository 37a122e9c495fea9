"""Runs a program in a real pseudo-terminal: sends keys, counts the bytes it writes, reads its screen."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte

KEYS = {"enter": "\r", "escape": "\x1b", "tab": "\t", "backspace": "\x7f", "up": "\x1b[A", "down": "\x1b[B",
        "right": "\x1b[C", "left": "\x1b[D", "pageup": "\x1b[5~", "pagedown": "\x1b[6~", "space": " "}  # fmt: skip


class Terminal:
    """A program in a terminal of ``size`` (columns, lines). Use it as ``async with Terminal(command, size) as t``.

    ``written`` counts every byte the program wrote so far. The screen is kept by pyte, as a terminal would show it.
    """

    def __init__(
        self, command: Sequence[str], size: tuple[int, int] = (80, 24), env: Mapping[str, str] | None = None
    ) -> None:
        self.command, self.size = list(command), size
        # A size in the environment (a test runner may leave one) would win over the terminal's own.
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.env = {**inherited, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
        self.screen = pyte.Screen(*size)
        self.written = 0
        self.heard: Callable[[bytes], object] = lambda _: None  # gets everything that is written
        self.exit_code: int | None = None
        self._stream = pyte.ByteStream(self.screen)
        self._pid = 0
        self._fd = -1
        self._last_write = 0.0

    async def __aenter__(self) -> Terminal:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:  # the child; it sets the size before the program can ask for it
            _set_size(0, self.size)
            os.execvpe(self.command[0], self.command, self.env)
        os.set_blocking(self._fd, False)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)  # noqa: ASYNC222 - it was just killed
        if self._fd >= 0:
            os.close(self._fd)

    def hang_up(self) -> None:
        """The terminal goes, as it does when a connection is lost."""
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 65536)
        except (BlockingIOError, OSError):
            return
        if data:
            self.written += len(data)
            self._last_write = time.monotonic()
            self.heard(data)
            # pyte reads "ESC [ > … u" (the Kitty keyboard protocol) as a cursor restore; it draws nothing, so it goes.
            self._stream.feed(data.replace(b"\x1b[>1u", b"").replace(b"\x1b[<u", b""))

    def send(self, *keys: str) -> None:
        """Types keys: names from KEYS, ``ctrl+x``, or characters."""
        for key in keys:
            text = chr(ord(key[5:]) & 0x1F) if key.startswith("ctrl+") else KEYS.get(key, key)
            os.write(self._fd, text.encode())

    def resize(self, size: tuple[int, int]) -> None:
        """Changes the terminal's size, as a person does by pulling at its corner."""
        self.size = size
        self.screen.resize(size[1], size[0])
        _set_size(self._fd, size)
        os.kill(self._pid, signal.SIGWINCH)

    def lines_and_echo(self) -> bool:
        """Whether what is typed is echoed, comes in lines, and Ctrl-C ends programs: as a shell wants it."""
        wanted = termios.ECHO | termios.ICANON | termios.ISIG
        return int(termios.tcgetattr(self._fd)[3]) & wanted == wanted

    @property
    def text(self) -> str:
        """What stands on the screen, line by line."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    async def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Waits until something holds; raises AssertionError with the screen when it does not in time."""
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"not in {seconds:g} s; the screen:\n{self.text}")
            await asyncio.sleep(0.02)

    async def shows(self, words: str, seconds: float = 20.0) -> None:
        """Waits until the words stand on the screen."""
        await self.until(lambda: words in self.text, seconds)

    async def quiet(self, seconds: float = 0.4, limit: float = 20.0) -> None:
        """Waits until nothing was written for so long, counted from now at the earliest."""
        began = time.monotonic()
        end = began + limit
        # What a pseudo-terminal will still say can't be awaited, only watched.
        while time.monotonic() - max(self._last_write, began) < seconds and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    async def cost(self, *keys: str) -> int:
        """The bytes written because of some keys."""
        await self.quiet()
        before = self.written
        self.send(*keys)
        await self.quiet()
        return self.written - before

    async def ended(self, seconds: float = 20.0) -> int:
        """The exit code of the program, once it ended by itself."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pid, status = os.waitpid(self._pid, os.WNOHANG)  # noqa: ASYNC222 - it does not wait
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
                return self.exit_code
            await asyncio.sleep(0.02)
        raise AssertionError(f"still running after {seconds:g} s; the screen:\n{self.text}")


def _set_size(fd: int, size: tuple[int, int]) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
