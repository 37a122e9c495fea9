"""What may start now, and why the rest waits: the facts of a dispatch, and the queue gone through without doing it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ccp_tui.lifecycle import AGENT_FREE, LIMIT, Facts, Refused, State, Trigger, fire
from ccp_tui.service.board.moves import SERVICE, Row, stopped
from ccp_tui.service.execution import spending
from ccp_tui.service.live import NOT_ASKED
from ccp_tui.service.settings import Settings
from ccp_tui.store import Store

# What runs changes often. Who stands far behind in the line is not told of each change, nor are all who look at it.
NEAR = 50
FAR = f"it waits for its turn: more than {NEAR} tasks wait before it"
# Not a gate: all of them hold, and the task can't start all the same.
DEFERRED = "deferred"
_TURNS = (LIMIT.name, AGENT_FREE.name)


@dataclass(frozen=True)
class Waiting:
    """A task that does not start: the gate that is closed, and the reason in words."""

    task: Row
    gate: str
    reason: str


@dataclass
class Plan:
    """The queue, gone through in its order: the tasks that would start now, and those that wait."""

    would: list[Row] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


class Line:
    """The facts of a dispatch, in one transaction; who was let through before counts as running.

    So nobody overtakes, and what is said of the rest is what will be so once these run.
    """

    def __init__(self, store: Store, settings: Settings, gateway_problem: str) -> None:
        self._store = store
        self._settings = settings
        self._gateway_problem = gateway_problem
        self._stopped = stopped(store)
        self._running = store.tasks.running()
        self._of_mission: dict[int, list[str]] = {}
        self._most: dict[int, int | None] = {}
        self._let: dict[str, list[str]] = defaultdict(list)
        self._working: dict[str, list[str]] = {}
        self._budgets = spending.Purse(store, settings.policy)

    def known(self, task: Row) -> dict[str, Any]:
        """What the gates of a dispatch must be told beside what the task's own rows say."""
        agent = task["agent_id"]
        busy = (*self._works(agent), *self._let[agent]) if agent else ()
        return {
            "gateway_problem": self._gateway_problem,
            "agent_limit": self._settings.agent_limit,
            "agent_busy_with": busy,
            "limit_problem": self._limit_problem(task["mission_id"]),
            "budget_problem": self._budgets.problem(task),
        }

    def facts(self, task: Row, unmet: tuple[str, ...]) -> Facts:
        """All that the gates of a dispatch look at: for a long queue, without what only other moves ask."""
        return Facts(
            agent=task["agent_id"], unmet_dependencies=unmet, stopped=self._stopped, **self.known(task)
        )

    def let(self, task: Row) -> None:
        """This one starts: the rest of the line finds it running."""
        self._running.append(task["ref"])
        self._refs_of(task["mission_id"]).append(task["ref"])
        self._let[task["agent_id"]].append(task["ref"])

    def _limit_problem(self, mission: int) -> str:
        most = self._settings.most_running
        if len(self._running) >= most:
            return f"{_tasks(most)} may run at a time, and {_and(self._running)} run now"
        if mission not in self._most:
            self._most[mission] = self._store.missions.policy(mission, self._settings.policy).concurrency
        own, refs = self._most[mission], self._refs_of(mission)
        if own is not None and len(refs) >= own:
            return f"its mission runs {_tasks(own)} at a time, and {_and(refs)} run now"
        return ""

    def _works(self, agent: str) -> list[str]:
        if agent not in self._working:
            self._working[agent] = self._store.attempts.working(agent)
        return self._working[agent]

    def _refs_of(self, mission: int) -> list[str]:
        if mission not in self._of_mission:
            self._of_mission[mission] = self._store.tasks.running(mission)
        return self._of_mission[mission]


def plan(
    store: Store, settings: Settings, gateway_problem: str, deferred: Mapping[int, str] | None = None
) -> Plan:
    """Goes through the queue, the most pressing first. Starts nothing.

    ``deferred``: tasks, by their ids, that can't start now for the given reason; they take nobody's place.
    """
    found = Plan()
    if not (queued := store.tasks.queued()):
        return found
    deferred = deferred or {}
    line = Line(store, settings, gateway_problem)
    unmet = store.dependencies.unmet_of_queued()
    asked: dict[Facts, Refused | None] = {}  # most of a long queue waits for the same
    crowd = 0
    for task in queued:
        facts = line.facts(task, unmet.get(task["id"], ()))
        if facts not in asked:
            asked[facts] = _refusal(task, facts)
        if (refusal := asked[facts]) is None and task["id"] in deferred:
            found.waiting.append(Waiting(task, DEFERRED, deferred[task["id"]]))
            continue
        if refusal is None:
            line.let(task)
            found.would.append(task)
            continue
        crowd += refusal.gate in _TURNS
        far = refusal.gate in _TURNS and crowd > NEAR
        found.waiting.append(Waiting(task, refusal.gate, FAR if far else refusal.reason))
    return found


def _refusal(task: Row, facts: Facts) -> Refused | None:
    try:
        fire(State(task["state"]), Trigger.DISPATCH, SERVICE, facts)
    except Refused as refusal:
        return refusal
    return None


def explained(store: Store, found: Plan) -> dict[str, Any]:
    """A plan in words, with a reason for every assigned task that does not start."""
    reasons = {one.task["ref"]: one.reason for one in found.waiting}
    would = [task["ref"] for task in found.would]
    for task in store.tasks.in_states(State.ASSIGNED):
        if task["hold_kind"]:
            words = f"{task['hold_reason'].rstrip('.')}. {task['hold_release'] or ''}"
            reasons[task["ref"]] = f"it is held: {words}".rstrip()
        elif task["ref"] not in would:
            reasons.setdefault(task["ref"], NOT_ASKED)
    return {"would": would, "waiting": [{"ref": ref, "reason": why} for ref, why in reasons.items()]}


def _tasks(number: int) -> str:
    return "1 task" if number == 1 else f"{number} tasks"


def _and(refs: list[str]) -> str:
    return ", ".join(refs)
