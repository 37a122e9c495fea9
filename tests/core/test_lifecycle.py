"""The state machine against the table of the architecture; who may do what; and what each gate says."""

from __future__ import annotations

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from ccp_tui import lifecycle
from ccp_tui.lifecycle import (
    TABLE,
    TEMPORARY,
    Actor,
    ActorKind,
    Facts,
    Refused,
    State,
    Trigger,
    capture,
    diagram,
    fire,
    moves_from,
    trigger_between,
)
from tests.core.table import ACTORS, EXPECTED, OPEN, WORKER, P, R, S, W, rows_for
from tests.house.tree import ROOT


def test_the_machine_is_the_table() -> None:
    made = [
        (
            move.source.value,
            move.trigger.value,
            move.target.value,
            move.actors,
            tuple(gate.name for gate in move.gates),
            move.when is not None,
        )
        for move in TABLE
    ]
    assert sorted(map(str, made)) == sorted(str(tuple(row)) for row in EXPECTED)
    assert len(made) == len(set(made))


def test_the_columns_stand_in_their_order() -> None:
    assert [state.label for state in State] == [
        "Planning",
        "Inbox",
        "Assigned",
        "In Progress",
        "Testing",
        "Review",
        "Done",
        "Cancelled",
    ]


@pytest.mark.parametrize("kind", ActorKind)
@pytest.mark.parametrize("state", State)
def test_every_trigger_from_every_state_by_every_actor(state: State, kind: ActorKind) -> None:
    """With every gate open, exactly the table's moves are made, and only by those it names."""
    for trigger in Trigger:
        rows = rows_for(state, trigger)
        if rows and kind in rows[0].actors:
            assert fire(state, trigger, ACTORS[kind], OPEN).value == rows[0].target
            continue
        with pytest.raises(Refused) as refused:
            fire(state, trigger, ACTORS[kind], OPEN)
        assert refused.value.gate == ("actor" if rows else "state")
        assert (refused.value.state, refused.value.trigger) == (state, trigger)
        assert str(refused.value) == refused.value.reason


CLOSED: dict[str, tuple[dict[str, Any], str]] = {
    "spec_complete": ({"spec_problem": "the spec names no deliverable"}, "the spec names no deliverable"),
    "spec_approved": ({"spec_approved": False}, "its spec is not approved yet"),
    "agent": ({"agent": None}, "choose an agent"),
    "questions_answered": ({"open_questions": 2}, "2 planning questions are open"),
    "dependencies_done": ({"unmet_dependencies": ("WEB-1", "WEB-2")}, "it waits for WEB-1, WEB-2"),
    "not_stopped": ({"stopped": "everything was stopped by me"}, "everything was stopped by me"),
    "limit": ({"limit_problem": "4 tasks run already"}, "4 tasks run already"),
    "policy": (
        {"policy_approves": False, "reviewer_decides": False, "reviewer_asked": False},
        "the mission's policy",
    ),
    "evidence": ({"evidence_problem": "a.md changed since"}, "a.md changed since"),
    "budget_left": ({"budget_problem": "the budget is used up"}, "the budget is used up"),
    "gateway_connected": ({"gateway_problem": "the gateway is away"}, "the gateway is away"),
    "agent_free": ({"agent_busy_with": ("WEB-3",)}, "ann is working on WEB-3"),
    "own_attempt": ({"attempt_agent": "bob"}, "the attempt belongs to bob"),
    "deliverables_present": ({"deliverables_problem": "report.md is missing"}, "report.md is missing"),
    "checks_passed": ({"checks_problem": "1 of 2 checks failed"}, "1 of 2 checks failed"),
    "not_the_worker": ({"attempt_agent": "rita"}, "the worker can't review its own work"),
    "this_round": ({"verdict_round": (2, 2)}, "the verdict is for attempt 2, round 2"),
    "reason": ({"reason": " \n"}, "say why"),
}
GATED = [
    pytest.param(row.source, row.trigger, gate, id=f"{row.source}-{row.trigger}-{gate}")
    for row in EXPECTED
    for gate in row.gates
    if not row.only_with_agent
]


@pytest.mark.parametrize(("source", "trigger", "gate"), GATED)
def test_each_gate_refuses_by_its_name_and_with_words(source: str, trigger: str, gate: str) -> None:
    changes, words = CLOSED[gate]
    kind = rows_for(State(source), Trigger(trigger))[0].actors[-1]
    with pytest.raises(Refused) as refused:
        fire(State(source), Trigger(trigger), ACTORS[kind], replace(OPEN, **changes))
    assert refused.value.gate == gate
    assert words in refused.value.reason


def test_every_gate_of_the_table_was_closed_once() -> None:
    assert {gate for row in EXPECTED for gate in row.gates} == set(CLOSED)


@pytest.mark.parametrize(("agent", "target"), [(WORKER, State.ASSIGNED), (None, State.INBOX)])
def test_an_approved_plan_goes_on_with_its_agent_or_waits_for_one(agent: str | None, target: State) -> None:
    facts = replace(OPEN, agent=agent)
    assert fire(State.PLANNING, Trigger.APPROVE_SPEC, ACTORS[P], facts) is target
    for gate, change in (
        ("policy", {"policy_approves": False}),
        ("questions_answered", {"open_questions": 1}),
        ("spec_complete", {"spec_problem": "no"}),
    ):
        with pytest.raises(Refused) as refused:
            fire(State.PLANNING, Trigger.APPROVE_SPEC, ACTORS[S], replace(facts, **change))
        assert refused.value.gate == gate


def test_capture_takes_a_title_and_is_not_for_a_reviewer() -> None:
    for kind in (P, S, W):
        assert capture(Facts(title="Build it"), ACTORS[kind]) is State.INBOX
    with pytest.raises(Refused) as refused:
        capture(Facts(title="  "), ACTORS[P])
    assert (refused.value.gate, refused.value.reason) == ("title", "give it a title")
    assert (refused.value.state, refused.value.trigger) == (State.INBOX, "capture")
    with pytest.raises(Refused) as refused:
        capture(Facts(title="Build it"), ACTORS[R])
    assert (refused.value.gate, refused.value.trigger) == ("actor", "capture")


def test_facts_that_nobody_gathered_open_no_way_to_done() -> None:
    for trigger, kind in ((Trigger.ASSIGN, P), (Trigger.APPROVE_SPEC, P)):
        with pytest.raises(Refused):
            fire(State.INBOX, trigger, ACTORS[kind], Facts())
    for state, trigger, kind in (
        (State.ASSIGNED, Trigger.DISPATCH, S),
        (State.IN_PROGRESS, Trigger.SUBMIT, W),
        (State.TESTING, Trigger.PASS, S),
        (State.REVIEW, Trigger.APPROVE, P),
        (State.REVIEW, Trigger.APPROVE, R),
        (State.REVIEW, Trigger.REJECT, P),
    ):
        with pytest.raises(Refused):
            fire(state, trigger, ACTORS[kind], Facts())


@pytest.mark.parametrize(
    ("name", "worker"), [("ann", "ann"), ("", "ann"), ("  ", "ann"), ("rita", None), ("rita", "")]
)
def test_a_reviewer_of_unknown_provenance_is_taken_for_the_worker(name: str, worker: str | None) -> None:
    """Who can't be told from the round's worker does not review it."""
    for trigger in (Trigger.APPROVE, Trigger.REJECT):
        with pytest.raises(Refused) as refused:
            fire(State.REVIEW, trigger, Actor(R, name), replace(OPEN, attempt_agent=worker))
        assert refused.value.gate == "not_the_worker"
        assert fire(State.REVIEW, trigger, ACTORS[P], replace(OPEN, attempt_agent=worker))


@pytest.mark.parametrize("trigger", [Trigger.APPROVE, Trigger.REJECT])
def test_a_verdict_counts_for_its_own_round_only(trigger: Trigger) -> None:
    for seen in (None, (2, 2), (1, 3), (3, 2), (2, 4)):
        with pytest.raises(Refused) as refused:
            fire(State.REVIEW, trigger, ACTORS[P], replace(OPEN, verdict_round=seen))
        assert refused.value.gate == "this_round"
        assert "attempt 2, round 3 stands" in refused.value.reason
    with pytest.raises(Refused, match="nothing was submitted"):
        fire(State.REVIEW, trigger, ACTORS[P], replace(OPEN, round=None, verdict_round=None))


def test_a_report_counts_for_its_own_open_attempt_only() -> None:
    for facts, words in (
        (replace(OPEN, attempt_open=False), "the attempt has ended"),
        (replace(OPEN, attempt_agent="bob"), "the attempt belongs to bob"),
        (replace(OPEN, attempt_agent=None), "the attempt belongs to nobody"),
    ):
        with pytest.raises(Refused, match=words) as refused:
            fire(State.IN_PROGRESS, Trigger.SUBMIT, ACTORS[W], facts)
        assert refused.value.gate == "own_attempt"


def test_an_agents_limit_counts_what_it_works_on() -> None:
    busy = replace(OPEN, agent_busy_with=("WEB-1", "WEB-2"))
    assert fire(State.ASSIGNED, Trigger.DISPATCH, ACTORS[S], replace(busy, agent_limit=3))
    with pytest.raises(Refused, match="ann is working on WEB-1, WEB-2"):
        fire(State.ASSIGNED, Trigger.DISPATCH, ACTORS[S], replace(busy, agent_limit=2))


def test_what_the_policy_leaves_to_the_person_the_person_does() -> None:
    """The policy's gates are for the service and the reviewer; a person passes them."""
    strict = replace(OPEN, policy_approves=False, reviewer_decides=False, reviewer_asked=False)
    assert fire(State.PLANNING, Trigger.APPROVE_SPEC, ACTORS[P], strict) is State.ASSIGNED
    assert fire(State.REVIEW, Trigger.APPROVE, ACTORS[P], strict) is State.DONE
    assert fire(State.REVIEW, Trigger.REJECT, ACTORS[P], strict) is State.IN_PROGRESS


def test_a_reviewer_before_the_person_sends_back_but_does_not_approve() -> None:
    both = replace(OPEN, reviewer_decides=False, reviewer_asked=True)
    assert fire(State.REVIEW, Trigger.REJECT, ACTORS[R], both) is State.IN_PROGRESS
    with pytest.raises(Refused, match="leaves the approval to the person") as refused:
        fire(State.REVIEW, Trigger.APPROVE, ACTORS[R], both)
    assert refused.value.gate == "policy"


def test_a_worker_is_told_what_to_do_about_work_that_was_reopened_under_it() -> None:
    facts = replace(OPEN, unmet_dependencies=("WEB-1",))
    with pytest.raises(Refused, match="it waits for WEB-1: stop working, you are told here") as refused:
        fire(State.IN_PROGRESS, Trigger.SUBMIT, ACTORS[W], facts)
    assert refused.value.gate == "dependencies_done"


def test_only_gates_that_open_by_themselves_are_waited_for() -> None:
    """A budget is none: only the person opens it."""
    assert {"dependencies_done", "not_stopped", "gateway_connected", "limit", "agent_free"} == TEMPORARY


def test_a_refused_move_says_what_can_be_done_from_here() -> None:
    with pytest.raises(Refused, match="no approve from In Progress; from here: submit, stop, cancel"):
        fire(State.IN_PROGRESS, Trigger.APPROVE, ACTORS[P], OPEN)
    with pytest.raises(Refused, match="submit is for the worker"):
        fire(State.IN_PROGRESS, Trigger.SUBMIT, ACTORS[P], OPEN)
    with pytest.raises(Refused, match="approve is for the person or reviewer"):
        fire(State.REVIEW, Trigger.APPROVE, ACTORS[W], OPEN)


def _reachable(start: str) -> set[str]:
    seen, edge = {start}, [start]
    while edge:
        here = edge.pop()
        new = {row.target for row in EXPECTED if row.source == here} - seen
        seen |= new
        edge += new
    return seen


@pytest.mark.parametrize("state", State)
def test_no_state_is_a_dead_end(state: State) -> None:
    """From everywhere a task can be done and can be cancelled, and what is over can begin again."""
    assert moves_from(state)
    assert _reachable(state.value) == {one.value for one in State}


def test_a_person_has_a_way_on_from_every_state() -> None:
    for state in State:
        assert moves_from(state, P), state
    assert [m.trigger for m in moves_from(State.DONE)] == [Trigger.REOPEN]
    assert [m.trigger for m in moves_from(State.CANCELLED)] == [Trigger.RESTORE]
    assert {m.trigger for m in moves_from(State.TESTING, S)} == {Trigger.PASS, Trigger.FAIL}
    assert moves_from(State.DONE, R) == []


def test_only_review_leads_to_done() -> None:
    assert [(m.source, m.trigger) for m in TABLE if m.target is State.DONE] == [
        (State.REVIEW, Trigger.APPROVE)
    ]


UNPROVEN: dict[str, dict[str, Any]] = {
    "nothing submitted": {"round": None, "verdict_round": None},
    "no verdict": {"verdict_round": None},
    "a verdict of an old round": {"verdict_round": (2, 2)},
    "a verdict of an old attempt": {"verdict_round": (1, 3)},
    "a verdict of a round to come": {"verdict_round": (2, 4)},
    "what it builds on is not done": {"unmet_dependencies": ("WEB-1",)},
    "files that changed since": {"evidence_problem": "a.md changed"},
}


@pytest.mark.parametrize("kind", ActorKind)
@pytest.mark.parametrize("state", State)
def test_no_state_and_no_actor_gets_to_done_without_evidence_of_this_round(
    state: State, kind: ActorKind
) -> None:
    for flaw, changes in UNPROVEN.items():
        assert _reached_by(state, ACTORS[kind], replace(OPEN, **changes)).isdisjoint({State.DONE}), flaw
    proven = State.DONE in _reached_by(state, ACTORS[kind], OPEN)
    assert proven == (state is State.REVIEW and kind in (P, R))


def _reached_by(state: State, actor: Actor, facts: Facts) -> set[State]:
    reached = set()
    for trigger in Trigger:
        with contextlib.suppress(Refused):
            reached.add(fire(state, trigger, actor, facts))
    return reached


BETWEEN = {
    "planning": {"inbox": "drop_plan", "assigned": "approve_spec", "cancelled": "cancel"},
    "inbox": {"planning": "plan", "assigned": "assign", "cancelled": "cancel"},
    "assigned": {"inbox": "unassign", "in_progress": "dispatch", "cancelled": "cancel"},
    "in_progress": {"assigned": "stop", "testing": "submit", "cancelled": "cancel"},
    "testing": {"assigned": "stop", "in_progress": "fail", "review": "pass", "cancelled": "cancel"},
    "review": {"assigned": "stop", "in_progress": "reject", "done": "approve", "cancelled": "cancel"},
    "done": {"assigned": "reopen"},
    "cancelled": {"inbox": "restore"},
}


@pytest.mark.parametrize("source", State)
def test_a_column_move_is_one_trigger_or_none(source: State) -> None:
    found = {target.value: trigger_between(source, target) for target in State}
    assert {target: trigger for target, trigger in found.items() if trigger} == BETWEEN[source.value]


def test_the_diagram_shows_every_move_and_is_in_the_readme() -> None:
    assert diagram() == diagram()
    lines = diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> inbox : capture"]
    drawn = [re.fullmatch(r"    (\w+) --> (\w+) : (.+)", line) for line in lines[2:]]
    edges = {
        (found[1], word.replace(" ", "_"), found[2])
        for found in drawn
        if found
        for word in found[3].split(", ")
    }
    assert all(drawn)
    assert len(drawn) == len({(found[1], found[2]) for found in drawn if found})
    assert edges == {(row.source, row.trigger, row.target) for row in EXPECTED}
    assert diagram() in (ROOT / "README.md").read_text("utf-8")


def test_the_machine_keeps_nothing_of_a_question() -> None:
    for _ in range(3):
        fire(State.INBOX, Trigger.PLAN, ACTORS[P], OPEN)
        with pytest.raises(Refused):
            fire(State.INBOX, Trigger.ASSIGN, ACTORS[P], Facts())
    assert lifecycle._MACHINE.models == []


def test_questions_from_several_threads_do_not_mix() -> None:
    def ask(number: int) -> State | str:
        try:
            return fire(State.REVIEW, Trigger.APPROVE, ACTORS[P], replace(OPEN, verdict_round=(2, number)))
        except Refused as refusal:
            return refusal.gate

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, [3, 4] * 200))
    assert answers == [State.DONE, "this_round"] * 200
