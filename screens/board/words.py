"""What the board says about a task: the columns' names, the next step, and what a card's third line tells."""

from __future__ import annotations

from typing import NamedTuple

from ccp_tui import clock
from ccp_tui.rows import Card
from ccp_tui.screens.widgets.commands import short_command


class Column(NamedTuple):
    """One column of the board: its state, its name, and the short name for narrow terminals."""

    state: str
    label: str
    short: str


COLUMNS = (
    Column("planning", "Planning", "Plan"),
    Column("inbox", "Inbox", "Inbox"),
    Column("assigned", "Assigned", "Assign"),
    Column("in_progress", "In Progress", "Progress"),
    Column("testing", "Testing", "Test"),
    Column("review", "Review", "Review"),
    Column("done", "Done", "Done"),
)
CANCELLED = Column("cancelled", "Cancelled", "Cancel")
LABELS = {column.state: column.label for column in (*COLUMNS, CANCELLED)}

# What an empty column says; the others are filled by what the service and the agents do.
EMPTY = {
    "planning": "no plan is open",
    "inbox": "n writes a task",
    "assigned": "a assigns one",
    "in_progress": "nothing runs",
    "testing": "nothing in checks",
    "review": "nothing to review",
    "done": "nothing yet",
    "cancelled": "nothing cancelled",
}


class Note(NamedTuple):
    """The third line of a card. ``kind``: held, tool, words, status, waiting, next, due."""

    kind: str
    text: str


def note(card: Card) -> Note | None:
    """What matters most about the task beyond its title; None when the title may have the room."""
    if card.hold:
        return Note("held", card.hold.reason or card.hold.kind)
    if card.activity and card.state in ("in_progress", "testing"):
        return Note(card.activity.kind, doing(card))
    if card.queued:
        return Note("waiting", card.waiting or "waits for its turn")
    if card.state == "review":
        return Note("next", f"round {card.round}: your turn")
    return None


def doing(card: Card) -> str:
    """What the task's agent does now, in words without what only a machine needs; empty for nothing."""
    return short_command(card.activity.text) if card.activity else ""


def next_step(card: Card) -> str:
    """What the person can do next, with its key; empty when it is not their turn."""
    if card.hold:
        return card.hold.release
    match card.state:
        case "inbox" if card.spec_version is None:
            return "e writes its spec"
        case "inbox" | "planning" if card.spec_version is not None and not card.spec_approved:
            return "A reads and approves its spec"
        case "inbox":
            return "a assigns an agent"
        case "assigned" if not card.queued:
            return "d dispatches it"
        case "review":
            return "A opens the review"
        case "done":
            return "H reopens it"
        case "cancelled":
            return "u restores it"
    return ""


def short_age(since: str, now: str) -> str:
    """An age in whole minutes, hours or days, so that it changes at most once a minute; empty for no time."""
    try:
        text = clock.age(since, now)
    except ValueError:
        return ""
    return "now" if text.endswith("s") else text


def short_count(count: int) -> str:
    """A count in at most four cells: 999, 1.2k, 12k."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 10_000 else f"{count // 1000}k"
