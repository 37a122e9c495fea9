"""One-line widgets that draw themselves and repaint only the cells that changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from ccp_tui.screens.widgets.actions import Action

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp
    from ccp_tui.screens.widgets.glyphs import Glyphs
    from ccp_tui.screens.widgets.palette import Palette
    from ccp_tui.screens.widgets.shell import Shell

Piece = tuple[str, Style]
CLOSE = 8  # the cells between two runs that cost no more than moving the terminal's cursor


class Drawn(Widget):
    """A widget that draws lines itself: the app's palette and symbols at hand, never focused by default."""

    can_focus = False

    @property
    def ccp(self) -> CcpApp:
        from ccp_tui.app import CcpApp

        app = self.app
        assert isinstance(app, CcpApp)
        return app

    @property
    def shell(self) -> Shell:
        return cast("Shell", self.app)

    @property
    def palette(self) -> Palette:
        return self.shell.palette

    @property
    def glyphs(self) -> Glyphs:
        return self.shell.glyphs


class Line(Drawn):
    """One line of styled pieces. :meth:`pieces` says what it shows; :meth:`redraw` repaints the cells that differ."""

    DEFAULT_CSS = "Line { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: list[Segment] | None = None

    def pieces(self, width: int) -> Iterable[Piece]:
        """What the line shows, from the left; it is cut and filled to ``width`` cells."""
        raise NotImplementedError

    def filler(self) -> Style:
        """The style of the cells after the last piece."""
        return self.palette.text

    def redraw(self) -> None:
        """Repaints what differs from what is shown. Writes nothing when nothing differs."""
        if not self.is_attached or self.size.width == 0:
            return
        before, after = self._shown, self._fit()
        if before is None:
            self.refresh()
            return
        span = _difference(before, after)
        self._shown = after
        if span:
            self.refresh(Region(span[0], 0, span[1] - span[0], 1))

    def render_line(self, y: int) -> Strip:
        if y:
            return Strip.blank(self.size.width, self.filler())
        self._shown = self._fit()
        return Strip(self._shown, self.size.width)

    def _fit(self) -> list[Segment]:
        return fit(self.pieces(self.size.width), self.size.width, self.filler())


def fit(pieces: Iterable[Piece], width: int, filler: Style) -> list[Segment]:
    """The pieces as segments of exactly ``width`` cells; what does not fit is cut off."""
    segments: list[Segment] = []
    left = width
    for text, style in pieces:
        size = cell_len(text)
        if size > left:
            text, size = set_cell_size(text, left), left
        if size:
            segments.append(Segment(text, style))
            left -= size
        if not left:
            return segments
    segments.append(Segment(" " * left, filler))
    return segments


def _difference(before: Sequence[Segment], after: Sequence[Segment]) -> tuple[int, int] | None:
    """The cells [from, to) in which two lines of one width differ; None when they are the same."""
    old, new = _cells(before), _cells(after)
    if len(old) != len(new):
        return 0, max(len(old), len(new))
    differing = [at for at, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    return (differing[0], differing[-1] + 1) if differing else None


def differing_runs(before: Sequence[Segment], after: Sequence[Segment]) -> list[tuple[int, int]]:
    """The runs of cells [from, to) in which two lines differ; those that lie close are one: moving costs bytes too."""
    old, new = _cells(before), _cells(after)
    if len(old) != len(new):
        return [(0, max(len(old), len(new)))]
    runs: list[tuple[int, int]] = []
    for at, (a, b) in enumerate(zip(old, new, strict=True)):
        if a == b:
            continue
        if runs and at - runs[-1][1] < CLOSE:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return runs


def _cells(segments: Sequence[Segment]) -> list[tuple[str, Style | None]]:
    cells: list[tuple[str, Style | None]] = []
    for text, style, _ in segments:
        for character in text:
            cells.append((character, style))
            # A wide character's other cell changes with it: it can't be drawn in halves.
            cells.extend([(f"{character}…", style)] * (cell_len(character) - 1))
    return cells


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """Text in at most ``width`` cells, with an ellipsis where something was left out."""
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - cell_len(ellipsis)).rstrip() + ellipsis


class HeadLine(Line):
    """The top line: the screen's title on the left; on the right what :meth:`right` says, always whole."""

    def __init__(self) -> None:
        super().__init__(id="title")
        self._title: Sequence[Piece] = ()

    def show_title(self, pieces: Sequence[Piece]) -> None:
        """The left part."""
        self._title = pieces
        self.redraw()

    def right(self) -> Iterable[Piece]:
        """The right part."""
        return ()

    def filler(self) -> Style:
        return self.palette.bar

    def pieces(self, width: int) -> Iterable[Piece]:
        right = list(self.right())
        room = max(0, width - sum(cell_len(text) for text, _ in right))
        yield from (
            (text, style or self.filler()) for text, style, _ in fit(self._title, room, self.filler())
        )
        yield from right


class HintBar(Line):
    """The keys that work here and now, most wanted first, as many as fit.

    Help and back stand at the right end, always. Keys and labels differ by weight only, which costs few bytes.
    """

    FIXED = ("app.help", "app.close")

    def __init__(self) -> None:
        super().__init__(id="hints")
        self._actions: Sequence[Action] = ()

    def show(self, actions: Sequence[Action]) -> None:
        """Shows these actions from now on."""
        self._actions = actions
        self.redraw()

    def filler(self) -> Style:
        return self.palette.bar

    def pieces(self, width: int) -> Iterable[Piece]:
        palette, plain = self.palette, self.glyphs.ascii
        label_style = Style(color=palette.key.color, bgcolor=palette.key.bgcolor)
        shown = [(action, f" {action.shown_key(plain)}", f" {action.label} ") for action in self._actions]
        fixed = [each for each in shown if each[0].id in self.FIXED]
        left = width - sum(cell_len(key + label) for _, key, label in fixed)
        for action, key, label in shown:
            size = cell_len(key) + cell_len(label)
            if action.id not in self.FIXED and size <= left:
                left -= size
                yield key, palette.key
                yield label, label_style
        yield " " * max(0, left), palette.bar
        for _, key, label in fixed:
            yield key, palette.key
            yield label, label_style


class NoticeLine(Line):
    """One line for words to the person: a notice, else the resting text.

    A notice (a refusal, a success) stays until the next action. The resting text belongs to the screen: what the
    cursor is on, say.
    """

    MARKS = {"refusal": "bad", "outage": "bad", "warn": "warn", "good": "good", "info": "accent"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__(id="notice")
        self.notice = ""
        self.kind = "info"
        self._rest: Sequence[Piece] = ()

    def say(self, text: str, kind: str = "refusal") -> None:
        """Shows a notice (refusal, outage, warn, good or info); empty text takes it away."""
        self.notice, self.kind = text, kind
        self.redraw()

    def end_outage(self) -> None:
        """The connection is not what it was: what was said of it may not be so any more."""
        if self.kind == "outage":
            self.say("", "info")

    def rest(self, pieces: Sequence[Piece]) -> None:
        """What to show while there is nothing to say."""
        self._rest = pieces
        if not self.notice:
            self.redraw()

    def pieces(self, width: int) -> Iterable[Piece]:
        palette, glyphs = self.palette, self.glyphs
        if self.notice:
            style: Style = getattr(palette, self.MARKS.get(self.kind, "accent"))
            mark = {"refusal": glyphs.cross, "outage": glyphs.cross, "good": glyphs.tick}.get(
                self.kind, glyphs.words
            )
            yield f" {mark} ", style
            yield cut(self.notice, width - 3, glyphs.ellipsis), palette.text if self.kind == "info" else style
        else:
            yield from self._rest
