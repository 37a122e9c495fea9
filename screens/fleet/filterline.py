"""The filter of the table: typed in place, kept by enter, cleared by escape."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.message import Message

from ccp_tui.screens.widgets.lines import Line, Piece
from ccp_tui.text import one_line


class FilterLine(Line, can_focus=True):
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
        self.screen.set_focus(self)  # at once: the next letter is on its way already
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

    def on_key(self, event: events.Key) -> None:
        if not self.typing:
            return
        if event.key == "enter":
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
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        if self.typing:
            event.stop()
            self._put(self.text + one_line(event.text, 80))

    def _put(self, text: str) -> None:
        self.text = text
        self.redraw()
        self.post_message(self.Changed())

    def _end(self) -> None:
        self.typing = False
        self.display = bool(self.text)
        self.redraw()
        self.post_message(self.Changed())
