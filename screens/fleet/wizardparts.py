"""What the wizard is drawn with: the line of its pages, and a field with words below it."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Horizontal, Vertical

from ccp_tui.screens.fleet.pages import PAGES, Ask
from ccp_tui.screens.widgets.dialogs import Choice, Words
from ccp_tui.screens.widgets.fields import Few, Text
from ccp_tui.screens.widgets.lines import Line, Piece


class Steps(Line):
    """The pages by name, the present one marked, those with something wrong too."""

    def __init__(self) -> None:
        super().__init__(id="steps")
        self.at, self.wrong = 0, frozenset[int]()

    def show(self, at: int, wrong: frozenset[int]) -> None:
        self.at, self.wrong = at, wrong
        self.redraw()

    def pieces(self, width: int) -> Iterable[Piece]:
        palette, glyphs = self.palette, self.glyphs
        names = [*(page.title for page in PAGES), "make it"]
        yield " ", palette.text
        for index, name in enumerate(names):
            here = index == self.at
            style = palette.bold if here else palette.dim
            mark = (
                (glyphs.bar, palette.accent) if here
                else (glyphs.cross, palette.bad) if index in self.wrong
                else (glyphs.tick, palette.good) if index < self.at
                else (" ", palette.dim)
            )  # fmt: skip
            yield mark
            yield f"{index + 1} {name}  ", style


class FieldRow(Vertical):
    """A field: its label, where it is typed, and below it what it is for or what is wrong with it."""

    def __init__(self, ask: Ask, value: str) -> None:
        self.ask = ask
        self.words = Words(ask.about, "dim")
        self.words.add_class("about")
        self.control: Text | Few
        if ask.kind == "few":
            self.control = Few([(value, value)], value)
        else:
            self.control = Text(value, choices=[Choice(each, each) for each in ask.choices])
            self.control.password = ask.kind == "secret"
        super().__init__(Horizontal(Words(ask.label, "dim"), self.control), self.words)
