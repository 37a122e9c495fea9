"""A held task may be given to another agent, as its hold says; a task that runs well may not be taken like that."""

from __future__ import annotations

from tests.service.board import Board, spec, until


async def test_a_held_task_is_taken_over_by_another_agent(board: Board) -> None:
    bob = await board.second_agent()
    ref = await board.dispatched(spec("!pause 4000"))
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.report(ref, "block", text="I lack a key")
    await board.refused("task.assign", "state", ref=ref, agent=board.agent)
    card = (await board.call("task.assign", ref=ref, agent=bob))["task"]
    assert (card["state"], card["agent"], card["hold"]) == ("assigned", bob, None)
    assert (await board.show(ref))["attempts"][0]["outcome"] == "stopped"
    await until(lambda: board.running(key) is None)
    card = (await board.call("task.dispatch", ref=ref))["task"]
    assert (card["state"], card["attempt"]) == ("in_progress", 2)


async def test_a_task_that_runs_stays_with_its_agent(board: Board) -> None:
    bob = await board.second_agent()
    ref = await board.dispatched()
    await board.refused("task.assign", "state", ref=ref, agent=bob)
    assert (await board.card(ref))["agent"] == board.agent
