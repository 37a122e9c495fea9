"""Whatever is killed while a task is planned, and whenever: the same plan, and nothing asked or said twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccp_tui.paths import Home
from tests.service.board import Board, Talk, until
from tests.service.processes import Processes, processes_on, sent_prompts, short_folder
from tests.service.test_planning import QUESTION, answer, planned, prompts, proposed, said, session, stands
from tests.support.embedded import EmbeddedGateway

MARKS = ("Questions: one at a time", "Question 1 answered", "Question 2 answered")


async def ends_well(board: Board, ref: str) -> None:
    """A plan after two questions, each asked, answered and told once, in one session."""
    task = await stands(board, ref, "proposed")
    check(task, prompts(board, task))
    assert await board.history(ref, "nudged") == []


def check(task: dict[str, Any], told: list[str]) -> None:
    assert len(told) == 3, told
    for mark, text in zip(MARKS, told, strict=True):
        assert mark in text
    assert [one["state"] for one in task["questions"]] == ["answered", "answered"]
    assert [one["version"] for one in task["specs"]] == [1]
    assert (len(task["plannings"]), task["hold"]) == (1, None)


def stuck(board: Board, name: str, *, arrives: bool) -> asyncio.Event:
    """From here on this call of the gateway gives no answer, whether it does what it should or not."""
    calls, called = board.service.gateway.calls, asyncio.Event()
    real = getattr(calls, name)

    async def silent(*args: Any, **more: Any) -> Any:
        if arrives:
            await real(*args, **more)
        called.set()
        return await asyncio.Event().wait()

    setattr(calls, name, silent)
    return called


async def within(event: asyncio.Event) -> None:
    async with asyncio.timeout(15):
        await event.wait()


@pytest.mark.parametrize("arrives", [False, True])
@pytest.mark.parametrize("name", ["agent_create", "file_set", "session_create", "chat_send"])
async def test_a_service_that_dies_over_any_call_that_opens_a_planning(
    board: Board, name: str, arrives: bool
) -> None:
    called = stuck(board, name, arrives=arrives)
    ref = await planned(board)
    await within(called)
    await board.restart_service()
    await proposed(board, ref)
    await ends_well(board, ref)


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_service_that_dies_over_an_answer(board: Board, arrives: bool) -> None:
    ref = await planned(board)
    await stands(board, ref, "person")
    called = stuck(board, "chat_send", arrives=arrives)
    await answer(board, ref, 1, options=["a"])
    await within(called)
    await board.restart_service()
    await answer(board, ref, 2, options=["b"])
    await ends_well(board, ref)


async def test_a_reply_that_comes_while_no_service_is_there(board: Board) -> None:
    ref = await planned(board, description=f"!pause 40\n{said(QUESTION)}")
    task = await stands(board, ref, "planner")
    await until(lambda: board.running(session(task)))
    await board.stop_service()
    await until(lambda: not board.running(session(task)))
    await board.start_service()
    await board.connected()
    await proposed(board, ref)
    await ends_well(board, ref)


async def test_a_service_that_dies_with_a_question_open(board: Board) -> None:
    ref = await planned(board)
    (question,) = (await stands(board, ref, "person"))["questions"]
    await board.restart_service()
    assert [one["id"] for one in (await board.show(ref))["questions"]] == [question["id"]]
    await proposed(board, ref)
    await board.restart_service()
    await asyncio.sleep(0.3)
    await ends_well(board, ref)


async def test_an_answer_is_kept_while_the_gateway_is_away(board: Board) -> None:
    ref = await planned(board)
    await stands(board, ref, "person")
    await board.away()
    await answer(board, ref, 1, options=["a"])
    await board.restart_service_away()
    await board.back()
    await answer(board, ref, 2, options=["a"])
    await ends_well(board, ref)


async def test_a_planning_that_is_asked_for_while_the_gateway_is_away(board: Board) -> None:
    await board.away()
    ref = await planned(board)
    assert (await board.show(ref))["why"].startswith("the planner is being called in")
    await board.back()
    await proposed(board, ref)
    await ends_well(board, ref)


@pytest.fixture
async def pair(home: Home) -> AsyncIterator[Processes]:
    with short_folder() as folder:
        gateway = EmbeddedGateway(folder, speed=4.0)
        try:
            await asyncio.to_thread(gateway.start)
            async with processes_on(home, gateway, CCP_GATEWAY_GRACE="0.5", CCP_RESUME_GRACE="4") as made:
                yield made
        finally:
            await asyncio.to_thread(gateway.stop)


async def ends_well_apart(pair: Processes, ref: str) -> None:
    talk: Any = pair
    task = await stands(talk, ref, "proposed", seconds=40)
    assert isinstance(pair.gateway, EmbeddedGateway)
    check(task, sent_prompts(pair.gateway.state))


async def kill_both(pair: Processes) -> None:
    await pair.kill_service()
    await asyncio.to_thread(pair.gateway.kill)
    await asyncio.to_thread(pair.gateway.start)
    await pair.start_service()
    await pair.connected()


async def restart(pair: Processes) -> None:
    await pair.kill_service()
    await pair.start_service()
    await pair.connected()


async def begin(pair: Talk) -> str:
    ref: str = (await pair.call("task.add", title="Write a letter"))["task"]["ref"]
    return ref


@pytest.mark.parametrize("milliseconds", [0, 15, 60, 250])
async def test_a_service_killed_at_any_moment_of_a_planning(pair: Processes, milliseconds: int) -> None:
    """Twice: while the planner is called in, and while an answer is on its way to it."""
    talk: Any = pair
    ref = await begin(pair)
    asked = asyncio.create_task(pair.call("task.plan", ref=ref))
    await asyncio.sleep(milliseconds / 1000)
    await restart(pair)
    await asyncio.gather(asked, return_exceptions=True)
    if (await pair.card(ref))["state"] == "inbox":  # it was killed before it heard of it
        await pair.call("task.plan", ref=ref)
    (question,) = (await stands(talk, ref, "person", seconds=40))["questions"]
    told = asyncio.create_task(pair.call("question.answer", id=question["id"], options=["a"]))
    await asyncio.sleep(milliseconds / 1000)
    await restart(pair)
    await asyncio.gather(told, return_exceptions=True)
    if (await pair.card(ref))["questions"] and (await pair.card(ref))["planning"] == "person":
        first = (await pair.show(ref))["questions"][0]
        if first["state"] == "open":
            await pair.call("question.answer", id=first["id"], options=["a"])
    await answer(talk, ref, 2, options=["a"])
    await ends_well_apart(pair, ref)


async def test_gateway_and_service_killed_while_the_planner_speaks(pair: Processes) -> None:
    talk: Any = pair
    ref = await begin(pair)
    await pair.call("task.plan", ref=ref)
    assert isinstance(pair.gateway, EmbeddedGateway)
    state = pair.gateway.state
    await until(lambda: len(sent_prompts(state)) == 1)
    await kill_both(pair)
    await answer(talk, ref, 1, options=["a"])
    await until(lambda: len(sent_prompts(state)) == 2)
    await asyncio.to_thread(pair.gateway.kill)
    await asyncio.to_thread(pair.gateway.start)
    await pair.connected()
    await answer(talk, ref, 2, options=["a"])
    await ends_well_apart(pair, ref)
