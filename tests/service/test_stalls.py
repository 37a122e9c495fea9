"""A run that gives no sign of life: shown, asked once, held; never killed, never replaced, and back by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.execution import prompts
from tests.service.board import IDLE, Board, board_on, spec, until

SHORT = {"stalled_after": 0.6}


async def kind_of_hold(board: Board, ref: str) -> str | None:
    hold = (await board.card(ref))["hold"]
    return hold["kind"] if hold else None


async def silent(board: Board, *script: str) -> tuple[str, str]:
    """A task whose worker runs and says nothing; its ref and session."""
    await board.client.keep()
    ref = await board.dispatched(spec(*(script or (IDLE,))))
    return ref, (await board.card(ref))["session_key"]


def shown(board: Board, ref: str) -> list[str]:
    told = [one for one in board.client.named("activity") if one["ref"] == ref]
    return [one["activity"]["text"] for one in told if one["activity"]["kind"] == "quiet"]


async def test_a_silent_run_is_shown_then_asked_once_then_held(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board)
        await until(lambda: len(board.prompts(key)) == 2)
        assert f"Nothing was heard of {ref} for 0.6 s" in board.prompts(key)[1]
        assert "Report command: " in board.prompts(key)[1]
        assert (await board.card(ref))["hold"] is None
        assert (await board.card(ref))["activity"]["kind"] == "quiet"
        run = board.running(key)

        await until(lambda: kind_of_hold(board, ref))
        card = await board.card(ref)
        assert card["hold"]["kind"] == "stalled"
        assert (
            card["hold"]["reason"] == f"no sign of life from {board.agent} for 1.2 s, also after it was asked"
        )
        assert "next sign of life" in card["hold"]["release"]
        await asyncio.sleep(1.5)
        assert (board.running(key), run is not None) == (run, True), "the live run is left alone"
        assert len(board.prompts(key)) == 2, "asked once"
        assert (await board.card(ref))["attempt"] == 1
        assert len(await board.history(ref, "nudged")) == 1
        assert len(await board.history(ref, "held")) == 1
        assert shown(board, ref) == ["no sign of life for 0.6 s", "no sign of life for 1.2 s"]


async def test_a_sign_of_life_clears_the_hold_and_the_mark(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board, "!pause 60", "!stream 400 5")  # words again after three seconds
        await until(lambda: kind_of_hold(board, ref))
        run = board.running(key)

        async def free() -> bool:
            card = await board.card(ref)
            return card["hold"] is None and bool(card["activity"]) and card["activity"]["kind"] == "words"

        await until(free)
        assert board.running(key) == run
        (event,) = await board.history(ref, "released")
        assert "sign of life" in event["text"]


async def test_a_run_that_ends_while_it_is_held_is_judged_as_any_other(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sign_of_life", "nudge"):
        monkeypatch.setattr(prompts, name, lambda *_: "!say I am here.")
    async with board_on(home, **SHORT) as board:
        ref, _ = await silent(board, "!pause 60")
        await until(lambda: kind_of_hold(board, ref))

        async def judged() -> bool:
            return any(
                "ended its run without submitting" in row["text"] for row in await board.history(ref, "held")
            )

        await until(judged)
        assert (await board.card(ref))["attempt"] == 1


async def test_a_talking_run_is_never_asked(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board, "!stream 2000 10")
        await asyncio.sleep(2.5)
        assert len(board.prompts(key)) == 1
        assert await kind_of_hold(board, ref) is None


async def test_the_time_without_a_gateway_does_not_count(home: Home) -> None:
    async with board_on(home, stalled_after=2.0, gateway_grace=30.0) as board:
        ref, key = await silent(board)
        await until(lambda: board.running(key))
        stalls = board.service._halts._stalls
        stalls.connected(False)
        await asyncio.sleep(3.0)
        assert len(board.prompts(key)) == 1
        stalls.connected(True)
        await asyncio.sleep(0.5)
        assert len(board.prompts(key)) == 1, "what was left of the time is left"
        await until(lambda: len(board.prompts(key)) == 2)
        assert await kind_of_hold(board, ref) is None


async def test_a_new_attempt_starts_afresh(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board)
        await until(lambda: kind_of_hold(board, ref))
        await board.call("task.retry", ref=ref)

        async def second() -> str | None:
            card = await board.card(ref)
            return card["session_key"] if card["attempt"] == 2 else None

        new = await until(second)
        card = await board.card(ref)
        assert (card["hold"], card["activity"] and card["activity"]["kind"] == "quiet") in (
            (None, None),
            (None, False),
        )
        await until(lambda: len(board.prompts(new)) == 2)
        assert await kind_of_hold(board, ref) is None, "asked first, although the attempt before it was held"
        assert new != key


async def test_a_restart_asks_no_second_time(home: Home) -> None:
    async with board_on(home, stalled_after=1.0) as board:
        ref, key = await silent(board)
        await until(lambda: len(board.prompts(key)) == 2)
        await board.restart_service()
        await until(lambda: kind_of_hold(board, ref))
        assert len(board.prompts(key)) == 2


async def test_a_worker_that_waits_for_the_person_is_not_stalled(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board)
        request: dict[str, Any] = {
            "kind": "question",
            "session_key": key,
            "text": "asks",
            "since": "",
            "key": "q",
        }
        board.service._live.questions["q1"] = {**request, "agent": board.agent, "urgency": 1, "answer": None}
        await asyncio.sleep(2.0)
        assert len(board.prompts(key)) == 1
        board.service._live.questions.clear()
        await until(lambda: len(board.prompts(key)) == 2)
        assert ref
