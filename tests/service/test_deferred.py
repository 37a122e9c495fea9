"""A task whose last attempt is not surely over takes nobody's place while it waits for that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccp_tui.gateway import GatewayError
from ccp_tui.paths import Home
from ccp_tui.policy import Auto
from ccp_tui.service.execution import predecessors
from tests.service.board import IDLE, Board, board_on, spec, until

DEFERRED = "deferred: attempt 1 still runs at the gateway, and was told to end"


@pytest.fixture
async def one(home: Home, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Board]:
    """A board where one task may run at a time, and which starts what is assigned."""
    monkeypatch.setattr(predecessors, "LOOK_AGAIN_S", 0.2)
    async with board_on(home, auto=Auto.DISPATCH, most_running=1) as made:
        yield made


async def deferred(board: Board) -> tuple[str, Any]:
    """A queued task whose old run does not end, though it is told to; and what ends it."""
    ref = await board.assigned(spec(IDLE), priority="urgent")
    key = (await board.reach(ref, "in_progress"))["session_key"]
    await until(lambda: board.running(key))
    calls = board.service.gateway.calls
    abort = calls.chat_abort

    async def deaf(session_key: str, run_id: str | None = None) -> list[str]:
        return [] if session_key == key else await abort(session_key, run_id)

    calls.chat_abort = deaf  # type: ignore[method-assign]
    await board.call("task.stop", ref=ref)
    card = (await board.call("task.dispatch", ref=ref))["task"]
    assert card["waiting"] == DEFERRED
    return ref, lambda: abort(key)


async def test_the_next_task_of_the_agent_starts_meanwhile(one: Board) -> None:
    ref, end = await deferred(one)
    other = await one.assigned(spec(IDLE))
    await one.reach(other, "in_progress")
    assert (await one.card(ref))["state"] == "assigned"
    await end()
    await until(lambda: waits(one, ref, other), told="its turn comes after the one that runs")
    await one.work(other)
    assert (await one.reach(ref, "in_progress"))["attempt"] == 2


async def waits(board: Board, ref: str, words: str) -> bool:
    return words in ((await board.card(ref))["waiting"] or "")


async def test_a_task_of_another_agent_starts_meanwhile(one: Board) -> None:
    bob = await one.second_agent()
    await deferred(one)
    await one.reach(await one.assigned(spec(IDLE), agent=bob), "in_progress")


async def test_a_task_that_waited_behind_it_starts_in_the_same_pass(one: Board) -> None:
    ref, _ = await deferred(one)
    async with one.service._dispatcher._one_at_a_time:
        other = await one.assigned(spec(IDLE))
        one.service._dispatcher._deferred.clear()  # as at the first look at it
        one.service._dispatcher._wakeup.clear()
        await one.service._dispatcher._go_through()
        assert (await one.card(other))["state"] == "in_progress"
    assert (await one.card(ref))["state"] == "assigned"


async def test_the_dry_run_says_why_it_is_deferred_and_who_would_start(one: Board) -> None:
    ref, _ = await deferred(one)
    async with one.service._dispatcher._one_at_a_time:
        other = await one.assigned(spec(IDLE))
        found = await one.call("dispatch.plan")
    assert found["would"] == [other]
    assert {row["ref"]: row["reason"] for row in found["waiting"]} == {ref: DEFERRED}


async def test_it_keeps_its_rank_and_starts_first_once_that_is_over(one: Board) -> None:
    ref, end = await deferred(one)
    other = await one.assigned(spec(IDLE))
    await one.reach(other, "in_progress")
    plain = await one.assigned(spec(IDLE))
    await end()
    await until(lambda: not one.service._dispatcher._deferred, told="it was seen to end")
    await one.call("task.stop", ref=other)
    await one.reach(ref, "in_progress")
    assert (await one.card(plain))["state"] == "assigned"


async def test_a_task_that_the_gateway_cannot_start_now_blocks_no_other(one: Board) -> None:
    bob = await one.second_agent()
    calls = one.service.gateway.calls
    create = calls.session_create

    async def busy(agent: str, key: str) -> str:
        if agent == one.agent:
            raise GatewayError("UNAVAILABLE", "ada is being moved", retryable=True)
        return await create(agent, key)

    calls.session_create = busy  # type: ignore[method-assign, assignment]
    ref = await one.assigned(spec(IDLE), priority="urgent")
    await until(lambda: waits(one, ref, "ada is being moved"))
    await one.reach(await one.assigned(spec(IDLE), agent=bob), "in_progress")


async def test_an_unforeseen_trouble_is_told_and_blocks_no_other(one: Board) -> None:
    bob = await one.second_agent()
    dispatcher = one.service._dispatcher
    there = dispatcher._there_already

    async def broken(task: dict[str, Any]) -> list[str]:
        if task["agent_id"] == one.agent:
            raise RuntimeError("a bug")
        return await there(task)

    dispatcher._there_already = broken  # type: ignore[method-assign]
    ref = await one.assigned(spec(IDLE), priority="urgent")
    await until(lambda: waits(one, ref, "it could not be started (RuntimeError: a bug)"))
    await one.reach(await one.assigned(spec(IDLE), agent=bob), "in_progress")
