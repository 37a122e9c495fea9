"""Messages that the gateway does not take yet: each session waits for itself, for a bounded time, and says so.

The message stays in the outbox; only how long to wait is kept here, so a restarted service asks at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ccp_tui import clock
from ccp_tui.service.background import Background
from ccp_tui.service.context import Context
from ccp_tui.store import Store
from ccp_tui.text import one_line

Row = dict[str, Any]

LONGEST_S = 120.0  # a gateway that asks for more is asked again all the same
FIRST_S = 0.5  # where the gateway names no time; each next wait is twice as long
LONGEST_REASON = 200


@dataclass(frozen=True)
class Wait:
    """What one session waits for: the message, how often the gateway refused it, and until when (monotonic)."""

    row: int
    times: int
    until: float


class Throttles:
    """``wake`` is called when a wait is over."""

    def __init__(self, context: Context, background: Background, wake: Callable[[], None]) -> None:
        self._c = context
        self._background = background
        self._wake = wake
        self._waits: dict[str, Wait] = {}

    def waiting(self, session_key: str) -> bool:
        """Whether a session's messages must not be tried now."""
        wait = self._waits.get(session_key)
        return wait is not None and time.monotonic() < wait.until

    def refused(self, row: Row) -> int:
        """How often the gateway refused this message for now."""
        wait = self._waits.get(row["session_key"])
        return wait.times if wait and wait.row == row["id"] else 0

    async def wait(self, row: Row, reason: str, asked_s: float | None, *, counts: bool = True) -> None:
        """Lets a session wait. ``asked_s``: for how long, where somebody said; ``counts``: it is a refusal."""
        times = self.refused(row)
        seconds = min(FIRST_S * 2**times if asked_s is None else max(asked_s, FIRST_S), LONGEST_S)
        until = time.monotonic() + seconds
        self._waits[row["session_key"]] = Wait(row["id"], times + counts, until)
        at = datetime.now().astimezone() + timedelta(seconds=seconds)
        why = one_line(reason, LONGEST_REASON)
        words = f"{row['agent_id']} does not get its message yet ({why}): again at {at:%H:%M:%S}"
        await self._c.db(lambda store: self._tell(store, row, words, first=not times))
        self._background.start(self._wake_later(seconds), "send again")

    async def over(self, row: Row) -> None:
        """The session of this message waits no more."""
        if self._waits.pop(row["session_key"], None):
            await self._c.db(lambda store: self._tell(store, row, None, first=False))

    def _tell(self, store: Store, row: Row, words: str | None, *, first: bool) -> None:
        """Puts it on the card of the session's task; a chat has none, and is told by a line of its own."""
        session = store.sessions.find(row["session_key"])
        if session and session["task_id"]:
            store.touched.tasks.add(session["task_id"])
            ref = store.tasks.get(session["task_id"])["ref"]
            if words:
                activity = {"kind": "waiting", "text": words, "at": clock.now()}
                self._c.live.throttled[row["session_key"]] = {"ref": ref, "activity": activity}
            else:
                self._c.live.throttled.pop(row["session_key"], None)
        elif words and first:
            store.messages.add_note(row["session_key"], words)

    async def _wake_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._wake()
