"""The chat screen on a fake service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.failures import ServiceFailure
from ccp_tui.screens.chat import ChatScreen
from ccp_tui.screens.chat.conversation import WINDOW
from ccp_tui.screens.widgets import pace
from tests.screens.conftest import LARGE, SMALL, Stage, StageMaker
from tests.screens.fakes import snapshot
from tests.screens.talk import CHAT, KEY, message, tool, type_words, until


@asynccontextmanager
async def chat(
    stage: StageMaker, size: tuple[int, int] = SMALL, **params: Any
) -> AsyncIterator[tuple[Stage, ChatScreen]]:
    async with stage(size=size) as s:
        s.live.answers.update(CHAT)
        s.app.open("chat", **({"agent": "fox"} | params))
        await until(s, lambda: "chat.sessions" in [name for name, _ in s.live.calls])
        screen = s.app.screen
        assert isinstance(screen, ChatScreen)
        yield s, screen


async def test_a_chat_opens_at_its_end_with_markdown_and_folded_tools(stage: StageMaker) -> None:
    async with chat(stage, LARGE) as (s, _):
        text = s.text
        assert "▸ exec  pytest tests/search -q  ✗ failed" in text
        assert "▸ read  src/tokens.py  ✓ 40 lines" in text
        assert "line 17" not in text
        assert "## Plan" not in text
        assert "Plan" in text
        assert "▏ def score(a: str, b: str) -> float:" in text
        assert "steered into the running answer" in text
        assert "queued: sent when the run ends" in text
        assert "12.4k tokens · $0.18" in text
        assert s.live.watched == [KEY]
        assert s.live.asked("chat.read") == [{"session_key": KEY}]


async def test_words_of_an_agent_are_data(stage: StageMaker) -> None:
    async with chat(stage, LARGE) as (s, _):
        text = s.text
        assert "<b>html stays text</b>, [red]so does markup[/red] and colour codes do not act." in text
        assert "the docs (https://example.org/x)" in text
        segments = [segment for strip in s.app.screen._compositor.render_strips() for segment in strip]
        assert not [segment for segment in segments if segment.style is not None and segment.style.link]
        assert "\x1b" not in text


async def test_enter_sends_and_ctrl_j_makes_a_line(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        await type_words(s, "first")
        await s.press("ctrl+j")
        await type_words(s, "second ?:!")
        await s.press("enter")
        assert s.live.asked("chat.send") == [{"session_key": KEY, "text": "first\nsecond ?:!"}]
        assert screen.composer.text == ""
        assert "sending…" in s.text
        s.live.emit("message", message=message(99, "user", "first\nsecond ?:!", minute=6))
        await s.settle()
        assert "sending…" not in s.text
        assert [item.message["id"] for item in screen.transcript.items].count(99) == 1


async def test_a_refused_message_comes_back_into_the_input(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        s.live.answers["chat.send"] = ServiceFailure("FAILED", "The disk is full.")
        await type_words(s, "precious words")
        await s.press("enter")
        assert screen.composer.text == "precious words"
        assert "The disk is full." in s.text


async def test_an_answer_streams_and_is_replaced_by_its_message(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        s.live.emit("run.state", session_key=KEY, run_id="r1", state="started")
        for end in range(1, 4):
            s.live.emit("run.delta", session_key=KEY, run_id="r1", text=" ".join(["**word**"] * end * 3))
        await until(s, lambda: "**word** **word**" in s.text)
        assert "is answering" in s.text
        assert "^x stops it" in s.text
        s.live.emit("message", message=message(50, "assistant", " ".join(["**word**"] * 9), minute=7))
        s.live.emit("run.state", session_key=KEY, run_id="r1", state="final")
        await s.settle()
        assert "**word**" not in s.text
        assert "word word word" in s.text
        assert "is answering" not in s.text
        assert screen.transcript.live_text == ""


async def test_the_first_words_are_painted_at_once_and_more_at_the_pace(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chat(stage) as (s, screen):
        monkeypatch.setattr(pace, "SHORTEST_S", 60.0)
        s.live.emit("run.delta", session_key=KEY, run_id="r1", text="alpha")
        s.live.emit("run.delta", session_key=KEY, run_id="r1", text="alpha beta")
        await s.settle()
        assert "alpha beta" in s.text
        s.live.emit("run.delta", session_key=KEY, run_id="r1", text="alpha beta gamma")
        await s.settle()
        assert "gamma" not in s.text
        assert screen.transcript.live_text == "alpha beta gamma"


async def test_escape_steps_from_writing_to_reading_to_the_screen_before(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        await s.press("escape")
        assert s.app.screen is screen
        assert "esc back" in s.lines()[-1]
        await s.press("escape")
        await until(s, lambda: s.app.screen is not screen)


async def test_a_stream_of_another_session_is_not_shown(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        s.live.emit("run.delta", session_key="agent:owl:other", run_id="r2", text="not for here")
        await s.settle()
        assert screen.transcript.live_text == ""


async def test_a_running_tool_shows_and_becomes_a_folded_call(stage: StageMaker) -> None:
    async with chat(stage) as (s, _):
        call = {"session_key": KEY, "run_id": "r1", "call_id": "c60", "name": "exec"}
        s.live.emit("run.tool", phase="start", args={"command": "make all"}, **call)
        await until(s, lambda: "◌ exec  make all" in s.text)
        assert "runs exec" in s.text
        s.live.emit("run.tool", phase="result", output="ok", is_error=False, **call)
        s.live.emit("message", message=tool(60, "exec", {"command": "make all"}, "built\nall", minute=8))
        await until(s, lambda: "◌" not in s.text)
        assert "▸ exec  make all  ✓ 2 lines" in s.text


async def test_tool_calls_unfold_one_by_one_and_all_at_once(stage: StageMaker) -> None:
    async with chat(stage, LARGE) as (s, screen):
        await s.press("escape", "k", "k", "k")
        await s.press("o")
        assert "▾ exec" not in s.text
        assert "▾ read" in s.text
        assert "path: src/tokens.py" in s.text
        await s.press("o")
        assert "▾" not in s.text
        await s.press("ctrl+o")
        assert all(
            item.unfolded != screen.transcript.unfold_all for item in screen.transcript.items if item.is_tool
        )
        await s.press("g")
        assert "▾ exec" in s.text
        shown = [line.text for item in screen.transcript.items for line in item.lines]
        assert "  ▏ 1 failed, 3 passed" in shown


async def test_older_messages_load_while_scrolling_and_the_view_stays(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        assert not s.live.asked("chat.history")
        await s.press("pageup", "pageup", "pageup")
        await s.settle()
        assert s.live.asked("chat.history") == [{"session_key": KEY, "before": 11, "limit": 50}]
        assert screen.transcript.items[0].message["id"] == 1
        seen = s.lines()[4]
        assert "older words" not in seen
        await s.press("escape", "g")
        assert "older words 1" in s.text
        await s.press("G")
        assert "And tell me when done." in s.text


async def test_new_messages_below_are_told_not_jumped_to(stage: StageMaker) -> None:
    async with chat(stage) as (s, _):
        await s.press("pageup")
        before = s.lines()[1:10]
        s.live.emit("message", message=message(51, "assistant", "Something new.", minute=9))
        await s.settle()
        assert s.lines()[1:10] == before
        assert "1 new below" in s.text
        await s.press("ctrl+end")
        assert "Something new." in s.text
        assert "new below" not in s.text


async def test_a_very_long_chat_holds_a_bounded_window(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        for n in range(1000, 1000 + WINDOW + 100):
            s.live.emit("message", message=message(n, "assistant", f"words {n}", minute=9))
        await s.settle()
        assert len(screen.transcript.items) <= WINDOW
        assert f"words {1000 + WINDOW + 99}" in s.text
        assert screen.transcript.has_more


async def test_a_long_answer_becomes_markdown_in_a_thread(stage: StageMaker) -> None:
    async with chat(stage) as (s, _):
        s.live.emit("message", message=message(52, "assistant", "- a **point** of many\n" * 400, minute=9))
        await until(s, lambda: " • a point of many" in s.text)


async def test_ctrl_x_stops_the_run_and_only_then(stage: StageMaker) -> None:
    async with chat(stage) as (s, _):
        await s.press("ctrl+x")
        assert "Nothing is running here." in s.text
        assert not s.live.asked("chat.abort")
        s.live.emit("run.state", session_key=KEY, run_id="r1", state="started")
        await s.press("ctrl+x")
        assert s.live.asked("chat.abort") == [{"session_key": KEY}]
        s.live.emit("message", message=message(53, "assistant", "half a", minute=9, status="partial"))
        s.live.emit("run.state", session_key=KEY, run_id="r1", state="aborted")
        await s.settle()
        assert "stopped before the end" in s.text


async def test_tab_sends_after_a_running_answer(stage: StageMaker) -> None:
    async with chat(stage) as (s, _):
        s.live.emit("run.state", session_key=KEY, run_id="r1", state="started")
        await type_words(s, "later")
        await s.press("tab")
        assert s.live.asked("chat.send") == [{"session_key": KEY, "text": "later", "mode": "followup"}]


async def test_an_error_of_the_run_is_told_where_one_looks(stage: StageMaker) -> None:
    async with chat(stage) as (s, _):
        s.live.emit(
            "run.state", session_key=KEY, run_id="r1", state="error", detail="429: no quota left\x1b[2J"
        )
        await s.settle()
        assert "✗ 429: no quota left" in s.text


async def test_files_are_attached_by_path(stage: StageMaker, tmp_path: Path) -> None:
    note = tmp_path / "a-note.txt"
    note.write_text("words")
    async with chat(stage) as (s, screen):
        screen.composer.put(f"/attach {tmp_path}/no-such")
        await s.press("enter")
        assert "There is no file" in s.text
        assert screen.composer.text.startswith("/attach ")
        screen.composer.put(f"/attach {tmp_path}/a-n")
        await s.press("tab")
        assert screen.composer.text == f"/attach {note}"
        await s.press("enter")
        assert "+ a-note.txt" in s.text
        await type_words(s, "read")
        await s.press("enter")
        assert s.live.asked("chat.send") == [{"session_key": KEY, "text": "read", "attachments": [str(note)]}]
        assert "+ a-note.txt" not in s.text


async def test_backspace_takes_an_attachment_away(stage: StageMaker, tmp_path: Path) -> None:
    async with chat(stage) as (s, screen):
        screen.attached = [tmp_path / "one"]
        await s.press("backspace")
        assert screen.attached == []


async def test_chats_switch_and_each_keeps_its_draft(stage: StageMaker) -> None:
    async with chat(stage, LARGE) as (s, screen):
        assert "✉ 3" in s.text
        await type_words(s, "half a thought")
        await s.press("escape", "]")
        assert "Hello, owl here." in s.text
        assert screen.composer.text == ""
        assert s.live.watched == ["agent:owl:ccp-chat-1"]
        await s.press("[")
        assert screen.composer.text == "half a thought"
        assert s.live.watched == [KEY]


async def test_ctrl_t_picks_a_chat_or_begins_one(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        await s.press("ctrl+t")
        assert "begin a chat" in s.text
        await type_words(s, "eel")
        await s.press("enter")
        assert screen.agent == "eel"
        assert "Hello, eel here." in s.text


async def test_a_session_of_a_task_leads_to_the_task(stage: StageMaker) -> None:
    async with chat(stage, session_key="agent:fox:ccp-7-1") as (s, screen):
        await until(s, lambda: screen.task_ref == "WEB-7")
        assert "on WEB-7" in s.text


async def test_a_hit_is_shown_and_marked(stage: StageMaker) -> None:
    async with chat(stage, message_id=12) as (s, screen):
        at = screen.transcript.cursor
        assert at is not None
        assert screen.transcript.items[at].message["id"] == 12
        assert "▌ I will look at the tests first." in s.text


async def test_after_a_new_snapshot_the_chat_is_read_again(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        await type_words(s, "draft")
        opens = len(s.live.asked("chat.open"))
        s.live.mirror.apply_snapshot(snapshot())
        await s.settle()
        assert len(s.live.asked("chat.open")) == opens + 1
        assert screen.composer.text == "draft"


async def test_escape_reads_then_leaves_and_stops_watching(stage: StageMaker) -> None:
    async with chat(stage) as (s, screen):
        await s.press("escape")
        assert s.app.screen is screen
        assert "i write" in s.lines()[-1]
        await s.press("escape")
        assert s.app.screen is not screen
        assert s.live.watched == []


async def test_without_agents_it_says_what_to_do(stage: StageMaker) -> None:
    board = snapshot() | {"agents": []}
    async with stage(board=board) as s:
        s.app.open("chat")
        await s.settle()
        assert "No agents yet" in s.text
