"""A line to a gateway that breaks where a test wants it: a proxy that sees every frame, and kills at one of them.

The service connects to the breaker as to a gateway. A test arms it with a :class:`Step`, the one moment of the talk
at which its processes are killed as a power cut kills them; what comes after is passed on untouched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]
LARGEST = 64 * 2**20


class At(StrEnum):
    """When, around one frame: before the other side has it, or after."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True)
class Step:
    """One moment of the talk. ``of`` is a request's or event's name; ``answer`` means the request's answer.

    Every one of ``holds`` must be in the frame's text; for a request's answer, in that of the request.
    """

    of: str
    at: At
    holds: tuple[str, ...]
    answer: bool = False

    def __str__(self) -> str:
        what = f"the answer to {self.of}" if self.answer else self.of
        return f"{self.at} {what} {' '.join(self.holds)}"


class Breaker:
    """Listens on loopback in this process. Use as an asynchronous context manager."""

    def __init__(self, upstream: Callable[[], str]) -> None:
        self._upstream = upstream
        self._step: Step | None = None
        self._cut: Callable[[], None] = lambda: None
        self.tripped = asyncio.Event()
        self._server: Server | None = None

    async def __aenter__(self) -> Breaker:
        self._server = await serve(self._between, "127.0.0.1", 0, max_size=LARGEST, compression=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()
            await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    def arm(self, step: Step, cut: Callable[[], None]) -> None:
        """At this step ``cut`` is called, once, and :attr:`tripped` is set."""
        self._step, self._cut = step, cut
        self.tripped.clear()

    async def _between(self, near: ServerConnection) -> None:
        """One connection of the service, with one of its own to the gateway, until either side closes it."""
        with contextlib.suppress(OSError, ConnectionClosed, TimeoutError, EOFError):
            async with connect(self._upstream(), max_size=LARGEST, compression=None, open_timeout=5) as far:
                asked: dict[str, str] = {}
                passing = [
                    asyncio.create_task(self._pass(near, far, asked)),
                    asyncio.create_task(self._pass(far, near, asked)),
                ]
                try:
                    await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for one in passing:
                        one.cancel()
                    await asyncio.gather(*passing, return_exceptions=True)

    async def _pass(self, source: Any, target: Any, asked: dict[str, str]) -> None:
        async for text in source:
            here = self._is_here(text, asked)
            if here and self._step and self._step.at is At.BEFORE:
                return self._trip()
            await target.send(text)
            if here:
                return self._trip()

    def _is_here(self, text: str | bytes, asked: dict[str, str]) -> bool:
        """Whether this frame is the one; requests are noted, so that their answers are known."""
        frame: Frame = json.loads(text)
        step, words = self._step, str(text)
        if frame["type"] == "req":
            asked[frame["id"]] = words
        if step is None or self.tripped.is_set():
            return False

        def held(text: str) -> bool:
            return all(one in text for one in step.holds)

        if frame["type"] == "event":
            return not step.answer and frame["event"] == step.of and held(words)
        if (frame["type"] == "res") is not step.answer:
            return False
        request = asked.get(frame["id"], "{}")
        return json.loads(request).get("method") == step.of and held(request)

    def _trip(self) -> None:
        self._step = None
        self._cut()
        self.tripped.set()
