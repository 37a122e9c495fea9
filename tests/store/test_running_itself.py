"""What a mission that runs itself keeps: dependencies, plannings, questions, reviews by agents, costs, the stop."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from ccp_tui.lifecycle import State
from ccp_tui.model import Hold, HoldKind
from ccp_tui.policy import Auto, Policy, ReviewBy
from ccp_tui.spec import parse
from ccp_tui.store import Conflict, NotFound, Store
from tests.store.conftest import Shelf

SPEC = parse("title: x\ndeliverables: [a.md]\nsuccess_criteria: [good]\n")


def attempt_of(shelf: Shelf, task: int, key: str = "work") -> tuple[int, int]:
    """An open attempt with its first round."""

    def work(store: Store) -> tuple[int, int]:
        store.specs.add(task, SPEC, "me")
        spec = store.specs.newest(task)
        assert spec
        attempt = store.attempts.open(task, "ann", spec["id"], key, f"hash of {key}")
        store.rounds.start(attempt, task)
        return attempt, store.rounds.current(attempt)["id"]

    return shelf.do(work)


# -- dependencies -------------------------------------------------------------------------------------------------


def test_a_circle_is_refused_and_named(shelf: Shelf) -> None:
    a, b, c = (shelf.task(name) for name in "abc")
    for task, needs in ((a, b), (b, c)):
        assert shelf.do(lambda store, t=task, n=needs: store.dependencies.add(t, n))  # type: ignore[misc]
    with pytest.raises(Conflict, match="WEB-1 needs WEB-2 needs WEB-3 needs WEB-1"):
        shelf.do(lambda store: store.dependencies.add(c, a))
    with pytest.raises(Conflict, match="circle"):
        shelf.do(lambda store: store.dependencies.add(a, a))
    assert not shelf.do(lambda store: store.dependencies.add(a, b)), "it was there"
    assert shelf.refs(shelf.store.dependencies.of(a)) == ["WEB-2"]


def test_only_what_is_done_is_met(shelf: Shelf) -> None:
    a, b, c = (shelf.task(name) for name in "abc")
    for needs in (b, c):
        shelf.do(lambda store, n=needs: store.dependencies.add(a, n))  # type: ignore[misc]
    shelf.do(lambda store: store.tasks.move(c, State.CANCELLED))
    assert shelf.refs(shelf.store.dependencies.unmet(a)) == ["WEB-2", "WEB-3"]
    told = shelf.told(lambda store: store.tasks.move(b, State.ASSIGNED))
    assert shelf.refs(told.tasks) == ["WEB-1", "WEB-2"], "the card that waits shows it"
    assert shelf.store.cards.one("WEB-1")["waits_for"] == ["WEB-2", "WEB-3"]
    assert shelf.do(lambda store: store.dependencies.remove(a, c))
    assert shelf.refs(shelf.store.dependencies.unmet(a)) == ["WEB-2"]
    assert shelf.refs(shelf.store.dependencies.dependants(b)) == ["WEB-1"]


def test_a_diamond_is_no_circle(shelf: Shelf) -> None:
    a, b, c, d = (shelf.task(name) for name in "abcd")
    for task, needs in ((a, b), (a, c), (b, d), (c, d)):
        shelf.do(lambda store, t=task, n=needs: store.dependencies.add(t, n))  # type: ignore[misc]
    with pytest.raises(Conflict):
        shelf.do(lambda store: store.dependencies.add(d, a))


# -- plannings and questions --------------------------------------------------------------------------------------


def test_a_task_has_one_open_planning(shelf: Shelf) -> None:
    task = shelf.task()
    first = shelf.do(lambda store: store.plannings.open(task, auto=False))
    with pytest.raises(sqlite3.IntegrityError):
        shelf.do(lambda store: store.plannings.open(task, auto=False))
    assert shelf.store.cards.one("WEB-1")["planning"] == "opening"
    shelf.do(lambda store: store.plannings.change(first, state="planner", session_key="plan", agent_id="ann"))
    found = shelf.store.plannings.by_session("plan")
    assert found
    assert found["id"] == first
    shelf.do(lambda store: store.plannings.end(first, "dropped"))
    assert shelf.store.plannings.of_task(task) is None
    shelf.do(lambda store: store.plannings.open(task, auto=True))
    assert [row["number"] for row in shelf.store.details.plannings(task)] == [1, 2]
    latest = shelf.store.plannings.latest(task)
    assert latest
    assert (latest["number"], latest["auto"]) == (2, 1)


def test_a_question_is_asked_and_answered_once(shelf: Shelf) -> None:
    task = shelf.task()
    options = [{"id": "a", "label": "Ünï", "description": ""}]

    def ask(store: Store) -> int:
        return store.questions.ask(
            "planning", "plan:7", "plan", "ann", "Which?", task_id=task, options=options
        )

    question = shelf.do(ask)
    assert shelf.do(ask) == question, "the same reply read twice asks once"
    assert shelf.store.cards.one("WEB-1")["questions"] == 1
    answer = {"options": [{"id": "a", "label": "Ünï"}], "text": "and more"}
    shelf.do(lambda store: store.questions.answer(question, answer, "me"))
    (row,) = shelf.store.questions.undelivered()
    assert (row["answer"], row["state"], row["ref"], row["options"]) == (answer, "answered", "WEB-1", options)
    shelf.do(lambda store: store.questions.delivered(question))
    assert shelf.store.questions.undelivered() == []
    assert shelf.store.questions.open_of_task(task) == []
    other = shelf.do(lambda store: store.questions.ask("gateway", "q:1", "x", "nobody", "Eh?"))
    shelf.do(lambda store: store.questions.gone(other))
    assert shelf.store.questions.open() == []


# -- reviews ------------------------------------------------------------------------------------------------------


def test_one_review_request_is_open_for_a_round(shelf: Shelf) -> None:
    _, round_id = attempt_of(shelf, shelf.task())
    first = shelf.do(lambda store: store.review_requests.open(round_id))
    with pytest.raises(sqlite3.IntegrityError):
        shelf.do(lambda store: store.review_requests.open(round_id))
    shelf.do(
        lambda store: store.review_requests.change(first, agent_id="bob", session_key="r", token_hash="t")
    )
    assert shelf.store.cards.one("WEB-1")["reviewer"] == "bob"
    shelf.do(lambda store: store.review_requests.end(first, "silent"))
    assert shelf.store.cards.one("WEB-1")["reviewer"] is None
    second = shelf.do(lambda store: store.review_requests.open(round_id))
    assert [row["number"] for row in shelf.store.review_requests.of_round(round_id)] == [1, 2]
    assert [row["id"] for row in shelf.store.review_requests.open_ones()] == [second]
    by_token = shelf.store.review_requests.by_token("t")
    assert by_token
    assert by_token["state"] == "silent"


def test_contents_are_kept_once(shelf: Shelf) -> None:
    shelf.do(lambda store: store.contents.keep("h", "first"))
    shelf.do(lambda store: store.contents.keep("h", "second"))
    assert (shelf.store.contents.text("h"), shelf.store.contents.text("x")) == ("first", None)


# -- costs --------------------------------------------------------------------------------------------------------


def test_costs_are_summed_over_every_session_of_a_task(shelf: Shelf) -> None:
    one, two = shelf.task("one"), shelf.task("two")

    def work(store: Store) -> None:
        for key, agent, purpose, task, tokens, usd in (
            ("w", "ann", "work", one, 100, 1.0),
            ("p", "bob", "plan", one, 20, 0.2),
            ("s", "ann", "subagent", one, 3, 0.03),
            ("r", "bob", "review", two, 7, 0.07),
            ("c", "ann", "chat", None, 1000, 10.0),
        ):
            store.sessions.note(key, agent, purpose=purpose, task=task)
            store.sessions.spent(key, tokens, usd)

    shelf.do(work)
    costs = shelf.store.costs
    assert costs.of_task(one) == {"tokens": 123, "cost_usd": pytest.approx(1.23)}
    assert costs.of_mission(shelf.mission)["tokens"] == 130
    assert [(row["ref"], row["tokens"]) for row in costs.by_task(shelf.mission)] == [
        ("WEB-1", 123),
        ("WEB-2", 7),
    ]
    assert {row["agent"]: row["tokens"] for row in costs.by_agent(shelf.mission)} == {"ann": 103, "bob": 27}
    assert {row["agent"]: row["tokens"] for row in costs.by_agent()}["ann"] == 1103
    spent = {row["purpose"]: row["tokens"] for row in costs.by_purpose(shelf.mission)}
    assert spent == {"plan": 20, "review": 7, "subagent": 3, "work": 100}
    assert costs.of_task(shelf.task("three")) == {"tokens": 0, "cost_usd": 0.0}


def test_spending_is_told_once(shelf: Shelf) -> None:
    task = shelf.task()
    shelf.do(lambda store: store.sessions.note("w", "ann", purpose="work", task=task))
    told = shelf.told(lambda store: store.sessions.spent("w", 5, 0.1))
    assert [(card["tokens"], card["cost_usd"]) for card in told.tasks] == [(5, 0.1)]
    assert shelf.told(lambda store: store.sessions.spent("w", 5, 0.1)).tasks == []


# -- attempts and words -------------------------------------------------------------------------------------------


def test_messages_of_a_kind_are_counted_by_session(shelf: Shelf) -> None:
    def work(store: Store) -> None:
        for key in ("a:go-on-1", "a:go-on-2", "a:go-on", "a:sign-1", "ab:go-on-1", "a:go-on-3"):
            store.outbox.put(key, key.split(":")[0], "ann", "x")

    shelf.do(work)
    counts = [
        shelf.store.outbox.count_in(*of)
        for of in (("a", "go-on"), ("a", "sign"), ("ab", "go-on"), ("b", "x"))
    ]
    assert counts == [3, 1, 1, 0]


def test_what_is_to_be_tried_again_comes_in_its_order(shelf: Shelf) -> None:
    ids = [attempt_of(shelf, shelf.task(), f"w{n}")[0] for n in range(4)]

    def work(store: Store) -> None:
        for attempt, at in zip(ids, ("3", "1", None, "2"), strict=True):
            store.attempts.change(attempt, retry_at=at)

    shelf.do(work)
    assert [row["id"] for row in shelf.store.attempts.to_retry()] == [ids[1], ids[3], ids[0]]


def test_running_children_are_those_of_tasks_that_run(shelf: Shelf) -> None:
    task = shelf.task()

    def work(store: Store) -> None:
        store.sessions.note("w", "ann", purpose="work", task=task)
        for key in ("s1", "s2"):
            store.sessions.note(key, "ann", purpose="subagent", task=task, parent="w")
            store.sessions.set_state(key, "running")
        store.sessions.set_state("s2", "done")

    shelf.do(work)
    assert shelf.store.sessions.running_children() == ["s1"]
    assert [row["state"] for row in shelf.store.sessions.children(task)] == ["running", "done"]


def test_what_is_held_without_a_run_does_not_count_as_running(shelf: Shelf) -> None:
    task = shelf.task(agent_id="ann")
    attempt, _ = attempt_of(shelf, task)
    for state in (State.ASSIGNED, State.IN_PROGRESS):
        shelf.do(lambda store, s=state: store.tasks.move(task, s))  # type: ignore[misc]
    assert shelf.store.tasks.running() == ["WEB-1"]
    shelf.do(lambda store: store.tasks.hold(task, Hold(HoldKind.BUDGET, "x", "y")))
    assert shelf.store.tasks.running(shelf.mission) == []
    shelf.do(lambda store: store.attempts.run_seen(attempt, "r"))
    assert shelf.store.tasks.running(shelf.mission) == ["WEB-1"]
    assert shelf.refs(shelf.store.tasks.held(HoldKind.BUDGET)) == ["WEB-1"]
    assert shelf.store.tasks.held(HoldKind.ERROR) == []


# -- the stop, and policies ---------------------------------------------------------------------------------------


def test_the_emergency_stop_is_kept(shelf: Shelf) -> None:
    assert shelf.store.emergency() is None
    shelf.do(lambda store: store.set_emergency("me"))
    stopped = shelf.store.emergency()
    assert stopped
    assert (stopped["by"], bool(stopped["at"])) == ("me", True)
    shelf.do(lambda store: store.set_emergency(None))
    assert shelf.store.emergency() is None


def test_a_policy_is_what_a_mission_says_over_what_holds_elsewhere(shelf: Shelf) -> None:
    base = Policy(auto=Auto.OFF, concurrency=3)
    assert shelf.store.missions.policy(shelf.mission, base) == base
    for changes in ({"review": "agent", "concurrency": 2}, {"concurrency": None}):
        told = shelf.told(lambda store, c=changes: store.missions.set_policy(shelf.mission, c))  # type: ignore[misc]
        assert told.missions
    policy = shelf.store.missions.policy(shelf.mission, base)
    assert policy == Policy(auto=Auto.OFF, review=ReviewBy.AGENT, concurrency=None)
    assert shelf.store.missions.row(shelf.mission)["policy"] == {"review": "agent", "concurrency": None}


@pytest.mark.parametrize("columns", [{"budget_tokens": 0}, {"budget_usd": -1.0}])
def test_a_budget_of_nothing_is_refused_by_the_database(shelf: Shelf, columns: dict[str, Any]) -> None:
    task = shelf.task()
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        shelf.do(lambda store: store.tasks.edit(task, **columns))
    with pytest.raises(NotFound):
        shelf.store.tasks.by_ref("WEB-9")
