"""The truth about service and gateway: in the title line always, and while it is bad, in words that mend it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from rich.cells import cell_len
from textual.strip import Strip

from ccp_tui import clock
from ccp_tui.healthrows import Health
from ccp_tui.rows import Link, LinkState
from ccp_tui.screens.widgets.dialogs import wrap
from ccp_tui.screens.widgets.lines import Drawn, HeadLine, Piece, cut, fit


class TitleLine(HeadLine):
    """The top line of the board's screens: on the right the truth about service and gateway, always."""

    def __init__(self) -> None:
        super().__init__()
        self._health = Health()
        self._link = Link()
        self._waiting = 0

    def show_connection(self, health: Health, link: Link, waiting: int) -> None:
        """The right part: the link to the service, the gateway behind it, and how many things need the person."""
        self._health, self._link, self._waiting = health, link, waiting
        self.redraw()

    def right(self) -> Iterable[Piece]:
        palette, glyphs = self.palette, self.glyphs
        words, mood = connection_words(self._health, self._link)
        mark = glyphs.dot if mood == "good" else glyphs.ring if mood == "warn" else glyphs.cross
        style = palette.on_bar({"good": palette.good, "warn": palette.warn, "bad": palette.bad}[mood])
        if self._waiting:
            needs = f" ! {self._waiting} need{'s' if self._waiting == 1 else ''} you "
            yield needs, palette.on_bar(palette.warn)
        if self._health.service.demo:
            yield " demo ", palette.on_bar(palette.accent)
        yield f" {mark} {words} ", style


class Trouble(NamedTuple):
    """Why the connection is broken, or what ran short, and what a person can do about it; empty while all is well."""

    detail: str = ""
    fix: str = ""


class TroubleLines(Drawn):
    """One or two lines while the connection is broken, or after something ran short, none else: what to do first, the
    reason where there is room."""

    DEFAULT_CSS = "TroubleLines { height: auto; display: none; }"
    MOST = 2

    def __init__(self) -> None:
        super().__init__(id="trouble")
        self.trouble = Trouble()

    def show(self, trouble: Trouble) -> None:
        """Shows what is wrong from now on; nothing when nothing is."""
        if trouble != self.trouble:
            self.trouble = trouble
            self.display = bool(trouble.detail or trouble.fix)
            self.refresh(layout=True)

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        return len(self._lines(width))

    def render_line(self, y: int) -> Strip:
        width, lines = self.size.width, self._lines(self.size.width)
        return Strip(fit(lines[y] if y < len(lines) else [], width, self.palette.text), width)

    def _lines(self, width: int) -> list[list[Piece]]:
        palette, glyphs = self.palette, self.glyphs
        room = max(1, width - 4)
        detail, fix = self.trouble
        shown = list(wrap(fix or detail, room))
        if not shown:
            return []
        if len(shown) > self.MOST:
            shown[self.MOST - 1 :] = [cut(" ".join(shown[self.MOST - 1 :]), room, glyphs.ellipsis)]
        lines: list[list[Piece]] = [[("   ", palette.warn), (each, palette.warn)] for each in shown]
        lines[0][0] = (f" {glyphs.cross} ", palette.bad)
        if fix and detail:
            if cell_len(shown[-1]) + 2 + cell_len(detail) <= room:
                lines[-1].append((f"  {detail}", palette.dim))
            elif len(lines) < self.MOST:
                lines.append([(f"   {cut(detail, room, glyphs.ellipsis)}", palette.dim)])
        return lines


def connection_words(health: Health, link: Link) -> tuple[str, str]:
    """The truth in a few words, and its mood: good, warn or bad."""
    if link.state is LinkState.LOST:
        return "service away, reconnecting", "bad"
    if link.state is LinkState.CONNECTING:
        return "connecting to the service", "warn"
    gateway = health.gateway
    match gateway.state:
        case "connected":
            return "gateway connected", "good"
        case "connecting" | "starting":
            return f"gateway {gateway.state}", "warn"
        case "refused" | "unreachable" | "stopped":
            return f"gateway {gateway.state}", "bad"
    return f"gateway {gateway.state or 'unknown'}", "warn"


def connection_trouble(health: Health, link: Link) -> Trouble:
    """What is wrong and what to do about it; nothing while all is well, or on its way.

    What ran short is told for as long as the service tells it; a gateway that is away may be away because of it.
    """
    gateway = health.gateway
    short = [f"{_at(one.at)} {one.text}" for one in health.shortages]
    if link.state is LinkState.LOST:
        return Trouble(link.detail or "The control service is away.", _begun(link.fix))
    if link.state is LinkState.CONNECTED and gateway.state in ("refused", "unreachable", "stopped"):
        why = gateway.detail or f"The gateway is {gateway.state}."
        return Trouble(" ".join([why, *short]), _begun(gateway.fix))
    if link.state is LinkState.CONNECTED and short:
        return Trouble(" ".join(short), " ".join(one.fix for one in health.shortages))
    return Trouble()


def _at(moment: str) -> str:
    """The hour and minute of a time here; nothing of what is no time."""
    try:
        return f"{clock.parse(moment).astimezone():%H:%M}"
    except ValueError:
        return ""


def _begun(sentence: str) -> str:
    """A fix may be said after a colon elsewhere; here it begins a line."""
    return sentence[:1].upper() + sentence[1:]
