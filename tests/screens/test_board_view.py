"""The board's state without a screen: the cursor is a task, filters and jumps find theirs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccp_tui.mirror import Mirror
from ccp_tui.screens.board.layout import Layout
from ccp_tui.screens.board.view import BoardView
from ccp_tui.screens.board.words import short_age, short_count
from tests.screens.fakes import NOW, card, snapshot


@pytest.fixture
def view() -> BoardView:
    mirror = Mirror()
    mirror.apply_snapshot(snapshot())
    view = BoardView(mirror)
    view.load()
    return view


def change(view: BoardView, **row: object) -> None:
    """One task changes, as an event tells it."""
    view.load(view.mirror.apply("task.changed", {"task": row}))


def test_the_cursor_follows_its_task_into_another_column(view: BoardView) -> None:
    view.go_to("WEB-3")
    row = card(3, "review", "Write the changelog for the autumn release", attempt=1, round=1)
    change(view, **row)
    assert view.ref == "WEB-3"
    assert view.state == "review"


def test_the_cursor_stays_on_its_task_when_others_come_and_go_above_it(view: BoardView) -> None:
    view.go_to("WEB-4")
    assert view.row == 2
    change(view, **card(50, "inbox", "New on top", position=-1.0))
    assert (view.ref, view.row) == ("WEB-4", 3)
    change(view, **card(2, "cancelled", "Gone"))
    assert (view.ref, view.row) == ("WEB-4", 2)


def test_when_its_task_leaves_the_board_the_cursor_keeps_its_height(view: BoardView) -> None:
    view.go_to("WEB-3")
    change(view, **card(3, "cancelled", "Gone"))
    assert view.state == "inbox"
    assert view.ref == "WEB-4"  # the one that moved up into its place


def test_a_mission_shows_only_its_tasks_and_all_shows_every_one(view: BoardView) -> None:
    assert "OPS-20" in view.refs("inbox")
    view.mission = "web"
    view.load()
    assert "OPS-20" not in view.refs("inbox")


def test_the_filter_matches_words_in_any_order_and_held_tasks(view: BoardView) -> None:
    view.filter = "release CHANGELOG"
    view.load()
    assert [view.refs("inbox"), view.total()] == [("WEB-3",), 1]
    view.filter = "held stalled"
    view.load()
    assert view.refs("in_progress") == ("WEB-8",)


def test_next_match_goes_through_all_columns_and_around(view: BoardView) -> None:
    view.filter = "owl"
    view.load()
    view.first_shown()
    every = [ref for column in view.columns for ref in view.refs(column.state)]
    seen = [view.ref]
    for _ in every[1:]:
        view.next_match(1)
        seen.append(view.ref)
    assert seen == every
    view.next_match(1)
    assert view.ref == every[0]
    view.next_match(-1)
    assert view.ref == every[-1]


def test_jumping_to_what_needs_the_person_goes_by_urgency_and_leaves_the_filter(view: BoardView) -> None:
    view.filter = "owl"
    view.load()
    assert [view.next_attention() for _ in range(4)] == ["WEB-1", "WEB-8", "WEB-10", "WEB-1"]
    assert view.filter == ""


@given(st.integers(1, 400), st.integers(0, 120), st.integers(7, 8))
def test_columns_fill_the_width_exactly_and_stay_readable(width: int, height: int, columns: int) -> None:
    layout = Layout(width, height, columns)
    spans = [layout.span(slot) for slot in range(layout.shown)]
    assert spans[0][0] == 0
    assert all(b[0] == a[0] + a[1] + 1 for a, b in pairwise(spans))
    assert sum(spans[-1]) == width
    assert layout.shown == 1 or min(span[1] for span in spans) >= 22


@given(st.integers(2, 60), st.integers(0, 500), st.data())
def test_the_cursor_is_always_among_the_cards_shown(height: int, top: int, data: st.DataObject) -> None:
    layout = Layout(80, height, 7)
    cards = data.draw(st.integers(1, 500))
    row = data.draw(st.integers(0, cards - 1))
    first = layout.top(top, row, cards)
    assert first <= row < first + layout.capacity(cards)
    assert 0 <= first < cards


def test_ages_are_coarse_and_counts_are_short() -> None:
    assert [short_age("2026-11-23T11:59:30.000Z", NOW), short_age("2026-11-23T11:30:00.000Z", NOW)] == [
        "now",
        "30m",
    ]
    assert short_age("", NOW) == ""
    assert [short_count(n) for n in (999, 1200, 10_000)] == ["999", "1.2k", "10k"]


def test_cards_are_large_while_the_fullest_column_fits() -> None:
    assert Layout(80, 24, 7, 5).card_height == 4
    assert Layout(80, 24, 7, 6).card_height == 3
    assert Layout(160, 45, 7, 500).card_height == 4
