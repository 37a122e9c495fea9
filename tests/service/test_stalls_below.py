"""Signs of life of a sub-agent are its worker's too, as long as it works below it; its silence is as well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from ccp_tui.gateway.demo import brain
from ccp_tui.gateway.demo.steps import Say, Step, Tool
from ccp_tui.paths import Home
from tests.service.board import IDLE, Board, board_on, until
from tests.service.test_planning import planned, prompts
from tests.service.test_stalls import SHORT, kind_of_hold, silent
from tests.service.test_subagents import one_child

TALKS = "!spawn !stream 600 10"  # three seconds of words
HANGS = "!spawn !pause 4000"


async def quiet_for(board: Board, key: str, seconds: float) -> None:
    """Nothing is asked for so long."""
    before = len(board.prompts(key))
    await asyncio.sleep(seconds)
    assert len(board.prompts(key)) == before


async def test_a_worker_whose_sub_agent_talks_is_not_stalled(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board, TALKS, IDLE)
        await until(lambda: one_child(board, ref, "running"))
        await quiet_for(board, key, 2.0)
        assert await kind_of_hold(board, ref) is None
        await until(lambda: one_child(board, ref, "done"))
        await until(lambda: len(board.prompts(key)) > 1, told="its own silence counts after that")


async def test_so_it_is_after_a_restart_of_the_service(home: Home) -> None:
    async with board_on(home, stalled_after=1.0) as board:
        ref, key = await silent(board, "!spawn !stream 1600 10", IDLE)
        await until(lambda: one_child(board, ref, "running"))
        await board.restart_service()
        await quiet_for(board, key, 2.5)
        assert await one_child(board, ref, "running")


async def test_a_silent_sub_agent_makes_a_silent_worker(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board, HANGS, IDLE)
        await until(lambda: len(board.prompts(key)) == 2)
        await until(lambda: kind_of_hold(board, ref))
        assert await one_child(board, ref, "running"), "it is left alone"


async def test_a_worker_that_ended_its_run_and_waits_for_a_hung_sub_agent_is_asked(home: Home) -> None:
    """Nobody waits for ever: neither of them runs out of time by itself."""
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board, HANGS, "!say I wait for it")
        await until(lambda: one_child(board, ref, "running"))
        await until(lambda: board.running(key) is None)
        await until(lambda: len(board.prompts(key)) == 2, told="it is asked")
        assert "Nothing was heard" in board.prompts(key)[1]


async def test_a_sub_agent_that_waits_for_the_person_stalls_nobody(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        ref, key = await silent(board, HANGS, IDLE)
        child = (await until(lambda: one_child(board, ref, "running")))["session_key"]
        request: dict[str, Any] = {
            "kind": "approval",
            "session_key": child,
            "text": "asks",
            "since": "",
            "key": "q",
        }
        board.service._live.approvals["a1"] = {**request, "agent": board.agent, "urgency": 1, "answer": None}
        await quiet_for(board, key, 2.0)
        assert await kind_of_hold(board, ref) == "approval", "its card says so"
        board.service._live.approvals.clear()
        await until(lambda: len(board.prompts(key)) == 2)


@pytest.mark.parametrize("below", ["!pause 4000", "!stream 600 10"], ids=["hangs", "talks"])
async def test_a_planner_below_which_something_goes_on(
    home: Home, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    def delegates(_: object) -> Iterator[Step]:
        yield Tool("sessions_spawn", {"task": below})
        yield Say("I wait for it")

    monkeypatch.setattr(brain, "plan", delegates)
    async with board_on(home, **SHORT) as board:
        ref = await planned(board)
        await until(lambda: one_child(board, ref, "running"))
        if "pause" in below:
            await until(lambda: asked(board, ref), told="it is asked for a sign of life")
        else:
            await asyncio.sleep(2.0)
            assert not await asked(board, ref)


async def asked(board: Board, ref: str) -> bool:
    return any("nothing was heard of you" in text for text in prompts(board, await board.show(ref)))
