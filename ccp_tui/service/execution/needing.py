"""Adding and removing a dependency, in the caller's transaction, with its event."""

from __future__ import annotations

from ccp_tui.lifecycle import DEPENDENCIES, Refused, State
from ccp_tui.service.board.moves import SERVICE, Row, record
from ccp_tui.service.context import person
from ccp_tui.store import Store

BEFORE_WORK = (State.PLANNING, State.INBOX, State.ASSIGNED)


def need(store: Store, task: Row, other: Row) -> None:
    """``task`` waits for ``other``. Raises Refused once it is worked on, Conflict for a circle."""
    state = State(task["state"])
    if state not in BEFORE_WORK:
        way = "reopen" if state is State.DONE else "restore" if state is State.CANCELLED else "stop"
        raise Refused("state", f"it is in {state.label}: {way} it first", state, "depend")
    if other["state"] == State.CANCELLED:
        raise Refused(DEPENDENCIES.name, f"{other['ref']} is cancelled: restore it first", state, "depend")
    if store.dependencies.add(task["id"], other["id"]):
        record(store, task, person(), "depends", f"needs {other['ref']} from here on", needs=other["ref"])


def forget(store: Store, task: Row, other: Row) -> None:
    if store.dependencies.remove(task["id"], other["id"]):
        text = f"does not need {other['ref']} any more"
        record(store, task, person(), "depends_no_more", text, needs=other["ref"])


def note_reopened(store: Store, task: Row, reason: str) -> None:
    """What was built on reopened work and is done stays done; its history says that it was."""
    for other in store.dependencies.dependants(task["id"]):
        if other["state"] == State.DONE:
            text = f"builds on {task['ref']}, which was reopened"
            record(store, other, SERVICE, "needs_reopened", text, reason=reason, needs=task["ref"])
