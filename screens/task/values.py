"""Values in the service's answers as people read them: lists, times, sizes, what was spent."""

from __future__ import annotations

from typing import Any

from ccp_tui import clock
from ccp_tui.screens.chat.blocks import money
from ccp_tui.screens.widgets.base import Json


def rows(source: Json, key: str) -> list[Json]:
    """A list of objects in an answer; whatever else stands there is left out."""
    found: Any = source.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def moment(at: object) -> str:
    """A stored time in the person's own time zone, to the minute; empty for none."""
    if not isinstance(at, str) or not at:
        return ""
    try:
        return f"{clock.parse(at).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return ""


def human_size(size: object) -> str:
    """Bytes as people read them."""
    if not isinstance(size, int):
        return ""
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:.1f} KiB" if size < 1024**2 else f"{size / 1024**2:.1f} MiB"


def spent(attempt: Json) -> str:
    """Tokens and dollars; empty when nothing was spent."""
    tokens, cost = attempt.get("tokens") or 0, attempt.get("cost_usd") or 0.0
    return f"{tokens:,} tokens" + (f", {money(cost)}" if cost else "") if tokens else ""
