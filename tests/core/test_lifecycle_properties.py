"""Whatever anybody does in whatever order: Done is earned, refusals change nothing, and there is always a way on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ccp_tui.lifecycle import Actor, ActorKind, Facts, Refused, State, Trigger, fire
from ccp_tui.model import Hold, HoldKind
from ccp_tui.paths import Home
from ccp_tui.store import Store
from tests.core.board import FLAWS, Board, World, outcome, spec
from tests.core.table import EXPECTED, Row, rows_for


def examples(number: int) -> settings:
    return settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck))


@contextmanager
def temporary_store() -> Iterator[Store]:
    folder = Path(tempfile.mkdtemp(prefix="ccp-"))
    home = Home(folder).prepare()
    store = Store(home.database, home.backups)
    try:
        yield store
    finally:
        store.close()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with temporary_store() as opened:
        yield opened


# Pure sequences: the machine alone, with facts of any kind.

ROUNDS = st.none() | st.tuples(st.integers(1, 2), st.integers(1, 2))
PROBLEM = st.sampled_from(["", "", "no"])
FACTS = st.builds(
    Facts,
    title=st.sampled_from(["", "Build it"]),
    spec_problem=PROBLEM,
    spec_approved=st.booleans(),
    agent=st.sampled_from([None, "ann"]),
    open_questions=st.integers(0, 1),
    unmet_dependencies=st.sampled_from([(), (), ("WEB-1",)]),
    agent_busy_with=st.sampled_from([(), ("WEB-2",), ("WEB-2", "WEB-3")]),
    agent_limit=st.integers(1, 2),
    gateway_problem=PROBLEM,
    budget_problem=PROBLEM,
    limit_problem=PROBLEM,
    stopped=PROBLEM,
    evidence_problem=PROBLEM,
    policy_approves=st.booleans(),
    reviewer_decides=st.booleans(),
    reviewer_asked=st.booleans(),
    attempt_open=st.booleans(),
    attempt_agent=st.sampled_from([None, "ann", "bob"]),
    deliverables_problem=PROBLEM,
    checks_problem=PROBLEM,
    round=ROUNDS,
    verdict_round=ROUNDS,
    reason=st.sampled_from(["", "  ", "because"]),
)
ANYBODY = st.builds(Actor, st.sampled_from(ActorKind), st.sampled_from(["ann", "bob", "rita", ""]))


def policy_holds(trigger: Trigger, facts: Facts, actor: Actor) -> bool:
    """What is not the person's goes by the policy: a spec, an approval, a rejection."""
    allowed = {
        Trigger.APPROVE_SPEC: facts.policy_approves,
        Trigger.APPROVE: facts.reviewer_decides,
        Trigger.REJECT: facts.reviewer_asked,
    }
    return actor.kind is ActorKind.PERSON or allowed.get(trigger, True)


def holds(gate: str, trigger: Trigger, facts: Facts, actor: Actor) -> bool:
    """Each gate once more, in other words than the machine's."""
    stranger = actor.name not in ("", facts.attempt_agent) and facts.attempt_agent is not None
    return {
        "spec_complete": facts.spec_problem == "",
        "spec_approved": facts.spec_approved,
        "agent": facts.agent is not None,
        "questions_answered": facts.open_questions == 0,
        "dependencies_done": facts.unmet_dependencies == (),
        "budget_left": facts.budget_problem == "",
        "gateway_connected": facts.gateway_problem == "",
        "agent_free": facts.agent_limit > len(facts.agent_busy_with),
        "not_stopped": facts.stopped == "",
        "limit": facts.limit_problem == "",
        "policy": policy_holds(trigger, facts, actor),
        "evidence": facts.evidence_problem == "",
        "own_attempt": facts.attempt_open and facts.attempt_agent == actor.name,
        "deliverables_present": facts.deliverables_problem == "",
        "checks_passed": facts.checks_problem == "",
        "not_the_worker": actor.kind is ActorKind.PERSON or stranger,
        "this_round": facts.round is not None and facts.round == facts.verdict_round,
        "reason": facts.reason == "because",
    }[gate]


def expected(state: State, trigger: Trigger, actor: Actor, facts: Facts) -> tuple[str, str]:
    """("to", state) or ("gate", name), by the table that is written out."""
    rows = rows_for(state, trigger)
    if not rows:
        return "gate", "state"
    if actor.kind not in rows[0].actors:
        return "gate", "actor"
    row = next(row for row in rows if facts.agent or not row.only_with_agent)
    closed = [gate for gate in row.gates if not holds(gate, trigger, facts, actor)]
    return ("gate", closed[0]) if closed else ("to", row.target)


@examples(150)
@given(st.lists(st.tuples(st.sampled_from(Trigger), ANYBODY, FACTS), min_size=1, max_size=25))
def test_any_sequence_goes_by_the_table(steps: list[tuple[Trigger, Actor, Facts]]) -> None:
    state = State.INBOX
    for trigger, actor, facts in steps:
        foreseen = expected(state, trigger, actor, facts)
        came = fired(state, trigger, actor, facts)
        if isinstance(came, State):
            assert ("to", came.value) == foreseen
            state = came
        else:
            assert ("gate", came.gate) == foreseen
            assert came.reason.strip()
            assert came.state is state


def fired(state: State, trigger: Trigger, actor: Actor, facts: Facts) -> State | Refused:
    try:
        return fire(state, trigger, actor, facts)
    except Refused as refusal:
        return refusal


@examples(300)
@given(st.sampled_from(EXPECTED), st.booleans(), ANYBODY, FACTS)
def test_any_move_goes_by_the_table(row: Row, fitting: bool, actor: Actor, facts: Facts) -> None:
    """From every state, with facts of any kind: what sequences from Inbox seldom come to."""
    by = replace(actor, kind=row.actors[-1]) if fitting else actor
    came = fired(State(row.source), Trigger(row.trigger), by, facts)
    made = ("to", came.value) if isinstance(came, State) else ("gate", came.gate)
    assert made == expected(State(row.source), Trigger(row.trigger), by, facts)


# Sequences over the real store.

SPECS = st.builds(spec, st.integers(0, 2), st.integers(0, 1), st.integers(0, 2), st.integers(0, 3))
WORLDS = st.builds(
    World,
    agent=st.sampled_from([None, "ann", "bob"]),
    reason=st.sampled_from(["", "because"]),
    gateway_problem=st.sampled_from(["", "", "", "away"]),
    budget_problem=st.sampled_from(["", "", "", "used up"]),
    unmet_dependencies=st.sampled_from([(), (), (), ("WEB-1",)]),
    limit_problem=st.sampled_from(["", "", "", "full"]),
    stopped=st.sampled_from(["", "", "", "stopped"]),
    evidence_problem=st.sampled_from(["", "", "", "changed"]),
    policy_approves=st.booleans(),
    reviewer_decides=st.booleans(),
    reviewer_asked=st.booleans(),
    open_questions=st.sampled_from([0, 0, 1]),
    agent_limit=st.sampled_from([1, 1, 1, 0]),
    exit_codes=st.lists(st.sampled_from([0, 0, 1]), max_size=2).map(tuple),
)
# A verdict is for the round that stands, or for one beside it.
FLAW = st.sampled_from(("",) * 12 + FLAWS)
OFFSETS = st.sampled_from([(0, 0), (0, 0), (0, -1), (-1, 0), (1, 0), None])
NAMES = st.sampled_from(["me", "ann", "bob", "rita", ""])


def placed(board: Board, world: World, offset: tuple[int, int] | None) -> World:
    """The world with this board's own names and rounds in it."""
    agent = {"ann": board.ann, "bob": board.bob}.get(world.agent or "")
    here = board.standing
    verdict = (here[0] + offset[0], here[1] + offset[1]) if here and offset else None
    return replace(world, agent=agent, verdict=verdict)


def named(board: Board, kind: ActorKind, name: str) -> Actor:
    return Actor(kind, {"ann": board.ann, "bob": board.bob}.get(name, name))


def step(board: Board, trigger: Trigger, actor: Actor, world: World) -> None:
    """One move, held against everything that must be true of it."""
    before, source = board.everything(), board.state
    came = outcome(board, trigger, actor, world)
    if isinstance(came, Refused):
        assert came.gate
        assert came.reason.strip()
        assert (came.state, came.trigger) == (source, trigger)
        assert board.everything() == before
        return
    assert any(row.target == came and actor.kind in row.actors for row in rows_for(source, trigger))
    assert board.state is came
    assert board.everything()[-1][0] == before[-1][0] + 1, "a move and its event are one"
    if trigger is Trigger.APPROVE and actor.kind is not ActorKind.PERSON:
        assert actor.name != board.evidence.worker[max(board.evidence.worker)]
        assert world.reviewer_decides
    if trigger is Trigger.APPROVE_SPEC and actor.kind is ActorKind.SERVICE:
        assert world.policy_approves
    if trigger in (Trigger.APPROVE, Trigger.SUBMIT, Trigger.DISPATCH):
        assert world.unmet_dependencies == ()


class Life(RuleBasedStateMachine):
    """People, agents and the service at work on one task, in any order, with anything going wrong."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.board = Board(self.store)

    @precondition(lambda self: self.board.state in (State.INBOX, State.PLANNING))
    @rule(new=SPECS)
    def write_spec(self, new: Any) -> None:
        self.board.write_spec(new)

    @precondition(lambda self: self.board.state is State.IN_PROGRESS)
    @rule(number=st.integers(0, 2))
    def deliver(self, number: int) -> None:
        self.board.deliver(f"file-{number}.txt")

    @rule(kind=st.sampled_from(HoldKind), on=st.booleans())
    def hold(self, kind: HoldKind, on: bool) -> None:
        """A hold never changes the state, and a move releases it."""
        board, hold = self.board, Hold(kind, "it waits", "Wait.") if on else None
        before = board.state
        self.store.transaction(lambda store: store.tasks.hold(board.task, hold))
        assert board.state is before

    @rule(
        trigger=st.sampled_from(Trigger),
        kind=st.sampled_from(ActorKind),
        name=NAMES,
        world=WORLDS,
        offset=OFFSETS,
    )
    def anything(self, trigger: Trigger, kind: ActorKind, name: str, world: World, offset: Any) -> None:
        step(self.board, trigger, named(self.board, kind, name), placed(self.board, world, offset))

    @rule(flaw=FLAW)
    def onward(self, flaw: str) -> None:
        """The next step to Done, with at most one thing wrong: so that runs get there."""
        step(self.board, *self.board.next_move(flaw))

    @rule(flaw=FLAW, more=FLAW)
    def onward_twice(self, flaw: str, more: str) -> None:
        self.onward(flaw)
        self.done_is_earned()
        self.onward(more)

    @invariant()
    def done_is_earned(self) -> None:
        if self.board.state is State.DONE:
            assert self.board.why_not_proven() == ""

    @invariant()
    def an_attempt_is_open_exactly_while_it_is_worked_on(self) -> None:
        working = self.board.state in (State.IN_PROGRESS, State.TESTING, State.REVIEW)
        assert (self.board.standing is not None) == working

    def teardown(self) -> None:
        """Wherever the run ended, there is a way to Done from there."""
        finish(self.board)


def finish(board: Board) -> None:
    while board.state is not State.DONE:
        before = board.everything()
        step(board, *board.next_move())
        assert board.everything() != before, f"{board.state} is a dead end"
    assert board.why_not_proven() == ""


class TestLife(Life.TestCase):  # type: ignore[valid-type,misc]
    settings = settings(examples(40), stateful_step_count=30)

    @classmethod
    def setUpClass(cls) -> None:
        cls.kept = temporary_store()
        Life.store = cls.kept.__enter__()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.kept.__exit__(None, None, None)


STRAY = st.tuples(st.sampled_from(Trigger), st.sampled_from(ActorKind), NAMES, WORLDS, OFFSETS)


@examples(30)
@given(st.lists(FLAW | FLAW | STRAY, min_size=8, max_size=40))
def test_no_sequence_reaches_done_unearned(store: Store, steps: list[Any]) -> None:
    """Plain sequences: steps on the way to Done, some of them flawed, and stray moves in between."""
    board = Board(store)
    for one in steps:
        if isinstance(one, str):
            step(board, *board.next_move(one))
        else:
            trigger, kind, name, world, offset = one
            step(board, trigger, named(board, kind, name), placed(board, world, offset))
        assert board.state is not State.DONE or board.why_not_proven() == ""
    finish(board)


def test_an_approval_does_not_outlive_its_round(store: Store) -> None:
    """Reopened work is done again before it counts: the old approval, files and checks are the old attempt's."""
    board = Board(store)
    finish(board)
    first = board.evidence.works_to.copy()
    board.fire(Trigger.REOPEN, Actor(ActorKind.PERSON, "me"), World(reason="one thing is missing"))
    board.fire(Trigger.DISPATCH, Actor(ActorKind.SERVICE, "ccp"), World())
    assert board.evidence.works_to.keys() - first.keys() == {2}
    worker, person = Actor(ActorKind.WORKER, board.ann), Actor(ActorKind.PERSON, "me")
    refused = outcome(board, Trigger.SUBMIT, worker, World())
    assert isinstance(refused, Refused)
    assert refused.gate == "deliverables_present"
    for path in ("file-0.txt", "file-1.txt"):
        board.deliver(path)
    board.fire(Trigger.SUBMIT, worker, World())
    failed = outcome(board, Trigger.PASS, Actor(ActorKind.SERVICE, "ccp"), World(exit_codes=(0, 1)))
    assert isinstance(failed, Refused)
    assert failed.gate == "checks_passed"
    board.fire(Trigger.PASS, Actor(ActorKind.SERVICE, "ccp"), World())
    stale = outcome(board, Trigger.APPROVE, person, World(verdict=(1, 1)))
    assert isinstance(stale, Refused)
    assert stale.gate == "this_round"
    assert board.fire(Trigger.APPROVE, person, World(verdict=(2, 1))) is State.DONE
    assert board.why_not_proven() == ""
