"""Moving a task through the lifecycle: the facts, the state and the event, all in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ccp_tui import spec as specs
from ccp_tui.lifecycle import Actor, ActorKind, Facts, Refused, State, Trigger, fire
from ccp_tui.model import HoldKind, MessageStatus, Outcome
from ccp_tui.policy import Auto, Policy, ReviewBy
from ccp_tui.service.context import person
from ccp_tui.service.database import Database
from ccp_tui.store import Store

Row = dict[str, Any]
T = TypeVar("T")

SERVICE = Actor(ActorKind.SERVICE, "ccp")

# What an event of a move is called, in the past tense: the feed tells what happened.
PAST = {
    Trigger.PLAN: "planned",
    Trigger.APPROVE_SPEC: "spec_approved",
    Trigger.DROP_PLAN: "plan_dropped",
    Trigger.ASSIGN: "assigned",
    Trigger.UNASSIGN: "unassigned",
    Trigger.DISPATCH: "dispatched",
    Trigger.SUBMIT: "submitted",
    Trigger.PASS: "checks_passed",
    Trigger.FAIL: "checks_failed",
    Trigger.APPROVE: "approved",
    Trigger.REJECT: "rejected",
    Trigger.STOP: "stopped",
    Trigger.REOPEN: "reopened",
    Trigger.CANCEL: "cancelled",
    Trigger.RESTORE: "restored",
}


def facts_of(store: Store, task: Row, **known: Any) -> Facts:
    """What the database knows of a task for the gates; ``known`` adds what only the caller can know."""
    newest = store.specs.newest(task["id"])
    attempt = store.attempts.of_task(task["id"])
    agent = known.pop("agent", None) or task["agent_id"]
    stands: tuple[int, int] | None = None
    if attempt:
        stands = (attempt["number"], store.rounds.current(attempt["id"])["number"])
    facts = Facts(
        open_questions=len(_planning_questions(store, task)),
        unmet_dependencies=tuple(row["ref"] for row in store.dependencies.unmet(task["id"])),
        stopped=stopped(store),
        title=task["title"],
        spec_problem=_spec_problem(newest),
        spec_approved=bool(newest and newest["approved_at"]),
        agent=agent,
        agent_busy_with=tuple(store.attempts.working(agent)) if agent else (),
        attempt_open=attempt is not None,
        attempt_agent=attempt["agent_id"] if attempt else None,
        round=stands,
    )
    return replace(facts, **known)


def _planning_questions(store: Store, task: Row) -> list[Row]:
    return [row for row in store.questions.open_of_task(task["id"]) if row["kind"] == "planning"]


def stopped(store: Store) -> str:
    """Why nothing may start now, in the words of a gate; empty when the emergency stop is off."""
    emergency = store.emergency()
    return f"everything was stopped by {emergency['by']}: resume it first" if emergency else ""


def policy_facts(policy: Policy, *, auto: bool) -> dict[str, bool]:
    """The facts that a mission's policy decides; ``auto``: whether the task was planned by assumptions."""
    return {
        "policy_approves": auto and policy.auto is Auto.FULL,
        "reviewer_decides": policy.review is ReviewBy.AGENT,
        "reviewer_asked": policy.review is not ReviewBy.PERSON,
    }


def _spec_problem(newest: Row | None) -> str:
    if newest is None:
        return "there is no spec yet: write one"
    return specs.incomplete(newest["deliverables"], newest["success_criteria"])


def move(
    store: Store, task: Row, trigger: Trigger, actor: Actor, text: str, *, reason: str = "", **known: Any
) -> State:
    """Makes one move, or raises Refused and changes nothing.

    A move releases the task's hold; one for a dependency stays until that is settled, whatever the task does.
    """
    facts = facts_of(store, task, reason=reason, **known)
    target = fire(State(task["state"]), trigger, actor, facts)
    store.tasks.move(task["id"], target)
    if task["hold_kind"] != HoldKind.DEPENDENCY or target in (State.DONE, State.CANCELLED):
        store.tasks.hold(task["id"], None)
    if task["queued_at"]:
        store.tasks.edit(task["id"], queued_at=None)
    record(store, task, actor, PAST[trigger], text, reason=reason or None, state=target.value)
    return target


def record(
    store: Store, task: Row, actor: Actor, kind: str, text: str, *, reason: str | None = None, **data: Any
) -> None:
    """An event of a task, with the attempt and round it belongs to."""
    attempt = store.attempts.latest(task["id"])
    round_number = store.rounds.current(attempt["id"])["number"] if attempt else None
    store.events.add(
        actor,
        kind,
        f"{task['ref']} {text}",
        task=task["id"],
        mission=task["mission_id"],
        agent=attempt["agent_id"] if attempt else task["agent_id"],
        attempt=attempt["number"] if attempt else None,
        round=round_number,
        reason=reason,
        data=data,
    )


def end_attempt(store: Store, task: int, outcome: Outcome) -> Row | None:
    """Ends the open attempt, if there is one: its token, its unsent messages and its open questions are void."""
    attempt = store.attempts.of_task(task)
    if attempt:
        round_id = store.rounds.current(attempt["id"])
        if outcome is not Outcome.DONE and round_id["result"] is None:
            store.rounds.finish(round_id["id"], "dropped")
        store.attempts.end(attempt["id"], outcome)
        for key in store.outbox.void(attempt["id"]):
            store.messages.set_status(key, MessageStatus.ERROR)
        for question in store.questions.open_of_task(task):
            if question["kind"] == "report":
                store.questions.gone(question["id"])
        void_reviews(store, attempt["id"])
    return attempt


def void_reviews(store: Store, attempt: int) -> None:
    """Nobody waits for a reviewer of this attempt any more: its token is void, what it was not sent is taken back."""
    for request in store.review_requests.open_of(attempt):
        store.review_requests.end(request["id"], "void")
        for key in store.outbox.void_session(request["session_key"]) if request["session_key"] else ():
            store.messages.set_status(key, MessageStatus.ERROR)


async def decide(db: Database, ref: str, work: Callable[[Store, Row], T]) -> T:
    """What a person decides about a task, in one transaction. A refusal is recorded, and raised."""
    try:
        return await db(lambda store: work(store, store.tasks.by_ref(ref)))
    except Refused as refusal:
        kept = refusal
        await db(lambda store: note_refusal(store, store.tasks.by_ref(ref), person(), kept))
        raise


def note_refusal(store: Store, task: Row, actor: Actor, refusal: Refused) -> None:
    """A refusal is an event too: it names the gate and says how to go on."""
    text = f"{refusal.trigger.replace('_', ' ')} refused: {refusal.reason}"
    record(store, task, actor, "refused", text, gate=refusal.gate, trigger=str(refusal.trigger))
