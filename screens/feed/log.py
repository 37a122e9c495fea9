"""The events as lines, bounded, drawn when they come into sight."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip

from ccp_tui.clock import parse
from ccp_tui.rows import safe
from ccp_tui.screens.palette.finder import marked
from ccp_tui.screens.widgets.lines import Piece, cut, fit
from ccp_tui.screens.widgets.lineview import LineView
from ccp_tui.screens.widgets.pace import Painter

Event = dict[str, Any]

WIDE = 100  # columns from which the day has its own
KEPT = 5_000  # events held; the oldest go first
# Kinds whose line deserves a colour of its own.
GOOD = ("approved", "done", "submitted", "passed", "delivered", "released")
BAD = ("error", "failed", "held", "refused", "rejected", "cancelled", "stopped", "lost")


class FeedLog(LineView):
    """Newest at the bottom. It follows the end while the cursor is on the last line."""

    class Moved(Message):
        """The cursor came to another event, or following began or ended."""

    class OlderWanted(Message):
        """The oldest event held is in sight."""

    def __init__(self) -> None:
        super().__init__(id="log")
        self.rows_held: list[Event] = []
        self.at = -1
        self.follow = True
        self.has_more = False
        self.words = ""  # what is searched for
        self._coming: list[Event] = []
        self._painter = Painter(self, self._take)
        self._asked = False

    # -- content

    def show(self, rows: Iterable[Event], *, has_more: bool) -> None:
        """These events and no others, the newest in sight."""
        self.rows_held = sorted(rows, key=_id)[-KEPT:]
        self.has_more, self._asked, self._coming = has_more, False, []
        self.at, self.follow = len(self.rows_held) - 1, True
        self.top = self.last_top
        self.refresh()
        self.post_message(self.Moved())

    def prepend(self, rows: Iterable[Event], *, has_more: bool) -> None:
        """Older events above; what is in sight stays where it is."""
        known = {_id(row) for row in self.rows_held}
        older = sorted((row for row in rows if _id(row) not in known), key=_id)
        room = KEPT - len(self.rows_held)
        older = older[len(older) - min(room, len(older)) :]
        self.rows_held = older + self.rows_held
        self.at += len(older)
        self.top += len(older)
        self.has_more, self._asked = has_more and bool(older), False

    def add(self, row: Event) -> None:
        """A new event; a burst is painted together, at the pace the line bears."""
        self._coming.append(row)
        self._painter.soon()

    def _take(self) -> None:
        newest = _id(self.rows_held[-1]) if self.rows_held else 0
        fresh = sorted((row for row in self._coming if _id(row) > newest), key=_id)
        self._coming = []
        if not fresh:
            return
        before, was_empty = len(self.rows_held), not self.rows_held
        self.rows_held += fresh
        dropped = max(0, len(self.rows_held) - KEPT)
        if dropped:
            del self.rows_held[:dropped]
            self.has_more = True
            self.at, self.top = max(0, self.at - dropped), max(0, self.top - dropped)
        if self.follow:
            old, self.at = self.at, len(self.rows_held) - 1
            if self.last_top != self.top or dropped or was_empty:
                self.top = self.last_top
                self.refresh()
                self._painter.spend(self.size.width * self.rows, self.rows)
            else:
                self.repaint(old)
                self.repaint(before, len(fresh))
                self._painter.spend(self.size.width * (len(fresh) + 1), len(fresh) + 1)
        else:
            self.repaint(before - dropped, len(fresh))
        self.post_message(self.Moved())

    @property
    def event(self) -> Event | None:
        """The event under the cursor."""
        return self.rows_held[self.at] if 0 <= self.at < len(self.rows_held) else None

    # -- moving

    def move_to(self, at: int) -> None:
        """The cursor on the event at this place; on the last one it follows again."""
        if not self.rows_held:
            return
        at = max(0, min(len(self.rows_held) - 1, at))
        old, self.at = self.at, at
        self.follow = at == len(self.rows_held) - 1
        top = self.top
        self.show_line(at)
        if top == self.top:
            self.repaint(old)
            self.repaint(at)
        self.post_message(self.Moved())

    def select(self, event_id: int) -> bool:
        """The cursor on one event; False if it is not held."""
        at = bisect_left(self.rows_held, event_id, key=_id)
        if at < len(self.rows_held) and _id(self.rows_held[at]) == event_id:
            self.move_to(at)
            self.go_to(at - self.rows // 2)
            return True
        return False

    def find(self, words: str, by: int, *, stay: bool = False) -> bool:
        """The cursor on the next event (by 1, or -1 backwards) that holds the words, going round at the ends."""
        self.words = words.lower()
        self.refresh()
        total = len(self.rows_held)
        for step in range(0 if stay else 1, total + 1):
            at = (self.at + by * step) % total
            if self.words in line_text(self.rows_held[at]).lower():
                self.move_to(at)
                return True
        return False

    def window_moved(self) -> None:
        if self.top <= self.rows // 2 and self.has_more and not self._asked and len(self.rows_held) < KEPT:
            self._asked = True
            self.post_message(self.OlderWanted())

    # -- drawing

    def line_count(self) -> int:
        return len(self.rows_held)

    def draw_line(self, line: int, width: int) -> Strip:
        row, palette, glyphs = self.rows_held[line], self.palette, self.glyphs
        before = self.rows_held[line - 1] if line else None
        kind = str(row.get("kind") or "")
        style = (
            palette.good if any(word in kind for word in GOOD)
            else palette.bad if any(word in kind for word in BAD)
            else palette.text
        )  # fmt: skip
        day, time = _when(str(row.get("at") or ""))
        new_day = before is None or _when(str(before.get("at") or ""))[0] != day
        who = actor_name(row, self.ccp.mirror.agents)
        pieces: list[Piece] = [
            (glyphs.bar if line == self.at else " ", palette.accent),
            (f"{day if new_day or line == self.top else '':<7}" if width >= WIDE else "", palette.dim),
            (f"{time} ", palette.dim),
            (f" {cut(str(row.get('task') or ''), 8, glyphs.ellipsis):<8} ", palette.accent),
            (f"{cut(who, 10, glyphs.ellipsis):<10}  ", palette.dim),
        ]
        words = cut(line_text(row), width - sum(cell_len(text) for text, _ in pieces), glyphs.ellipsis)
        if self.words and (at := words.lower().find(self.words)) >= 0:
            pieces += marked(words, range(at, at + len(self.words)), style, palette.match)
        else:
            pieces.append((words, style))
        filler = palette.text
        if line == self.at:
            pieces = [(text, palette.on_cursor(each)) for text, each in pieces]
            filler = palette.on_cursor(filler)
        return Strip(fit(pieces, width, filler), width)

    def on_click(self, event: events.Click) -> None:
        self.move_to(self.top + event.y)

    def on_resize(self) -> None:
        if self.follow:
            self.top = self.last_top


def line_text(row: Event) -> str:
    """The words of an event: its line, and the reason when there is one that the line does not tell."""
    text, reason, task = safe(row.get("text")), safe(row.get("reason")), row.get("task")
    if task and text.startswith(f"{task} "):  # it has a column of its own
        text = text[len(task) + 1 :]
    return f"{text}: {reason}" if reason and reason not in text else text


def actor_name(row: Event, agents: Any) -> str:
    """Who did it: an agent by name, others as they are called."""
    actor = safe(row.get("actor"))
    agent = agents.get(actor.removeprefix("agent:")) or agents.get(str(row.get("agent") or ""))
    return agent.name if agent and actor.startswith(("agent", agent.id)) else actor


def _id(row: Event) -> int:
    return int(row.get("id") or 0)


def _when(at: str) -> tuple[str, str]:
    """The day and the time of an event on the person's own clock."""
    try:
        moment = parse(at).astimezone()
    except ValueError:
        return "", " " * 8
    return f"{moment:%b} {moment.day}", f"{moment:%H:%M:%S}"
