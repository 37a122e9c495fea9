"""A list with a cursor, drawn line by line: moving the cursor repaints two rows, a changed row repaints itself."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from ccp_tui.screens.widgets.lines import Piece, differing_runs, fit
from ccp_tui.screens.widgets.lineview import LineView


@dataclass(frozen=True)
class Row:
    """One entry: its lines as pieces. A row without a key is a heading, which the cursor passes over."""

    key: Hashable | None
    lines: tuple[tuple[Piece, ...], ...]

    @classmethod
    def of(cls, key: Hashable | None, *lines: Sequence[Piece]) -> Row:
        """A row of one or more lines."""
        return cls(key, tuple(tuple(line) for line in lines))


class RowList(LineView):
    """Rows and a cursor that stays on its row by key while rows come and go around it."""

    class Moved(Message):
        """The cursor came to another row, or its row changed."""

        def __init__(self, source: RowList) -> None:
            super().__init__()
            self.source = source

    class Taken(Message):
        """A row was clicked while the cursor stood on it."""

    def __init__(self, *, id: str | None = None, focusable: bool = True) -> None:
        super().__init__(id=id)
        self.can_focus = focusable
        self.entries: list[Row] = []
        self.at = -1
        self._ends: list[int] = []

    def show(self, rows: Sequence[Row], *, keep: bool = True) -> None:
        """New rows. The cursor keeps its row by key, else its place; with ``keep`` off it goes to the first."""
        before, key, at = self._window(), self.key if keep else None, self.at if keep else -1
        self.entries = list(rows)
        self._ends = list(accumulate(len(row.lines) for row in self.entries))
        self.at = self._place(key, at)
        if not keep:
            self.top = 0
        self._see_cursor()
        self.top = max(0, min(self.top, self.last_top))
        self._repaint_difference(before)
        self.post_message(self.Moved(self))

    @property
    def key(self) -> Hashable | None:
        """The key of the row under the cursor; None when there is none."""
        return self.entries[self.at].key if 0 <= self.at < len(self.entries) else None

    def move(self, by: int) -> None:
        """The cursor so many rows on, not past the ends."""
        places = [index for index, row in enumerate(self.entries) if row.key is not None]
        if places:
            here = bisect_right(places, self.at) - 1
            self._put(places[max(0, min(len(places) - 1, here + by))])

    def select(self, key: Hashable) -> bool:
        """The cursor on the row with this key; False if it is not there."""
        for index, row in enumerate(self.entries):
            if row.key == key:
                self._put(index)
                return True
        return False

    def page(self, pages: int) -> None:
        """The cursor about a window further."""
        each = max(1, self.line_count() // max(1, len(self.entries)))
        self.move(pages * max(1, self.rows // each - 1))

    def line_count(self) -> int:
        return self._ends[-1] if self._ends else 0

    def draw_line(self, line: int, width: int) -> Strip:
        index = bisect_right(self._ends, line)
        row, palette = self.entries[index], self.palette
        pieces: Sequence[Piece] = row.lines[line - (self._ends[index] - len(row.lines))]
        if row.key is None:
            return Strip(fit(pieces, width, palette.text), width)
        here = index == self.at
        mark = (self.glyphs.bar if here else " ", palette.accent)
        pieces = (mark, *pieces)
        if here:
            pieces = [(text, palette.on_cursor(style)) for text, style in pieces]
        return Strip(fit(pieces, width, palette.on_cursor(palette.text) if here else palette.text), width)

    def _place(self, key: Hashable | None, at: int) -> int:
        places = [index for index, row in enumerate(self.entries) if row.key is not None]
        if not places:
            return -1
        if key is not None:
            for index in places:
                if self.entries[index].key == key:
                    return index
        return next((index for index in places if index >= at), places[-1])

    def _put(self, index: int) -> None:
        if index == self.at:
            self._see_cursor()
            return
        old, self.at = self.at, index
        top = self.top
        self._see_cursor()
        if self.top == top:
            for each in (old, index):
                if 0 <= each < len(self._ends):
                    first = self._ends[each - 1] if each else 0
                    self.repaint(first, self._ends[each] - first)
        self.post_message(self.Moved(self))

    def _see_cursor(self) -> None:
        """Scrolls as little as needed; the first row brings the headings above it into sight."""
        if self.at < 0 or not self.rows:
            return
        first, last = (self._ends[self.at - 1] if self.at else 0), self._ends[self.at]
        if all(row.key is None for row in self.entries[: self.at]):
            first = 0 if last <= self.rows else first
        top = self.top
        if first < top:
            top = first
        elif last > top + self.rows:
            top = min(first, last - self.rows)
        self.go_to(top)

    def _window(self) -> list[Strip]:
        last = min(self.top + self.rows, self.line_count())
        return [self.draw_line(line, self.size.width) for line in range(self.top, last)]

    def _repaint_difference(self, before: list[Strip]) -> None:
        after = self._window()
        if not before or not after:
            self.refresh()
            return
        blank = Strip([Segment("")])
        for y in range(max(len(before), len(after))):
            old = before[y] if y < len(before) else blank
            new = after[y] if y < len(after) else blank
            for first, last in differing_runs(list(old), list(new)):
                self.refresh(Region(first, y, last - first, 1))

    def on_resize(self) -> None:
        self._see_cursor()

    def on_click(self, event: events.Click) -> None:
        index = bisect_right(self._ends, self.top + event.y)
        if index < len(self.entries) and self.entries[index].key is not None:
            if index == self.at:
                self.post_message(self.Taken())
            self._put(index)
