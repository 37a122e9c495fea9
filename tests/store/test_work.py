"""Specs, attempts, runs, rounds, and the outbox: the records that a task's work leaves."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from ccp_tui.lifecycle import State
from ccp_tui.model import Delivery, Outcome, Verdict
from ccp_tui.spec import Spec, parse
from ccp_tui.store import NotFound, Store
from tests.store.conftest import Shelf

SPEC = parse("title: x\ndeliverables: [a.md, b.md]\nsuccess_criteria: [good]\nchecks: [make]\n")


def _attempt(shelf: Shelf, task: int, agent: str = "ann", key: str = "s1") -> int:
    def work(store: Store) -> int:
        store.specs.add(task, SPEC, "me")
        spec = store.specs.newest(task)
        assert spec is not None
        attempt = store.attempts.open(task, agent, spec["id"], key, f"hash of {key}")
        store.rounds.start(attempt, task)
        return attempt

    return shelf.do(work)


def _result(exit_code: int) -> dict[str, Any]:
    return {"name": "make", "command": "make", "exit_code": exit_code, "output": "é", "timed_out": 0,
            "duration_ms": 5, "started_at": "2026-01-01T00:00:00.000Z"}  # fmt: skip


def test_specs_have_versions_and_the_newest_counts(shelf: Shelf) -> None:
    task, specs = shelf.task(), shelf.store.specs

    def add(spec: Spec) -> int:
        return shelf.do(lambda store: store.specs.add(task, spec, "me"))

    assert specs.newest(task) is None
    assert specs.approved(task) is None
    assert [add(SPEC), add(SPEC)] == [1, 1]
    first = specs.version(task, 1)
    shelf.do(lambda store: store.specs.approve(first["id"], task, "me"))
    assert add(SPEC) == 1, "the same text does not lose its approval"
    assert add(parse("title: ünï")) == 2
    newest, approved = specs.newest(task), specs.approved(task)
    assert newest
    assert approved
    assert (newest["version"], newest["title"], newest["approved_at"]) == (2, "ünï", None)
    assert (approved["version"], approved["approved_by"]) == (1, "me")
    assert approved["deliverables"] == [
        {"path": "a.md", "description": ""},
        {"path": "b.md", "description": ""},
    ]
    assert approved["checks"] == [{"name": "make", "command": "make", "timeout_s": 60.0}]
    assert [one["version"] for one in specs.versions(task)] == [1, 2]
    with pytest.raises(NotFound, match="no spec version 3"):
        specs.version(task, 3)
    card = shelf.store.cards.one("WEB-1")
    assert (card["spec_version"], card["spec_approved"]) == (2, False)


def test_a_task_has_one_open_attempt(shelf: Shelf) -> None:
    task = shelf.task(agent_id="ann")
    first = _attempt(shelf, task)
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        _attempt(shelf, task, key="s2")
    assert shelf.store.cards.one("WEB-1")["session_key"] == "s1"
    shelf.do(lambda store: store.attempts.end(first, Outcome.STOPPED))
    assert shelf.store.attempts.of_task(task) is None
    card = shelf.store.cards.one("WEB-1")
    assert (card["attempt"], card["round"], card["session_key"]) == (1, 1, None)
    second = _attempt(shelf, task, key="s2")
    attempts = shelf.store.attempts
    assert [attempts.get(one)["number"] for one in (first, second)] == [1, 2]
    assert attempts.next_number(task) == 3
    assert attempts.numbered(task, 1)["outcome"] == "stopped"
    found = (
        attempts.latest(task),
        attempts.by_session("s2"),
        attempts.by_token("hash of s2"),
        attempts.of_task(task),
    )
    assert [row and row["id"] for row in found] == [second] * 4
    assert attempts.by_token("") is None
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        _attempt(shelf, shelf.task(), key="s2")


def test_an_attempt_ends_with_an_outcome_and_a_time(shelf: Shelf) -> None:
    attempt = _attempt(shelf, shelf.task())
    for sql in ("UPDATE attempts SET ended_at = 'now'", "UPDATE attempts SET outcome = 'done'"):
        with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
            shelf.do(lambda store, sql=sql: store.db.execute(sql))  # type: ignore[misc]
    assert [row["id"] for row in shelf.store.attempts.open_ones()] == [attempt]


def test_only_running_work_counts_for_an_agents_limit(shelf: Shelf) -> None:
    task = shelf.task(agent_id="ann")
    _attempt(shelf, task)
    counts = []
    for state in (State.ASSIGNED, State.IN_PROGRESS, State.TESTING, State.REVIEW):
        shelf.do(lambda store, state=state: store.tasks.move(task, state))  # type: ignore[misc]
        counts.append(shelf.store.attempts.working("ann"))
        assert shelf.store.agents.row("ann")["working_on"] == next(iter(counts[-1]), None)
    assert counts == [[], ["WEB-1"], ["WEB-1"], []]
    assert shelf.store.attempts.working("bob") == []


def test_runs_are_noted_once_and_end_once(shelf: Shelf) -> None:
    attempt = _attempt(shelf, shelf.task())

    def work(store: Store) -> list[bool]:
        runs = store.attempts
        return [
            runs.run_seen(attempt, "r1"),
            runs.run_seen(attempt, "r1"),
            runs.run_ended(attempt, "r1", "final"),
            runs.run_ended(attempt, "r1", "error", "late"),
            runs.run_ended(attempt, "unseen", "error", "provider"),
            runs.run_seen(attempt, "r3"),
        ]

    assert shelf.do(work) == [True, False, True, False, True, True]
    assert shelf.store.attempts.running(attempt) == ["r3"]
    rows = shelf.store.db.execute("SELECT run_id, state, detail FROM runs ORDER BY run_id").fetchall()
    assert rows == [("r1", "final", ""), ("r3", "running", ""), ("unseen", "error", "provider")]


def test_what_was_spent_is_told_when_it_changes(shelf: Shelf) -> None:
    key = shelf.store.attempts.get(_attempt(shelf, shelf.task()))["session_key"]
    assert len(shelf.told(lambda store: store.attempts.spent(key, 10, 0.5)).tasks) == 1
    assert shelf.told(lambda store: store.attempts.spent(key, 10, 0.5)).tasks == []
    assert shelf.told(lambda store: store.attempts.spent("no attempt's session", 10, 0.5)).tasks == []


def test_deliverables_checks_and_reviews_belong_to_their_round(shelf: Shelf) -> None:
    task = shelf.task()
    attempt = _attempt(shelf, task)
    rounds = shelf.store.rounds
    first = rounds.current(attempt)

    def work(store: Store) -> None:
        for size in (1, 2):
            store.rounds.deliver(first["id"], "a.md", f"size {size}", size, "hash")
        store.rounds.deliver(first["id"], "b.md", "", 3, "hash")
        for code in (1, 0):
            store.rounds.checked(first["id"], 0, _result(code))
        store.rounds.checked(first["id"], 1, _result(2))
        store.rounds.submitted(first["id"], "made it")
        store.rounds.review(first["id"], Verdict.REJECT, "person", "me", "not yet")
        store.rounds.finish(first["id"], "rejected")
        store.rounds.start(attempt, task)

    shelf.do(work)
    assert [(row["path"], row["size"]) for row in rounds.delivered(first["id"])] == [("a.md", 2), ("b.md", 3)]
    assert [row["exit_code"] for row in rounds.checks(first["id"])] == [0, 2]
    second = rounds.current(attempt)
    assert (second["number"], second["result"]) == (2, None)
    assert rounds.delivered(second["id"]) == rounds.checks(second["id"]) == []
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        shelf.do(lambda store: store.rounds.review(first["id"], Verdict.APPROVE, "person", "me", ""))
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        shelf.do(lambda store: store.rounds.review(second["id"], Verdict.REJECT, "person", "me", ""))
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        shelf.do(lambda store: store.rounds.review(second["id"], Verdict.APPROVE, "worker", "ann", ""))
    (detail,) = shelf.store.details.attempts(task)
    one, two = detail["rounds"]
    assert (detail["state"], detail["agent"], one["summary"], one["result"]) == (
        "open",
        "ann",
        "made it",
        "rejected",
    )
    assert [(check["ok"], check["timed_out"]) for check in one["checks"]] == [(True, False), (False, False)]
    assert [review["reason"] for review in one["reviews"]] == ["not yet"]
    assert two["deliverables"] == two["checks"] == two["reviews"] == []


def test_the_outbox_takes_a_message_once(shelf: Shelf) -> None:
    attempt = _attempt(shelf, shelf.task())

    def put(key: str, text: str = "hello") -> int:
        return shelf.do(
            lambda store: store.outbox.put(key, "s1", "ann", text, attempt=attempt, attachments=["é.md"])
        )

    first, second = put("k1"), put("k2")
    assert put("k1", "other words") == first
    outbox = shelf.store.outbox
    assert [(row["id"], row["text"], row["attachments"]) for row in outbox.open()] == [
        (first, "hello", '["é.md"]'), (second, "hello", '["é.md"]')
    ]  # fmt: skip
    shelf.do(lambda store: store.outbox.mark(first, Delivery.SENDING))
    assert len(outbox.open()) == 2, "what may or may not have arrived is still open"
    shelf.do(lambda store: store.outbox.mark(first, Delivery.SENT, run_id="r1"))
    shelf.do(lambda store: store.outbox.mark(first, Delivery.SENT))
    assert (outbox.get(first)["run_id"], outbox.get(first)["state"]) == ("r1", "sent")
    assert outbox.get(first)["sent_at"]
    assert put("k1") == first
    assert [row["id"] for row in outbox.open()] == [second]


def test_what_an_ended_attempt_has_not_sent_is_void(shelf: Shelf) -> None:
    attempt, other = _attempt(shelf, shelf.task()), _attempt(shelf, shelf.task(), key="s2")

    def work(store: Store) -> None:
        for key in ("sent", "sending", "pending"):
            store.outbox.put(key, "s1", "ann", "x", attempt=attempt)
        store.outbox.put("others", "s2", "ann", "x", attempt=other)
        store.outbox.put("chat", "c", "ann", "x")
        store.outbox.mark(1, Delivery.SENT)
        store.outbox.mark(2, Delivery.SENDING)
        assert store.outbox.unsent_of(attempt)
        for _ in range(2):
            store.outbox.void(attempt)

    shelf.do(work)
    states = dict(shelf.store.db.execute("SELECT idempotency_key, state FROM outbox").fetchall())
    assert states == {
        "sent": "sent", "sending": "sending", "pending": "void", "others": "pending", "chat": "pending"
    }  # fmt: skip
    assert shelf.store.outbox.unsent_of(attempt), "one is on its way, and may arrive"
    shelf.do(lambda store: store.outbox.mark(2, Delivery.VOID))
    assert not shelf.store.outbox.unsent_of(attempt)
