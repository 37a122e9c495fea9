"""Tasks: refs, order in a column, holds, the queue, and the cards the board draws."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ccp_tui.lifecycle import State
from ccp_tui.model import Hold, HoldKind
from ccp_tui.store import NotFound, Store
from tests.store.conftest import Shelf


def _column(shelf: Shelf) -> list[str]:
    return shelf.refs(shelf.store.cards.board())


def _place(shelf: Shelf, task: int, *, before: int | None = None, after: int | None = None) -> None:
    shelf.do(lambda store: store.tasks.place(task, before=before, after=after))


def test_refs_count_per_mission_and_are_never_taken_twice(shelf: Shelf) -> None:
    other = shelf.do(lambda store: store.missions.create("Docs", prefix="DOC"))
    for mission in (shelf.mission, other, shelf.mission):
        shelf.task(mission=mission)
    shelf.do(lambda store: store.missions.next_ref(other))
    shelf.task(mission=other)
    assert _column(shelf) == ["WEB-1", "DOC-1", "WEB-2", "DOC-3"]
    assert shelf.store.tasks.by_ref("doc-3")["ref"] == "DOC-3"
    with pytest.raises(NotFound, match="there is no task WEB-9"):
        shelf.store.tasks.by_ref("WEB-9")


def test_a_ref_of_a_capture_that_failed_is_free_again(shelf: Shelf) -> None:
    with pytest.raises(Exception, match="CHECK"):
        shelf.task(title="")
    shelf.task()
    assert _column(shelf) == ["WEB-1"]


def test_placing(shelf: Shelf) -> None:
    one, two, three, four = (shelf.task() for _ in range(4))
    _place(shelf, four, before=one)
    assert _column(shelf) == ["WEB-4", "WEB-1", "WEB-2", "WEB-3"]
    _place(shelf, four, after=one)
    assert _column(shelf) == ["WEB-1", "WEB-4", "WEB-2", "WEB-3"]
    _place(shelf, one, after=three)
    assert _column(shelf) == ["WEB-4", "WEB-2", "WEB-3", "WEB-1"]
    _place(shelf, three, before=two)
    assert _column(shelf) == ["WEB-4", "WEB-3", "WEB-2", "WEB-1"]
    _place(shelf, three, before=two)
    assert _column(shelf) == ["WEB-4", "WEB-3", "WEB-2", "WEB-1"]


def test_a_card_is_placed_among_its_own_column_only(shelf: Shelf) -> None:
    one, two = shelf.task(), shelf.task()
    elsewhere = shelf.task(mission=shelf.do(lambda store: store.missions.create("Docs")))
    shelf.do(lambda store: store.tasks.move(two, State.PLANNING))
    for other in (two, elsewhere):
        with pytest.raises(NotFound, match="is not in the column of WEB-1"):
            _place(shelf, one, before=other)
    with pytest.raises(NotFound, match="no such task"):
        _place(shelf, one)


def test_placing_does_not_run_out_of_numbers(shelf: Shelf) -> None:
    """Halving the same gap uses up the precision of a double; the column is spread, and the order kept."""
    first, second, *moving = (shelf.task() for _ in range(4))
    _place(shelf, moving[1], before=second)
    for turn in range(140):
        _place(shelf, moving[turn % 2], before=second)
        order = _column(shelf)
        assert order.index("WEB-1") == 0
        assert order[-2:] == [f"WEB-{3 + turn % 2}", "WEB-2"]
    positions = [card["position"] for card in shelf.store.cards.board()]
    assert len(set(positions)) == 4
    assert first < second


def test_any_order_can_be_made(shelf: Shelf) -> None:
    chance = random.Random(7)
    tasks = [shelf.task() for _ in range(8)]
    order = list(tasks)
    for _ in range(60):
        task, other = chance.sample(tasks, 2)
        before = chance.random() < 0.5
        _place(shelf, task, before=other if before else None, after=None if before else other)
        order.remove(task)
        order.insert(order.index(other) + (0 if before else 1), task)
        assert [card["id"] for card in shelf.store.cards.board()] == order


def test_a_moved_card_goes_to_the_bottom_of_its_new_column(shelf: Shelf) -> None:
    tasks = [shelf.task() for _ in range(3)]
    for task in (tasks[2], tasks[0], tasks[1]):
        shelf.do(lambda store, task=task: store.tasks.move(task, State.PLANNING))  # type: ignore[misc]
    assert _column(shelf) == ["WEB-3", "WEB-1", "WEB-2"]
    row = shelf.store.tasks.get(tasks[1])
    assert row["state_since"] >= row["created_at"]


def test_a_hold_says_whether_it_is_news(shelf: Shelf) -> None:
    task = shelf.task()
    first = Hold(HoldKind.ERROR, "the provider failed", "Retry.")

    def hold(new: Hold | None) -> bool:
        return shelf.do(lambda store: store.tasks.hold(task, new))

    assert hold(None) is False
    assert hold(first) is True
    since = shelf.store.tasks.get(task)["hold_since"]
    assert hold(first) is False
    assert shelf.store.tasks.get(task)["hold_since"] == since
    assert hold(Hold(HoldKind.ERROR, "it failed again", "Retry.")) is True
    assert hold(Hold(HoldKind.STALLED, "it failed again", "Retry.")) is True
    card = shelf.store.cards.one("WEB-1")
    assert card["hold"] == {
        "kind": "stalled",
        "reason": "it failed again",
        "release": "Retry.",
        "since": card["hold"]["since"],
    }
    assert hold(None) is True
    assert hold(None) is False
    assert shelf.store.cards.one("WEB-1")["hold"] is None
    assert hold(first) is True, "the second hold of a kind is news again"


def test_a_hold_without_a_reason_is_refused_by_the_database(shelf: Shelf) -> None:
    task = shelf.task()
    for columns in ({"hold_kind": "error"}, {"hold_reason": "x"}, {"hold_kind": "bored", "hold_reason": "x"}):
        with pytest.raises(Exception, match="CHECK"):
            shelf.do(lambda store, columns=columns: store.tasks.edit(task, **columns))  # type: ignore[misc]


def test_the_queue_has_the_most_pressing_first(shelf: Shelf) -> None:
    def queue(asked: int, **columns: Any) -> int:
        task = shelf.task("Build it", mission=None, agent_id="ann", **columns)

        def work(store: Store) -> None:
            store.tasks.move(task, State.ASSIGNED)
            store.tasks.edit(task, queued_at=f"2026-01-01T00:00:{asked:02d}.000Z")

        shelf.do(work)
        return task

    queue(1)
    queue(2, due="2026-03-01")
    queue(3, due="2026-02-01")
    queue(4, priority="urgent")
    queue(5, priority="low")
    queue(6, priority="high")
    above = queue(0)
    shelf.do(lambda store: store.tasks.place(above, before=1, after=None))
    held = queue(7, priority="urgent")
    shelf.do(lambda store: store.tasks.hold(held, Hold(HoldKind.ERROR, "x", "y")))
    shelf.task()
    ordered = ["WEB-4", "WEB-6", "WEB-3", "WEB-2", "WEB-7", "WEB-1", "WEB-5"]
    assert shelf.refs(shelf.store.tasks.queued()) == ordered


def test_cards_are_selected(shelf: Shelf) -> None:
    docs = shelf.do(lambda store: store.missions.create("Docs", prefix="DOC"))
    shelf.task("Landing page", agent_id="ann")
    planned = shelf.task("Plan", agent_id="bob")
    held = shelf.task("Held page")
    shelf.task("Manual", mission=docs, agent_id="ann")
    shelf.do(lambda store: store.tasks.move(planned, State.PLANNING))
    shelf.do(lambda store: store.tasks.hold(held, Hold(HoldKind.ERROR, "x", "y")))
    select = shelf.store.cards.select
    assert shelf.refs(select({})) == ["WEB-1", "WEB-2", "WEB-3", "DOC-1"] or len(select({})) == 4
    assert shelf.refs(select({"mission": "docs"})) == ["DOC-1"]
    assert shelf.refs(select({"state": "planning"})) == ["WEB-2"]
    assert shelf.refs(select({"agent": "ann"})) == ["WEB-1", "DOC-1"]
    assert shelf.refs(select({"agent": "ann", "mission": "web"})) == ["WEB-1"]
    assert shelf.refs(select({}, held=True)) == ["WEB-3"]
    assert sorted(shelf.refs(select({}, held=False))) == ["DOC-1", "WEB-1", "WEB-2"]
    assert shelf.refs(select({}, text="PAGE")) == ["WEB-1", "WEB-3"]
    assert shelf.refs(select({}, text="doc-")) == ["DOC-1"]
    assert select({}, text="%") == select({}, text="_") == []
    assert len(select({}, limit=2)) == 2
    shelf.do(lambda store: store.missions.update(docs, title=None, icon=None, archived=True))
    assert "DOC-1" not in shelf.refs(select({}))
    assert "DOC-1" not in _column(shelf)
    assert shelf.refs(select({"mission": "docs"})) == ["DOC-1"]
    assert shelf.store.tasks.counts() == {state.value: 0 for state in State} | {"inbox": 2, "planning": 1}


def test_a_card_says_what_the_board_shows(shelf: Shelf) -> None:
    shelf.task("Build it", agent_id="ann", due="2026-12-24", priority="high")
    card = shelf.store.cards.one("web-1")
    times = [card.pop(key) for key in ("created_at", "updated_at", "state_since")]
    assert all(times)
    assert card == {
        "id": 1, "ref": "WEB-1", "title": "Build it", "state": "inbox", "priority": "high", "position": 1.0,
        "due": "2026-12-24", "agent": "ann", "agent_name": "Ann", "agent_emoji": "", "mission": "web", "hold": None,
        "attempt": None, "round": None, "queued": False, "waiting": None, "spec_version": None,
        "spec_approved": False, "session_key": None, "activity": None,
        "auto": False, "parent": None, "planning": None, "waits_for": [], "subtasks": 0, "subtasks_done": 0,
        "questions": 0, "reviewer": None, "review": None, "tokens": 0, "cost_usd": 0.0,
        "budget_tokens": None, "budget_usd": None,
    }  # fmt: skip
    with pytest.raises(NotFound, match="there is no task WEB-7"):
        shelf.store.cards.one("WEB-7")
