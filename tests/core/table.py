"""The state table of the architecture, written out: what the machine, the database and the README must agree with."""

from __future__ import annotations

from typing import NamedTuple

from ccp_tui.lifecycle import Actor, ActorKind, Facts, State, Trigger

P, S, W, R = ActorKind.PERSON, ActorKind.SERVICE, ActorKind.WORKER, ActorKind.REVIEWER


class Row(NamedTuple):
    """One move: who may make it, and its gates in the order in which they are asked."""

    source: str
    trigger: str
    target: str
    actors: tuple[ActorKind, ...]
    gates: tuple[str, ...] = ()
    only_with_agent: bool = False


SPEC = ("policy", "questions_answered", "spec_complete")
START = ("dependencies_done", "budget_left", "not_stopped", "gateway_connected", "limit", "agent_free")
SUBMISSION = ("own_attempt", "dependencies_done", "deliverables_present")
APPROVAL = ("not_the_worker", "policy", "this_round", "dependencies_done", "evidence")
REJECTION = ("not_the_worker", "policy", "this_round", "reason")
EXPECTED = (
    Row("inbox", "plan", "planning", (P,)),
    Row("inbox", "approve_spec", "inbox", (P, S), ("policy", "spec_complete")),
    Row("planning", "approve_spec", "assigned", (P, S), SPEC, only_with_agent=True),
    Row("planning", "approve_spec", "inbox", (P, S), SPEC),
    Row("planning", "drop_plan", "inbox", (P,)),
    Row("inbox", "assign", "assigned", (P, S), ("spec_approved", "agent")),
    Row("assigned", "unassign", "inbox", (P,)),
    Row("assigned", "dispatch", "in_progress", (S,), START),
    Row("in_progress", "submit", "testing", (W,), SUBMISSION),
    Row("testing", "pass", "review", (S,), ("checks_passed",)),
    Row("testing", "fail", "in_progress", (S,)),
    Row("review", "approve", "done", (P, R), APPROVAL),
    Row("review", "reject", "in_progress", (P, R), REJECTION),
    Row("in_progress", "stop", "assigned", (P,)),
    Row("testing", "stop", "assigned", (P,)),
    Row("review", "stop", "assigned", (P,)),
    Row("done", "reopen", "assigned", (P,), ("reason",)),
    Row("planning", "cancel", "cancelled", (P,)),
    Row("inbox", "cancel", "cancelled", (P,)),
    Row("assigned", "cancel", "cancelled", (P,)),
    Row("in_progress", "cancel", "cancelled", (P,)),
    Row("testing", "cancel", "cancelled", (P,)),
    Row("review", "cancel", "cancelled", (P,)),
    Row("cancelled", "restore", "inbox", (P,)),
)

WORKER = "ann"
ACTORS = {P: Actor(P, "me"), S: Actor(S, "ccp"), W: Actor(W, WORKER), R: Actor(R, "rita")}

# Facts with which every gate holds.
OPEN = Facts(
    title="Build it",
    spec_problem="",
    spec_approved=True,
    agent=WORKER,
    gateway_problem="",
    policy_approves=True,
    reviewer_decides=True,
    reviewer_asked=True,
    attempt_open=True,
    attempt_agent=WORKER,
    deliverables_problem="",
    checks_problem="",
    round=(2, 3),
    verdict_round=(2, 3),
    reason="because",
)


def rows_for(state: State, trigger: Trigger) -> list[Row]:
    return [row for row in EXPECTED if (row.source, row.trigger) == (state.value, trigger.value)]
