"""JSON frames: what both protocols of the product put on a WebSocket.

OpenClaw's gateway (protocol 4) and our control service use the same three shapes::

    {"type": "req",   "id": "7", "method": "task.list", "params": {…}}
    {"type": "res",   "id": "7", "ok": true, "payload": {…}}          or  "ok": false, "error": {code, message, …}
    {"type": "event", "event": "task.changed", "payload": {…}, "seq": 12}

Decoding is lenient about extra fields (the gateway's results carry more than its schema says) and strict about shape.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class BadFrame(ValueError):
    """A message that is no frame; the text says what is wrong with it."""


@dataclass(frozen=True)
class Request:
    id: str
    method: str
    params: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """The answer to one request: a payload, or an error ``{code, message, details?, retryable?, retryAfterMs?}``."""

    id: str
    payload: Json | None = None
    error: Json | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


@dataclass(frozen=True)
class Event:
    """Something that happened. ``seq`` is contiguous per connection; None where the sender does not number."""

    name: str
    payload: Json = field(default_factory=dict)
    seq: int | None = None


Frame = Request | Response | Event


def encode(frame: Frame) -> str:
    """The frame as one line of JSON."""
    body: Json
    match frame:
        case Request():
            body = {"type": "req", "id": frame.id, "method": frame.method, "params": frame.params}
        case Response(error=None):
            body = {"type": "res", "id": frame.id, "ok": True, "payload": frame.payload or {}}
        case Response():
            body = {"type": "res", "id": frame.id, "ok": False, "error": frame.error}
        case Event():
            body = {"type": "event", "event": frame.name, "payload": frame.payload}
            if frame.seq is not None:
                body["seq"] = frame.seq
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def decode(data: str | bytes) -> Frame:
    """The frame of one WebSocket message. Raises BadFrame for anything that is not one."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise BadFrame("not JSON") from None
    if not isinstance(body, dict):
        raise BadFrame("not a JSON object")
    match body.get("type"):
        case "req":
            return Request(_text(body, "id"), _text(body, "method"), _object(body, "params"))
        case "res":
            if body.get("ok") is True:
                return Response(_text(body, "id"), payload=_result(body.get("payload")))
            error = _object(body, "error")
            return Response(
                _text(body, "id"), error=error or {"code": "UNKNOWN", "message": "failed without a reason"}
            )
        case "event":
            seq = body.get("seq")
            return Event(
                _text(body, "event"), _object(body, "payload"), seq if isinstance(seq, int) else None
            )
    raise BadFrame(f"unknown frame type {body.get('type')!r}")


def _text(body: Json, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise BadFrame(f"{key} must be a non-empty string")
    return value


def _object(body: Json, key: str) -> Json:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadFrame(f"{key} must be an object")
    return value


def _result(value: Any) -> Json:
    """The payload of an answer. Some of the gateway's methods answer with a bare list: it stands under ``items``."""
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    return {"items": value} if isinstance(value, list) else {"value": value}
