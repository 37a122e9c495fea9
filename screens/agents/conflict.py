"""A file that was changed on the gateway while it was edited here: both versions, and the person's choice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum

from textual.app import ComposeResult

from ccp_tui.screens.agents.texts import Page, difference
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import CcpScreen
from ccp_tui.screens.widgets.dialogs import wrap
from ccp_tui.screens.widgets.lines import Piece


class Decision(StrEnum):
    """What the person wants of two versions."""

    MINE = "mine"
    THEIRS = "theirs"
    EDIT = "edit"


class ConflictScreen(CcpScreen):
    """Shows how the gateway's text and the person's differ; answers with a :class:`Decision`, or None for later."""

    TITLE = "Changed on the gateway"
    DEFAULT_CSS = "ConflictScreen Page { height: 1fr; }"

    def __init__(self, title: str, mine: str, theirs: str) -> None:
        super().__init__()
        self.heading, self.mine, self.theirs = title, mine, theirs
        self.page = Page()
        self.shown = "difference"

    def body(self) -> ComposeResult:
        yield self.page

    def actions(self) -> Iterator[Action]:
        yield Action("conflict.mine", "m", "keep mine", "Conflict", lambda: self.take(Decision.MINE))
        yield Action("conflict.theirs", "t", "take theirs", "Conflict", lambda: self.take(Decision.THEIRS))
        yield Action("conflict.edit", "e", "edit mine again", "Conflict", lambda: self.take(Decision.EDIT))
        yield Action("conflict.view", "v tab", "difference, theirs, mine", "Conflict", self.turn_over)
        yield Action("conflict.down", "j down", "down", "Text", lambda: self.scroll(1), hint=False)
        yield Action("conflict.up", "k up", "up", "Text", lambda: self.scroll(-1), hint=False)
        yield Action("conflict.page_down", "pagedown ctrl+d space", "page down", "Text",
                     lambda: self.scroll(self.page.rows - 1), hint=False)  # fmt: skip
        yield Action("conflict.page_up", "pageup ctrl+u", "page up", "Text",
                     lambda: self.scroll(1 - self.page.rows), hint=False)  # fmt: skip

    def title_pieces(self) -> Iterable[Piece]:
        palette = self.ccp.palette
        yield f" {self.heading} ", palette.on_bar(palette.bold)
        words = "− the gateway's  + yours" if self.shown == "difference" else self.shown
        yield f" {'- the gateway has  + yours' if self.ccp.glyphs.ascii else words}", palette.bar_dim

    def on_mount(self) -> None:
        self.page.focus()
        self._show()
        self.say("It was changed on the gateway while you edited it. Nothing of either is lost yet.", "warn")

    def on_resize(self) -> None:
        self._show()

    def restyle(self) -> None:
        super().restyle()
        self._show()

    def _show(self) -> None:
        palette, width = self.ccp.palette, max(20, self.app.size.width - 2)
        if self.shown == "difference":
            self.page.show(difference(self.theirs, self.mine, width, palette))
        else:
            text = self.mine if self.shown == "yours" else self.theirs
            self.page.show([(line, palette.text) for line in wrap(text, width)])
        self.refresh_title()

    def turn_over(self) -> None:
        """From the difference to the gateway's text, to the person's, and around."""
        order = ("difference", "the gateway's", "yours")
        self.shown = order[(order.index(self.shown) + 1) % len(order)]
        self._show()

    def scroll(self, lines: int) -> None:
        self.page.go_to(self.page.top + lines)

    def take(self, decision: Decision) -> None:
        self.dismiss(decision)
