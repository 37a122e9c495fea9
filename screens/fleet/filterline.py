"""The filter of the table: typed in place, kept by enter, cleared by escape.

The table has the focus all the time and gives its keys to the filter while one is typed: were the focus to move, a word
typed fast would begin in the table, where every letter is a command.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.message import Message

from ccp_tui.screens.widgets.lines import Line, Piece
from ccp_tui.screens.widgets.rowlist import RowList
from ccp_tui.text import one_line

START = "/"


class FilterLine(Line):
    """One line below the table while a filter is typed or holds; no line else."""

    DEFAULT_CSS = "FilterLine { display: none; }"

    class Changed(Message):
        """The filter's words changed, or typing ended."""

    def __init__(self) -> None:
        super().__init__(id="filter")
        self.text = ""
        self.typing = False

    def start(self) -> None:
        """Takes the keys from now on."""
        self.typing = self.display = True
        self.redraw()

    def clear(self) -> None:
        """No filter any more."""
        self.text = ""
        self._end()

    def pieces(self, width: int) -> Iterable[Piece]:
        palette = self.palette
        yield f" / {self.text}", palette.accent
        if self.typing:
            yield " ", palette.typing
            yield "  enter keeps it · esc clears it", palette.dim
        else:
            yield "  esc clears it", palette.dim

    def takes(self, event: events.Key | events.Paste) -> bool:
        """Whether something typed was for the filter; it has it then."""
        if isinstance(event, events.Paste):
            if self.typing:
                self._put(self.text + one_line(event.text, 80))
            return self.typing
        if not self.typing:
            if event.character != START:
                return False
            self.start()
        elif event.key == "enter":
            self._end()
        elif event.key == "escape":
            self.clear()
        elif event.key == "backspace":
            self._put(self.text[:-1])
        elif event.key == "ctrl+u":
            self._put("")
        elif event.is_printable and event.character:
            self._put(self.text + event.character)
        else:
            return False
        return True

    def _put(self, text: str) -> None:
        self.text = text
        self.redraw()
        self.post_message(self.Changed())

    def _end(self) -> None:
        self.typing = False
        self.display = bool(self.text)
        self.redraw()
        self.post_message(self.Changed())


class FilteredRows(RowList):
    """Rows whose keys may be words of a filter."""

    def __init__(self, filter_line: FilterLine, *, id: str) -> None:
        super().__init__(id=id)
        self._filter = filter_line

    def on_key(self, event: events.Key) -> None:
        self._offer(event)

    def on_paste(self, event: events.Paste) -> None:
        self._offer(event)

    def _offer(self, event: events.Key | events.Paste) -> None:
        if self._filter.takes(event):
            event.stop()
            event.prevent_default()
