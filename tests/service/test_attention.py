"""The needs-you queue: approvals, questions, holds and reviews, the most urgent first."""

from __future__ import annotations

import asyncio
from typing import Any

from ccp_tui.gateway import ApprovalRequested
from tests.service.board import IDLE, Board, Client, spec, until


async def queue(board: Board) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await board.call("attention.list"))["attention"]
    return rows


async def guarded(board: Board, command: str) -> str:
    """A task whose worker may run nothing without the person, and wants to run a command."""
    ref = await board.dispatched(spec("!pause 6", f"!exec {command}", IDLE))
    key = (await board.card(ref))["session_key"]
    await board.service.gateway.calls.session_patch(key, permissionMode="guarded")
    return ref


async def test_an_exec_approval_waits_for_the_person_and_its_card_says_so(board: Board) -> None:
    async with Client(board.home) as watcher:
        await watcher.keep()
        ref = await guarded(board, "touch allowed; echo {report}")
        (item,) = await until(lambda: queue(board))
        assert (item["kind"], item["ref"], item["agent"], item["urgency"]) == (
            "approval",
            ref,
            board.agent,
            0,
        )
        assert item["answer"]["decisions"] == ["allow-once", "deny"]
        assert item["answer"]["command"].startswith("touch allowed; echo ")
        assert await board.token(ref) not in str(item)
        task = await board.show(ref)
        assert task["hold"]["kind"] == "approval"
        assert "touch allowed" in task["why"]
        agent = (await board.call("agent.list"))["agents"][0]
        assert agent["live"] == "waiting"
        await until(lambda: [one for one in watcher.named("task.changed") if one["task"]["hold"]])
        await until(lambda: watcher.named("attention"))

        await board.fails("approval.resolve", "USAGE", id=item["answer"]["id"], decision="allow-always")
        await board.fails("approval.resolve", "NOT_FOUND", id="nothing", decision="deny")
        await board.call("approval.resolve", id=item["answer"]["id"], decision="allow-once")
        await until(lambda: (board.workspace / "allowed").exists())
        await until(lambda: watcher.named("attention")[-1:] == [{"attention": []}])
        await until(lambda: not watcher.named("task.changed")[-1]["task"]["hold"])
    assert (await board.card(ref))["hold"] is None


async def test_a_denied_command_does_not_run(board: Board) -> None:
    await guarded(board, "touch denied")
    (item,) = await until(lambda: queue(board))
    await board.call("approval.resolve", id=item["answer"]["id"], decision="deny")
    await until(lambda: emptied(board))
    assert not (board.workspace / "denied").exists()


async def emptied(board: Board) -> bool:
    return await queue(board) == []


async def test_a_stop_takes_the_request_back(board: Board) -> None:
    ref = await guarded(board, "touch never")
    await until(lambda: queue(board))
    await board.call("task.stop", ref=ref)
    await until(lambda: emptied(board))


async def test_a_request_of_a_gateway_that_died_is_gone(board: Board) -> None:
    await guarded(board, "touch never")
    (before,) = await until(lambda: queue(board))
    await board.away()
    await board.back()

    async def forgotten() -> bool:
        """The resumed turn may ask anew; that is another request."""
        return before["key"] not in [item["key"] for item in await queue(board)]

    await until(forgotten)


async def test_a_request_is_there_for_a_service_that_comes_later(board: Board) -> None:
    ref = await guarded(board, "touch later")
    before = await until(lambda: queue(board))
    await board.restart_service()
    after = await until(lambda: queue(board))
    assert [item["key"] for item in after] == [item["key"] for item in before]
    await board.call("approval.resolve", id=after[0]["answer"]["id"], decision="allow-once")
    await until(lambda: (board.workspace / "later").exists())
    assert (await board.card(ref))["state"] == "in_progress"


async def test_a_question_of_an_agent_is_answered(board: Board) -> None:
    ref = await board.dispatched()
    key = (await board.card(ref))["session_key"]
    question = {
        "questionId": "q1",
        "header": "Colour",
        "question": "Which colour?",
        "options": [{"label": "Red"}],
    }
    asked = asyncio.create_task(
        board.service.gateway.call("demo.ask", {"sessionKey": key, "questions": [question]}, timeout=30)
    )
    (item,) = await until(lambda: queue(board))
    assert (item["kind"], item["ref"]) == ("question", ref)
    assert "Which colour?" in item["text"]
    assert (await board.show(ref))["hold"]["kind"] == "question"
    asking = item["answer"]["question"]
    assert asking["options"] == [{"id": "a", "label": "Red", "description": ""}]
    await board.call("question.answer", id=asking["id"], options=["a"])
    assert (await asked)["answers"] == {"q1": ["Red"]}
    await until(lambda: emptied(board))
    assert (await board.show(ref))["hold"] is None


async def test_the_second_hold_of_a_kind_is_another_item_and_the_same_hold_stays_one(board: Board) -> None:
    ref = await board.dispatched()
    await board.report(ref, "block", text="help me")
    (first,) = await queue(board)
    await board.report(ref, "block", text="help me")
    assert [one["key"] for one in await queue(board)] == [first["key"]]
    key = (await board.card(ref))["session_key"]
    await board.call("chat.send", session_key=key, text="there")
    assert await queue(board) == []
    await board.report(ref, "block", text="help me")
    (second,) = await queue(board)
    assert second["key"] != first["key"]
    assert (second["kind"], second["text"]) == (first["kind"], first["text"])


async def test_an_approval_says_what_the_gateway_thinks_of_the_command(board: Board) -> None:
    service = board.service
    analysis = {"riskKinds": ["inline-eval"], "warningLines": ["Contains inline-eval: python3 -c"]}
    request = {
        "command": "python3 -c 1",
        "cwd": "/somewhere",
        "commandAnalysis": analysis,
        "warningText": "be careful",
        "allowedDecisions": ["allow-once", "deny"],
    }
    event = ApprovalRequested("agent:x:y", "", "x", id="a1", request=request, expires_at_ms=1795409653797)
    service._attention.event(event)
    (item,) = await queue(board)
    answer = item["answer"]
    assert answer["risk"] == ["be careful", "Contains inline-eval: python3 -c", "risk: inline eval"]
    assert (answer["cwd"], answer["expires_at"]) == ("/somewhere", "2026-11-23T04:54:13.797Z")
    assert answer["decisions"] == ["allow-once", "deny"]


async def test_the_most_urgent_stands_first(board: Board) -> None:
    bob = await board.second_agent()
    review = await board.in_review()
    failed = await board.assigned(spec("!fail 400"))
    await board.call("task.dispatch", ref=failed)
    await board.reach(failed, "held")
    blocked = await board.dispatched(agent=bob)
    await board.report(blocked, "block", text="help me")
    rows = await queue(board)
    assert [(row["ref"], row["kind"]) for row in rows] == [
        (blocked, "question"),
        (failed, "error"),
        (review, "review"),
    ]
    status = await board.call("status")
    assert (status["needs_you"], status["held"]) == (3, 2)
    await board.call("task.approve", ref=review, attempt=1, round=1)
    assert review not in [row["ref"] for row in await queue(board)]
