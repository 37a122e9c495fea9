"""The line between a conversation and its input: what the agent does, what waits to go with the next message."""

from __future__ import annotations

from collections.abc import Iterable

from ccp_tui.screens.widgets.lines import Line, Piece, cut


class ChatStatus(Line):
    """Says whether an answer is being written, what lies below the window, and what is attached."""

    def __init__(self) -> None:
        super().__init__(id="chat-status")
        self.running = False
        self.tool = ""
        self.below = 0
        self.reading = False
        self.attached: list[str] = []
        self.trouble = ""

    def pieces(self, width: int) -> Iterable[Piece]:
        palette, glyphs = self.palette, self.glyphs
        shown: list[Piece] = []
        if self.trouble:
            shown.append((f" {glyphs.cross} {self.trouble}", palette.bad))
        elif self.running:
            words = f"runs {self.tool}" if self.tool else "is answering"
            shown.append((f" {glyphs.dot} {words}", palette.good))
            shown.append(("  ^x stops it", palette.dim))
        if self.below:
            shown.append(
                (f"  {glyphs.down} {self.below} new below: {'G' if self.reading else '^end'}", palette.accent)
            )
        if self.attached:
            shown.append((f"  + {', '.join(self.attached)}", palette.accent))
            shown.append(("  backspace takes the last away", palette.dim))
        elif self.reading and not shown:
            shown.append((" reading: i writes, j k move, o opens what is folded", palette.dim))
        left = width
        for text, style in shown:
            text = cut(text, left, glyphs.ellipsis)
            left -= len(text)
            yield text, style
