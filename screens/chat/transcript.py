"""Reading a conversation: the cursor on a message, unfolding, going to either end."""

from __future__ import annotations

from bisect import bisect_right

from textual.geometry import Region

from ccp_tui.screens.chat.conversation import Conversation


class Transcript(Conversation):
    """The conversation with a cursor, which shows while the widget has the focus."""

    def to_end(self) -> None:
        """The end of the conversation, loading it if it was let go."""
        if self.detached:
            self.post_message(self.LatestWanted())
            return
        self._slack = 0
        self.cursor = len(self.items) - 1 if self.cursor is not None and self.items else self.cursor
        self.go_to(self.last_top)
        self._follow, self.news = True, 0
        self.refresh()
        self.post_message(self.Moved())

    def to_start(self) -> None:
        """The first message held; more is loaded from there."""
        self._put_above(self._rest)
        self._rest = []
        self.cursor = 0 if self.items else None
        self.go_to(0)
        self.refresh()

    def move_cursor(self, by: int) -> None:
        """The cursor to another message; one taller than the window is scrolled through first."""
        if not self.items:
            return
        if self.cursor is None:
            self.cursor = self.item_at(self.top + self.rows - 1)
            self._repaint_item(self.cursor)
            return
        first, last = self.span(self.cursor)
        if by > 0 and last > self.top + self.rows:
            self.go_to(self.top + max(1, self.rows // 3))
            return
        if by < 0 and first < self.top:
            self.go_to(self.top - max(1, self.rows // 3))
            return
        target = max(0, min(len(self.items) - 1, self.cursor + by))
        if target == self.cursor:
            if by > 0:
                self.to_end()
            return
        old, self.cursor = self.cursor, target
        self._repaint_item(old)
        self._repaint_item(target)
        first, last = self.span(target)
        if first < self.top:
            self.go_to(max(first, last - self.rows) if by < 0 else first)
        elif last > self.top + self.rows:
            self.go_to(min(first, last - self.rows) if by < 0 else min(first, last - self.rows + 0))
        self.post_message(self.Moved())

    def item_at(self, line: int) -> int:
        """The index of the message a line belongs to."""
        return min(bisect_right(self._ends, max(0, line)), max(0, len(self.items) - 1))

    def span(self, index: int) -> tuple[int, int]:
        """The first line of a message and the one after its last."""
        return (self._ends[index - 1] if index else 0), self._ends[index]

    def _repaint_item(self, index: int) -> None:
        first, last = self.span(index)
        first, last = max(first, self.top), min(last, self.top + self.rows)
        if first < last:
            self.refresh(Region(0, first - self.top, 1, last - first))

    def toggle_fold(self, index: int | None = None) -> bool:
        """Opens or folds a tool call (the one under the cursor, else the last in sight); False if there is none."""
        if index is None:
            index = self.cursor if self.cursor is not None else self._last_tool_in_sight()
        if index is None or not self.items[index].folds:
            return False
        before, item = self._window_lines(), self.items[index]
        item.unfolded, item.stale = not item.unfolded, True
        self._follow = self._follow and index == len(self.items) - 1
        self._settle(before)
        return True

    def toggle_all(self) -> None:
        """Opens or folds all tool calls."""
        self.unfold_all = not self.unfold_all
        anchor = self.item_at(self.top)
        for item in self.items:
            if item.is_tool:
                item.stale, item.unfolded = True, False
        self._layout()
        self._slack = 0
        self.top = (
            self.last_top if self._follow else min(self.span(anchor)[0] if self.items else 0, self.last_top)
        )
        self.refresh()

    def _last_tool_in_sight(self) -> int | None:
        if not self.items:
            return None
        for index in range(self.item_at(self.top + self.rows - 1), self.item_at(self.top) - 1, -1):
            if self.items[index].is_tool:
                return index
        return None

    def find_message(self, message_id: int) -> bool:
        """Puts the cursor on a message and shows it; False if it is not held."""
        self._put_above(self._rest)
        self._rest = []
        for index, item in enumerate(self.items):
            if item.message["id"] == message_id:
                self.cursor, self._follow, self._slack = index, False, 0
                self.top = max(0, min(self.span(index)[0] - 2, self.last_top))
                self.refresh()
                return True
        return False

    def on_focus(self) -> None:
        if self.cursor is None and self.items:
            self.cursor = self.item_at(self.top + self.rows - 1)
        if self.cursor is not None:
            self._repaint_item(self.cursor)

    def on_blur(self) -> None:
        if self.cursor is not None and self.cursor < len(self._ends):
            self._repaint_item(self.cursor)
