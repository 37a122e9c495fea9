"""Ten thousand tasks: what is looked at after each commit is what may have changed, not all that there is."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

import pytest

from ccp_tui import spec as specs
from ccp_tui.lifecycle import State
from ccp_tui.model import Hold, HoldKind, Outcome
from ccp_tui.service.execution import starting
from ccp_tui.service.settings import Settings
from ccp_tui.store import Store
from tests.store.conftest import Shelf
from tests.store.test_budgets import traced

ROAD = (State.ASSIGNED, State.IN_PROGRESS, State.TESTING, State.REVIEW, State.DONE)


def drive(store: Store, task: int, state: State) -> None:
    for step in ROAD[: ROAD.index(state) + 1]:
        store.tasks.move(task, step)


def queue(store: Store, *tasks: int) -> None:
    for task in tasks:
        drive(store, task, State.ASSIGNED)
        store.tasks.edit(task, queued_at=f"2026-01-01T00:00:00.{task:06d}Z")


def attempt(store: Store, task: int, state: State) -> int:
    store.specs.add(task, specs.parse('{"title": "x", "deliverables": ["a.md"]}'), "me")
    spec = store.specs.newest(task)
    assert spec
    opened = store.attempts.open(task, "ann", spec["id"], f"s{task}", f"h{task}")
    store.rounds.start(opened, task)
    drive(store, task, state)
    return opened


@pytest.mark.parametrize("agent", ["ann", None])
def test_a_long_queue_costs_as_many_statements_as_a_short_one(shelf: Shelf, agent: str | None) -> None:
    """One agent, one mission: what they do is read once, however many wait for them."""
    counts = []
    for number in (5, 100):
        made = [shelf.task(f"{number} {one}", agent_id="ann") for one in range(number)]
        shelf.do(lambda store, made=made: queue(store, *made))  # type: ignore[misc]
        with traced(shelf.store) as ran:
            found = starting.plan(shelf.store, Settings(), "" if agent else "the gateway is away")
        counts.append(len(ran))
    assert len(found.would) == (1 if agent else 0)
    assert counts[0] == counts[1] <= 8, counts


def test_a_need_is_said_in_a_long_queue_as_in_a_short_one(shelf: Shelf) -> None:
    needs, task, free = shelf.task(), shelf.task(agent_id="ann"), shelf.task(agent_id="ann")
    shelf.do(lambda store: store.dependencies.add(task, needs))
    shelf.do(lambda store: queue(store, task, free))
    found = starting.plan(shelf.store, Settings(), "")
    assert [(one.task["id"], one.reason) for one in found.waiting] == [(task, "it waits for WEB-1")]
    assert [one["id"] for one in found.would] == [free]


def test_who_stands_far_behind_is_not_told_of_each_change_of_what_runs(shelf: Shelf) -> None:
    """Else every start would push a new card for each of thousands that wait."""
    made = [shelf.task(agent_id="ann") for _ in range(starting.NEAR + 3)]
    shelf.do(lambda store: queue(store, *made))
    found = starting.plan(shelf.store, Settings(), "")
    reasons = [one.reason for one in found.waiting]
    assert set(reasons[: starting.NEAR]) == {"ann is working on WEB-1"}
    assert reasons[starting.NEAR :] == [starting.FAR, starting.FAR]
    assert "waits for its turn" in starting.FAR


def test_only_what_may_run_is_compared_with_its_budget(shelf: Shelf) -> None:
    """Thousands that wait in Review or Planning for the person spend nothing."""
    waits, reviewed, runs, planned, thinking = (shelf.task(agent_id="ann") for _ in range(5))

    def work(store: Store) -> None:
        for task in (waits, reviewed):
            opened = attempt(store, task, State.REVIEW)
        store.review_requests.open(store.rounds.current(opened)["id"])
        attempt(store, runs, State.IN_PROGRESS)
        for task in (planned, thinking):
            store.tasks.move(task, State.PLANNING)
            store.plannings.open(task, auto=False)
        store.plannings.change(store.plannings.of_task(thinking)["id"], state="planner")  # type: ignore[index]

    shelf.do(work)
    assert [task["id"] for task in shelf.store.tasks.spending()] == [reviewed, runs, thinking]
    shelf.do(lambda store: store.attempts.run_seen(store.attempts.of_task(waits)["id"], "r"))  # type: ignore[index]
    assert waits in [task["id"] for task in shelf.store.tasks.spending()]


def test_only_where_something_follows_from_a_need_is_looked_at(shelf: Shelf) -> None:
    done, task, asked = shelf.task(), shelf.task(agent_id="ann"), shelf.task(agent_id="ann")

    def work(store: Store) -> None:
        store.attempts.end(attempt(store, done, State.DONE), Outcome.DONE)
        for one in (task, asked):
            store.dependencies.add(one, done)
        attempt(store, task, State.REVIEW)
        attempt(store, asked, State.IN_PROGRESS)

    shelf.do(work)
    assert shelf.store.dependencies.at_stake() == []
    shelf.do(lambda store: store.tasks.move(done, State.ASSIGNED))
    assert [row["id"] for row in shelf.store.dependencies.at_stake()] == [task, asked]


def test_a_result_that_is_newer_than_the_work_on_it_is_looked_at(shelf: Shelf) -> None:
    done, task = shelf.task(), shelf.task(agent_id="ann")
    shelf.do(lambda store: store.dependencies.add(task, done))
    opened = shelf.do(lambda store: attempt(store, done, State.DONE))
    shelf.do(lambda store: attempt(store, task, State.IN_PROGRESS))
    time.sleep(0.005)  # times are in milliseconds
    shelf.do(lambda store: store.attempts.end(opened, Outcome.DONE))
    assert [row["id"] for row in shelf.store.dependencies.at_stake()] == [task]


def test_what_is_held_for_a_need_is_always_looked_at(shelf: Shelf) -> None:
    task = shelf.task()
    shelf.do(lambda store: store.tasks.hold(task, Hold(HoldKind.DEPENDENCY, "it needs WEB-9", "Restore it.")))
    assert [row["id"] for row in shelf.store.dependencies.at_stake()] == [task]


PLANS: dict[str, tuple[Callable[[Store], Any], tuple[str, ...]]] = {
    "what may spend": (lambda s: s.tasks.spending(), ("tasks_by_state", "plannings_one_open")),
    "needs of the queue": (lambda s: s.dependencies.unmet_of_queued(), ("tasks_queued",)),
    "what needs settle": (lambda s: s.dependencies.at_stake(), ("tasks_held", "tasks_by_state")),
}


@pytest.mark.parametrize("name", PLANS)
def test_no_table_of_tasks_or_attempts_is_scanned(shelf: Shelf, name: str) -> None:
    read, indices = PLANS[name]
    with traced(shelf.store) as ran:
        read(shelf.store)
    plan = [row[3] for sql in ran for row in shelf.store.db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]
    assert all(any(index in step for step in plan) for index in indices), "\n".join(plan)
    scanned = [step for step in plan if step.startswith("SCAN ") and "USING INDEX" not in step]
    assert not [step for step in scanned if step.split()[1] in ("t", "n", "d", "a", "m", "r", "s")], (
        "\n".join(plan)
    )


def test_what_the_gateway_is_about_to_hear_waits_for_the_disk(shelf: Shelf) -> None:
    """After a power cut nobody may have heard what the database does not know of."""
    connection: sqlite3.Connection = shelf.store.db.conn
    levels: list[int] = []

    def work(store: Store) -> None:
        levels.append(connection.execute("PRAGMA synchronous").fetchone()[0])

    shelf.store.transaction(work)
    shelf.store.transaction(work, durable=True)
    shelf.store.transaction(work)
    with pytest.raises(ZeroDivisionError):
        shelf.store.transaction(lambda _: 1 // 0, durable=True)
    shelf.store.transaction(work)
    assert levels == [1, 2, 1, 1], "1 is NORMAL, 2 is FULL"
