"""Drawing one card: three or four lines of one column's width."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

from ccp_tui.rows import Card
from ccp_tui.screens.board.words import note
from ccp_tui.screens.widgets.dialogs import wrap
from ccp_tui.screens.widgets.glyphs import Glyphs
from ccp_tui.screens.widgets.lines import Piece, cut, fit
from ccp_tui.screens.widgets.palette import Palette

Lines = tuple[tuple[Segment, ...], ...]


@dataclass(frozen=True)
class Look:
    """What a card's drawing depends on besides the task. ``here``: the cursor is on it; ``unread``: messages of its
    agent that the person has not read; ``reviewer``: the name of the agent that reviews it now."""

    width: int
    height: int
    age: str
    unread: int
    here: bool
    theme: str
    reviewer: str = ""


def draw_card(card: Card, look: Look, palette: Palette, glyphs: Glyphs) -> Lines:
    """The card's lines: its head, its title on as many lines as there are, and what there is to note."""
    edge, below = _edges(card, look.here, palette, glyphs)
    room = look.width - 2
    noted = _note(card, look.reviewer, room, palette, glyphs)
    title_lines = look.height - (2 if noted or look.height > 3 else 1)
    titles = list(wrap(card.title, room))
    if len(titles) > title_lines:
        titles[title_lines - 1 :] = [cut(" ".join(titles[title_lines - 1 :]), room, glyphs.ellipsis)]
    rows: list[list[Piece]] = [[edge, *_head(card, room, look, palette, glyphs)]]
    rows += [[below, (title, _title_style(card, palette))] for title in titles]
    if noted:
        rows.append([below, noted])
    rows += [[(" ", palette.text)] for _ in range(look.height - len(rows))]
    width, here = look.width, look.here
    filler = palette.text
    if here:
        rows = [[(text, palette.on_cursor(style)) for text, style in row] for row in rows]
        filler = palette.on_cursor(filler)
    return tuple(tuple(fit(row, width, filler)) for row in rows)


def _edges(card: Card, here: bool, palette: Palette, glyphs: Glyphs) -> tuple[Piece, Piece]:
    """The card's left edge, in its first line and below, says at a glance: cursor, held, running, or nothing.

    Under the cursor the background says it already, and each coloured cell costs bytes at every move.
    """
    none = " ", palette.text
    if here:
        return (glyphs.bar, palette.accent), none
    if card.hold:
        edge = glyphs.edge, palette.warn
    elif card.state in ("in_progress", "testing"):
        edge = glyphs.edge, palette.good
    else:
        return none, none
    return edge, edge


def _head(card: Card, room: int, look: Look, palette: Palette, glyphs: Glyphs) -> list[Piece]:
    urgency = glyphs.priority(card.priority)
    loud = {"urgent": palette.bad, "high": palette.warn}.get(card.priority, palette.dim)
    right = " ".join(
        part
        for part in (
            f"{card.subtasks_done}/{card.subtasks}" if card.subtasks else "",
            glyphs.unread if look.unread else "",
            glyphs.emoji(card.agent_emoji),
            _who(card, glyphs),
            look.age,
        )
        if part
    )
    left = card.ref + (f" {urgency}" if urgency else "")
    space = room - cell_len(left) - cell_len(right)
    if space < 1:
        right = cut(right, max(0, room - cell_len(left) - 1), glyphs.ellipsis)
        space = room - cell_len(left) - cell_len(right)
    pieces: list[Piece] = [(card.ref, palette.key_on_card)]
    if urgency:
        pieces.append((f" {urgency}", loud))
    pieces.append((" " * max(0, space) + right, palette.dim))
    return pieces


def _who(card: Card, glyphs: Glyphs) -> str:
    """The agent's name where no emoji stands for it."""
    return (
        ""
        if not card.agent or glyphs.emoji(card.agent_emoji)
        else cut(card.agent_name or card.agent, 8, glyphs.ellipsis)
    )


def _title_style(card: Card, palette: Palette) -> Style:
    return palette.dim if card.state in ("done", "cancelled") else palette.text


def _note(card: Card, reviewer: str, room: int, palette: Palette, glyphs: Glyphs) -> Piece | None:
    about = note(card, reviewer)
    if about is None:
        if card.due and card.state not in ("done", "cancelled"):
            return f"due {card.due[:10]}", palette.dim
        return None
    mark, style = {
        "held": (glyphs.held, palette.warn),
        "tool": (glyphs.tool, palette.good),
        "words": (glyphs.words, palette.good),
        "status": (glyphs.words, palette.good),
        "waiting": (glyphs.clock, palette.dim),
        "needs": (glyphs.waits, palette.dim),
        "idle": (glyphs.words, palette.dim),
        "next": (glyphs.words, palette.accent),
    }.get(about.kind, (glyphs.words, palette.dim))
    return cut(f"{mark} {about.text}", room, glyphs.ellipsis), style
