"""The two lines over a task's pages: where it stands, and the tabs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.message import Message

from ccp_tui import clock
from ccp_tui.rows import Card
from ccp_tui.screens.board.words import LABELS, doing, short_age
from ccp_tui.screens.widgets.lines import Line, Piece, cut


class Tab(NamedTuple):
    name: str
    label: str


TABS = (
    Tab("overview", "Overview"),
    Tab("plan", "Plan"),
    Tab("spec", "Spec"),
    Tab("live", "Live"),
    Tab("review", "Review"),
    Tab("attempts", "Attempts"),
    Tab("history", "History"),
)


class StateLine(Line):
    """State, agent, attempt, age; then what holds it or what it does now."""

    def __init__(self) -> None:
        super().__init__(id="state")
        self.card: Card | None = None
        self.now = ""

    def show(self, card: Card | None, now: str) -> None:
        self.card, self.now = card, now
        self.redraw()

    def pieces(self, width: int) -> Iterable[Piece]:
        card, palette, glyphs = self.card, self.palette, self.glyphs
        if card is None:
            return
        left = f" {LABELS.get(card.state, card.state)}"
        yield left, palette.accent
        words = []
        if card.agent:
            words.append(f"{glyphs.emoji(card.agent_emoji)} {card.agent_name or card.agent}".strip())
        if card.attempt is not None:
            words.append(f"attempt {card.attempt}" + (f", round {card.round}" if card.round else ""))
        if card.priority != "normal":
            words.append(card.priority)
        words.append(f"since {short_age(card.state_since or clock.now(), self.now)}")
        middle = "".join(f" {glyphs.between} {word}" for word in words)
        yield middle, palette.dim
        room = width - cell_len(left) - cell_len(middle) - 3
        if card.hold:
            yield "  " + cut(f"{glyphs.held} {card.hold.reason}", room, glyphs.ellipsis), palette.warn
        elif card.queued:
            yield "  " + cut(f"{glyphs.clock} {card.waiting or 'queued'}", room, glyphs.ellipsis), palette.dim
        elif card.activity and card.state in ("in_progress", "testing"):
            yield "  " + cut(f"{glyphs.words} {doing(card)}", room, glyphs.ellipsis), palette.good


class TabLine(Line):
    """The tabs; a click chooses one."""

    class Chosen(Message):
        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self.at = 0
        self.marked: frozenset[str] = frozenset()  # tabs with something new

    def show(self, at: int, marked: frozenset[str]) -> None:
        self.at, self.marked = at, marked
        self.redraw()

    def filler(self) -> Style:
        return self.palette.bar

    def pieces(self, width: int) -> Iterable[Piece]:
        palette = self.palette
        for index, tab in enumerate(TABS):
            style = palette.on_bar(palette.accent) if index == self.at else palette.bar_dim
            mark = self.glyphs.dot if tab.name in self.marked else " "
            yield f" {index + 1} {tab.label}", style
            yield mark, palette.on_bar(palette.good)

    def on_click(self, event: events.Click) -> None:
        x = 0
        for index, tab in enumerate(TABS):
            x += len(f" {index + 1} {tab.label}") + 1
            if event.x < x:
                self.post_message(self.Chosen(index))
                return
