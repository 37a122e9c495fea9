"""A page: text set in headings, paragraphs, items and verbatim blocks, as lines of styled pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from ccp_tui.screens.widgets.dialogs import wrap
from ccp_tui.screens.widgets.glyphs import Glyphs
from ccp_tui.screens.widgets.lines import Piece, fit
from ccp_tui.screens.widgets.lineview import LineView
from ccp_tui.screens.widgets.palette import Palette

WIDEST_TEXT = 96  # cells; longer lines are hard to read
PANEL_WIDTH = 46
PANEL_FROM = 130  # the width from which the panel stands beside the text

PageLine = tuple[Piece, ...]
Target = tuple[
    str, ...
]  # what a line leads to: ("task", ref), ("chat", agent, session key), ("question", id)


class Page:
    """Collects lines at one width. Every text that goes in is data: it is cleaned and wrapped, never markup."""

    def __init__(self, width: int, palette: Palette, glyphs: Glyphs) -> None:
        self.width, self.palette, self.glyphs = width, palette, glyphs
        self.lines: list[PageLine] = []
        self.links: dict[int, Target] = {}  # by line

    @property
    def text_width(self) -> int:
        return max(16, min(self.width - 4, WIDEST_TEXT))

    def gap(self) -> None:
        """One blank line, never two."""
        if self.lines and self.lines[-1]:
            self.lines.append(())

    def heading(self, text: str, aside: str = "", style: Style | None = None) -> None:
        """A heading with a rule behind it; ``aside`` stands dim in it."""
        self.gap()
        used = cell_len(text) + 2 + (cell_len(aside) + 2 if aside else 0)
        rule = self.glyphs.rule * max(0, min(self.width - 1, WIDEST_TEXT + 2) - used)
        self.lines.append(
            ((f" {text} ", style or self.palette.bold), (f" {aside} " if aside else "", self.palette.dim),
             (rule, self.palette.rule))
        )  # fmt: skip

    def line(self, *pieces: Piece, indent: int = 2) -> None:
        """One line as it is."""
        self.lines.append(((" " * indent, self.palette.text), *pieces))

    def link(self, target: Target, *pieces: Piece, indent: int = 2) -> None:
        """A line that leads somewhere: the person goes through these and opens one."""
        self.links[len(self.lines)] = target
        self.line((f"{self.glyphs.more_right} ", self.palette.key_on_card), *pieces, indent=indent)

    def text(self, text: str, style: Style | None = None, indent: int = 2) -> None:
        """A paragraph, wrapped."""
        for line in wrap(text, self.text_width - indent):
            self.line((line, style or self.palette.text), indent=indent)

    def item(self, mark: str, text: str, mark_style: Style | None = None, style: Style | None = None) -> None:
        """A marked item; what does not fit on its line goes on below, indented."""
        pad = len(mark) + 1
        for index, line in enumerate(wrap(text, self.text_width - 2 - pad) if text.strip() else [""]):
            head = f"{mark} " if index == 0 else " " * pad
            self.line((head, mark_style or self.palette.dim), (line, style or self.palette.text))

    def fact(self, name: str, value: str, style: Style | None = None) -> None:
        """A name and its value, the values aligned."""
        if value:
            for index, line in enumerate(wrap(value, max(12, self.text_width - 14))):
                self.line(
                    (f"{name if index == 0 else '':<11} ", self.palette.dim),
                    (line, style or self.palette.text),
                )

    def block(self, text: str, style: Style | None = None, most: int = 0) -> int:
        """Verbatim lines behind a rule, the last ``most`` of them (0: all); answers how many were left out."""
        lines = [
            part
            for line in text.rstrip().splitlines()
            for part in (list(wrap(line, self.text_width - 4)) or [""])
        ]
        left_out = max(0, len(lines) - most) if most else 0
        for line in lines[left_out:]:
            self.line(
                (f"{self.glyphs.split} ", self.palette.rule), (line, style or self.palette.dim), indent=4
            )
        return left_out


class Document(LineView):
    """Shows a page, and on wide terminals a panel beside it that stays while the page scrolls."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._build: Callable[[Page], None] = lambda page: None
        self._build_panel: Callable[[Page], None] = lambda page: None
        self._lines: list[PageLine] = []
        self._panel: list[PageLine] = []
        self._links: dict[int, Target] = {}
        self._chosen: Target | None = None
        self._laid_for: tuple[int, object] | None = None

    @property
    def has_panel(self) -> bool:
        return self.size.width >= PANEL_FROM

    def show(self, build: Callable[[Page], None], panel: Callable[[Page], None], *, keep: bool) -> None:
        """Shows what ``build`` writes; with ``keep`` the window stays where it is. Paints only lines that differ."""
        self._build, self._build_panel = build, panel
        before, top = self._visible(), self.top
        self._laid_for = None
        self._lay()
        self.top = max(0, min(self.top, self.last_top)) if keep else 0
        if not keep:
            self._chosen = None
        if not self.is_attached or not self.size:
            return
        after = self._visible()
        if self.top != top or len(before) != len(after):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                self.repaint(self.top + y)

    def _lay(self) -> None:
        key = (self.size.width, self.ccp.theme)
        if self._laid_for == key or not self.size.width:
            return
        self._laid_for = key
        width = self.size.width - (PANEL_WIDTH if self.has_panel else 0)
        page, panel = (Page(each, self.palette, self.glyphs) for each in (width, PANEL_WIDTH - 2))
        self._build(page)
        if self.has_panel:
            self._build_panel(panel)
        self._lines, self._panel, self._links = page.lines, panel.lines, page.links

    # -- lines that lead somewhere

    @property
    def has_links(self) -> bool:
        self._lay()
        return bool(self._links)

    @property
    def chosen(self) -> Target | None:
        """Where the chosen line leads; with one such line on the page, that."""
        self._lay()
        if self._chosen in self._links.values():
            return self._chosen
        return next(iter(self._links.values())) if len(self._links) == 1 else None

    def choose(self, by: int) -> None:
        """To the next or the previous line that leads somewhere; at first to one in sight."""
        self._lay()
        places = sorted(self._links)
        if not places:
            return
        here = self._chosen_line()
        if here is None:
            seen = [line for line in places if self.top <= line < self.top + self.rows]
            there = (seen or places)[0 if by > 0 else -1]
        else:
            there = places[(places.index(here) + by) % len(places)]
        self._chosen = self._links[there]
        self.show_line(there, 1)
        for line in {here, there} - {None}:
            self.repaint(line if line is not None else 0)

    def _chosen_line(self) -> int | None:
        return next((line for line, target in self._links.items() if target == self._chosen), None)

    def _visible(self) -> list[tuple[PageLine, PageLine]]:
        return [
            (self._lines[self.top + y] if self.top + y < len(self._lines) else (),
             self._panel[y] if y < len(self._panel) else ())
            for y in range(self.rows)
        ]  # fmt: skip

    def line_count(self) -> int:
        self._lay()
        return len(self._lines)

    def repaint(self, line: int, count: int = 1, column: int = 0) -> None:
        """As in every line view, also for lines beside which only the panel has something."""
        y = line - self.top
        if 0 <= y < self.rows:
            self.refresh(Region(column, y, self.size.width - column, count))

    def draw_line(self, line: int, width: int) -> Strip:
        return Strip(fit(self._lines[line], width, self.palette.text), width)

    def render_line(self, y: int) -> Strip:
        self._lay()
        width, line = self.size.width, self.top + y
        left: Sequence[Piece] = self._lines[line] if line < len(self._lines) else ()
        if line in self._links and self._links[line] == self._chosen:
            left = [(text, self.palette.on_cursor(style)) for text, style in left]
        if not self.has_panel:
            return Strip(fit(left, width, self.palette.text), width)
        right = self._panel[y] if y < len(self._panel) else ()
        split = [*fit(left, width - PANEL_WIDTH, self.palette.text)]
        edge = fit([(f"{self.glyphs.split} ", self.palette.rule)], 2, self.palette.text)
        return Strip([*split, *edge, *fit(right, PANEL_WIDTH - 2, self.palette.text)], width)
