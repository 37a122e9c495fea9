"""Asking for a dispatch: by the person, or by itself where a mission's policy says that what is assigned starts."""

from __future__ import annotations

from ccp_tui import clock, lifecycle
from ccp_tui.lifecycle import Actor, ActorKind, Refused, State, Trigger
from ccp_tui.model import HoldKind
from ccp_tui.policy import Auto, Policy
from ccp_tui.service.board.moves import PAST, SERVICE, Row, record
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


def queue_assigned(store: Store, mission: int, policy: Policy) -> None:
    """A policy was changed to starting by itself: what was assigned before is queued.

    What a person stopped stays so until it is assigned or asked for anew, and a hold stays what it is.
    """
    for task in store.tasks.in_states(State.ASSIGNED):
        held = task["hold_kind"] not in (None, HoldKind.DEPENDENCY)
        if task["mission_id"] == mission and not held and not _was_stopped(store, task):
            queue_if_auto(store, task, policy)


def _was_stopped(store: Store, task: Row) -> bool:
    """Whether a task is assigned because it was stopped, and for nothing that came after."""
    stopped, assigned = (
        store.events.page({"task": task["ref"], "kind": kind}, limit=1)
        for kind in (PAST[Trigger.STOP], PAST[Trigger.ASSIGN])
    )
    return bool(stopped) and (not assigned or assigned[-1]["id"] < stopped[-1]["id"])
