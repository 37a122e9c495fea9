"""Chat with an agent: stored before it is sent, streamed to who watches, read from the gateway's history."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.service.board import Board, Client, until


async def opened(board: Board) -> str:
    key: str = (await board.call("chat.open", agent=board.agent))["session_key"]
    return key


async def messages(board: Board, key: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await board.call("chat.open", session_key=key))["messages"]
    return rows


async def answered(board: Board, key: str, text: str, **more: Any) -> list[dict[str, Any]]:
    """Says something and returns all messages once the answer is there."""
    before = sum(1 for row in await messages(board, key) if row["role"] == "assistant")
    await board.call("chat.send", session_key=key, text=text, **more)

    async def there() -> list[dict[str, Any]] | None:
        rows = await messages(board, key)
        return rows if sum(1 for row in rows if row["role"] == "assistant") > before else None

    found: list[dict[str, Any]] = await until(there)
    return found


async def test_a_message_and_its_answer_are_kept(board: Board) -> None:
    key = await opened(board)
    assert await messages(board, key) == []
    rows = await answered(board, key, "!say Hello back.")
    assert [(row["role"], row["text"], row["status"]) for row in rows] == [
        ("user", "!say Hello back.", "sent"),
        ("assistant", "Hello back.", "final"),
    ]
    assert rows[1]["usage"]["output"] > 0
    totals = await board.call("chat.totals", session_key=key)
    assert totals["tokens"] > 0
    assert totals["cost_usd"] > 0


async def test_a_message_is_stored_while_the_gateway_is_away_and_sent_later(board: Board) -> None:
    key = await opened(board)
    await board.away()
    sent = (await board.call("chat.send", session_key=key, text="!say Late.", attachments=[]))["message"]
    assert sent["status"] == "sending"
    assert [row["id"] for row in await messages(board, key)] == [sent["id"]]
    await board.restart_service_away()
    assert [row["id"] for row in await messages(board, key)] == [sent["id"]]
    await board.back()

    async def told() -> bool:
        return [(row["text"], row["status"]) for row in await messages(board, key)] == [
            ("!say Late.", "sent"),
            ("Late.", "final"),
        ]

    await until(told)
    assert board.prompts(key) == ["!say Late."]


async def test_words_stream_to_those_who_watch_and_to_no_one_else(board: Board) -> None:
    key = await opened(board)
    async with Client(board.home, "watcher") as watcher, Client(board.home, "other") as other:
        for client in (watcher, other):
            await client.keep()
        await watcher.watch(key)
        await board.call("chat.send", session_key=key, text="!stream 40 3")
        await until(lambda: [one for one in watcher.named("run.state") if one["state"] == "final"])
        deltas = [one["text"] for one in watcher.named("run.delta")]
        states = [one["state"] for one in watcher.named("run.state")]
        told = {event.name for event in other.got}
        assert watcher.named("message")
    assert len(deltas) >= 3
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(deltas))
    assert deltas[-1].endswith("word40")
    assert states == ["started", "final"]
    assert not {"run.delta", "run.state", "run.tool", "message"} & told


async def test_a_tool_call_is_shown_as_it_runs_and_kept_with_its_output(board: Board) -> None:
    key = await opened(board)
    async with Client(board.home) as watcher:
        await watcher.keep()
        await watcher.watch(key)
        rows = await answered(board, key, "!exec echo one; echo two >&2\n!say Done.")
        phases = [one["phase"] for one in watcher.named("run.tool")]
        assert phases[0] == "start"
        assert phases[-1] == "result"
    rows = await messages(board, key)
    (tool,) = [row["tool"] for row in rows if row["role"] == "tool"]
    assert (tool["name"], tool["args"]) == ("exec", {"command": "echo one; echo two >&2"})
    assert "one" in tool["output"]
    assert "two" in tool["output"]
    assert tool["is_error"] is False
    assert [row["role"] for row in rows] == ["user", "tool", "assistant"]


async def test_an_abort_keeps_what_was_said(board: Board) -> None:
    key = await opened(board)
    await board.call("chat.send", session_key=key, text="!stream 50000 20")
    live = await until(lambda: streaming(board, key))
    assert live["text"].startswith("word1")
    assert await board.call("chat.abort", session_key=key) == {"aborted": True}

    async def partial() -> list[str]:
        return [row["text"] for row in await messages(board, key) if row["status"] == "partial"]

    (text,) = await until(partial)
    assert text.startswith("word1 word2")
    rows = await messages(board, key)
    assert [row["text"] for row in rows if row["role"] == "system"] == ["the run was aborted"]
    assert (await board.call("chat.open", session_key=key))["live"] is None


async def streaming(board: Board, key: str) -> dict[str, Any] | None:
    live: dict[str, Any] | None = (await board.call("chat.open", session_key=key))["live"]
    return live if live and "word2" in live["text"] else None


async def test_unread_answers_are_counted_until_they_are_read(board: Board) -> None:
    key = await opened(board)
    for count in (1, 2):
        await answered(board, key, f"!say Answer {count}.")
        (agent,) = (await board.call("agent.list"))["agents"]
        (session,) = (await board.call("chat.sessions"))["sessions"]
        assert (agent["unread"], session["unread"]) == (count, count)
    assert session["last_text"] == "Answer 2."
    assert session["task"] is None
    async with Client(board.home) as watcher:
        await watcher.keep()
        await board.call("chat.read", session_key=key)
        await until(lambda: [one for one in watcher.named("agent.changed") if one["agent"]["unread"] == 0])
    (session,) = (await board.call("chat.sessions"))["sessions"]
    assert session["unread"] == 0


async def test_history_comes_in_pages(board: Board) -> None:
    key = await opened(board)
    for number in range(4):
        await answered(board, key, f"!say Answer {number}.")
    everything = await messages(board, key)
    assert len(everything) == 8
    page = await board.call("chat.history", session_key=key, before=everything[5]["id"], limit=3)
    assert page == {"messages": everything[2:5], "has_more": True}
    first = await board.call("chat.history", session_key=key, before=everything[2]["id"], limit=3)
    assert first == {"messages": everything[:2], "has_more": False}
    await board.fails("chat.history", "NOT_FOUND", session_key="agent:nobody:nothing")


async def test_what_is_said_into_a_run_is_steered_or_queued(board: Board) -> None:
    key = await opened(board)
    await board.call("chat.send", session_key=key, text="!stream 60 2\n!pause 20")
    await until(lambda: streaming(board, key))
    for mode, text in (("steer", "!say Steered."), ("followup", "!say Queued.")):
        await board.call("chat.send", session_key=key, text=text, mode=mode)

    async def statuses() -> dict[str, str]:
        return {row["text"]: row["status"] for row in await messages(board, key) if row["role"] == "user"}

    async def both() -> bool:
        found = await statuses()
        return (found["!say Steered."], found["!say Queued."]) == ("steered", "queued")

    await until(both)

    async def all_answered() -> bool:
        said = [row["text"] for row in await messages(board, key) if row["role"] == "assistant"]
        return "Queued." in said[-1:]

    await until(all_answered)
    assert (await statuses())["!say Queued."] == "sent"
    rows = await messages(board, key)
    assert [row["text"] for row in rows if row["role"] == "user"].count("!say Steered.") == 1
    assert any("Steered." in row["text"] for row in rows if row["role"] == "assistant")


async def test_an_interruption_ends_the_run(board: Board) -> None:
    key = await opened(board)
    await board.call("chat.send", session_key=key, text="!stream 50000 20")
    await until(lambda: streaming(board, key))
    rows = await answered(board, key, "!say Now.", mode="interrupt")
    assert rows[-1]["text"] == "Now."


async def test_attachments_go_to_the_gateway(board: Board, tmp_path: Path) -> None:
    key = await opened(board)
    picture = tmp_path / "a picture.png"
    picture.write_bytes(base64.b64decode("iVBORw0KGgo="))
    await answered(board, key, "!say Seen.", attachments=[str(picture)])
    rows = await messages(board, key)
    assert rows[0]["attachments"] == ["a picture.png"]
    (media,) = board.rows(key)[0]["__openclaw"]["media"]
    assert (media["contentType"], media["sizeBytes"]) == ("image/png", 8)


async def test_what_cannot_be_sent_is_told(board: Board, tmp_path: Path) -> None:
    key = await opened(board)
    missing = await board.fails(
        "chat.send", "USAGE", session_key=key, text="x", attachments=["/no/such/file"]
    )
    assert "/no/such/file is no file" in missing.message
    await board.fails("chat.send", "USAGE", session_key=key, text="x", attachments=[str(tmp_path)])
    (tmp_path / "innocent").symlink_to(board.home.database)
    for own in (board.home.database, tmp_path / "innocent"):
        refused = await board.fails("chat.send", "USAGE", session_key=key, text="x", attachments=[str(own)])
        assert "board's own" in refused.message
    await board.fails("chat.send", "USAGE", session_key=key, text=" \n ")
    await board.fails("chat.send", "USAGE", session_key=key, text="x", mode="shout")
    await board.fails("chat.send", "NOT_FOUND", session_key="agent:ada:other", text="x")
    await board.fails("chat.open", "NOT_FOUND", agent="nobody")
    assert await messages(board, key) == []


async def test_a_failing_provider_leaves_a_note_in_the_chat(board: Board) -> None:
    key = await opened(board)
    async with Client(board.home) as watcher:
        await watcher.watch(key)
        await board.call("chat.send", session_key=key, text="!fail 400")
        await until(lambda: noted(board, key))
    (note,) = [row for row in await messages(board, key) if row["role"] == "system"]
    assert note["status"] == "error"
    assert "HTTP 400" in note["text"]


async def noted(board: Board, key: str) -> bool:
    return any(row["role"] == "system" for row in await messages(board, key))


async def test_words_of_agents_carry_no_control_characters(board: Board) -> None:
    key = await opened(board)
    async with Client(board.home) as watcher:
        await watcher.keep()
        await watcher.watch(key)
        rows = await answered(board, key, "!exec printf 'a\\033]0;title\\007b\\033[2J'\n!say plain")
        assert "\x1b" not in repr([event.payload for event in watcher.got])
    rows = await messages(board, key)
    assert [row["tool"]["output"].strip() for row in rows if row["role"] == "tool"] == ["ab"]


@pytest.mark.parametrize("ended", ["stop", "done"])
async def test_the_session_of_an_ended_attempt_can_still_be_talked_to(board: Board, ended: str) -> None:
    ref = await board.in_review()
    key = (await board.card(ref))["session_key"]
    if ended == "stop":
        await board.call("task.stop", ref=ref)
    else:
        await board.call("task.approve", ref=ref, attempt=1, round=1)
    await until(lambda: board.running(key) is None or ended == "done")
    await board.restart_service()
    await board.call("chat.open", session_key=key)
    if ended == "done":
        await board.call("chat.abort", session_key=key)
    rows = await answered(board, key, "!say It was a pleasure.")
    assert rows[-1]["text"] == "It was a pleasure."
    assert (await board.card(ref))["hold"] is None
