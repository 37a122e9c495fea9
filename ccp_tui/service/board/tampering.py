"""Noticing that another program wrote a task's state into the database: its last move is told by an event."""

from __future__ import annotations

from typing import Any

from ccp_tui.lifecycle import State
from ccp_tui.model import Hold, HoldKind
from ccp_tui.service.board.moves import SERVICE, record
from ccp_tui.store import Store

Row = dict[str, Any]

RELEASE = "Read its history, move it to where it belongs, and see who else can write this file."


def notice(store: Store) -> list[str]:
    """Holds every task that stands where no move took it, and tells of it; their refs.

    Whoever can write the file can write events too: this finds the careless hand, not the careful one.
    """
    found = store.tasks.elsewhere()
    for task in found:
        here, told = State(task["state"]), State(task["told"])
        reason = f"another program wrote {here.label} into the database; its last move was to {told.label}"
        if store.tasks.hold(task["id"], Hold(HoldKind.ERROR, reason, RELEASE)):
            record(store, task, SERVICE, "tampered", f"was tampered with: {reason}", reason=reason)
    return [str(task["ref"]) for task in found]
