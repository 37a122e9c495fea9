"""Transcripts: each message once, however often and in whatever order the gateway tells of it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ccp_tui.model import MessageStatus
from ccp_tui.store import NotFound, Store
from tests.store.conftest import Shelf


@pytest.fixture
def chat(shelf: Shelf) -> Shelf:
    shelf.do(lambda store: store.sessions.note("chat", "ann", title="Chat"))
    return shelf


def _tell(shelf: Shelf, key: str, text: str = "", role: str = "assistant", **more: Any) -> int:
    return shelf.do(lambda store: store.messages.from_gateway("chat", key, role, text, **more))


def _texts(shelf: Shelf, **more: Any) -> list[str]:
    return [row["text"] for row in shelf.store.messages.page("chat", **more)[0]]


def _ours(shelf: Shelf, text: str, key: str) -> int:
    return shelf.do(lambda store: store.messages.add_ours("chat", text, key, ["a.png"]))


def test_ours_is_stored_once_and_found_again_in_the_history(chat: Shelf) -> None:
    ours = _ours(chat, "hello", "k1")
    assert _ours(chat, "hello", "k1") == ours
    assert chat.store.messages.row(ours)["status"] == "sending"
    assert _tell(chat, "g1", "[Mon] hello", "user", idempotency_key="k1") == ours
    row = chat.store.messages.row(ours)
    assert (row["text"], row["status"], row["attachments"]) == ("hello", "sent", ["a.png"])
    assert _tell(chat, "g1", "[Mon] hello", "user", idempotency_key="k1") == ours
    assert _tell(chat, "g1", "[Mon] hello", "user") == ours
    assert _texts(chat) == ["hello"]


def test_a_status_that_says_more_than_sent_stays(chat: Shelf) -> None:
    ours = _ours(chat, "hello", "k1")
    chat.do(lambda store: store.messages.set_status("k1", MessageStatus.STEERED))
    _tell(chat, "g1", "hello", "user", idempotency_key="k1")
    assert chat.store.messages.row(ours)["status"] == "steered"


def test_what_the_gateway_told_before_it_knew_our_key_does_not_stand_twice(chat: Shelf) -> None:
    """A live event without our key makes a row; the history then shows that it was ours all along."""
    ours = _ours(chat, "hello", "k1")
    _tell(chat, "g1", "hello", "user")
    assert _tell(chat, "g1", "hello", "user", idempotency_key="k1") == ours
    assert _texts(chat) == ["hello"]
    assert _tell(chat, "g1", "hello", "user") == ours


def test_the_same_row_told_again_changes_only_what_is_new(chat: Shelf) -> None:
    first = _tell(chat, "g1", "half an ans")
    told = chat.told(
        lambda store: store.messages.from_gateway(
            "chat",
            "g1",
            "assistant",
            "half an answer",
            usage={"input": 5, "output": 2, "cost_usd": 0.1},
            run_id="r",
        )
    )
    assert [(row["id"], row["text"], row["run_id"]) for row in told.messages] == [
        (first, "half an answer", "r")
    ]
    again = chat.told(lambda store: store.messages.from_gateway("chat", "g1", "assistant", ""))
    assert again.messages == []
    assert chat.store.messages.row(first)["usage"] == {"input": 5, "output": 2, "cost_usd": 0.1}


def test_one_gateway_key_in_two_sessions_is_two_messages(chat: Shelf) -> None:
    chat.do(lambda store: store.sessions.note("other", "bob"))
    _tell(chat, "g1", "here")
    chat.do(lambda store: store.messages.from_gateway("other", "g1", "assistant", "there"))
    assert _texts(chat) == ["here"]


def test_a_tools_result_joins_its_call(chat: Shelf) -> None:
    call = {"call_id": "c1", "name": "exec", "args": {"command": "ls"}, "output": None, "is_error": False}
    first = _tell(chat, "call:c1", role="tool", tool=call)
    assert _tell(chat, "call:c1", role="tool", tool={**call, "output": "é.md"}) == first
    assert chat.store.messages.tool_call("chat", "c1") == {**call, "output": "é.md"}
    assert chat.store.messages.tool_call("chat", "c2") is None
    assert chat.store.messages.row(first)["tool"]["output"] == "é.md"


def test_a_page_is_in_the_order_in_which_it_was_said(chat: Shelf) -> None:
    """Words before the tool calls of the same moment, whatever the order in which they came."""
    said = [
        (f"2026-01-01T00:00:{n // 2:02d}.000Z", "tool" if n % 2 else "assistant", f"m{n:02d}")
        for n in range(12)
    ]
    for at, role, text in random.Random(3).sample(said, len(said)):
        _tell(chat, text, text, role, at=at)
    everything = [text for _, _, text in said]
    assert _texts(chat) == everything
    rows, more = chat.store.messages.page("chat", limit=5)
    assert ([row["text"] for row in rows], more) == (everything[-5:], True)
    found: list[str] = []
    before: int | None = None
    while True:
        rows, more = chat.store.messages.page("chat", before=before, limit=5)
        found = [row["text"] for row in rows] + found
        if not more:
            break
        before = rows[0]["id"]
    assert found == everything
    assert chat.store.messages.page("chat", before=10**9) == ([], False)
    assert chat.store.messages.page("unknown") == ([], False)


def test_a_page_of_exactly_all_has_no_more(chat: Shelf) -> None:
    for n in range(3):
        _tell(chat, f"g{n}", f"m{n}")
    assert chat.store.messages.page("chat", limit=3)[1] is False
    assert chat.store.messages.page("chat", limit=2)[1] is True


def test_totals_are_summed_over_the_answers(chat: Shelf) -> None:
    assert chat.store.messages.totals("chat") == {"tokens": 0, "cost_usd": 0.0}
    for n in range(3):
        _tell(chat, f"g{n}", "x", usage={"input": 10, "output": n, "cost_usd": 0.25})
    _tell(chat, "g9", "no usage")
    assert chat.store.messages.totals("chat") == {"tokens": 33, "cost_usd": 0.75}


def test_unread_answers_are_counted_until_they_are_read(chat: Shelf) -> None:
    def unread() -> tuple[int, int]:
        return chat.store.agents.row("ann")["unread"], chat.store.sessions.all()[0]["unread"]

    _ours(chat, "hello", "k1")
    assert unread() == (0, 0)
    told = chat.told(lambda store: store.messages.from_gateway("chat", "g1", "assistant", "hi"))
    assert [row["unread"] for row in told.agents] == [1]
    _tell(chat, "g2", "there")
    assert unread() == (2, 2)
    assert chat.do(lambda store: store.sessions.read("chat")) is True
    assert chat.do(lambda store: store.sessions.read("chat")) is False
    assert chat.do(lambda store: store.sessions.read("unknown")) is False
    assert unread() == (0, 0)


def test_sessions_are_known_once_the_latest_first(chat: Shelf) -> None:
    chat.do(lambda store: store.sessions.note("chat", "bob", title="Other"))
    chat.do(lambda store: store.sessions.note("later", "bob", title="Later"))
    _tell(chat, "g1", "a" * 300, at="2099-01-01T00:00:00.000Z")
    rows = chat.store.sessions.all()
    assert [(row["session_key"], row["agent"], row["title"]) for row in rows] == [
        ("chat", "ann", "Chat"), ("later", "bob", "Later")
    ]  # fmt: skip
    assert rows[0]["last_text"] == "a" * 200
    assert sorted(chat.store.sessions.keys()) == ["chat", "later"]
    with pytest.raises(NotFound, match="there is no session nope"):
        chat.store.sessions.get("nope")


def test_a_message_of_an_unknown_session_is_refused(chat: Shelf) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"):
        chat.do(lambda store: store.messages.add_ours("nope", "x", "k"))


def test_a_note_of_the_service_stands_in_the_transcript(chat: Shelf) -> None:
    def work(store: Store) -> int:
        return store.messages.add_note("chat", "the run failed")

    row = chat.store.messages.row(chat.do(work))
    assert (row["role"], row["status"], row["agent"], row["tool"]) == ("system", "error", "ann", None)
