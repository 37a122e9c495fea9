"""The emergency stop: every run is aborted, nothing starts, it outlives restarts, and all goes on where it was."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ccp_tui.paths import Home
from ccp_tui.policy import Auto
from ccp_tui.service.sessions import aborting
from tests.service.board import IDLE, Board, board_on, spec, until

# The first time it only waits; told to go on, it does its best.
WAITS = spec(IDLE)


async def stop(board: Board) -> None:
    before = await board.call("emergency.stop")
    assert before["emergency"]["by"]


async def still(board: Board, *keys: str) -> None:
    await until(lambda: not any(board.running(key) for key in keys))


async def test_all_runs_are_aborted_and_go_on_in_their_sessions(board: Board) -> None:
    await board.client.keep()
    one = await board.dispatched(WAITS)
    two = await board.dispatched(WAITS, agent=await board.second_agent())
    keys = [(await board.card(ref))["session_key"] for ref in (one, two)]
    await until(lambda: all(board.running(key) for key in keys))
    answer = await board.call("emergency.stop")
    by = answer["emergency"]["by"]
    await still(board, *keys)
    for ref in (one, two):
        card = await board.card(ref)
        assert (card["state"], card["hold"]["kind"]) == ("in_progress", "error")
        assert card["hold"]["reason"] == f"emergency stop by {by}"
        assert "resume" in card["hold"]["release"]
    assert (await board.call("status"))["emergency"] == answer["emergency"]
    assert board.client.named("health")[-1]["health"]["emergency"] == answer["emergency"]

    again = await board.call("emergency.stop")
    assert again == answer, "a second stop is a no-op"
    assert len(board.client.feed("emergency_stopped")) == 1
    await asyncio.sleep(0.5)
    assert [len(board.prompts(key)) for key in keys] == [1, 1]

    assert await board.call("emergency.resume") == {"emergency": None}
    await until(lambda: [len(board.prompts(key)) for key in keys] == [2, 2])
    for ref, key in zip((one, two), keys, strict=True):
        assert "Report command: " in board.prompts(key)[1]
        task = await board.reach(ref, "review")
        assert len(task["attempts"]) == 1
    assert (await board.call("emergency.resume")) == {"emergency": None}
    assert len(board.client.feed("emergency_resumed")) == 1
    assert (await board.call("status"))["emergency"] is None


async def test_nothing_is_dispatched_meanwhile_and_all_of_it_after(home: Home) -> None:
    async with board_on(home, auto=Auto.DISPATCH) as board:
        await stop(board)
        ref = await board.assigned(spec())
        card = await board.reach(ref, "assigned")
        assert card["queued"]
        await until(lambda: waiting(board, ref))
        await board.call("emergency.resume")
        await board.reach(ref, "review")


async def waiting(board: Board, ref: str) -> bool:
    return "everything was stopped by" in ((await board.card(ref))["waiting"] or "")


async def test_words_for_workers_wait_and_a_chat_does_not(board: Board) -> None:
    ref = await board.in_review()
    key = (await board.card(ref))["session_key"]
    await board.call("chat.abort", session_key=key)
    await still(board, key)
    before = len(board.prompts(key))
    await stop(board)
    await board.call("task.reject", ref=ref, attempt=1, round=1, reason="greet more")
    chat = (await board.call("chat.open", agent=board.agent))["session_key"]
    await board.call("chat.send", session_key=chat, text="Are you there?")
    await until(lambda: board.prompts(chat) == ["Are you there?"])
    await asyncio.sleep(0.3)
    assert len(board.prompts(key)) == before
    await board.call("emergency.resume")
    await until(lambda: len(board.prompts(key)) == before + 1)
    assert "greet more" in board.prompts(key)[-1]
    await board.reach(ref, "review")


async def test_the_chat_of_a_person_is_not_aborted(board: Board) -> None:
    chat = (await board.call("chat.open", agent=board.agent))["session_key"]
    await board.call("chat.send", session_key=chat, text="!stream 40000 10")
    await until(lambda: board.running(chat))
    await stop(board)
    await asyncio.sleep(0.5)
    assert board.running(chat)


async def test_it_outlives_the_service(board: Board) -> None:
    ref = await board.dispatched(WAITS)
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await stop(board)
    await still(board, key)
    await board.restart_service()
    assert (await board.call("status"))["emergency"]["by"]
    await asyncio.sleep(1.5)  # longer than the grace after which ended runs are judged
    assert len(board.prompts(key)) == 1
    assert (await board.card(ref))["hold"]["reason"].startswith("emergency stop by ")
    await board.call("emergency.resume")
    await board.reach(ref, "review")
    assert len(board.prompts(key)) == 2


async def test_turns_that_a_restarted_gateway_takes_up_are_aborted_again(board: Board) -> None:
    ref = await board.dispatched(WAITS)
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.away()
    await stop(board)
    await board.back()

    async def ended() -> bool:
        rows = [row["text"] for row in await board.transcript(ref)]
        return any("aborted" in text for text in rows)

    await until(ended)
    await still(board, key)
    await asyncio.sleep(0.5)
    assert board.running(key) is None
    assert (await board.card(ref))["hold"]["reason"].startswith("emergency stop by ")
    await board.call("emergency.resume")
    await board.reach(ref, "review")


async def test_a_stop_that_could_not_reach_the_gateway_ends_nothing_after_it_was_lifted(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again while the gateway is away; once all may go on, the next try would end the wrong run."""
    again, tried = asyncio.Event(), []
    waits = iter([again.wait()])  # the stop's own next try; others come in their time
    monkeypatch.setattr(
        aborting,
        "asyncio",
        SimpleNamespace(sleep=lambda seconds: next(waits, None) or asyncio.sleep(seconds)),
    )
    calls = board.service.gateway.calls
    chat_abort = calls.chat_abort

    async def noted(session_key: str) -> Any:
        tried.append(session_key)
        return await chat_abort(session_key)

    ref = await board.dispatched(WAITS)
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.away()
    monkeypatch.setattr(calls, "chat_abort", noted)
    await stop(board)
    await until(lambda: tried)
    await board.back()
    await until(lambda: len(board.rows(key)) > 1)  # the interrupted turn was taken up, perhaps for a moment
    await still(board, key)
    await board.call("emergency.resume")
    await until(lambda: board.running(key))
    tried.clear()
    again.set()
    await board.reach(ref, "review")
    assert not tried


async def test_checks_that_run_may_finish(board: Board) -> None:
    ref = await board.dispatched(
        spec(IDLE, checks=({"name": "slow", "command": "sleep 1", "timeout_s": 10},))
    )
    await board.work(ref)
    assert (await board.card(ref))["state"] == "testing"
    await stop(board)
    await board.reach(ref, "review")


async def test_what_waits_for_the_person_still_does_after_it(board: Board) -> None:
    ref = await board.dispatched(WAITS)
    await board.report(ref, "block", text="Which colour?")
    before = (await board.card(ref))["hold"]
    await stop(board)
    assert (await board.card(ref))["hold"] == before
    await board.call("emergency.resume")
    assert (await board.card(ref))["hold"] == before


async def test_a_run_that_begins_at_that_moment_is_aborted_too(board: Board) -> None:
    """The dispatch was on its way: whatever shows up in the session while all is stopped is ended."""
    ref = await board.assigned(WAITS)
    dispatch = asyncio.create_task(board.call("task.dispatch", ref=ref))
    await asyncio.sleep(0.02)
    await stop(board)
    card = (await dispatch)["task"]
    await asyncio.sleep(1.0)
    if card["session_key"]:
        assert board.running(card["session_key"]) is None
    await board.call("emergency.resume")
    await board.reach(ref, "assigned", "in_progress", "review")
    if card["queued"] or card["session_key"]:
        await until(lambda: runs(board, ref))


async def runs(board: Board, ref: str) -> bool:
    key = (await board.card(ref))["session_key"]
    return bool(key and board.prompts(key))


async def test_a_planner_is_stopped_and_asked_again(board: Board) -> None:
    ref = await board.add(None, description="!pause 4000")
    await board.call("task.plan", ref=ref)

    async def session() -> str | None:
        plannings = (await board.show(ref))["plannings"]
        return plannings[0]["session_key"] if plannings else None

    key = await until(session)
    await until(lambda: board.running(key))
    await stop(board)
    await still(board, key)
    await asyncio.sleep(1.5)  # nobody judges a planner that was cut off
    card = await board.card(ref)
    assert (card["state"], card["planning"]) == ("planning", "planner")
    assert card["hold"]["reason"].startswith("emergency stop by ")
    assert len(board.prompts(key)) == 1
    await board.call("emergency.resume")
    await until(lambda: len(board.prompts(key)) == 2)
    first, second = board.prompts(key)
    assert second.endswith(first)
    assert "You had not answered this yet" in second
    assert (await board.card(ref))["hold"] is None


async def test_a_reviewer_is_stopped_and_asked_again(board: Board) -> None:
    await board.call("mission.create", title="Web", slug="web", policy={"review": "agent"})
    ref = await board.dispatched(spec(IDLE, "!review wait"), mission="web")
    await board.work(ref)

    async def asked() -> str | None:
        rounds = (await board.show(ref))["attempts"][0]["rounds"]
        requests = rounds[0]["review_requests"]
        return requests[0]["session_key"] if requests else None

    key = await until(asked)
    await stop(board)
    await still(board, key)
    before = len(board.prompts(key))
    await board.call("emergency.resume")
    await board.reach(ref, "done")
    assert len(board.prompts(key)) >= before
    assert len((await board.show(ref))["attempts"][0]["rounds"][0]["reviews"]) == 1
