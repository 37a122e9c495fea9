"""Deleting agents: nothing that they work on is lost by the way, and no file that somebody may still want."""

from __future__ import annotations

import pytest

from tests.service.board import Board, Client, until
from tests.service.reviews import asked, patient, policy, submitted

__all__ = ["patient"]


async def agents(board: Board) -> list[str]:
    return [agent["id"] for agent in (await board.call("agent.list"))["agents"]]


async def test_an_idle_agent_is_deleted_from_gateway_and_board(board: Board) -> None:
    async with Client(board.home) as watcher:
        await watcher.keep()
        assert await board.call("agent.delete", id=board.agent) == {"id": board.agent}
        await until(lambda: watcher.named("agent.removed"))
        assert watcher.named("agent.removed") == [{"id": board.agent}]
    assert await agents(board) == []
    world = board.gateway._world
    assert world is not None
    assert board.agent not in world.store.agents
    assert board.workspace.exists()
    await board.fails("agent.delete", "NOT_FOUND", id=board.agent)


async def test_an_agent_with_work_is_kept_until_the_person_says_what_becomes_of_it(board: Board) -> None:
    running = await board.dispatched()
    waiting = await board.assigned()
    failure = await board.fails("agent.delete", "REFUSED", id=board.agent)
    assert failure.details["gate"] == "work"
    assert failure.details["refs"] == [running, waiting]
    assert f"works on {running} and is assigned {waiting}" in failure.message
    failure = await board.fails("agent.delete", "REFUSED", id=board.agent, work="unassign")
    assert "what has begun must be stopped" in failure.message
    await board.fails("agent.delete", "USAGE", id=board.agent, work="whatever")
    assert (await board.card(running))["state"] == "in_progress"
    assert (await board.card(waiting))["state"] == "assigned"
    assert await agents(board) == [board.agent]


async def test_its_work_is_stopped_and_goes_back_to_the_inbox(board: Board) -> None:
    running = await board.dispatched()
    waiting = await board.assigned()
    chosen = await board.approved()
    key = (await board.card(running))["session_key"]
    await until(lambda: board.running(key))
    await board.call("agent.delete", id=board.agent, work="stop")
    assert await agents(board) == []
    for ref in (running, waiting, chosen):
        card = await board.card(ref)
        assert (card["state"], card["agent"]) == ("inbox", None)
    assert (await board.show(running))["attempts"][0]["outcome"] == "stopped"
    other = await board.second_agent()
    await board.call("task.assign", ref=running, agent=other)


async def test_what_has_not_begun_is_only_unassigned(board: Board) -> None:
    waiting = await board.assigned()
    await board.call("agent.delete", id=board.agent, work="unassign")
    assert (await board.card(waiting))["state"] == "inbox"


async def test_files_go_only_when_asked_and_never_before_they_are_approved(board: Board) -> None:
    ref = await board.in_review()
    failure = await board.fails("agent.delete", "REFUSED", id=board.agent, work="stop", delete_files=True)
    assert failure.details["gate"] == "files"
    assert f"hello.md ({ref})" in failure.message
    assert (await board.card(ref))["state"] == "review"
    await board.call("task.approve", ref=ref, attempt=1, round=1)
    await board.call("agent.delete", id=board.agent, delete_files=True)
    assert not board.workspace.exists()


async def test_a_folder_that_another_agent_works_in_is_spared(board: Board) -> None:
    other = await board.second_agent()
    folder = str(board.workspace)
    await board.service._c.db(lambda store: store.agents.update(other, workspace=folder))
    failure = await board.fails("agent.delete", "REFUSED", id=board.agent, delete_files=True)
    assert other in failure.message


async def test_one_that_is_gone_from_the_gateway_leaves_the_board(board: Board) -> None:
    await board.service.gateway.calls.agent_delete(board.agent)
    await board.call("agent.delete", id=board.agent)
    assert await agents(board) == []


async def test_without_a_gateway_nothing_is_taken_from_it(board: Board) -> None:
    waiting = await board.assigned()
    await board.away()
    await board.fails("agent.delete", "UNAVAILABLE", id=board.agent, work="stop")
    assert (await board.card(waiting))["state"] == "assigned"


async def test_its_history_stays(board: Board) -> None:
    ref = await board.in_review()
    await board.call("task.approve", ref=ref, attempt=1, round=1)
    await board.call("agent.delete", id=board.agent)
    task = await board.show(ref)
    assert task["attempts"][0]["agent"] == board.agent
    assert (await board.history(ref, "approved"))[-1]["agent"] == board.agent


@pytest.mark.usefixtures("patient")
async def test_the_services_reviewer_is_made_again_when_it_is_needed(board: Board) -> None:
    await policy(board, review="agent")
    ref = await submitted(board)
    await asked(board, ref)
    failure = await board.fails("agent.delete", "REFUSED", id="ccp-reviewer")
    assert f"reviews {ref}" in failure.message
    await board.call("agent.delete", id="ccp-reviewer", work="stop")
    card = await board.card(ref)
    assert (card["state"], card["hold"]["kind"]) == ("review", "stalled")
    await board.call("task.review", ref=ref)
    await asked(board, ref, number=2)
    assert "ccp-reviewer" in await agents(board)
