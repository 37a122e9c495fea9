"""Between any two steps: what a person does while the gateway is asked, and what a reconnect compares."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ccp_tui.gateway import GatewayError
from tests.service.board import IDLE, Board, spec, until
from tests.service.test_planning import planned, prompts, stands


def refuse_sessions(board: Board, error: GatewayError) -> tuple[asyncio.Event, asyncio.Event]:
    """The next session is refused with this error once the second event is set; the first: it was asked for."""
    calls = board.service.gateway.calls
    create = calls.session_create
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def refused(*_: Any, **__: Any) -> Any:
        calls.session_create = create  # type: ignore[method-assign]
        asked.set()
        await go_on.wait()
        raise error

    calls.session_create = refused  # type: ignore[method-assign]
    return asked, go_on


@pytest.mark.parametrize("method", ["task.cancel", "task.unassign"])
async def test_a_refusal_that_comes_after_the_person_took_it_back_holds_nothing(
    board: Board, method: str
) -> None:
    ref = await board.assigned(spec(IDLE))
    asked, go_on = refuse_sessions(board, GatewayError("INVALID_REQUEST", "no room for it"))
    dispatch = asyncio.create_task(board.call("task.dispatch", ref=ref))
    await asyncio.wait_for(asked.wait(), 10)
    await board.call(method, ref=ref)
    go_on.set()
    await dispatch
    task = await board.show(ref)
    assert task["state"] in ("cancelled", "inbox")
    assert task["hold"] is None
    assert (await board.call("attention.list"))["attention"] == []


async def test_a_gateway_that_is_busy_is_asked_again_and_the_card_says_so(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccp_tui.service.execution.dispatch.AGAIN_S", 0.3)
    calls = board.service.gateway.calls
    create = calls.session_create

    async def busy(*_: Any, **__: Any) -> Any:
        raise GatewayError("UNAVAILABLE", "compacting", retryable=True)

    calls.session_create = busy  # type: ignore[method-assign]
    ref = await board.assigned(spec(IDLE))
    await board.call("task.dispatch", ref=ref)

    async def waits() -> bool:
        card = await board.card(ref)
        return str(card["waiting"]) == "the gateway can't start it now: compacting"

    await until(waits)
    assert (await board.card(ref))["hold"] is None
    calls.session_create = create  # type: ignore[method-assign]
    await board.reach(ref, "in_progress")


@pytest.mark.parametrize("seen", [False, True], ids=["before it is taken up", "while it runs"])
async def test_a_run_that_ended_unseen_is_judged_however_long_the_comparing_takes(
    board: Board, monkeypatch: pytest.MonkeyPatch, seen: bool
) -> None:
    """The hold of the lost gateway goes only after the run was judged, and then nobody would look at it again."""
    ref = await board.dispatched(spec("!pause 1", "!say nothing to do"))
    key = (await board.card(ref))["session_key"]
    await board.away()
    await board.reach(ref, "held")
    reconcile = board.service._attention.reconcile
    refresh = board.service._watch._agents.refresh

    async def first() -> None:
        await refresh()
        await until(lambda: not seen or board.running(key))

    async def slow() -> None:
        await asyncio.sleep(2.5)
        await reconcile()

    monkeypatch.setattr(board.service._watch._agents, "refresh", first)
    monkeypatch.setattr(board.service._attention, "reconcile", slow)
    world = board.gateway._world
    await board.back()
    assert board.gateway._world is not world

    async def judged() -> bool:
        return bool(await board.history(ref, "nudged")) or (await board.card(ref))["state"] == "review"

    await until(judged, 15)


async def test_a_planner_that_is_at_it_is_not_asked_a_second_time_when_a_need_is_restored(
    board: Board,
) -> None:
    need = await board.add()
    ref = await planned(board, description=IDLE)
    await stands(board, ref, "planner")
    await until(lambda: shown(board, ref))
    await board.call("task.depend", ref=ref, needs=[need])
    await board.call("task.cancel", ref=need)
    await board.reach(ref, "held")
    await board.call("task.restore", ref=need)

    async def released() -> bool:
        return (await board.card(ref))["hold"] is None

    await until(released)
    await asyncio.sleep(0.3)
    assert len(prompts(board, await board.show(ref))) == 1


async def shown(board: Board, ref: str) -> bool:
    return bool(prompts(board, await board.show(ref)))
