"""All or nothing, what subscribers hear, and events that stay for ever."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from ccp_tui.lifecycle import Actor, ActorKind, State
from ccp_tui.store import NotFound, Store
from tests.store.conftest import ME, Shelf


class Stop(Exception):
    pass


def test_a_transaction_is_all_or_nothing(shelf: Shelf) -> None:
    """Also after writes through sqlite-utils' own tables, which have transactions of their own."""
    task = shelf.task("Before")
    tables = (
        "tasks",
        "missions",
        "agents",
        "specs",
        "events",
        "sessions",
        "outbox",
        "messages",
        "search_index",
    )
    before = {table: shelf.one(f"SELECT count(*) FROM {table}") for table in tables}

    def work(store: Store) -> None:
        store.tasks.edit(task, title="After")
        store.agents.add("eve", "Eve", role="", emoji="", model=None, workspace=None)
        store.agents.save_file("ann", "SOUL.md", "kind", "me")
        store.missions.create("Other")
        store.tasks.capture(State.INBOX, shelf.mission, "X-1", "Another")
        store.sessions.note("s", "ann")
        store.messages.add_ours("s", "hello", "key")
        store.outbox.put("key", "s", "ann", "hello")
        store.events.add(ME, "noted", "something")
        raise Stop

    with pytest.raises(Stop):
        shelf.do(work)
    assert {table: shelf.one(f"SELECT count(*) FROM {table}") for table in tables} == before
    assert shelf.store.tasks.get(task)["title"] == "Before"
    assert shelf.one("SELECT count(*) FROM agent_files") == 0
    assert shelf.store.search.find("After") == []


def test_a_failed_transaction_is_over(shelf: Shelf) -> None:
    with pytest.raises(NotFound):
        shelf.do(lambda store: store.tasks.get(99))
    assert shelf.told(lambda store: None).tasks == []
    shelf.task("The next one works")


def test_a_statement_that_fails_inside_takes_all_with_it(shelf: Shelf) -> None:
    task = shelf.task("Before")

    def work(store: Store) -> None:
        store.tasks.edit(task, title="After")
        store.tasks.edit(task, priority="whenever")

    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        shelf.do(work)
    assert shelf.store.tasks.get(task)["title"] == "Before"


def test_committed_lists_what_was_touched(shelf: Shelf) -> None:
    task = shelf.task(agent_id="ann")
    shelf.do(lambda store: store.sessions.note("chat", "bob"))

    def work(store: Store) -> None:
        store.tasks.edit(task, title="New")
        store.tasks.edit(task, priority="high")
        store.events.add(ME, "noted", "once", task=task)
        store.messages.add_ours("chat", "hello", "key")

    told = shelf.told(work)
    assert [(row["ref"], row["title"], row["priority"]) for row in told.tasks] == [("WEB-1", "New", "high")]
    assert [row["id"] for row in told.agents] == ["ann", "bob"]
    assert [row["text"] for row in told.events] == ["once"]
    assert [row["text"] for row in told.messages] == ["hello"]
    assert told.missions == []


def test_a_move_is_told_with_the_missions_counts(shelf: Shelf) -> None:
    task = shelf.task()
    told = shelf.told(lambda store: store.tasks.move(task, State.PLANNING))
    assert [row["counts"] for row in told.missions] == [{"planning": 1}]
    assert [row["state"] for row in told.tasks] == ["planning"]


def test_what_changes_nothing_is_not_told(shelf: Shelf) -> None:
    task = shelf.task()

    def work(store: Store) -> None:
        store.tasks.move(task, State.INBOX)
        store.tasks.hold(task, None)
        store.agents.update("ann", name="Ann")

    told = shelf.told(work)
    assert (told.tasks, told.missions, told.agents) == ([], [], [])


def test_what_a_failed_transaction_touched_is_not_told(shelf: Shelf) -> None:
    task = shelf.task()

    def work(store: Store) -> None:
        store.tasks.edit(task, title="New")
        raise Stop

    with pytest.raises(Stop):
        shelf.do(work)
    assert shelf.told(lambda store: store.missions.all()).tasks == []


def test_reading_a_chat_of_an_agent_that_left_tells_nobody(shelf: Shelf) -> None:
    shelf.do(lambda store: store.sessions.note("chat", "gone"))
    shelf.do(lambda store: store.messages.add_ours("chat", "hello", "key"))
    assert shelf.told(lambda store: store.sessions.read("chat")).agents == []


def test_the_store_works_from_another_thread(shelf: Shelf) -> None:
    worker = threading.Thread(target=shelf.task, args=("From a thread",))
    worker.start()
    worker.join()
    assert shelf.store.cards.one("WEB-1")["title"] == "From a thread"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET text = 'nothing happened'",
        "UPDATE events SET at = at",
        "DELETE FROM events",
        "DELETE FROM events WHERE id = 1",
        "REPLACE INTO events (id, at, actor_kind, actor, kind, text) VALUES (1, '', 'person', 'x', 'x', 'x')",
        "INSERT OR REPLACE INTO events (id, at, actor_kind, actor, kind, text) VALUES (1, '', 'person', 'x', 'x', '')",
        "UPDATE OR REPLACE events SET id = 1 WHERE id = 2",
        "INSERT INTO events (id, at, actor_kind, actor, kind, text) VALUES (1, '', 'person', 'x', 'x', 'x') "
        "ON CONFLICT (id) DO UPDATE SET text = 'x'",
    ],
)
def test_events_are_append_only(shelf: Shelf, sql: str) -> None:
    for text in ("it happened", "and this"):
        shelf.event(text)
    with pytest.raises(sqlite3.IntegrityError, match="events are append-only"):
        shelf.do(lambda store: store.db.execute(sql))
    assert [event["text"] for event in shelf.store.events.page()] == ["it happened", "and this"]


def test_an_event_knows_where_it_belongs(shelf: Shelf) -> None:
    task = shelf.task()
    actor = Actor(ActorKind.WORKER, "ann")
    event = shelf.do(
        lambda store: store.events.add(
            actor, "noted", "text", task=task, agent="ann", attempt=2, round=3, reason="why", data={"a": "é"}
        )
    )
    row = shelf.store.events.row(event)
    assert row["at"].endswith("Z")
    assert {key: value for key, value in row.items() if key not in ("id", "at")} == {
        "actor": "ann", "actor_kind": "worker", "kind": "noted", "task": "WEB-1", "mission": "web", "agent": "ann",
        "attempt": 2, "round": 3, "text": "text", "reason": "why", "data": {"a": "é"},
    }  # fmt: skip


def test_events_come_in_pages(shelf: Shelf) -> None:
    first, second = shelf.task(), shelf.task()
    other = shelf.do(lambda store: store.missions.create("Other"))
    ids = [shelf.event(f"e{n}", task=(first, second)[n % 2]) for n in range(6)]
    shelf.event("elsewhere", mission=other, agent="bob")
    page = shelf.store.events.page
    assert [e["text"] for e in page(limit=2)] == ["e5", "elsewhere"]
    assert [e["text"] for e in page(before=ids[2])] == ["e0", "e1"]
    assert [e["text"] for e in page(before=ids[4], limit=2)] == ["e2", "e3"]
    assert [e["text"] for e in page(after=ids[1], limit=2)] == ["e2", "e3"]
    assert [e["text"] for e in page({"task": "web-1"})] == ["e0", "e2", "e4"]
    assert [e["text"] for e in page({"mission": "other"})] == ["elsewhere"]
    assert [e["text"] for e in page({"agent": "bob", "kind": "noted"})] == ["elsewhere"]
    assert page({"kind": "moved"}) == page({"task": "WEB-99"}) == []
