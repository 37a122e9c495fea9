"""What the verbs of a worker's report share: who reports, and that the attempt still takes reports."""

from __future__ import annotations

from typing import Any

from ccp_tui.lifecycle import Actor, ActorKind, Refused, State, Trigger
from ccp_tui.service.door.errors import not_allowed
from ccp_tui.store import Store

Row = dict[str, Any]

LONGEST_WORDS = 4_000  # characters that are kept of what an agent says in a report


def worker(attempt: Row) -> Actor:
    return Actor(ActorKind.WORKER, attempt["agent_id"])


def at_work(store: Store, attempt: Row) -> Row:
    """The task of an attempt that is worked on now. Raises a refusal in words when it is not."""
    if store.attempts.get(attempt["id"])["ended_at"]:
        raise not_allowed("this attempt has ended: stop working on the task, nothing more is taken from you")
    task = store.tasks.get(attempt["task_id"])
    if task["state"] != State.IN_PROGRESS:
        state = State(task["state"])
        words = f"the task is in {state.label}: stop working, you are told here if it comes back"
        raise Refused("state", words, state, Trigger.SUBMIT)
    return task
