"""A task that is held and runs nothing does not keep its agent from other work."""

from __future__ import annotations

from tests.service.board import Board, spec


async def test_an_agent_whose_task_failed_takes_the_next(board: Board) -> None:
    failed = await board.assigned(spec("!fail 400"))
    await board.call("task.dispatch", ref=failed)
    await board.reach(failed, "held")
    await board.dispatched()
    assert (await board.card(failed))["state"] == "in_progress"


async def test_a_queued_task_starts_when_the_one_before_it_is_held(board: Board) -> None:
    first = await board.assigned(spec("!exec {report} block why"))
    second = await board.assigned(spec("!pause 4000"))
    await board.call("task.dispatch", ref=first)
    await board.call("task.dispatch", ref=second)
    await board.reach(first, "held")
    await board.reach(second, "in_progress")
