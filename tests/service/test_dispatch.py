"""The dispatcher: starts what may start, says why the rest waits, and starts that by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import pytest

from ccp_tui.client import ServiceFailure
from ccp_tui.gateway import GatewayTimeout, GatewayUnavailable
from ccp_tui.service.sessions import delivery
from tests.service.board import IDLE, Board, Client, spec, until


async def test_a_busy_agent_lets_the_next_task_wait_and_then_start(board: Board) -> None:
    first = await board.dispatched()
    second = await board.assigned(spec(IDLE))
    card = (await board.call("task.dispatch", ref=second))["task"]
    assert (card["state"], card["queued"]) == ("assigned", True)
    assert first in card["waiting"]
    assert first in (await board.show(second))["why"]
    await board.work(first)  # in review it needs its agent no more
    await board.reach(second, "in_progress")
    assert (await board.card(second))["waiting"] is None


async def test_the_most_pressing_task_starts_first(board: Board) -> None:
    first = await board.dispatched()
    normal = await board.assigned(spec(IDLE))
    urgent = await board.assigned(spec(IDLE), priority="urgent")
    for ref in (normal, urgent):
        await board.call("task.dispatch", ref=ref)
    await board.call("task.stop", ref=first)
    await board.reach(urgent, "in_progress")
    waits = await board.card(normal)
    assert (waits["state"], waits["queued"]) == ("assigned", True)
    await until(lambda: _waits_for(board, normal, urgent))


async def _waits_for(board: Board, ref: str, other: str) -> bool:
    return other in ((await board.card(ref))["waiting"] or "")


async def test_a_gateway_that_is_away_lets_tasks_wait(board: Board) -> None:
    ref = await board.assigned(spec(IDLE))
    await board.away()
    card = (await board.call("task.dispatch", ref=ref))["task"]
    assert (card["state"], card["queued"]) == ("assigned", True)
    assert "gateway is not connected" in card["waiting"]
    await board.back()
    task = await board.reach(ref, "in_progress")
    key = task["session_key"]
    await until(lambda: board.prompts(key))
    assert len(board.prompts(key)) == 1


async def test_a_queued_task_that_is_taken_back_does_not_start(board: Board) -> None:
    first = await board.dispatched()
    second = await board.assigned(spec(IDLE))
    await board.call("task.dispatch", ref=second)
    await board.call("task.unassign", ref=second)
    await board.call("task.stop", ref=first)
    await asyncio.sleep(0.3)
    card = await board.card(second)
    assert (card["state"], card["queued"], card["attempt"]) == ("inbox", False, None)


async def test_two_people_who_dispatch_at_once_start_one_attempt(board: Board) -> None:
    ref = await board.assigned(spec(IDLE))
    async with Client(board.home) as other:
        answers = await asyncio.gather(
            *(one.call("task.dispatch", {"ref": ref}) for one in (board.client, other) * 4),
            return_exceptions=True,
        )
    assert {type(answer) for answer in answers} <= {dict, ServiceFailure}
    task = await board.reach(ref, "in_progress")
    assert len(task["attempts"]) == 1
    await until(lambda: board.prompts(task["session_key"]))
    await asyncio.sleep(0.2)
    assert len(board.prompts(task["session_key"])) == 1
    assert len(await board.history(ref, "dispatched")) == 1


async def test_a_stop_that_races_the_dispatch_leaves_nothing_running(board: Board) -> None:
    for _ in range(5):
        ref = await board.assigned(spec(IDLE))
        started = asyncio.create_task(board.call("task.dispatch", ref=ref))
        task = await board.reach(ref, "in_progress")
        await board.call("task.stop", ref=ref)
        await started
        key = task["session_key"]
        await asyncio.sleep(0.1)
        await until(lambda key=key: board.running(key) is None)  # type: ignore[misc]
        assert (await board.card(ref))["state"] == "assigned"
        await board.call("task.cancel", ref=ref)


async def test_a_message_that_arrives_after_the_stop_is_aborted(board: Board) -> None:
    """The gateway acknowledges slowly: the person has stopped the task before it says that the run started."""
    ref = await board.assigned(spec(IDLE))
    calls = board.service.gateway.calls
    send, going_out, go = calls.chat_send, asyncio.Event(), asyncio.Event()

    async def slow(*args: object, **more: object) -> object:
        going_out.set()
        await go.wait()
        return await send(*args, **more)  # type: ignore[arg-type]

    calls.chat_send = slow  # type: ignore[assignment]
    await board.call("task.dispatch", ref=ref)
    key = (await board.card(ref))["session_key"]
    await going_out.wait()
    await board.call("task.stop", ref=ref)
    go.set()
    await until(lambda: board.prompts(key))
    await until(lambda: board.running(key) is None)


async def test_a_refusal_of_the_gateway_holds_the_task_with_its_words(board: Board) -> None:
    ref = await board.assigned(spec(IDLE))
    world = board.gateway._world
    assert world is not None
    del world.store.agents[board.agent]
    await board.call("task.dispatch", ref=ref)
    task = await board.reach(ref, "held")
    assert task["state"] == "assigned"
    assert task["hold"]["kind"] == "error"
    assert "unknown agent" in task["hold"]["reason"]
    assert task["hold"]["reason"] in task["why"]


async def test_the_outbox_sends_each_message_once_over_a_lost_line(board: Board) -> None:
    """The line breaks after the message has gone out: delivery is unknown, and the history knows."""
    ref = await board.assigned(spec(IDLE))
    calls = board.service.gateway.calls
    send = calls.chat_send

    async def lost(*args: object, **more: object) -> object:
        await send(*args, **more)  # type: ignore[arg-type]
        calls.chat_send = send  # type: ignore[method-assign]
        connection = board.service.gateway._connection
        assert connection is not None
        connection.abort()
        raise GatewayUnavailable("the connection was lost during the call", sent=True)

    calls.chat_send = lost  # type: ignore[assignment]
    await board.call("task.dispatch", ref=ref)
    task = await board.reach(ref, "in_progress")
    key = task["session_key"]

    await until(lambda: outbox(board) == ["sent"])
    assert len(board.prompts(key)) == 1
    await board.work(ref)
    await board.reach(ref, "review")


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_send_without_an_answer_is_looked_up_while_the_line_stands(
    board: Board, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    monkeypatch.setattr(delivery, "AGAIN_S", 0.2)
    ref = await board.assigned(spec(IDLE))
    calls = board.service.gateway.calls
    send = calls.chat_send

    async def unanswered(*args: object, **more: object) -> object:
        calls.chat_send = send  # type: ignore[method-assign]
        if arrives:
            await send(*args, **more)  # type: ignore[arg-type]
        raise GatewayTimeout("chat.send: no answer within 30 s")

    calls.chat_send = unanswered  # type: ignore[assignment]
    await board.call("task.dispatch", ref=ref)
    key = (await board.card(ref))["session_key"]
    await until(lambda: outbox(board) == ["sent"])
    await until(lambda: board.prompts(key))
    assert len(board.prompts(key)) == 1


def outbox(board: Board) -> list[str]:
    with sqlite3.connect(board.home.database) as db:
        return [state for (state,) in db.execute("SELECT state FROM outbox ORDER BY id")]


async def test_nobody_overtakes_when_the_agent_comes_free_between_two_looks(board: Board) -> None:
    first = await board.dispatched()
    urgent = await board.assigned(spec(IDLE), priority="urgent")
    normal = await board.assigned(spec(IDLE))
    for ref in (urgent, normal):
        await board.call("task.dispatch", ref=ref)
    dispatcher = board.service._dispatcher
    wait = dispatcher._wait

    async def freed_after_the_look(*waiting: tuple[dict[str, Any], str]) -> None:
        await wait(*waiting)
        assert [task["ref"] for task, _ in waiting] == [urgent, normal]
        await board.call("task.stop", ref=first)

    async with dispatcher._one_at_a_time:
        dispatcher._wait = freed_after_the_look  # type: ignore[method-assign]
        await dispatcher._go_through()
        dispatcher._wait = wait  # type: ignore[method-assign]
    assert (await board.card(normal))["state"] == "assigned"
    await board.reach(urgent, "in_progress")
