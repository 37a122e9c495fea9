"""Reviews when the service, the gateway or the person breaks off: each goes on where it was, and asks nothing twice."""

from __future__ import annotations

import asyncio

import pytest

from ccp_tui.gateway import GatewayError, SendAck
from ccp_tui.service.verification.reviewing import Reviewing
from ccp_tui.wire import Json
from tests.service.board import Board, until
from tests.service.reviews import asked, patient, policy, submitted, verdict

__all__ = ["patient"]
pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
async def reviewed(board: Board) -> tuple[str, str]:
    """A task that a reviewer reads, and the reviewer's session."""
    await policy(board, review="agent")
    ref = await submitted(board)
    return ref, await asked(board, ref)


async def request_of(board: Board, ref: str) -> Json:
    found: Json = (await board.show(ref))["attempts"][-1]["rounds"][-1]["review_requests"][-1]
    return found


async def test_a_service_that_was_restarted_takes_the_verdict(
    board: Board, reviewed: tuple[str, str]
) -> None:
    ref, key = reviewed
    await board.restart_service()
    assert (await board.card(ref))["reviewer"] == "ccp-reviewer"
    await verdict(board, key, "approve", "Good.")
    assert (await board.card(ref))["state"] == "done"
    assert len(board.prompts(key)) == 1


async def test_a_review_is_asked_for_when_the_gateway_is_back(board: Board) -> None:
    await policy(board, review="agent")
    ref = await board.dispatched()
    await board.away()
    await board.work(ref)
    task = await board.reach(ref, "review")
    assert task["why"] == "a reviewer is being asked to read round 1"
    assert [one for one in (await board.call("attention.list"))["attention"] if one["kind"] == "review"] == []
    await board.restart_service_away()
    await board.back()
    key = await asked(board, ref)
    await verdict(board, key, "approve", "Good.")
    assert (await board.card(ref))["state"] == "done"


async def test_a_crash_after_the_session_was_made_makes_no_second_one(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    await policy(board, review="agent")
    begin = Reviewing._begin
    tried: list[str] = []

    def crash(*given: object) -> bool:
        tried.append(str(given[-1]))
        raise RuntimeError("the service was killed here")

    monkeypatch.setattr(Reviewing, "_begin", crash)
    ref = await submitted(board)
    await until(lambda: tried)
    monkeypatch.setattr(Reviewing, "_begin", begin)
    await board.restart_service()
    key = await asked(board, ref)
    assert key == tried[0]
    assert len(board.prompts(key)) == 1


async def test_a_run_that_ended_unseen_is_asked_for_its_verdict(
    board: Board, reviewed: tuple[str, str]
) -> None:
    ref, key = reviewed
    await board.stop_service()
    run, world = board._run(key), board.gateway._world
    assert run is not None
    assert world is not None
    await world.runs.abort(run)
    await board.start_service()
    await board.connected()
    await until(lambda: len(board.prompts(key)) == 2)
    assert (await request_of(board, ref))["state"] == "reviewing"
    await verdict(board, key, "approve", "Good.")
    assert (await board.card(ref))["state"] == "done"


async def test_a_run_that_goes_on_in_the_gateway_is_left_alone(
    board: Board, reviewed: tuple[str, str]
) -> None:
    ref, key = reviewed
    await board.restart_service()
    await asyncio.sleep(2 * board.settings.resume_grace)
    assert board.running(key)
    assert len(board.prompts(key)) == 1
    assert (await request_of(board, ref))["state"] == "reviewing"


async def test_a_gateway_that_died_mid_review_takes_it_up_again(
    board: Board, reviewed: tuple[str, str]
) -> None:
    ref, key = reviewed
    await board.away()
    await board.back()
    await until(lambda: board.running(key))
    await asyncio.sleep(2 * board.settings.resume_grace)
    assert len(board.prompts(key)) == 1
    await verdict(board, key, "approve", "Good.")
    assert (await board.card(ref))["state"] == "done"


async def test_what_was_given_up_runs_no_more(board: Board, reviewed: tuple[str, str]) -> None:
    ref, key = reviewed
    await board.call("task.stop", ref=ref)
    await until(lambda: board.running(key) is None)
    assert (await request_of(board, ref))["state"] == "void"
    assert (await board.card(ref))["reviewer"] is None


async def test_what_was_given_up_while_the_gateway_was_away_runs_no_more(
    board: Board, reviewed: tuple[str, str]
) -> None:
    ref, key = reviewed
    await board.away()
    await board.call("task.approve", ref=ref, attempt=1, round=1)
    await board.back()
    await until(lambda: board.running(key) is None)
    assert (await board.card(ref))["state"] == "done"


async def test_the_emergency_stop_is_no_silence(board: Board, reviewed: tuple[str, str]) -> None:
    ref, key = reviewed
    await board.call("emergency.stop")
    await until(lambda: board.running(key) is None)
    await asyncio.sleep(0.3)
    assert (await request_of(board, ref))["state"] == "reviewing"
    assert (await board.card(ref))["state"] == "review"
    await board.call("emergency.resume")
    await until(lambda: board.running(key))
    await verdict(board, key, "approve", "Good.")
    assert (await board.card(ref))["state"] == "done"


async def test_a_message_that_the_gateway_refuses_is_told(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    await policy(board, review="agent")
    send = board.service.gateway.calls.chat_send

    async def refuse(session_key: str, *given: object, **more: object) -> SendAck:
        if "-review-" in session_key:
            raise GatewayError("INVALID_REQUEST", "this session is archived")
        return await send(session_key, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(board.service.gateway.calls, "chat_send", refuse)
    ref = await submitted(board)
    task = await board.reach(ref, "held")
    assert task["state"] == "review"
    assert "this session is archived" in task["hold"]["reason"]


async def test_what_comes_to_review_while_everything_is_stopped_is_read_afterwards(board: Board) -> None:
    await policy(board, review="agent")
    ref = await board.dispatched()
    await board.call("emergency.stop")
    await board.work(ref)
    await board.reach(ref, "review")
    await asyncio.sleep(0.3)
    assert (await request_of(board, ref))["state"] == "opening"
    await board.call("emergency.resume")
    await verdict(board, await asked(board, ref), "approve", "Good.")
    assert (await board.card(ref))["state"] == "done"
