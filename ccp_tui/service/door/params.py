"""Reading a request's parameters: what is missing or of the wrong kind is answered with words."""

from __future__ import annotations

from typing import Any

from ccp_tui.service.door.errors import usage
from ccp_tui.wire import Json

LARGEST_NUMBER = 2**62  # what the database can keep and compare


def text(params: Json, key: str) -> str:
    """A text that must be there and say something."""
    value = params.get(key)
    if not isinstance(value, str) or not value.strip():
        raise usage(f"{key} is missing", field=key)
    return value


def maybe_text(params: Json, key: str) -> str | None:
    """A text that may be left out (or null)."""
    value: str | None = _maybe(params, key, str, "text")
    return value


def maybe_int(params: Json, key: str) -> int | None:
    value: int | None = _maybe(params, key, int, "a whole number")
    if value is not None and abs(value) > LARGEST_NUMBER:
        raise usage(f"{key} is too large a number", field=key)
    return value


def number(params: Json, key: str) -> int:
    value = maybe_int(params, key)
    if value is None:
        raise usage(f"{key} is missing", field=key)
    return value


def maybe_bool(params: Json, key: str) -> bool | None:
    value: bool | None = _maybe(params, key, bool, "true or false")
    return value


def texts(params: Json, key: str) -> list[str]:
    """A list of texts; empty when left out."""
    value = params.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise usage(f"{key} must be a list of texts", field=key)
    return value


def limit(params: Json, default: int, most: int) -> int:
    """How many rows to answer with."""
    value = maybe_int(params, "limit")
    return default if value is None else max(1, min(value, most))


def _maybe(params: Json, key: str, kind: type[Any], words: str) -> Any:
    value = params.get(key)
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise usage(f"{key} must be {words}", field=key)
    return value
