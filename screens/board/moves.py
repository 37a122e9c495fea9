"""Where H and L lead from a column, and what is said when a task went there."""

from __future__ import annotations

from ccp_tui.rows import Card
from ccp_tui.screens.board.words import LABELS

# Leftwards a person's moves skip columns: a stop goes to Assigned, a rejection to In Progress.
BACK = {"inbox": "planning", "assigned": "inbox", "in_progress": "assigned", "testing": "assigned",
        "review": "in_progress", "done": "assigned", "cancelled": "inbox"}  # fmt: skip
ON = {"planning": "inbox", "inbox": "assigned", "assigned": "in_progress", "in_progress": "testing",
      "testing": "review", "review": "done"}  # fmt: skip


def target_of(state: str, by: int) -> str | None:
    """The column that H (-1) or L (1) aims at from a state."""
    return (ON if by > 0 else BACK).get(state)


def dispatched_or_moved(card: Card) -> str:
    """What came of a column move, in one line."""
    if card.queued:
        return f"{card.ref} is queued: {card.waiting or 'it starts as soon as it can'}."
    return f"{card.ref} is in {LABELS[card.state]} now."
