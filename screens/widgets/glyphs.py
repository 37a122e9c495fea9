"""The few symbols that lines are drawn with, and their plain ASCII stand-ins.

Every symbol is one cell wide in terminals of today; emoji are allowed only where a single code point says its width.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass

from rich.cells import cell_len


@dataclass(frozen=True)
class Glyphs:
    """``ascii`` tells that only ASCII may be drawn: then emoji are left out too."""

    ascii: bool = False
    bar: str = "▌"  # the cursor's; nothing else wears it
    edge: str = "▎"  # a card's that runs or is held
    rule: str = "─"
    split: str = "│"
    dot: str = "●"
    ring: str = "○"
    cross: str = "✗"
    tick: str = "✓"
    held: str = "▲"
    up: str = "↑"
    down: str = "↓"
    more_left: str = "‹"
    more_right: str = "›"
    ellipsis: str = "…"
    tool: str = "⚙"
    words: str = "›"
    clock: str = "◷"
    waits: str = "⧗"  # for another task
    between: str = "·"
    urgent: str = "⇈"
    unread: str = "✉"

    def priority(self, name: str) -> str:
        """The mark of a priority: nothing for normal."""
        return {"urgent": self.urgent, "high": self.up, "low": self.down}.get(name, "")

    def emoji(self, text: str) -> str:
        """An emoji that may stand in a line (two cells, one code point), or nothing."""
        if self.ascii or len(text) != 1:
            return ""
        return text if cell_len(text) <= 2 else ""


UNICODE = Glyphs()
ASCII = Glyphs(
    ascii=True, bar=">", edge=":", rule="-", split="|", dot="*", ring="o", cross="x", tick="+", held="!", up="^",
    down="v", more_left="<", more_right=">", ellipsis="~", tool="$", words=">", clock="@", waits="wait", between="-",
    urgent="^^", unread="@",
)  # fmt: skip


def choose(env: Mapping[str, str] = os.environ) -> Glyphs:
    """ASCII when ``CCP_ASCII`` asks for it, on the Linux console, or when the locale can't say more."""
    asked = env.get("CCP_ASCII", "")
    if asked:
        return UNICODE if asked in ("0", "no", "off") else ASCII
    if env.get("TERM") == "linux":
        return ASCII
    return UNICODE if "utf" in locale.getpreferredencoding(False).lower() else ASCII
