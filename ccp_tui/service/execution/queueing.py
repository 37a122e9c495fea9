"""Asking for a dispatch: by the person, or by itself where a mission's policy says that what is assigned starts."""

from __future__ import annotations

from ccp_tui import clock, lifecycle
from ccp_tui.lifecycle import Actor, ActorKind, Refused, State, Trigger
from ccp_tui.model import HoldKind
from ccp_tui.policy import Auto, Policy
from ccp_tui.service.board.moves import SERVICE, Row, record
from ccp_tui.store import Store


def queue(store: Store, task: Row, actor: Actor) -> None:
    """Asks for a dispatch, which releases a hold, unless that is for a dependency.

    Raises Refused unless the task is assigned, and when it needs a task that was cancelled.
    """
    if task["state"] != State.ASSIGNED:  # the machine has the words for it
        lifecycle.fire(State(task["state"]), Trigger.DISPATCH, SERVICE, lifecycle.Facts())
    if task["hold_kind"] == HoldKind.DEPENDENCY and actor.kind is ActorKind.PERSON:
        reason = f"{task['hold_reason']}. {task['hold_release']}"
        raise Refused(lifecycle.DEPENDENCIES.name, reason, State.ASSIGNED, Trigger.DISPATCH)
    if task["hold_kind"] != HoldKind.DEPENDENCY:
        store.tasks.hold(task["id"], None)
    if not task["queued_at"]:
        store.tasks.edit(task["id"], queued_at=clock.now())
        record(store, task, actor, "dispatch_asked", f"is to be dispatched to {task['agent_id']}")


def queue_if_auto(store: Store, task: Row, policy: Policy) -> bool:
    """Queues a task that was just assigned, in the transaction that assigned it, unless the policy says off.

    ``task`` may have been read before it was moved. Whether it was queued now.
    """
    now = store.tasks.get(task["id"])
    if policy.auto is Auto.OFF or now["state"] != State.ASSIGNED or now["queued_at"]:
        return False
    queue(store, now, SERVICE)
    return True
