"""Fewer bytes for the same picture: what a screen writes to the terminal, without what the terminal knows already.

Textual writes every piece of a line with all its colours and a reset after it, and begins each changed line at the left
edge of its widget. Over SSH that is most of the traffic. Here a piece says only what differs from the piece before it,
and a line begins where it changed. Textual's compositor is not public: :func:`thrifty` leaves a screen alone when the
parts it builds on are not there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.strip import Strip

ATTRIBUTES = (
    ("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("blink", "5"), ("blink2", "6"), ("reverse", "7"),
    ("conceal", "8"), ("strike", "9"), ("underline2", "21"), ("overline", "53"),
)  # fmt: skip
# What ends an attribute: bold and dim share theirs. The others end with a reset of everything.
ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "7": "27", "9": "29"}
SEEN_ON_BLANKS = frozenset({"4", "7", "9", "21", "53"})  # attributes that show where there is only a space
Look = tuple[frozenset[str], str, str]  # attribute codes, foreground codes, background codes
PLAIN: Look = (frozenset(), "39", "49")


def thrifty(screen: Any) -> None:
    """Makes a Textual screen write fewer bytes."""
    if type(getattr(screen, "_compositor", None)) is Compositor:
        screen._compositor = ThriftyCompositor()


class ThriftyCompositor(Compositor):
    """A compositor whose updates are thrifty."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return ThriftyChops(update.chops, update.spans, update.chop_ends) if update else None

    def render_full_update(self, simplify: bool = False) -> LayoutUpdate:
        update = super().render_full_update(simplify)
        return update if simplify else ThriftyLayout(update.strips, update.region)


class ThriftyChops(ChopsUpdate):
    """The changed parts of some lines."""

    def render_segments(self, console: Console) -> str:
        pen = Pen(console)
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                first, last = max(x, x1), min(end, x2)
                pen.move(first, y)
                pen.write(strip if (first, last) == (x, end) else strip.crop(first - x, last - x))
        return pen.finish()


class ThriftyLayout(LayoutUpdate):
    """A whole screen."""

    def render_segments(self, console: Console) -> str:
        pen = Pen(console)
        for y, line in enumerate(self.strips, self.region.y):
            pen.move(self.region.x, y)
            for strip in line:
                pen.write(strip)
        return pen.finish()


class Pen:
    """Writes strips one after another and remembers how the terminal would show the next character."""

    def __init__(self, console: Console) -> None:
        self._system = console._color_system or ColorSystem.TRUECOLOR
        self._out: list[str] = []
        self._look = PLAIN
        self._at: tuple[int, int] | None = None  # where the terminal's cursor is, when that is known

    def move(self, x: int, y: int) -> None:
        if self._at != (x, y):
            self._out.append(f"\x1b[{y + 1};{x + 1}H")
            self._at = (x, y)

    def write(self, strip: Strip) -> None:
        for text, style, control in strip:
            if control:
                continue
            if style is not None and style.link:
                self._change(PLAIN)
                self._out.append(style.render(text, color_system=self._system))
                continue
            look = PLAIN if style is None else look_of(style, self._system)
            if text.isspace() and not (look[0] | self._look[0]) & SEEN_ON_BLANKS:
                look = (self._look[0], self._look[1], look[2])  # a blank shows its background only
            self._change(look)
            self._out.append(text)
        if self._at is not None:
            # Past the last column terminals differ on where the cursor is: the next line always moves it by itself.
            self._at = (self._at[0] + strip.cell_length, self._at[1])

    def finish(self) -> str:
        self._change(PLAIN)
        return "".join(self._out)

    def _change(self, look: Look) -> None:
        """Writes the shorter of: what differs from the present look, or a reset and the whole of the new one."""
        if look == self._look:
            return
        anew = ["0", *sorted(look[0])]
        anew += [code for code, plain in ((look[1], PLAIN[1]), (look[2], PLAIN[2])) if code != plain]
        self._out.append(min((_sequence(anew), _sequence(self._changes(look) or anew)), key=len))
        self._look = look

    def _changes(self, look: Look) -> list[str]:
        """The codes from the present look to another; nothing when an attribute can only be ended by a reset."""
        attributes, front, back = self._look
        gone, new = attributes - look[0], look[0] - attributes
        if any(code not in ENDS for code in gone):
            return []
        codes = sorted({ENDS[code] for code in gone})
        if "22" in codes:  # it ended bold and dim alike
            new |= look[0] & {"1", "2"}
        return (
            codes + sorted(new) + [code for code, old in ((look[1], front), (look[2], back)) if code != old]
        )


def _sequence(codes: list[str]) -> str:
    return f"\x1b[{';'.join(codes)}m"


@lru_cache(4096)
def look_of(style: Style, system: ColorSystem) -> Look:
    """A style as the codes a terminal needs for it."""
    attributes = frozenset(code for name, code in ATTRIBUTES if getattr(style, name))
    front, back = PLAIN[1:]
    if style.color is not None:
        front = ";".join(style.color.downgrade(system).get_ansi_codes())
    if style.bgcolor is not None:
        back = ";".join(style.bgcolor.downgrade(system).get_ansi_codes(foreground=False))
    return attributes, front, back
