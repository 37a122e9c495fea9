"""Events on their way to the one who uses them: bounded, however fast the gateway talks.

Words of a run are cumulative, so while the reader of this box lags only the newest of a run are kept. If what is left
still does not fit, everything is dropped and the owner told, who then asks for the state anew.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from ccp_tui.gateway.events import GatewayEvent, RunDelta, SessionChanged, ToolEvent

CAPACITY = 5000


class Inbox:
    """A queue between the socket and the consumer. Not thread-safe: one event loop."""

    def __init__(self, counters: Counter[str], capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._counters = counters
        self._events: deque[_Slot] = deque()
        self._newest: dict[object, _Slot] = {}  # per run: the slot that its next cumulative event may replace
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: GatewayEvent) -> bool:
        """Adds the event. False when the box overflowed and was emptied: state was lost."""
        key = _key(event)
        slot = self._newest.get(key)
        if slot is not None and _replaces(event, slot.event):
            slot.event = event
            self._counters["coalesced"] += 1
            return True
        if len(self._events) >= self._capacity:
            self.clear()
            self._counters["overflows"] += 1
            return False
        slot = _Slot(key, event)
        self._events.append(slot)
        self._newest[key] = slot
        self._filled.set()
        return True

    async def get(self) -> GatewayEvent:
        """The oldest event; waits for one."""
        while not self._events:
            self._filled.clear()
            await self._filled.wait()
        slot = self._events.popleft()
        if self._newest.get(slot.key) is slot:
            del self._newest[slot.key]
        return slot.event

    def clear(self) -> None:
        self._events.clear()
        self._newest.clear()


class _Slot:
    __slots__ = ("event", "key")

    def __init__(self, key: object, event: GatewayEvent) -> None:
        self.key = key
        self.event = event


def _key(event: GatewayEvent) -> object:
    """Events with the same key keep their order: all of one run; a session's row apart from its runs."""
    if isinstance(event, SessionChanged):
        return ("row", event.session_key)
    return event.run_id or event.session_key


def _replaces(new: GatewayEvent, old: GatewayEvent) -> bool:
    """Whether ``old`` says nothing any more once ``new`` is there."""
    if isinstance(new, RunDelta) and isinstance(old, RunDelta):
        return new.run_id == old.run_id
    if isinstance(new, ToolEvent) and isinstance(old, ToolEvent):
        return new.call_id == old.call_id and new.phase == old.phase == "update"
    if isinstance(new, SessionChanged) and isinstance(old, SessionChanged):
        return new.reason == old.reason
    return False
