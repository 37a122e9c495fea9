"""A box with an input and the rows it finds: what the palette, the help and the search are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input

from ccp_tui.screens.widgets.basescreen import BaseScreen
from ccp_tui.screens.widgets.dialogs import Dialog, Words
from ccp_tui.screens.widgets.lines import Piece
from ccp_tui.screens.widgets.rowlist import Row, RowList

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp


class Finder(Dialog):
    """Typing narrows the rows, arrows (or ctrl+n, ctrl+p) move, enter takes one, escape leaves."""

    DEFAULT_CSS = """
    Finder { align: center top; }
    Finder > .box { width: 90; max-width: 96%; height: 24; max-height: 92%; margin-top: 1; padding: 0 1; }
    Finder RowList { height: 1fr; margin-top: 1; }
    """
    BINDINGS = [  # noqa: RUF012
        Binding("down,ctrl+n,tab", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p,shift+tab", "move(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
    ]
    PLACEHOLDER = "type to find"
    HINT = "enter takes it · esc leaves"

    def __init__(self, title: str, text: str = "") -> None:
        super().__init__(title)
        self.field = Input(text, placeholder=self.PLACEHOLDER, select_on_focus=False)
        self.field.cursor_blink = False
        self.found = RowList(focusable=False)
        self.hint = Words(self.HINT, "dim")

    @property
    def ccp(self) -> CcpApp:
        return cast("CcpApp", self.app)

    def fields(self) -> ComposeResult:
        yield self.field
        yield self.found
        yield self.hint

    def on_mount(self) -> None:
        self.field.focus()
        self.narrow(self.field.value)

    def narrow(self, text: str) -> None:
        """The text changed: show what fits."""

    def take(self, key: Any) -> None:
        """A row was taken."""

    def on_input_changed(self, event: Input.Changed) -> None:
        self.narrow(event.value)

    def on_input_submitted(self) -> None:
        if self.found.key is not None:
            self.take(self.found.key)

    def on_row_list_taken(self) -> None:
        self.on_input_submitted()

    def action_move(self, by: int) -> None:
        at = self.found.at
        self.found.move(by)
        if self.found.at == at:  # round the end, so that the last row is one key away
            self.found.move(-by * len(self.found.entries))

    def action_page(self, pages: int) -> None:
        self.found.page(pages)

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._rewrap)

    def _rewrap(self) -> None:
        """Rows are cut to the width there is: draw them again once it is known."""
        if self.is_attached:
            at = self.found.at
            self.narrow(self.field.value)
            self.found.move(max(0, at - self.found.at))

    def show_rows(self, rows: Sequence[Row]) -> None:
        """The rows found, the cursor on the first."""
        self.found.show(rows, keep=False)


def marked(text: str, at: Sequence[int], style: Style, match: Style) -> list[Piece]:
    """The text with the characters that were meant marked."""
    meant = set(at)
    pieces: list[Piece] = []
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or (index in meant) != (start in meant):
            pieces.append((text[start:index], match if start in meant else style))
            start = index
    return pieces


def beneath(screen: Finder) -> BaseScreen | None:
    """The screen that a box was opened over."""
    stack = screen.app.screen_stack
    below = stack[: stack.index(screen)] if screen in stack else stack
    return next((each for each in reversed(below) if isinstance(each, BaseScreen)), None)
