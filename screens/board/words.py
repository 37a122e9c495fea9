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


# How the kinds of holds read on a card, where every cell counts.
HOLDS = {"question": "asks", "approval": "approve?", "gateway": "gateway", "dependency": "needs"}
# Where a plan stands: the kind of note, and its words.
PLANNING = {
    "opening": ("status", "the planner is asked"),
    "planner": ("status", "the planner thinks"),
    "person": ("next", "the planner asks you"),
    "proposed": ("next", "plan ready: A"),
    "raw": ("next", "raw reply: your turn"),
}
OVER = ("done", "cancelled")


class Note(NamedTuple):
    """The third line of a card. ``kind``: held, tool, words, status, waiting, needs, next, idle."""

    kind: str
    text: str


def note(card: Card, reviewer: str = "") -> Note | None:
    """What matters most about the task beyond its title; None when the title may have the room.

    ``reviewer`` is the name of the agent that reviews it now.
    """
    if card.hold:
        return Note("held", held(card))
    if card.activity and card.state in ("in_progress", "testing"):
        return Note(card.activity.kind, doing(card))
    if card.state == "assigned":
        return unstarted(card)
    if card.waiting:  # the gateway does not take what its agent is to be told
        return Note("waiting", card.waiting)
    if card.state == "planning":
        return planning(card)
    if card.state == "review":
        if card.reviewer:
            return Note("status", f"{reviewer or card.reviewer} reads round {card.round}")
        return Note("next", f"round {card.round}: your turn")
    if card.waits_for and card.state not in OVER:
        return Note("needs", " ".join(card.waits_for))
    return None


def held(card: Card) -> str:
    """Why a task is held: the kind first, because that tells what to do; a budget with its figures."""
    hold = card.hold
    if hold is None:
        return ""
    kind, reason = HOLDS.get(hold.kind, hold.kind), hold.reason
    if hold.kind == "budget" and card.budget_usd:
        return f"{kind}: ${card.cost_usd:.2f} of ${card.budget_usd:.2f}"
    return reason if not kind or reason.lower().startswith(kind) else f"{kind}: {reason}" if reason else kind


def planning(card: Card) -> Note | None:
    """Where the plan stands, and whose turn it is."""
    if card.questions:
        return Note("next", f"{card.questions} question{'' if card.questions == 1 else 's'} for you")
    kind, words = PLANNING.get(card.planning or "", ("", ""))
    return Note(kind, words) if words else None


def unstarted(card: Card) -> Note:
    """Why assigned work does not start: what it waits for, or that nobody asked for it."""
    if card.waits_for:
        return Note("needs", " ".join(card.waits_for))
    if card.waiting or card.queued:
        return Note("waiting", card.waiting or "waits for its turn")
    return Note("idle", "d dispatches it")


def doing(card: Card) -> str:
    """What the task's agent does now, in words without what only a machine needs; empty for nothing."""
    return short_command(card.activity.text) if card.activity else ""


def next_step(card: Card) -> str:
    """What the person can do next, with its key; empty when it is not their turn."""
    if card.hold:
        return card.hold.release
    match card.state:
        case "inbox" if card.spec_version is None:
            return "P plans it, e writes its spec"
        case "planning" if card.questions:
            return "Q answers the planner"
        case "inbox" | "planning" if card.spec_version is not None and not card.spec_approved:
            return "A reads and approves its spec"
        case "inbox":
            return "a assigns an agent"
        case "assigned" if not card.queued and not card.waits_for and not card.waiting:
            return "d dispatches it"
        case "review" if not card.reviewer:
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
