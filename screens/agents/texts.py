"""Showing a file of an agent: as a whole, or as what is different in another version."""

from __future__ import annotations

import difflib

from textual.strip import Strip

from ccp_tui.screens.widgets.dialogs import wrap
from ccp_tui.screens.widgets.lines import Piece, fit
from ccp_tui.screens.widgets.lineview import LineView
from ccp_tui.screens.widgets.palette import Palette
from ccp_tui.text import clean


class Page(LineView):
    """A text or a difference, one styled line after the other."""

    def __init__(self) -> None:
        super().__init__(id="page")
        self.content: list[Piece] = []

    def show(self, content: list[Piece]) -> None:
        self.content, self.top = content, 0
        self.refresh()

    def line_count(self) -> int:
        return len(self.content)

    def draw_line(self, line: int, width: int) -> Strip:
        text, style = self.content[line]
        return Strip(fit([(f" {text}", style)], width, self.palette.text), width)


def difference(old: str, new: str, width: int, palette: Palette) -> list[Piece]:
    """What of ``old`` is not in ``new`` (−) and the other way round (+), wrapped to so many cells."""
    styles = {"+": palette.good, "-": palette.bad, "@": palette.accent}
    found: list[Piece] = []
    for line in difflib.unified_diff(clean(old).splitlines(), clean(new).splitlines(), n=3, lineterm=""):
        if not line.startswith(("---", "+++")):
            found += [(piece, styles.get(line[0], palette.dim)) for piece in wrap(line, width)]
    return found or [("Nothing changed.", palette.dim)]
