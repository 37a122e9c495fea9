"""Verdicts on a round: what an approval and a rejection do, whoever gives them, in the caller's transaction."""

from __future__ import annotations

from typing import Any

from ccp_tui.lifecycle import Actor, Facts, State, Trigger, fire
from ccp_tui.model import Outcome, Verdict
from ccp_tui.service.board.moves import Row, end_attempt, facts_of, move, record, void_reviews
from ccp_tui.service.execution.prompts import rejected
from ccp_tui.service.sessions.feedback import send_back
from ccp_tui.store import Store

Round = tuple[int, int]  # the numbers of attempt and round that a verdict is for


def standing(store: Store, task: Row) -> tuple[Row, Row]:
    """The open attempt and its current round, which a verdict is about."""
    attempt = store.attempts.of_task(task["id"])
    assert attempt is not None, "a task in Review has an open attempt"
    return attempt, store.rounds.current(attempt["id"])


def approve(
    store: Store, task: Row, actor: Actor, verdict: Round, reason: str, *, note: str = "", **known: Any
) -> None:
    """The approval of one round: the task is done. Raises Refused."""
    text = f"was approved in round {verdict[1]}{note}"
    move(store, task, Trigger.APPROVE, actor, text, reason=reason, verdict_round=verdict, **known)
    _, current = standing(store, task)
    store.rounds.review(current["id"], Verdict.APPROVE, actor.kind.value, actor.name, reason)
    store.rounds.finish(current["id"], "approved")
    end_attempt(store, task["id"], Outcome.DONE)


def reject(
    store: Store, task: Row, actor: Actor, verdict: Round, reason: str, report: str, **known: Any
) -> None:
    """The rejection of one round: the next one begins, and the worker gets the reason. Raises Refused."""
    text = f"was sent back in round {verdict[1]}"
    move(store, task, Trigger.REJECT, actor, text, reason=reason, verdict_round=verdict, **known)
    attempt, current = standing(store, task)
    store.rounds.review(current["id"], Verdict.REJECT, actor.kind.value, actor.name, reason)
    store.rounds.finish(current["id"], "rejected")
    void_reviews(store, attempt["id"])
    number = store.rounds.start(attempt["id"], task["id"])
    send_back(store, attempt, f"reject-{number}", rejected(task, number, reason, report))


def advise(
    store: Store,
    task: Row,
    actor: Actor,
    judgement: Verdict,
    verdict: Round,
    reason: str,
    text: str,
    **known: Any,
) -> None:
    """Records a reviewer's verdict that moves nothing: the person decides. Raises Refused as the move would."""
    trigger = Trigger.APPROVE if judgement is Verdict.APPROVE else Trigger.REJECT
    facts: Facts = facts_of(store, task, reason=reason, verdict_round=verdict, **known)
    fire(State(task["state"]), trigger, actor, facts)
    _, current = standing(store, task)
    store.rounds.review(current["id"], judgement, actor.kind.value, actor.name, reason)
    kind = "review_approved" if judgement is Verdict.APPROVE else "review_rejected"
    record(store, task, actor, kind, text, reason=reason or None)
