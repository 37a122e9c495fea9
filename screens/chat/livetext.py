"""The lines of an answer that is still growing, wrapped again only from its last paragraph on."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ccp_tui.screens.chat.markdown import plain_lines
from ccp_tui.text import clean


class LiveText:
    """Holds the whole text so far; :meth:`lines` costs what was added, not what there is. Lines begin ``margin`` in."""

    def __init__(self, margin: int = 0) -> None:
        self.text = ""
        self._margin = Segment(" " * margin)
        self._done = ""  # whole rows, wrapped once
        self._done_lines: list[Strip] = []
        self._shape: tuple[int, Style] | None = None

    def set(self, text: str) -> None:
        """The whole text so far. It normally continues the one before; a replaced one is wrapped anew."""
        self.text = clean(text)
        if not self.text.startswith(self._done):
            self._forget()

    def lines(self, width: int, style: Style) -> list[Strip]:
        """All lines at this width."""
        if self._shape != (width, style):
            self._forget()
            self._shape = (width, style)
        cut = self.text.rfind("\n") + 1
        if cut > len(self._done):
            self._done_lines += self._wrapped(self.text[len(self._done) : cut - 1])
            self._done = self.text[:cut]
        rest = self.text[len(self._done) :]
        return [*self._done_lines, *(self._wrapped(rest) if rest else [])]

    def _wrapped(self, text: str) -> list[Strip]:
        assert self._shape is not None
        lines = plain_lines(text, *self._shape)
        return [Strip([self._margin, *line]) for line in lines] if self._margin.text else lines

    def _forget(self) -> None:
        self._done, self._done_lines = "", []
