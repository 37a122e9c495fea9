"""Tasks that a duty starts and must be able to end: none is lost, none fails unseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any

from ccp_tui.text import one_line

log = logging.getLogger(__name__)

TROUBLE_AGAIN_S = 60.0  # before what failed in a way that nobody foresaw is tried again


class Background:
    """Keeps the tasks it starts until they end, and logs what they raise."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("%s failed", task.get_name(), exc_info=error)

    async def stop(self) -> None:
        """Cancels what still runs and waits for it to end."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)


async def survive(work: Awaitable[object], what: str) -> None:
    """Does one piece of an endless loop's work: its failure is logged, and is not the end of the loop."""
    try:
        await work
    except Exception:
        log.exception("%s failed", what)


def unforeseen(error: Exception) -> str:
    """What nobody foresaw, as one line for the person."""
    return one_line(f"{type(error).__name__}: {error}", 200)
