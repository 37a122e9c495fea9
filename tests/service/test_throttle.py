"""A gateway that does not take a message yet: its session waits for itself, for a bounded time, in plain sight."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ccp_tui.gateway import GatewayError, GatewayTimeout
from ccp_tui.service.sessions import delivery, throttle
from tests.service.board import IDLE, Board, spec, until
from tests.service.test_dispatch import outbox


class Throttled:
    """Refuses what is sent to one agent, for as long as ``on``, and counts how often it was asked."""

    def __init__(self, board: Board, agent: str, error: GatewayError) -> None:
        self.on, self.asked = True, 0
        self._agent, self._error = agent, error
        calls = board.service.gateway.calls
        self._send = calls.chat_send
        calls.chat_send = self.send  # type: ignore[method-assign]

    async def send(self, session_key: str, *args: Any, **more: Any) -> Any:
        if self.on and session_key.startswith(f"agent:{self._agent}:"):
            self.asked += 1
            raise self._error
        return await self._send(session_key, *args, **more)


def busy(seconds: float | None = None) -> GatewayError:
    return GatewayError("UNAVAILABLE", "too many requests", retryable=True, retry_after_s=seconds)


async def test_a_throttled_session_delays_no_other(board: Board) -> None:
    bob = await board.second_agent()
    gateway = Throttled(board, board.agent, busy(3600.0))
    waits = await board.dispatched(told=False)
    await until(lambda: gateway.asked)
    other = (await board.card(await board.dispatched(agent=bob, told=False)))["session_key"]
    await until(lambda: board.prompts(other), 2.0)
    task = await board.show(waits)
    assert task["waiting"].startswith(
        f"{board.agent} does not get its message yet (too many requests): again at"
    )
    assert task["why"] == task["waiting"] == task["activity"]["text"]
    assert task["hold"] is None
    assert gateway.asked == 1, "nobody insists"


async def test_no_wait_is_longer_than_the_cap_and_the_message_arrives_once(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "LONGEST_S", 0.4)
    gateway = Throttled(board, board.agent, busy(3600.0))
    await board.client.keep()
    ref = await board.dispatched(told=False)
    await until(lambda: gateway.asked == 2)
    gateway.on = False
    key = (await board.card(ref))["session_key"]
    await until(lambda: outbox(board) == ["sent"])
    assert len(board.prompts(key)) == 1
    card = await board.card(ref)
    assert (card["waiting"], card["hold"]) == (None, None)
    told = [one["task"]["waiting"] for one in board.client.named("task.changed") if one["task"]["ref"] == ref]
    assert any(told), "the board is told without asking"
    assert told[-1] is None


async def test_a_gateway_that_never_takes_it_is_asked_so_many_times(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "LONGEST_S", 0.05)
    gateway = Throttled(board, board.agent, busy())
    task = await board.reach(await board.dispatched(told=False), "held")
    assert task["hold"]["reason"] == "the gateway refused the message: too many requests"
    assert gateway.asked == delivery.SEND_TRIES
    assert task["waiting"] is None


async def test_a_throttled_message_outlives_the_service(board: Board) -> None:
    gateway = Throttled(board, board.agent, busy(3600.0))
    ref = await board.dispatched(told=False)
    await until(lambda: gateway.asked)
    await board.restart_service()
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.prompts(key))
    await until(lambda: outbox(board) == ["sent"])
    assert len(board.prompts(key)) == 1


async def test_the_words_of_a_session_keep_their_order(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "LONGEST_S", 0.6)
    ref = await board.dispatched(told=False)
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.prompts(key))
    gateway = Throttled(board, board.agent, busy(3600.0))
    await board.call("chat.send", session_key=key, text="first")
    await until(lambda: gateway.asked)
    gateway.on = False
    await board.call("chat.send", session_key=key, text="second")
    await asyncio.sleep(0.2)
    assert len(board.prompts(key)) == 1, "the second stays behind the first"
    await until(lambda: len(board.prompts(key)) == 3)
    assert board.prompts(key)[1:] == ["first", "second"]


async def test_a_stop_takes_a_throttled_message_back_at_once(board: Board) -> None:
    gateway = Throttled(board, board.agent, busy(3600.0))
    ref = await board.dispatched(told=False)
    await until(lambda: gateway.asked)
    await board.call("task.stop", ref=ref)
    await until(lambda: outbox(board) == ["void"], 3.0)
    gateway.on = False
    await board.call("task.dispatch", ref=ref)
    second = await board.reach(ref, "in_progress")
    await until(lambda: board.prompts(second["session_key"]))
    assert second["attempt"] == 2


async def test_one_session_without_an_answer_holds_no_other_up(board: Board) -> None:
    """The gateway takes its time for one session: until the deadline of the call, nobody waits for that."""
    bob = await board.second_agent()
    calls = board.service.gateway.calls
    send, asked = calls.chat_send, asyncio.Event()

    async def slow(session_key: str, *args: Any, **more: Any) -> Any:
        if session_key.startswith(f"agent:{board.agent}:"):
            asked.set()
            await asyncio.sleep(30)
            raise GatewayTimeout("chat.send: no answer within 30 s")
        return await send(session_key, *args, **more)

    calls.chat_send = slow  # type: ignore[method-assign]
    await board.dispatched(told=False)
    await asked.wait()
    key = (await board.card(await board.dispatched(agent=bob, told=False)))["session_key"]
    await until(lambda: board.prompts(key), 2.0)


async def test_a_chat_is_told_by_a_line_of_its_own(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "LONGEST_S", 0.2)
    gateway = Throttled(board, board.agent, busy(3600.0))
    key = (await board.call("chat.open", agent=board.agent))["session_key"]
    await board.call("chat.send", session_key=key, text="hello")
    await until(lambda: gateway.asked == 3)
    gateway.on = False
    await until(lambda: board.prompts(key) == ["hello"])
    rows = (await board.call("chat.open", session_key=key))["messages"]
    told = [row["text"] for row in rows if row["role"] == "system"]
    assert len(told) == 1, told
    assert "too many requests" in told[0]


async def test_a_file_that_is_gone_fails_its_message_and_no_other(board: Board) -> None:
    gone = board.workspace / "gone.txt"
    gone.parent.mkdir(parents=True, exist_ok=True)
    gone.write_text("soon away")
    gateway = Throttled(board, board.agent, busy(0.5))
    key = (await board.call("chat.open", agent=board.agent))["session_key"]
    await board.call("chat.send", session_key=key, text="read this", attachments=[str(gone)])
    await until(lambda: gateway.asked)
    gone.unlink()
    gateway.on = False
    await board.call("chat.send", session_key=key, text="and this")
    await until(lambda: outbox(board) == ["failed", "sent"])
    rows = (await board.call("chat.open", session_key=key))["messages"]
    assert any("gone.txt" in row["text"] for row in rows if row["role"] == "system")


async def test_a_first_message_is_dispatched_at_once_beside_a_long_wait(board: Board) -> None:
    """The wait of one message is not the session's for ever: after it arrived, the next goes at once."""
    gateway = Throttled(board, board.agent, busy(0.5))
    ref = await board.dispatched(spec(IDLE), told=False)
    await until(lambda: gateway.asked)
    gateway.on = False
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.prompts(key))
    await board.call("chat.send", session_key=key, text="and one more thing")
    await until(lambda: len(board.prompts(key)) == 2, 2.0)


async def test_an_unforeseen_trouble_is_told_and_tried_again(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "TROUBLE_AGAIN_S", 1.0)
    calls = board.service.gateway.calls
    send = calls.chat_send

    async def broken(*_: Any, **__: Any) -> Any:
        calls.chat_send = send  # type: ignore[method-assign]
        raise RuntimeError("a bug")

    calls.chat_send = broken  # type: ignore[method-assign]
    ref = await board.dispatched(told=False)
    await until(lambda: told(board, ref, "RuntimeError: a bug"))
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.prompts(key))
    await until(lambda: outbox(board) == ["sent"])


async def told(board: Board, ref: str, words: str) -> bool:
    return words in ((await board.card(ref))["waiting"] or "")
