"""A scrolling view that draws its own lines: a line that changes is repainted, nothing else is.

Textual's ScrollView lays the screen out again whenever its content grows; this one keeps the scroll position as data,
so a line added below the window costs no bytes and one inside it costs that line.
"""

from __future__ import annotations

from rich.cells import cell_len
from textual import events
from textual.geometry import Region
from textual.strip import Strip

from ccp_tui.screens.widgets.dialogs import wrap
from ccp_tui.screens.widgets.lines import Drawn, fit

WHEEL_LINES = 3


class LineView(Drawn, can_focus=True):
    """Lines counted by :meth:`line_count`, drawn by :meth:`draw_line`, seen through a window that starts at ``top``."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.top = 0
        self.empty = ""  # what stands there while there are no lines; it says what to press

    def line_count(self) -> int:
        """How many lines there are now."""
        raise NotImplementedError

    def draw_line(self, line: int, width: int) -> Strip:
        """One line of content (0 ≤ line < line_count), at most ``width`` cells wide."""
        raise NotImplementedError

    @property
    def rows(self) -> int:
        """The height of the window in lines."""
        return self.size.height

    @property
    def last_top(self) -> int:
        """The first line of the window when it shows the end."""
        return max(0, self.line_count() - self.rows)

    @property
    def at_end(self) -> bool:
        return self.top >= self.last_top

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.palette.text
        line = self.top + y
        if line >= (count := self.line_count()):
            return Strip.blank(width, base) if count else self._draw_empty(y, width)
        return self.draw_line(line, width).apply_style(base).adjust_cell_length(width, base)

    def _draw_empty(self, y: int, width: int) -> Strip:
        words = [*wrap(self.empty, max(8, min(width - 4, 72)))]
        at = y - max(0, (self.rows - len(words)) // 3)
        line = words[at] if 0 <= at < len(words) else ""
        left = " " * max(0, (width - cell_len(line)) // 2)
        return Strip(fit([(left + line, self.palette.dim)], width, self.palette.text), width)

    def go_to(self, top: int) -> bool:
        """Moves the window; True if it moved (the whole window is then repainted)."""
        top = max(0, min(top, self.last_top))
        if top == self.top:
            return False
        self.top = top
        self.refresh()
        self.window_moved()
        return True

    def window_moved(self) -> None:
        """Called after the window moved: where a view loads what lies beyond its first line."""

    def show_line(self, line: int, margin: int = 0) -> None:
        """Moves the window as little as needed to have the line in it."""
        if line - margin < self.top:
            self.go_to(line - margin)
        elif line + margin >= self.top + self.rows:
            self.go_to(line + margin - self.rows + 1)

    def repaint(self, line: int, count: int = 1, column: int = 0) -> None:
        """Repaints lines from a column on, as far as they are in the window."""
        first, last = max(line, self.top), min(line + count, self.top + self.rows)
        if first < last and column < self.size.width:
            self.refresh(Region(column, first - self.top, self.size.width - column, last - first))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.go_to(self.top + WHEEL_LINES)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.go_to(self.top - WHEEL_LINES)

    def on_resize(self) -> None:
        self.top = max(0, min(self.top, self.last_top))
        self.refresh()
