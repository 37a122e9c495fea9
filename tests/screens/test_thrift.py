"""Fewer bytes must mean the same picture: what the pen writes is read back by a terminal."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ccp_tui.screens.widgets.clipboard import LIMIT, sequence
from ccp_tui.screens.widgets.thrift import Pen

COLORS = st.sampled_from([None, "#ff0000", "#00ff00", "#101820"])
STYLES = st.builds(
    Style, color=COLORS, bgcolor=COLORS, bold=st.booleans(), italic=st.booleans(), underline=st.booleans(),
    reverse=st.booleans(), strike=st.booleans(),
)  # fmt: skip
PIECES = st.lists(
    st.tuples(st.sampled_from(["ab", "  ", "x y", "Z"]), st.none() | STYLES), min_size=1, max_size=8
)
CONSOLE = Console(color_system="truecolor", force_terminal=True)


def shown(data: str) -> list[object]:
    """What a terminal shows: characters with their looks; for a blank only what is seen of it."""
    screen = pyte.Screen(40, 2)
    pyte.Stream(screen).feed(data)
    cells: list[object] = []
    for x in range(40):
        cell = screen.buffer[0][x]
        marks = (cell.underscore, cell.reverse, cell.strikethrough)
        blank = cell.data == " " and not any(marks)
        cells.append(
            (cell.data, cell.bg, *((None,) * 3 if blank else (cell.fg, cell.bold, cell.italics)), marks)
        )
    return cells


@given(PIECES)
def test_the_same_cells_for_no_more_bytes(pieces: list[tuple[str, Style | None]]) -> None:
    strip = Strip([Segment(text, style) for text, style in pieces])
    pen = Pen(CONSOLE)
    pen.move(0, 0)
    pen.write(strip)
    thrifty, usual = pen.finish(), "\x1b[1;1H" + strip.render(CONSOLE)
    assert shown(thrifty) == shown(usual)
    assert len(thrifty) <= len(usual) + len("\x1b[49m\x1b[0m")


def test_copying_goes_through_tmux_and_screen_and_never_half() -> None:
    assert sequence("WEB-2", {}) == "\x1b]52;c;V0VCLTI=\x07"
    assert (sequence("WEB-2", {"TMUX": "/tmp/t"}) or "").startswith("\x1bPtmux;\x1b\x1b]52;c;")
    assert (sequence("WEB-2", {"TERM": "screen-256color"}) or "").startswith("\x1bP\x1b]52;")
    assert sequence("x" * LIMIT, {}) is None
