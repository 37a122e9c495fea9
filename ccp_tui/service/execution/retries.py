"""Runs that failed for the provider's sake: tried again in the same session, after longer and longer waits.

Which failures pass by themselves is the gateway's word (:attr:`~ccp_tui.gateway.RunFailed.temporary`); it is kept with
the run, so that whoever judges it after a restart knows it too. When to try is kept with the attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

from ccp_tui import clock
from ccp_tui.lifecycle import State
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import Row
from ccp_tui.service.context import Context
from ccp_tui.service.execution.goingon import release
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.settings import Settings
from ccp_tui.store import Committed, Store

WHY = "Your run was cut off: the AI provider failed."
RELEASE = "It is tried again by itself. Or retry it anew, assign another agent, or cancel."
_TEMPORARY = "temporary: "


def kept(words: str, *, temporary: bool) -> str:
    """How a failure is kept with its run."""
    return _TEMPORARY + words if temporary else words


def words_of(detail: str) -> str:
    """The words of a failure that was kept."""
    return detail.removeprefix(_TEMPORARY)


def next_try(store: Store, attempt: Row, detail: str, settings: Settings) -> str | None:
    """Plans the next try of an attempt whose run failed, and says when it is; None when there is none."""
    if not detail.startswith(_TEMPORARY) or attempt["retries"] >= settings.most_retries:
        return None
    due = datetime.now(UTC) + timedelta(seconds=settings.retry_after * 2 ** attempt["retries"])
    number = attempt["retries"] + 1
    store.attempts.change(attempt["id"], retries=number, retry_at=clock.stamp(due))
    return f"it is tried again at {due.astimezone():%H:%M} ({number} of {settings.most_retries})"


class Retries:
    """Waits for the next try that is due, and for nothing else."""

    def __init__(self, context: Context, deliveries: Deliveries, background: Background) -> None:
        self._c = context
        self._deliveries = deliveries
        self._background = background
        self._wakeup = asyncio.Event()
        self._wait: float | None = None

    def start(self) -> None:
        self._background.start(self._loop(), "retries")

    def wake(self) -> None:
        self._wakeup.set()

    def committed(self, committed: Committed) -> None:
        """A task that is held for an error may be one that is to be tried again."""
        if any(card["hold"] and card["hold"]["kind"] == HoldKind.ERROR for card in committed.tasks):
            self._wakeup.set()

    async def _loop(self) -> None:
        while True:
            self._wakeup.clear()
            self._wait = None
            await survive(self._look(), "trying again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait):
                    await self._wakeup.wait()

    async def _look(self) -> None:
        tried, self._wait = await self._c.db(self._try)
        if tried:
            self._deliveries.wake()

    def _try(self, store: Store) -> tuple[bool, float | None]:
        """Tries what is due: whether anything was, and how many seconds the next one is away."""
        if store.emergency():
            return False, None  # the resume wakes us
        tried = False
        for attempt in store.attempts.to_retry():
            task = store.tasks.get(attempt["task_id"])
            left = -clock.seconds_since(attempt["retry_at"])
            waits = task["state"] == State.IN_PROGRESS and task["hold_kind"] == HoldKind.ERROR
            if waits and left > 0:
                return tried, left
            store.attempts.change(attempt["id"], retry_at=None)
            if waits:
                number = f"{attempt['retries']} of {self._c.settings.most_retries}"
                release(store, task, f"is tried again ({number})", WHY, self._deliveries.report)
                tried = True
        return tried, None
