"""One client of the embedded gateway: its grant, what it subscribed to, and its outgoing frames."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from ccp_tui.gateway.demo.handshake import Grant
from ccp_tui.gateway.demo.protocol import APPROVALS, MAX_BUFFERED, QUESTIONS, READ, Json, allowed


class Connection:
    """Frames go out through a queue, so that one slow client delays nobody; past 50 MB it is dropped."""

    def __init__(self, socket: ServerConnection) -> None:
        self.id = str(uuid.uuid4())
        self.socket = socket
        self.grant: Grant | None = None
        self.all_sessions = False
        self.sessions: set[str] = set()
        self._seq = 0
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._buffered = 0
        self._writer = asyncio.create_task(self._write())

    # -- rights -----------------------------------------------------------------------------------------------

    @property
    def scopes(self) -> frozenset[str]:
        return self.grant.scopes if self.grant else frozenset()

    def has(self, cap: str) -> bool:
        return self.grant is not None and cap in self.grant.caps

    @property
    def may_read(self) -> bool:
        return allowed(self.scopes, READ)

    @property
    def takes_approvals(self) -> bool:
        """Whether exec approvals are put to this client: it needs the scope and one of two capabilities."""
        return (self.has("approvals") or self.has("exec-approvals")) and allowed(self.scopes, APPROVALS)

    @property
    def takes_questions(self) -> bool:
        return allowed(self.scopes, QUESTIONS)

    def hears_run(self, key: str) -> bool:
        """Whether the ``chat`` and ``agent`` events of a session come here: without that cap, everybody's do."""
        return self.may_read and (not self.has("session-scoped-events") or key in self.sessions)

    def hears_tool(self, key: str, starter: str) -> bool:
        """Whether ``agent`` events of the tool stream come here: to the run's sender only."""
        return self.id == starter and self.has("tool-events") and self.hears_run(key)

    def hears_session_tool(self, key: str) -> bool:
        scoped_out = self.has("session-scoped-events") and key not in self.sessions
        return self.may_read and self.all_sessions and not scoped_out

    def hears_rows(self, key: str) -> bool:
        """Whether ``session.message`` comes here."""
        return self.may_read and (self.all_sessions or key in self.sessions)

    # -- frames -----------------------------------------------------------------------------------------------

    def event(self, name: str, payload: Json) -> None:
        """Queues an event with this connection's next ``seq``."""
        self._seq += 1
        self._put({"type": "event", "event": name, "payload": payload, "seq": self._seq})

    def challenge(self, payload: Json) -> None:
        """The one event before ``hello``: it has no ``seq``."""
        self._put({"type": "event", "event": "connect.challenge", "payload": payload})

    def answer(self, request_id: str, payload: Json) -> None:
        self._put({"type": "res", "id": request_id, "ok": True, "payload": payload})

    def refuse(self, request_id: str, error: Json) -> None:
        self._put({"type": "res", "id": request_id, "ok": False, "error": error})

    async def close(self, code: int, reason: str) -> None:
        """Sends what is queued, then closes; waits at most two seconds for a client that reads nothing."""
        self._queue.put_nowait(None)
        # A client that goes at this very moment ends the writer from elsewhere.
        await asyncio.wait({self._writer}, timeout=2)
        with contextlib.suppress(ConnectionClosed, OSError):
            await self.socket.close(code, reason)
        await self.gone()

    async def gone(self) -> None:
        """Ends the writer: the socket is closed."""
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer

    def _put(self, frame: Json) -> None:
        text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
        self._buffered += len(text)
        if self._buffered > MAX_BUFFERED:
            self.socket.transport.abort()
            return
        self._queue.put_nowait(text)

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed, OSError):
            while (text := await self._queue.get()) is not None:
                await self.socket.send(text)
                self._buffered -= len(text)
