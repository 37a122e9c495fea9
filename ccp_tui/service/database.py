"""The store behind a thread of its own, so that no query ever stands in the event loop's way.

Every piece of work is one transaction; what it touched is published after the commit, in the order of the commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ccp_tui.store import Committed, Store

T = TypeVar("T")


class Database:
    """Runs work on the store, one transaction at a time."""

    def __init__(self, store: Store, on_commit: Callable[[Committed], None]) -> None:
        self._store = store
        self._on_commit = on_commit
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def __call__(self, work: Callable[[Store], T], *, durable: bool = False) -> T:
        """Runs ``work`` in one transaction and returns its result. ``durable``: see :meth:`Store.transaction`.

        A caller that is cancelled leaves the transaction to finish: it is whole or it is not there.
        """
        loop = asyncio.get_running_loop()

        def run() -> T:
            result, committed = self._store.transaction(work, durable=durable)
            loop.call_soon_threadsafe(self._on_commit, committed)
            return result

        return await asyncio.shield(loop.run_in_executor(self._thread, run))

    async def back_up(self, target: Path) -> int:
        """An online copy at ``target``; returns its bytes."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._store.back_up, target)

    async def close(self) -> None:
        """Waits for the work that was asked for, then closes the file."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._store.close)
        self._thread.shutdown(wait=False)
