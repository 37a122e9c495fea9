"""A chat as it happens: wait for one answer, or follow all that is said."""

from __future__ import annotations

import sys
import time
from typing import Any

from ccp_tui import wire
from ccp_tui.cli import output
from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import CliError
from ccp_tui.text import clean, one_line

Json = dict[str, Any]

_OVER = ("final", "aborted", "error")
# A run's end and its last stored message are two events, in either order: how long the second may take.
_GRACE_SECONDS = 3.0


def wait(context: Context, sent: Json, patience: float) -> None:
    """Prints the answer to ``sent`` while it comes; with ``--json`` one document at the end.

    Raises CliError when the run fails, is aborted, or is not over in time.
    """
    key = sent["session_key"]
    deadline = time.monotonic() + patience
    words = _Words(sys.stdout) if not context.json else None
    reply: Json | None = None
    run_id = sent.get("run_id")
    over: Json | None = None
    while over is None or (reply is None and over.get("state") == "final"):
        event = context.line.next_event(deadline)
        if event is None:
            break
        payload = event.payload
        if event.name == "resync":
            context.call("watch", session_key=key)
        elif event.name == "message":
            message = payload["message"]
            if message["id"] == sent["id"]:
                run_id = message.get("run_id") or run_id
                if message.get("status") == "error":
                    raise CliError("FAILED", f"the message was not delivered: {message.get('text')}")
            elif (
                message.get("role") == "assistant"
                and message["id"] > sent["id"]
                and message.get("status") == "final"
            ):
                reply = message
                if words:
                    words.show(message.get("text") or "")
        elif event.name == "run.delta" and _ours(payload, key, run_id):
            if words:
                words.show(payload.get("text") or "")
        elif event.name == "run.state" and _ours(payload, key, run_id) and payload.get("state") in _OVER:
            over = payload
            deadline = time.monotonic() + _GRACE_SECONDS
    if words:
        words.end()
    if over is None:
        raise CliError("FAILED", f"no answer within {patience:.0f} s; the agent goes on")
    if over["state"] != "final":
        raise CliError("FAILED", one_line(over.get("detail") or f"the run ended: {over['state']}"))
    if context.json:
        context.emit({"message": sent, "reply": reply}, "")


def follow(context: Context, key: str, messages: list[Json]) -> None:
    """Shows messages as they come, until the person or the service ends it; NDJSON of the events with ``--json``."""
    from ccp_tui.cli.chat import words_of

    seen: set[int] = set()

    def show(message: Json) -> None:
        if message.get("status") in ("final", "sent", "steered", "error") and message["id"] not in seen:
            seen.add(message["id"])
            print(words_of(message), flush=True)

    for message in messages:
        if context.json:
            output.print_ndjson({"event": "message", "message": message})
        else:
            show(message)
    while (event := context.line.next_event()) is not None:
        if event.name == "resync":
            context.call("watch", session_key=key)
            for message in context.call("chat.history", session_key=key)["messages"]:
                if not context.json:
                    show(message)
        elif not _in_session(event, key):
            continue
        elif context.json:
            output.print_ndjson({"event": event.name, **event.payload})
        elif event.name == "message":
            show(event.payload["message"])
        elif event.name == "run.state" and event.payload.get("state") in ("aborted", "error"):
            print(f"  {event.payload['state']}: {one_line(event.payload.get('detail') or '')}", flush=True)


def _in_session(event: wire.Event, key: str) -> bool:
    payload = event.payload
    return (payload.get("message") or payload).get("session_key") == key


def _ours(payload: Json, key: str, run_id: str | None) -> bool:
    return payload.get("session_key") == key and (run_id is None or payload.get("run_id") in (None, run_id))


class _Words:
    """Prints a text that grows: only what is new; a text that does not go on from the last begins a new line."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._shown = ""

    def show(self, text: str) -> None:
        text = clean(text)
        if not text.startswith(self._shown):
            if self._shown.startswith(text):
                return
            self._stream.write("\n")
            self._shown = ""
        self._stream.write(text[len(self._shown) :])
        self._stream.flush()
        self._shown = text

    def end(self) -> None:
        if self._shown and not self._shown.endswith("\n"):
            self._stream.write("\n")
            self._stream.flush()
