"""What an action costs: exact numbers of statements, and an index wherever a table grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ccp_tui.lifecycle import State
from ccp_tui.model import Hold, HoldKind
from ccp_tui.store import Store
from tests.store.conftest import ME, Shelf


@contextmanager
def traced(store: Store) -> Iterator[list[str]]:
    """The statements that the store runs; not what triggers, full-text tables and savepoints do inside them."""
    ran: list[str] = []

    def keep(sql: str) -> None:
        words = " ".join(sql.split())
        if not words.startswith(("--", "SAVEPOINT", "RELEASE")) and (not ran or ran[-1] != words):
            ran.append(words)

    store.db.conn.set_trace_callback(keep)
    try:
        yield ran
    finally:
        store.db.conn.set_trace_callback(None)


@pytest.fixture
def full(shelf: Shelf) -> Shelf:
    """A hundred tasks of two agents, with events and messages."""

    def work(store: Store) -> None:
        store.missions.create("Docs")
        store.sessions.note("chat", "ann")
        for number in range(100):
            home = 1 + number % 2
            task = store.tasks.capture(
                State.INBOX,
                home,
                store.missions.next_ref(home),
                f"Task {number}",
                agent_id=("ann", "bob")[number % 2],
            )
            store.events.add(ME, "noted", f"about {number}", task=task, agent="ann")
            store.messages.add_ours("chat", f"message {number}", f"k{number}")

    shelf.do(work)
    return shelf


# BEGIN, what is said here, COMMIT; then one read per kind of thing that was touched.
ACTIONS: dict[str, tuple[Callable[[Store], Any], int]] = {
    "nothing": (lambda store: None, 2),
    "an event": (lambda store: store.events.add(ME, "noted", "x"), 2 + 1 + 1),
    "an event of a task": (lambda store: store.events.add(ME, "noted", "x", task=1), 2 + 2 + 1),
    "an edit": (lambda store: store.tasks.edit(1, priority="high"), 2 + 2 + 2),
    "a title, with its index": (lambda store: store.tasks.edit(1, title="New"), 2 + 2 + 2),
    "a hold": (lambda store: store.tasks.hold(1, Hold(HoldKind.ERROR, "x", "y")), 2 + 3 + 2),
    "no hold": (lambda store: store.tasks.hold(1, None), 2 + 1),
    "a move, which others show": (lambda store: store.tasks.move(1, State.PLANNING), 2 + 5 + 4),
    "no move": (lambda store: store.tasks.move(1, State.INBOX), 2 + 1),
    "a place": (lambda store: store.tasks.place(1, before=5, after=None), 2 + 5 + 2),
    "a message of the gateway": (lambda store: store.messages.from_gateway("chat", "g", "assistant", "x"), 2 + 5 + 2),
    "a message told again": (lambda store: store.messages.from_gateway("chat", "", "user", "", idempotency_key="k1"),
                             2 + 2 + 1 + 1),
    "reading a chat": (lambda store: store.sessions.read("chat"), 2 + 3 + 1),
}  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_costs_no_more_statements_than_it_needs(full: Shelf, action: str) -> None:
    work, budget = ACTIONS[action]
    with traced(full.store) as ran:
        full.do(work)
    assert len(ran) == budget, "\n".join(ran)


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.cards.board(),
        lambda store: store.cards.one("WEB-1"),
        lambda store: store.tasks.queued(),
        lambda store: store.tasks.counts(),
        lambda store: store.events.page({"task": "WEB-1"}),
        lambda store: store.messages.page("chat"),
        lambda store: store.agents.all(),
        lambda store: store.sessions.all(),
    ],
    ids=["board", "card", "queue", "counts", "history", "transcript", "agents", "sessions"],
)
def test_a_read_is_one_statement_however_much_there_is(full: Shelf, read: Callable[[Store], Any]) -> None:
    with traced(full.store) as ran:
        read(full.store)
    assert len(ran) == 1, "\n".join(ran)


# What each read of a growing table must go through; the tables that it may not scan.
PLANS: dict[str, tuple[Callable[[Store], Any], tuple[str, ...]]] = {
    "board of a column": (lambda s: s.cards.select({"mission": "web", "state": "inbox"}), ("tasks_board",)),
    "cards of a mission": (lambda s: s.cards.select({"mission": "web"}), ("tasks_board",)),
    "cards of an agent": (lambda s: s.cards.select({"agent": "ann"}), ("tasks_by_agent",)),
    "held cards": (lambda s: s.cards.select({}, held=True), ("tasks_held",)),
    "a card": (lambda s: s.cards.one("WEB-1"), ("tasks_1 (ref=?)",)),
    "changed cards": (lambda s: s.cards.of([1, 2, 3]), ("t USING INTEGER PRIMARY KEY",)),
    "the queue": (lambda s: s.tasks.queued(), ("tasks_queued",)),
    "tasks in testing": (lambda s: s.tasks.in_states(State.TESTING), ("tasks_by_state",)),
    "a mission's counts": (lambda s: s.missions.row(1), ("COVERING INDEX tasks_board",)),
    "history of a task": (lambda s: s.events.page({"task": "WEB-1"}), ("events_of_task",)),
    "history of a mission": (lambda s: s.events.page({"mission": "web"}), ("events_of_mission",)),
    "history of an agent": (lambda s: s.events.page({"agent": "ann"}), ("events_of_agent",)),
    "latest events": (lambda s: s.events.page(), ("e USING INTEGER PRIMARY KEY",)),
    "events after one": (lambda s: s.events.page(after=10), ("e USING INTEGER PRIMARY KEY",)),
    "transcript": (lambda s: s.messages.page("chat"), ("messages_of_session",)),
    "older transcript": (lambda s: s.messages.page("chat", before=50), ("messages_of_session (session_key=? AND at<",)),
    "totals": (lambda s: s.messages.totals("chat"), ("messages_of_session",)),
    "unread": (lambda s: s.agents.all(), ("messages_unread", "attempts_open_by_agent")),
    "sessions": (lambda s: s.sessions.all(), ("COVERING INDEX messages_of_session", "messages_unread")),
    "agents' work": (lambda s: s.attempts.working("ann"), ("attempts_open_by_agent",)),
    "open outbox": (lambda s: s.outbox.open(), ("outbox_open",)),
    "open outbox of a session": (lambda s: s.outbox.open_in("agent:a:x"), ("outbox_open",)),
    "unsent": (lambda s: s.outbox.unsent_of(1), ("outbox_open",)),
    "open attempt": (lambda s: s.attempts.of_task(1), ("attempts_one_open",)),
    "token": (lambda s: s.attempts.by_token("x"), ("token_hash=?",)),
    "what a task spent": (lambda s: s.costs.of_task(1), ("sessions_of_task",)),
    "what a task needs": (lambda s: s.dependencies.of(1), ("PRIMARY KEY (task_id=?)",)),
    "what needs a task": (lambda s: s.dependencies.dependants(1), ("dependants",)),
    "open questions": (lambda s: s.questions.open(), ("questions_open",)),
    "questions of a task": (lambda s: s.questions.of_task(1), ("questions_of_task",)),
    "the open planning": (lambda s: s.plannings.of_task(1), ("plannings_one_open",)),
    "the latest review request": (lambda s: s.review_requests.latest(1), ("(round_id=?)",)),
    "what runs": (lambda s: s.tasks.running(), ("attempts_one_open",)),
    "messages of a kind": (lambda s: s.outbox.count_in("chat", "go-on"), ("idempotency_key>? AND idempotency_key<?",)),
}  # fmt: skip
GROWING = ("t", "tasks", "e", "events", "m", "messages", "attempts", "p", "rounds", "specs", "outbox")


@pytest.mark.parametrize("name", PLANS)
def test_reads_go_through_their_index(full: Shelf, name: str) -> None:
    read, indices = PLANS[name]
    with traced(full.store) as ran:
        read(full.store)
    plan = _plan(full, ran)
    assert all(any(index in step for step in plan) for index in indices), "\n".join(plan)
    scans = [step for step in plan if step.startswith("SCAN ") and step.split()[1] in GROWING]
    assert not [step for step in scans if "USING INDEX outbox_open" not in step], "\n".join(plan)


def _plan(shelf: Shelf, ran: list[str]) -> list[str]:
    return [row[3] for sql in ran for row in shelf.store.db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()]


@pytest.mark.parametrize("name", ["board of a column", "history of a task", "history of a mission",
                                  "history of an agent", "latest events", "events after one"])  # fmt: skip
def test_what_is_read_in_order_is_not_sorted(full: Shelf, name: str) -> None:
    with traced(full.store) as ran:
        PLANS[name][0](full.store)
    assert not [step for step in _plan(full, ran) if "TEMP B-TREE" in step]


def test_search_goes_through_the_index_and_reads_the_rest_by_key(full: Shelf) -> None:
    with traced(full.store) as ran:
        assert full.store.search.find("task")
    plan = _plan(full, ran[:1])
    assert any("search_index VIRTUAL TABLE" in step for step in plan)
    assert not [
        step
        for step in plan
        if step.startswith("SCAN ") and step.split()[1] in ("t", "e", "m", "s", "p", "a")
    ]
