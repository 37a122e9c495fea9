"""A control service of canned answers, on a real socket, for tests of what the verbs do with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, unix_serve

from ccp_tui import wire
from tests.support import nouns

Json = dict[str, Any]
Answer = Json | Callable[[Json], Json] | Exception


class Refusal(Exception):
    """Raised by, or put in place of, an answer: the service's error."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "details": details}


class FakeService:
    """``answers`` maps methods to payloads, functions or Refusals; ``after`` maps a method to events pushed after its
    answer. ``calls`` is what was asked. An event named ``hang up`` ends the connection."""

    def __init__(self, path: Path) -> None:
        self.answers: dict[str, Answer] = {}
        self.after: dict[str, list[wire.Event]] = {}
        self.calls: list[tuple[str, Json]] = []
        self._server: Server = unix_serve(self._serve, str(path))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def asked(self, method: str) -> list[Json]:
        """The parameters of every call of a method."""
        return [params for name, params in self.calls if name == method]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(5)

    def _serve(self, connection: ServerConnection) -> None:
        try:
            for data in connection:
                request = wire.decode(data)
                assert isinstance(request, wire.Request)
                self.calls.append((request.method, request.params))
                connection.send(wire.encode(self._answer(request)))
                for event in self.after.pop(request.method, ()):
                    if event.name == "hang up":
                        connection.close()
                        return
                    connection.send(wire.encode(event))
        except ConnectionClosed:
            pass

    def _answer(self, request: wire.Request) -> wire.Response:
        answer = self.answers.get(request.method, Refusal("NOT_ALLOWED", f"no {request.method} here"))
        try:
            if isinstance(answer, Exception):
                raise answer
            payload = answer if isinstance(answer, dict) else answer(request.params)
        except Refusal as refusal:
            return wire.Response(request.id, error=refusal.error)
        return wire.Response(request.id, payload=payload)


NOW = "2026-11-23T06:54:15.123Z"


def card(ref: str = "WEB-12", **changes: Any) -> Json:
    """A task as the service sends it."""
    return nouns.card(12, ref, NOW, **{"title": "Write the report", **changes})


def feed(number: int, text: str, task: str | None = "WEB-12", **changes: Any) -> Json:
    """An event row as the service sends it."""
    return {"id": number, "at": NOW, "actor": "ann", "kind": "moved", "task": task, "text": text, **changes}
