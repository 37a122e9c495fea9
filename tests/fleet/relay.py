"""A door in front of the real daemon's socket, for tests: it can be closed, and it can hang."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class Relay:
    """Passes bytes between a socket of its own and the daemon's.

    It can hang, then it takes them and passes nothing; and it can be slow: every piece waits ``delay`` seconds.
    """

    def __init__(self, path: Path, daemon: str) -> None:
        self.path = path
        self.requests = 0
        self.delay = 0.0
        self._daemon = daemon
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.path.unlink(missing_ok=True)

    def hang(self) -> None:
        self._flowing.clear()

    def go_on(self) -> None:
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._flowing.wait()
            inward, outward = await asyncio.open_unix_connection(self._daemon)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, outward, True))
                group.create_task(self._pass(inward, writer, False))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, asks: bool) -> None:
        try:
            while data := await source.read(65536):
                await asyncio.sleep(self.delay)
                await self._flowing.wait()
                if asks and data[:5] in (b"GET /", b"POST ", b"PUT /", b"PATCH", b"DELET"):
                    self.requests += 1
                target.write(data)
                await target.drain()
        finally:
            with contextlib.suppress(OSError):
                target.close()


@contextlib.asynccontextmanager
async def relay(path: Path, daemon: str) -> AsyncIterator[Relay]:
    """An open relay, closed in the end."""
    made = Relay(path, daemon)
    await made.open()
    try:
        yield made
    finally:
        made.go_on()
        await made.close()
