"""Search finds what is there now, whatever is typed, and marks where."""

from __future__ import annotations

import unicodedata

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from ccp_tui.spec import parse
from ccp_tui.store import Store
from ccp_tui.store.search import HIT_END, HIT_START
from tests.store.conftest import Shelf


def _found(shelf: Shelf, text: str) -> list[tuple[str, str | None]]:
    return [(hit["kind"], hit["ref"]) for hit in shelf.store.search.find(text)]


def _filled(shelf: Shelf) -> int:
    task = shelf.task("Landing page", description="for the harbour café", agent_id="ann")

    def work(store: Store) -> None:
        store.specs.add(task, parse("title: Harbour\nsuccess_criteria: [it shows lighthouses]\n"), "me")
        spec = store.specs.newest(task)
        assert spec is not None
        attempt = store.attempts.open(task, "ann", spec["id"], "work", "hash")
        store.sessions.note("work", "ann", attempt=attempt)
        store.sessions.note("chat", "bob")
        store.messages.add_ours("work", "paint the lighthouse", "k1")
        store.messages.add_ours("chat", "which lighthouse?", "k2")

    shelf.do(work)
    shelf.event("WEB-1 the lighthouse fell", task=task, reason="storm")
    return task


def test_tasks_specs_messages_and_events_are_found_with_their_place(shelf: Shelf) -> None:
    _filled(shelf)
    hits = {hit["kind"] + str(hit["session_key"] or ""): hit for hit in shelf.store.search.find("lighthouse")}
    assert set(hits) == {"spec", "messagework", "messagechat", "event"}
    assert {hit["ref"] for hit in hits.values()} == {"WEB-1", None}
    assert (hits["messagework"]["ref"], hits["messagework"]["agent"], hits["messagework"]["message_id"]) == (
        "WEB-1", "ann", 1
    )  # fmt: skip
    assert (hits["messagechat"]["ref"], hits["messagechat"]["agent"]) == (None, "bob")
    assert hits["event"]["event_id"] == 1
    assert all(hit["at"] for hit in hits.values())
    assert _found(shelf, "WEB-1")[0] == ("task", "WEB-1")
    assert _found(shelf, "storm") == [("event", "WEB-1")]
    assert _found(shelf, "landing harbour") == [("task", "WEB-1")]
    assert _found(shelf, "landing storm") == []


def test_the_words_found_are_marked(shelf: Shelf) -> None:
    shelf.task("A task", description="x " * 100 + "the red lighthouse stands " + "y " * 100)
    (hit,) = shelf.store.search.find("light red")
    assert f"the {HIT_START}red{HIT_END} {HIT_START}lighthouse{HIT_END} stands" in hit["snippet"]
    assert len(hit["snippet"]) < 200


@pytest.mark.parametrize(
    "typed",
    ["café", "cafe", "CAFÉ", "Caf", "ca", unicodedata.normalize("NFD", "café"), "café harbour", "harb cafe", "cafe!",
     '"café"', "(café)", "café*", "café:", "^café", "-café", "café\x00", "\ud800 café"],
)  # fmt: skip
def test_however_it_is_typed(shelf: Shelf, typed: str) -> None:
    _filled(shelf)
    assert ("task", "WEB-1") in _found(shelf, typed)


def test_decomposed_text_is_found_by_composed_words_and_the_other_way(shelf: Shelf) -> None:
    shelf.task("A task", description=unicodedata.normalize("NFD", "naïve Ångström"))
    for typed in ("naïve", "naive", "Ångström", "angstrom", unicodedata.normalize("NFD", "Ångström")):
        assert _found(shelf, typed) == [("task", "WEB-1")], typed


@pytest.mark.parametrize(
    "typed",
    ["", " ", '"', "*", "'", '""', "NEAR(", "NEAR", "AND", "OR", "NOT", "a AND", "nowhere:", "{title}: x", "()", "a^2",
     "-", "+", "%", "_", "👩‍🚀", "\x00", "x" * 100_000, "x " * 50_000, '" OR 1=1 --', "'; DROP TABLE tasks; --"],
)  # fmt: skip
def test_nothing_typed_is_syntax(shelf: Shelf, typed: str) -> None:
    _filled(shelf)
    assert _found(shelf, typed) == []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    typed=st.text(st.characters(exclude_categories=[]) | st.sampled_from("\"'*()^:-+{}ANDORNT "), max_size=60)
)
def test_any_text_can_be_searched_for(shelf: Shelf, typed: str) -> None:
    shelf.store.search.find(typed)


def test_the_index_follows_every_change(shelf: Shelf) -> None:
    task = _filled(shelf)
    shelf.do(lambda store: store.tasks.edit(task, title="Pier"))
    assert _found(shelf, "landing") == []
    assert _found(shelf, "pier") == [("task", "WEB-1")]
    shelf.do(lambda store: store.tasks.edit(task, description="of wood"))
    assert ("task", "WEB-1") not in _found(shelf, "cafe")
    assert _found(shelf, "wood") == [("task", "WEB-1")]
    shelf.do(lambda store: store.tasks.edit(task, priority="high"))
    assert _found(shelf, "WEB-1 wood") == [("task", "WEB-1")]
    shelf.do(lambda store: store.specs.add(task, parse("title: Gulls\n"), "me"))
    assert _found(shelf, "gulls") == [("spec", "WEB-1")]


def test_a_message_is_found_by_what_it_says_now(shelf: Shelf) -> None:
    _filled(shelf)

    def tell(text: str, **tool: str) -> None:
        shelf.do(
            lambda store: store.messages.from_gateway(
                "chat", "g1", "assistant", text, tool=dict(tool) or None
            )
        )

    tell("a first draft")
    tell("a second version")
    assert _found(shelf, "draft") == []
    assert _found(shelf, "second") == [("message", None)]
    tell("", output="seagulls.txt")
    assert _found(shelf, "seagulls") == [("message", None)]


def test_the_index_holds_no_more_than_there_is(shelf: Shelf) -> None:
    task = _filled(shelf)
    for number in range(5):
        shelf.do(lambda store, number=number: store.tasks.edit(task, title=f"Title {number}"))  # type: ignore[misc]
    rows = sum(
        shelf.one(f"SELECT count(*) FROM {table}") for table in ("tasks", "specs", "messages", "events")
    )
    assert shelf.one("SELECT count(*) FROM search_index") == rows
    shelf.store.db.execute("INSERT INTO search_index (search_index) VALUES ('integrity-check')")


def test_a_task_is_not_crowded_out_by_its_own_events(shelf: Shelf) -> None:
    """Events come last also when there are more of them than hits are wanted."""
    task = shelf.task("A task", description="lighthouse " + "and many other words " * 50)
    for _ in range(30):
        shelf.event("lighthouse", task=task)
    hits = shelf.store.search.find("lighthouse", limit=10)
    assert [hit["kind"] for hit in hits] == ["task"] + ["event"] * 9
