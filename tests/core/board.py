"""One task in the real store, driven through the paths that the service uses, with a record kept beside it.

The record (:class:`Evidence`) is made from what happened, not from what the database says, so that the two can be
compared when the task claims to be done.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from ccp_tui import spec as specs
from ccp_tui.lifecycle import Actor, ActorKind, Facts, Refused, State, Trigger, capture, fire
from ccp_tui.model import Outcome, Verdict
from ccp_tui.service.board.moves import end_attempt, facts_of, move
from ccp_tui.store import Store

Row = dict[str, Any]
Round = tuple[int, int]

ME = Actor(ActorKind.PERSON, "me")
CCP = Actor(ActorKind.SERVICE, "ccp")

_numbers = itertools.count(1)


def spec(deliverables: int = 2, criteria: int = 1, checks: int = 2, note: int = 0) -> specs.Spec:
    """A spec of a given size, read from its text as a person writes it."""
    return specs.parse(
        json.dumps(
            {
                "title": f"Version {note}",
                "deliverables": [{"path": f"file-{n}.txt"} for n in range(deliverables)],
                "success_criteria": [f"criterion {n}" for n in range(criteria)],
                "checks": [{"command": f"test -s file-{n}.txt"} for n in range(checks)],
            }
        )
    )


@dataclass(frozen=True)
class World:
    """What is so outside the database at the moment of a move."""

    agent: str | None = None
    reason: str = ""
    gateway_problem: str = ""
    budget_problem: str = ""
    unmet_dependencies: tuple[str, ...] = ()
    limit_problem: str = ""
    stopped: str = ""
    evidence_problem: str = ""
    policy_approves: bool = False
    reviewer_decides: bool = False
    reviewer_asked: bool = False
    open_questions: int = 0
    agent_limit: int = 1
    verdict: Round | None = None
    exit_codes: tuple[int, ...] = ()


@dataclass
class Evidence:
    """What really happened, by attempt and round."""

    approved: set[int] = field(default_factory=set)
    works_to: dict[int, int] = field(default_factory=dict)
    worker: dict[int, str] = field(default_factory=dict)
    delivered: dict[Round, set[str]] = field(default_factory=lambda: defaultdict(set))
    green: dict[Round, set[int]] = field(default_factory=lambda: defaultdict(set))
    approvals: set[Round] = field(default_factory=set)


class Board:
    """A mission of its own with one task and two agents."""

    def __init__(self, store: Store) -> None:
        self.store = store
        number = next(_numbers)
        self.ann, self.bob = f"ann-{number}", f"bob-{number}"
        self.evidence = Evidence()
        self.specs: dict[int, specs.Spec] = {}
        self.task = self._do(lambda: self._capture(f"Board {number}"))

    def _capture(self, title: str) -> int:
        state = capture(Facts(title="Build it"), ME)
        for agent in (self.ann, self.bob):
            self.store.agents.add(agent, agent, role="", emoji="", model=None, workspace=None)
        mission = self.store.missions.create(title)
        return self.store.tasks.capture(state, mission, self.store.missions.next_ref(mission), "Build it")

    def _do(self, work: Any) -> Any:
        return self.store.transaction(lambda _: work())[0]

    @property
    def row(self) -> Row:
        return self.store.tasks.get(self.task)

    @property
    def state(self) -> State:
        return State(self.row["state"])

    @property
    def standing(self) -> Round | None:
        """The attempt and round that stand now, by the numbers."""
        attempt = self.store.attempts.of_task(self.task)
        return (attempt["number"], self.store.rounds.current(attempt["id"])["number"]) if attempt else None

    def write_spec(self, new: specs.Spec) -> None:
        version = self._do(lambda: self.store.specs.add(self.task, new, "me"))
        self.specs[version] = new

    def deliver(self, path: str) -> None:
        """A worker reports a file that is there."""
        standing = self.standing
        assert standing is not None

        def work() -> None:
            attempt = self.store.attempts.of_task(self.task)
            assert attempt is not None
            self.store.rounds.deliver(self.store.rounds.current(attempt["id"])["id"], path, "", 3, "abc")

        self._do(work)
        self.evidence.delivered[standing].add(path)

    def fire(self, trigger: Trigger, actor: Actor, world: World) -> State:
        """One move with all that follows from it in the database, or Refused."""
        return State(self._do(lambda: self._fire(trigger, actor, world)))

    def _fire(self, trigger: Trigger, actor: Actor, world: World) -> State:
        task, standing = self.row, self.standing
        known: dict[str, Any] = {
            "gateway_problem": world.gateway_problem,
            "budget_problem": world.budget_problem,
            "unmet_dependencies": world.unmet_dependencies,
            "limit_problem": world.limit_problem,
            "stopped": world.stopped,
            "evidence_problem": world.evidence_problem,
            "policy_approves": world.policy_approves,
            "reviewer_decides": world.reviewer_decides,
            "reviewer_asked": world.reviewer_asked,
            "open_questions": world.open_questions,
            "agent_limit": world.agent_limit,
            "verdict_round": world.verdict,
            "deliverables_problem": self._undelivered(),
        }
        if trigger is Trigger.PASS and standing and task["state"] == "testing":
            known["checks_problem"] = self._run_checks(world.exit_codes)
        if trigger is Trigger.ASSIGN:
            known["agent"] = world.agent
        if trigger is Trigger.DISPATCH:
            facts = facts_of(self.store, task, reason=world.reason, **known)
            fire(State(task["state"]), trigger, actor, facts)
            self._open(task)
        target = move(self.store, task, trigger, actor, f"{trigger.words}.", reason=world.reason, **known)
        self._follow(trigger, actor, world)
        return target

    def _follow(self, trigger: Trigger, actor: Actor, world: World) -> None:
        store, task = self.store, self.task
        match trigger:
            case Trigger.APPROVE_SPEC:
                newest = store.specs.newest(task)
                assert newest is not None
                store.specs.approve(newest["id"], task, actor.name)
                self.evidence.approved.add(newest["version"])
            case Trigger.ASSIGN:
                store.tasks.edit(task, agent_id=world.agent or self.row["agent_id"])
            case Trigger.SUBMIT:
                store.rounds.submitted(self._round()["id"], "done")
            case Trigger.PASS:
                store.rounds.finish(self._round()["id"], "passed")
            case Trigger.FAIL:
                store.rounds.finish(self._round()["id"], "failed")
                store.rounds.start(self._attempt()["id"], task)
            case Trigger.APPROVE:
                self._review(Verdict.APPROVE, "approved", actor, world.reason)
                end_attempt(store, task, Outcome.DONE)
                if world.verdict:
                    self.evidence.approvals.add(world.verdict)
            case Trigger.REJECT:
                self._review(Verdict.REJECT, "rejected", actor, world.reason)
                store.rounds.start(self._attempt()["id"], task)
            case Trigger.STOP:
                end_attempt(store, task, Outcome.STOPPED)
            case Trigger.CANCEL:
                end_attempt(store, task, Outcome.CANCELLED)

    def _open(self, task: Row) -> None:
        spec = self.store.specs.approved(task["id"])
        assert spec is not None, "only an approved spec gets a task assigned"
        number = self.store.attempts.next_number(task["id"])
        key = f"agent:{task['agent_id']}:{task['ref']}-{number}"
        attempt = self.store.attempts.open(task["id"], task["agent_id"], spec["id"], key, f"hash of {key}")
        self.store.rounds.start(attempt, task["id"])
        self.evidence.works_to[number] = spec["version"]
        self.evidence.worker[number] = task["agent_id"]

    def _review(self, verdict: Verdict, result: str, actor: Actor, reason: str) -> None:
        current = self._round()
        self.store.rounds.review(current["id"], verdict, actor.kind.value, actor.name, reason)
        self.store.rounds.finish(current["id"], result)

    def _run_checks(self, exit_codes: tuple[int, ...]) -> str:
        current, standing = self._round(), self.standing
        assert standing is not None
        checks = self.store.specs.get(self._attempt()["spec_id"])["checks"]
        codes = [exit_codes[n] if n < len(exit_codes) else 0 for n in range(len(checks))]
        for position, (check, code) in enumerate(zip(checks, codes, strict=True)):
            result = {"name": check["name"], "command": check["command"], "exit_code": code, "output": ""}
            times = {"timed_out": 0, "duration_ms": 1, "started_at": current["started_at"]}
            self.store.rounds.checked(current["id"], position, {**result, **times})
        green = {position for position, code in enumerate(codes) if code == 0}
        self.evidence.green[standing] = green
        return "" if len(green) == len(checks) else f"{len(checks) - len(green)} checks failed"

    def _undelivered(self) -> str:
        attempt = self.store.attempts.of_task(self.task)
        if attempt is None:
            return "nothing was submitted"
        wanted = {one["path"] for one in self.store.specs.get(attempt["spec_id"])["deliverables"]}
        current = self.store.rounds.current(attempt["id"])
        missing = wanted - {one["path"] for one in self.store.rounds.delivered(current["id"])}
        return f"not delivered yet: {', '.join(sorted(missing))}" if missing else ""

    def _attempt(self) -> Row:
        attempt = self.store.attempts.of_task(self.task)
        assert attempt is not None
        return attempt

    def _round(self) -> Row:
        return self.store.rounds.current(self._attempt()["id"])

    def everything(self) -> list[Any]:
        """All that the database holds of this task; a refusal must leave it as it is."""
        ask = self.store.db.execute
        of_task = ("tasks WHERE id = ?", "attempts WHERE task_id = ?", "specs WHERE task_id = ?")
        of_attempt = "attempt_id IN (SELECT id FROM attempts WHERE task_id = ?)"
        of_round = f"round_id IN (SELECT id FROM rounds WHERE {of_attempt})"
        tables = [f"{table} WHERE {of_round}" for table in ("deliverables", "check_results", "reviews")]
        found = [ask(f"SELECT * FROM {part}", (self.task,)).fetchall() for part in (*of_task, *tables)]
        found.append(ask(f"SELECT * FROM rounds WHERE {of_attempt}", (self.task,)).fetchall())
        return [*found, ask("SELECT count(*) FROM events WHERE task_id = ?", (self.task,)).fetchone()]

    def why_not_proven(self) -> str:
        """What a done task lacks, by the evidence and by the database; empty when it lacks nothing."""
        seen, attempt = self.evidence, self.store.attempts.latest(self.task)
        if attempt is None:
            return "no attempt"
        round_row = self.store.rounds.current(attempt["id"])
        standing = (attempt["number"], round_row["number"])
        version = seen.works_to[attempt["number"]]
        wanted = self.specs[version]
        reviews = self.store.db.execute(
            "SELECT verdict FROM reviews WHERE round_id = ?", (round_row["id"],)
        ).fetchall()
        lacks = {
            "an approved spec": version not in seen.approved,
            "a deliverable": not {d.path for d in wanted.deliverables} <= seen.delivered[standing],
            "a check": seen.green[standing] != set(range(len(wanted.checks))),
            "an approval of this round": standing not in seen.approvals,
            "the review's row": reviews != [("approve",)],
            "the round's result": round_row["result"] != "approved" or not round_row["submitted_at"],
            "the attempt's end": attempt["outcome"] != "done",
        }
        return ", ".join(what for what, is_so in lacks.items() if is_so)

    def next_move(self, flaw: str = "") -> tuple[Trigger, Actor, World]:
        """The move that leads on to Done from here, prepared as people and agents do; a flaw is what goes wrong.

        Flaws: spec (not approved), agent (nobody, or the wrong one), gateway, files, checks, verdict (another round),
        reviewer (the worker itself).
        """
        attempt, standing = self.store.attempts.of_task(self.task), self.standing
        worker = attempt["agent_id"] if attempt else self.ann
        world = World(agent=None if flaw == "agent" else self.ann, reason="again", verdict=standing)
        match self.state:
            case State.CANCELLED:
                return Trigger.RESTORE, ME, world
            case State.PLANNING:
                return Trigger.DROP_PLAN, ME, world
            case State.INBOX:
                newest = self.store.specs.newest(self.task)
                if newest is None or specs.incomplete(newest["deliverables"], newest["success_criteria"]):
                    self.write_spec(spec(note=newest["version"] + 1 if newest else 0))
                    newest = self.store.specs.newest(self.task)
                approved = bool(newest and newest["approved_at"]) or flaw == "spec"
                return Trigger.ASSIGN if approved else Trigger.APPROVE_SPEC, ME, world
            case State.ASSIGNED:
                return (
                    Trigger.DISPATCH,
                    CCP,
                    replace(world, gateway_problem="away" if flaw == "gateway" else ""),
                )
            case State.IN_PROGRESS:
                if flaw != "files" and attempt:
                    for one in self.store.specs.get(attempt["spec_id"])["deliverables"]:
                        self.deliver(one["path"])
                return Trigger.SUBMIT, Actor(ActorKind.WORKER, self.bob if flaw == "agent" else worker), world
            case State.TESTING:
                return Trigger.PASS, CCP, replace(world, exit_codes=(0, 1) if flaw == "checks" else ())
            case State.REVIEW:
                if flaw == "verdict" and standing:
                    world = replace(world, verdict=(standing[0], standing[1] - 1))
                reviewer = Actor(ActorKind.REVIEWER, worker)
                return Trigger.APPROVE, reviewer if flaw == "reviewer" else ME, world
            case State.DONE:
                return Trigger.REOPEN, ME, world


FLAWS = ("spec", "agent", "gateway", "files", "checks", "verdict", "reviewer")


def outcome(board: Board, trigger: Trigger, actor: Actor, world: World) -> State | Refused:
    """What came of a move: the new state, or the refusal."""
    try:
        return board.fire(trigger, actor, world)
    except Refused as refusal:
        return refusal
