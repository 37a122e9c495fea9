"""What a deployment ran short of: programs that the kernel killed for want of memory, processes that it refused.

An event in the history at the first of them, then at most one a minute for all that came meanwhile; on the board, and
in the summary, for an hour. The events hold the counters as they were told, so a service that starts anew tells what
happened while it was away, and nothing twice.

Nothing is asked for on a timer where the kernel tells (cgroup v2). Of v1 it tells only that memory ran out: there the
counters, some thirty small files, are read every few seconds, and nobody hears of it while they stay as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from ccp_tui import clock
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import SERVICE
from ccp_tui.service.context import Context
from ccp_tui.service.host.cgroups import Counts, Lack, counters, grown
from ccp_tui.service.host.cgroupwatch import Watch
from ccp_tui.store import Store
from ccp_tui.text import slug

Row = dict[str, Any]

KINDS = {Lack.MEMORY: "out_of_memory", Lack.PROCESSES: "out_of_processes"}
SETTLE_S = 1.0  # what comes within it is one
APART_S = 60.0  # between two events of one kind
LOOK_S = 5.0  # where the kernel does not tell
OLD_S = 3600.0


class Shortages:
    """Reads the counters when something tells that they changed; ``told`` is called when the board shows another."""

    def __init__(self, context: Context, background: Background, told: Callable[[], None]) -> None:
        self._c = context
        self._background = background
        self._told = told
        root = context.settings.cgroups
        self._counters = counters(root) if root else {}
        self._woken = asyncio.Event()
        self._ran_out = False  # memory did, by the kernel's word, since the counters were read
        self._seen: dict[Lack, Counts] = {}
        self._untold: dict[Lack, int] = {}
        self._told_at: dict[Lack, float] = {}
        self._ageing: dict[Lack, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Begins to listen; where there are no counters there is nothing to do."""
        if self._counters:
            self._background.start(self._loop(), "what runs short")

    def wake(self) -> None:
        """Something happened that a shortage may be the reason of."""
        self._woken.set()

    def _happened(self, *, ran_out: bool) -> None:
        self._ran_out |= ran_out
        self._woken.set()

    async def _loop(self) -> None:
        self._seen = await self._c.db(last_told)
        watch = Watch(self._counters.values(), self._happened)
        watch.start()
        try:
            while True:
                self._woken.clear()
                await survive(self._look(), "reading the counters")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause()):
                        await self._woken.wait()
                await asyncio.sleep(SETTLE_S)
        finally:
            watch.stop()
            for timer in self._ageing.values():
                timer.cancel()

    def _pause(self) -> float | None:
        """How long to wait for word; until what is not told yet may be, and no longer than counters may go unread."""
        now = asyncio.get_running_loop().time()
        due = [max(0.0, self._told_at[lack] + APART_S - now) for lack, times in self._untold.items() if times]
        if not all(one.tells for one in self._counters.values()):
            due.append(LOOK_S)
        return min(due, default=None)

    async def _look(self) -> None:
        ran_out, self._ran_out = self._ran_out, False
        now = await asyncio.to_thread(lambda: {lack: one.read() for lack, one in self._counters.items()})
        for lack, counts in now.items():
            times = grown(self._seen.get(lack, {}), counts)
            if lack is Lack.MEMORY and ran_out:
                times = max(times, 1)  # of v1 the victim's group may be gone, and its counter with it
            self._seen[lack] = counts
            if times:
                self._untold[lack] = self._untold.get(lack, 0) + times
                self._c.live.short_since[lack] = clock.now()
            if self._untold.get(lack) and self._due(lack):
                self._told_at[lack] = asyncio.get_running_loop().time()
                await self._tell(lack, self._untold[lack])
                self._untold[lack] = 0

    def _due(self, lack: Lack) -> bool:
        told = self._told_at.get(lack)
        return told is None or asyncio.get_running_loop().time() - told >= APART_S

    async def _tell(self, lack: Lack, times: int) -> None:
        limit = await asyncio.to_thread(self._counters[lack].limit)
        what, fix = words(lack, times, limit)
        data = {"times": times, "limit": limit, "seen": self._seen[lack]}
        await self._c.db(lambda store: store.events.add(SERVICE, KINDS[lack], f"{what}. {fix}", data=data))
        self._c.live.shortages[lack] = {"kind": lack.value, "times": times, "at": clock.now(), "text": f"{what}.",
                                        "fix": fix}  # fmt: skip
        if lack in self._ageing:
            self._ageing[lack].cancel()
        self._ageing[lack] = asyncio.get_running_loop().call_later(OLD_S, self._forget, lack)
        self._told()

    def _forget(self, lack: Lack) -> None:
        self._c.live.shortages.pop(lack, None)
        self._told()


def last_told(store: Store) -> dict[Lack, Counts]:
    """The counters as they were when they were last told of."""
    found: dict[Lack, Counts] = {}
    for lack, kind in KINDS.items():
        for event in store.events.page({"kind": kind}, limit=1):
            seen = event["data"].get("seen") or {}
            found[lack] = {group: (inode, count) for group, (inode, count) in seen.items()}
    return found


def words(lack: Lack, times: int, limit: int | None) -> tuple[str, str]:
    """What happened, without a full stop, and what mends it on the host."""
    resize = f"ccp fleet resize {slug(socket.gethostname()) or 'NAME'}"
    if lack is Lack.MEMORY:
        killed = "a program was" if times == 1 else f"{times} programs were"
        most = f" (limit {_size(limit, ' ')})" if limit else ""
        more = _size(limit * 2) if limit else "SIZE"
        return (
            f"{killed} killed for want of memory{most}",
            f"Give it more memory on the host: {resize} --memory {more}",
        )
    refused = "once" if times == 1 else f"{times} times"
    most = f" (limit {limit})" if limit else ""
    return (
        f"there were too many processes{most}: another one was refused {refused}",
        f"End what starts so many, or allow more on the host: {resize} --processes {limit * 2 if limit else 'N'}",
    )


def _size(count: int, gap: str = "") -> str:
    """Bytes as Incus reads them, in the largest unit that loses nothing much: ``2GiB``, ``1500MiB``."""
    return f"{count >> 30}{gap}GiB" if count % 2**30 == 0 else f"{count >> 20}{gap}MiB"
