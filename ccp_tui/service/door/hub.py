"""The fan-out: what happens in the service reaches every connection that asked, and a slow one slows nobody.

Each connection has an :class:`Outbox`: one bounded queue for its answers and events, in order. So an answer arrives
after every event published before it, and the snapshot before every event published after it.
"""

from __future__ import annotations

import itertools
import json
from asyncio import Event as Wakeup
from asyncio import Future
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ccp_tui.wire import Json

MAX_EVENTS = 2_000  # unsent events of one connection
MAX_BYTES = 16 * 2**20  # and their size, in characters
MAX_WATCHED = 256  # sessions that one connection may watch

# Events that tell a whole state: a newer one says all that an unsent older one said. The older is taken out and the
# newer goes to the end, so no state arrives before its time.
_WHOLE: dict[str, Callable[[Json], Any]] = {
    "task.changed": lambda payload: payload["task"]["ref"],
    "mission.changed": lambda payload: payload["mission"]["slug"],
    "agent.changed": lambda payload: payload["agent"]["id"],
    "activity": lambda payload: payload["ref"],
    "health": lambda payload: None,
    "attention": lambda payload: None,
    "summary": lambda payload: None,
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One published event, encoded once for all who get it."""

    name: str
    body: str  # the payload as JSON
    key: tuple[Any, ...] | None  # events with the same key replace each other while unsent
    session: str | None

    def frame(self, seq: int) -> str:
        """The event frame for one connection (the shape of :mod:`ccp_tui.wire`)."""
        return f'{{"type":"event","event":"{self.name}","payload":{self.body},"seq":{seq}}}'


RESYNC = Notice("resync", "{}", None, None)


class Hub:
    """Takes events and hands them to the outboxes. Used on the event loop; nothing here waits."""

    def __init__(self) -> None:
        self._outboxes: dict[Outbox, None] = {}  # in the order they came
        self._turns: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._outboxes)

    def publish(self, event: str, payload: Json, *, session: str | None = None) -> None:
        """Tells every subscriber; with ``session`` only those who watch that session.

        The payload is encoded before this returns, so the caller may change its objects afterwards.
        """
        takers = [outbox for outbox in self._outboxes if outbox.wants(session)]
        if not takers:
            return
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        notice = Notice(event, body, self._key(event, payload, session), session)
        for outbox in takers:
            outbox.event(notice)

    def watched(self, session: str) -> bool:
        """Whether anybody watches the session; the service need not prepare its events otherwise."""
        return any(outbox.wants(session) for outbox in self._outboxes)

    def join(self) -> Outbox:
        """A new connection's outbox; it gets nothing before it subscribes or watches."""
        outbox = Outbox()
        self._outboxes[outbox] = None
        return outbox

    def leave(self, outbox: Outbox) -> None:
        """Forgets a connection that ended."""
        self._outboxes.pop(outbox, None)
        if not self._outboxes:
            self._turns.clear()

    def _key(self, event: str, payload: Json, session: str | None) -> tuple[Any, ...] | None:
        if event in _WHOLE:
            return (event, _WHOLE[event](payload))
        if session is None:
            return None
        if (
            event == "run.delta"
        ):  # holds the whole text of its block; another event in between starts a new block
            return (event, session, payload.get("run_id"), self._turns.get(session, 0))
        self._turns[session] = self._turns.get(session, 0) + 1
        return None


class Outbox:
    """What one connection is still to be sent, in order. Past its bounds the events are dropped and the client is told
    once, by ``resync``; it then gets no event before it subscribes again."""

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.subscribed = False
        self.watching: set[str] = set()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._items: OrderedDict[Any, Notice | Future[str]] = OrderedDict()
        self._numbers = itertools.count()
        self._events = 0
        self._bytes = 0
        self._seq = 0
        self._wakeup = Wakeup()

    def wants(self, session: str | None) -> bool:
        """Whether an event of this session (None: of the board) is for this connection."""
        return self.subscribed if session is None else session in self.watching

    def event(self, notice: Notice) -> None:
        """Queues an event, in place of an unsent older one that it makes pointless."""
        if notice.key is not None:
            older = self._items.pop(notice.key, None)
            if isinstance(older, Notice):
                self._count(older, -1)
        self._items[notice.key or next(self._numbers)] = notice
        self._count(notice, 1)
        if self._events > self._max_events or self._bytes > self._max_bytes:
            self._overflow()
        self._wakeup.set()

    def answer(self, text: Future[str]) -> None:
        """Queues an answer; its place in the order is here, its text may come later."""
        self._items[next(self._numbers)] = text
        self._wakeup.set()

    async def next(self) -> str:
        """Waits for the next frame to send, numbered if it is an event."""
        while True:
            while not self._items:
                self._wakeup.clear()
                await self._wakeup.wait()
            key, item = next(iter(self._items.items()))
            if isinstance(item, Notice):
                del self._items[key]
                self._count(item, -1)
                self._seq += 1
                return item.frame(self._seq)
            text = await item
            self._items.pop(key, None)
            return text

    def _count(self, notice: Notice, sign: int) -> None:
        self._events += sign
        self._bytes += sign * len(notice.body)

    def _overflow(self) -> None:
        for key in [key for key, item in self._items.items() if isinstance(item, Notice)]:
            del self._items[key]
        self._events = self._bytes = 0
        self.subscribed = False
        self.watching.clear()
        self._items[next(self._numbers)] = RESYNC
        self._count(RESYNC, 1)
