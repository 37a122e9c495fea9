"""The task state machine: which moves exist, who may make them, and which gates must hold. Pure: no I/O.

Every surface (a key, the command line, an agent's report, the engine) asks :func:`fire`. The caller gathers
:class:`Facts` in the same database transaction in which it writes the new state, so that what a gate saw is what
is true. A refusal is a :class:`Refused` that names its gate and says in words how to go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from transitions import EventData, Machine, MachineError


class State(StrEnum):
    """The columns of the board, in their order; cancelled is hidden until asked for."""

    PLANNING = "planning"
    INBOX = "inbox"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    TESTING = "testing"
    REVIEW = "review"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def label(self) -> str:
        return self.value.replace("_", " ").title()


class Trigger(StrEnum):
    PLAN = "plan"
    APPROVE_SPEC = "approve_spec"
    DROP_PLAN = "drop_plan"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    DISPATCH = "dispatch"
    SUBMIT = "submit"
    PASS = "pass"
    FAIL = "fail"
    APPROVE = "approve"
    REJECT = "reject"
    STOP = "stop"
    REOPEN = "reopen"
    CANCEL = "cancel"
    RESTORE = "restore"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")


CAPTURE = "capture"  # how a task comes to be: no row of the table, for it leaves no state


class ActorKind(StrEnum):
    PERSON = "person"
    SERVICE = "service"
    WORKER = "worker"
    REVIEWER = "reviewer"


@dataclass(frozen=True)
class Actor:
    """Who asks for a move. ``name`` is the person's login, an agent's id, or the service's duty."""

    kind: ActorKind
    name: str


@dataclass(frozen=True)
class Facts:
    """What the gates look at, gathered in the transaction of the move. The defaults let nothing through."""

    title: str = ""
    spec_problem: str = "there is no spec yet"
    spec_approved: bool = False
    agent: str | None = None
    open_questions: int = 0
    unmet_dependencies: tuple[str, ...] = ()
    agent_busy_with: tuple[str, ...] = ()
    agent_limit: int = 1
    gateway_problem: str = "the gateway is not connected"
    budget_problem: str = ""
    limit_problem: str = ""
    stopped: str = ""
    policy_approves: bool = False
    reviewer_decides: bool = False
    reviewer_asked: bool = False
    evidence_problem: str = ""
    attempt_open: bool = False
    attempt_agent: str | None = None
    deliverables_problem: str = "nothing was submitted"
    checks_problem: str = "no check has run"
    round: tuple[int, int] | None = None
    verdict_round: tuple[int, int] | None = None
    reason: str = ""


@dataclass(frozen=True)
class Gate:
    """A named predicate: :attr:`problem` answers with the reason it does not hold, or with nothing."""

    name: str
    problem: Callable[[Facts, Actor], str]


class Refused(Exception):
    """A move that the lifecycle does not make. ``gate`` is the name of what stopped it, ``reason`` says why.

    Two gates stand before all others: ``state`` (no such move from here) and ``actor`` (not for this actor).
    ``trigger`` is a :class:`Trigger`, or CAPTURE.
    """

    def __init__(self, gate: str, reason: str, state: State, trigger: str) -> None:
        super().__init__(reason)
        self.gate = gate
        self.reason = reason
        self.state = state
        self.trigger = trigger


def _deps(facts: Facts, actor: Actor) -> str:
    if not facts.unmet_dependencies:
        return ""
    waits = f"it waits for {', '.join(facts.unmet_dependencies)}"
    if actor.kind is ActorKind.WORKER:
        return f"{waits}: stop working, you are told here when that is done"
    return waits


def _free(facts: Facts, _: Actor) -> str:
    if len(facts.agent_busy_with) < facts.agent_limit:
        return ""
    return f"{facts.agent} is working on {', '.join(facts.agent_busy_with)}"


def _own_attempt(facts: Facts, actor: Actor) -> str:
    if not facts.attempt_open:
        return "the attempt has ended"
    return (
        ""
        if actor.name == facts.attempt_agent
        else f"the attempt belongs to {facts.attempt_agent or 'nobody'}"
    )


def _this_round(facts: Facts, _: Actor) -> str:
    if facts.round is None:
        return "nothing was submitted"
    if facts.verdict_round == facts.round:
        return ""
    seen = "no round" if facts.verdict_round is None else "attempt {}, round {}".format(*facts.verdict_round)
    return (
        f"the verdict is for {seen}, and attempt {facts.round[0]}, round {facts.round[1]} stands: look again"
    )


def _not_worker(facts: Facts, actor: Actor) -> str:
    if actor.kind is ActorKind.PERSON:
        return ""
    if not (actor.name.strip() and facts.attempt_agent):
        return "nobody knows that the reviewer is not the worker: review it yourself"
    return "the worker can't review its own work" if actor.name == facts.attempt_agent else ""


def _reviewer_may_approve(facts: Facts, actor: Actor) -> str:
    if actor.kind is not ActorKind.REVIEWER or facts.reviewer_decides:
        return ""
    return "the mission's policy leaves the approval to the person"


def _reviewer_may_reject(facts: Facts, actor: Actor) -> str:
    if actor.kind is not ActorKind.REVIEWER or facts.reviewer_asked:
        return ""
    return "the mission's policy asks no reviewer agent"


def _policy(facts: Facts, actor: Actor) -> str:
    if actor.kind is ActorKind.PERSON or facts.policy_approves:
        return ""
    return "the mission's policy leaves the approval of specs to the person"


def _questions(facts: Facts, _: Actor) -> str:
    return (
        f"{facts.open_questions} planning questions are open: answer or waive them"
        if facts.open_questions
        else ""
    )


TITLE = Gate("title", lambda f, _: "" if f.title.strip() else "give it a title")
SPEC_COMPLETE = Gate("spec_complete", lambda f, _: f.spec_problem)
SPEC_APPROVED = Gate("spec_approved", lambda f, _: "" if f.spec_approved else "its spec is not approved yet")
AGENT = Gate("agent", lambda f, _: "" if f.agent else "choose an agent")
QUESTIONS = Gate("questions_answered", _questions)
DEPENDENCIES = Gate("dependencies_done", _deps)
AGENT_FREE = Gate("agent_free", _free)
GATEWAY = Gate("gateway_connected", lambda f, _: f.gateway_problem)
BUDGET = Gate("budget_left", lambda f, _: f.budget_problem)
LIMIT = Gate("limit", lambda f, _: f.limit_problem)
NOT_STOPPED = Gate("not_stopped", lambda f, _: f.stopped)
POLICY = Gate("policy", _policy)
REVIEWER_APPROVES = Gate("policy", _reviewer_may_approve)
REVIEWER_REJECTS = Gate("policy", _reviewer_may_reject)
EVIDENCE = Gate("evidence", lambda f, _: f.evidence_problem)
OWN_ATTEMPT = Gate("own_attempt", _own_attempt)
DELIVERABLES = Gate("deliverables_present", lambda f, _: f.deliverables_problem)
CHECKS = Gate("checks_passed", lambda f, _: f.checks_problem)
THIS_ROUND = Gate("this_round", _this_round)
NOT_THE_WORKER = Gate("not_the_worker", _not_worker)
REASON = Gate("reason", lambda f, _: "" if f.reason.strip() else "say why: the worker gets your words")

# Gates that time or other work opens by itself: a dispatch that meets only these waits for them.
TEMPORARY = frozenset({DEPENDENCIES.name, AGENT_FREE.name, GATEWAY.name, LIMIT.name, NOT_STOPPED.name})

_PERSON = (ActorKind.PERSON,)
_SERVICE = (ActorKind.SERVICE,)
_EITHER = (ActorKind.PERSON, ActorKind.SERVICE)
_JUDGE = (ActorKind.PERSON, ActorKind.REVIEWER)


@dataclass(frozen=True)
class Move:
    """One row of the state table. ``when`` chooses between two targets of a trigger and never refuses."""

    trigger: Trigger
    source: State
    target: State
    actors: tuple[ActorKind, ...]
    gates: tuple[Gate, ...] = ()
    when: Gate | None = None


def _table() -> tuple[Move, ...]:
    s, t = State, Trigger
    stopped = [Move(t.STOP, a, s.ASSIGNED, _PERSON) for a in (s.IN_PROGRESS, s.TESTING, s.REVIEW)]
    cancelled = [Move(t.CANCEL, a, s.CANCELLED, _PERSON) for a in s if a not in (s.DONE, s.CANCELLED)]
    spec = (POLICY, QUESTIONS, SPEC_COMPLETE)
    start = (DEPENDENCIES, BUDGET, NOT_STOPPED, GATEWAY, LIMIT, AGENT_FREE)
    approval = (NOT_THE_WORKER, REVIEWER_APPROVES, THIS_ROUND, DEPENDENCIES, EVIDENCE)
    rejection = (NOT_THE_WORKER, REVIEWER_REJECTS, THIS_ROUND, REASON)
    return (
        Move(t.PLAN, s.INBOX, s.PLANNING, _PERSON),
        Move(t.APPROVE_SPEC, s.INBOX, s.INBOX, _EITHER, (POLICY, SPEC_COMPLETE)),
        Move(t.APPROVE_SPEC, s.PLANNING, s.ASSIGNED, _EITHER, spec, when=AGENT),
        Move(t.APPROVE_SPEC, s.PLANNING, s.INBOX, _EITHER, spec),
        Move(t.DROP_PLAN, s.PLANNING, s.INBOX, _PERSON),
        Move(t.ASSIGN, s.INBOX, s.ASSIGNED, _EITHER, (SPEC_APPROVED, AGENT)),
        Move(t.UNASSIGN, s.ASSIGNED, s.INBOX, _PERSON),
        Move(t.DISPATCH, s.ASSIGNED, s.IN_PROGRESS, _SERVICE, start),
        Move(
            t.SUBMIT, s.IN_PROGRESS, s.TESTING, (ActorKind.WORKER,), (OWN_ATTEMPT, DEPENDENCIES, DELIVERABLES)
        ),
        Move(t.PASS, s.TESTING, s.REVIEW, _SERVICE, (CHECKS,)),
        Move(t.FAIL, s.TESTING, s.IN_PROGRESS, _SERVICE),
        Move(t.APPROVE, s.REVIEW, s.DONE, _JUDGE, approval),
        Move(t.REJECT, s.REVIEW, s.IN_PROGRESS, _JUDGE, rejection),
        *stopped,
        Move(t.REOPEN, s.DONE, s.ASSIGNED, _PERSON, (REASON,)),
        *cancelled,
        Move(t.RESTORE, s.CANCELLED, s.INBOX, _PERSON),
    )


TABLE = _table()


@dataclass
class _Question:
    """The model that ``transitions`` drives for one question: a state.

    The machine is not told of it: that would give it a method for every trigger, and a long queue asks thousands.
    """

    state: str


def _condition(move: Move) -> Callable[[EventData], bool]:
    def holds(event: EventData) -> bool:
        facts: Facts = event.kwargs["facts"]
        actor: Actor = event.kwargs["actor"]
        if actor.kind not in move.actors:
            may = " or ".join(kind.value for kind in move.actors)
            raise Refused("actor", f"{move.trigger.words} is for the {may}", move.source, move.trigger)
        if move.when and move.when.problem(facts, actor):
            return False
        for gate in move.gates:
            if problem := gate.problem(facts, actor):
                raise Refused(gate.name, problem, move.source, move.trigger)
        return True

    return holds


def _machine() -> Machine:
    machine = Machine(
        model=None, states=[s.value for s in State], initial=None, auto_transitions=False, send_event=True
    )
    for move in TABLE:
        machine.add_transition(
            move.trigger.value, move.source.value, move.target.value, conditions=_condition(move)
        )
    return machine


# The library tells every step of every question at INFO; a log of the service is for what happened.
logging.getLogger("transitions").setLevel(logging.WARNING)
_MACHINE = _machine()


def capture(facts: Facts, actor: Actor) -> State:
    """The state a new task starts in. Raises Refused without a title, or for an actor who captures nothing.

    A person captures; the service does for a plan that was approved; a worker proposes a sub-task, which waits for
    the person's approval like any other.
    """
    if actor.kind is ActorKind.REVIEWER:
        raise Refused("actor", "capture is for the person, the service and the worker", State.INBOX, CAPTURE)
    if problem := TITLE.problem(facts, actor):
        raise Refused(TITLE.name, problem, State.INBOX, CAPTURE)
    return State.INBOX


def fire(state: State, trigger: Trigger, actor: Actor, facts: Facts) -> State:
    """The state after ``trigger``. Raises Refused, naming the gate, when the move is not made."""
    question = _Question(state.value)
    try:
        _MACHINE.events[trigger.value].trigger(question, facts=facts, actor=actor)
        return State(question.state)
    except MachineError:
        here = ", ".join(dict.fromkeys(m.trigger.words for m in TABLE if m.source is state))
        reason = f"no {trigger.words} from {state.label}; from here: {here}"
        raise Refused("state", reason, state, trigger) from None


def moves_from(state: State, kind: ActorKind | None = None) -> list[Move]:
    """The rows of the table that leave ``state``, for one kind of actor or for all."""
    return [m for m in TABLE if m.source is state and (kind is None or kind in m.actors)]


def trigger_between(source: State, target: State) -> Trigger | None:
    """What takes a task from one column to another, whoever may do it; None when no single move does.

    Where two triggers do, the one with fewer gates: from Planning to Inbox the plan is dropped.
    """
    between = [m for m in TABLE if m.source is source and m.target is target and source is not target]
    return min(between, key=lambda m: len(m.gates)).trigger if between else None


def diagram() -> str:
    """The table as a Mermaid state diagram, for the README."""
    lines = ["stateDiagram-v2", f"    [*] --> inbox : {CAPTURE}"]
    for source, target in dict.fromkeys((m.source, m.target) for m in TABLE):
        words = [m.trigger.words for m in TABLE if (m.source, m.target) == (source, target)]
        lines.append(f"    {source} --> {target} : {', '.join(words)}")
    return "\n".join(lines)
