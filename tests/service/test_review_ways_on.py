"""Whatever is held, the task itself lists a way on, and what it lists is taken."""

from __future__ import annotations

import json

import pytest

from ccp_tui.gateway import GatewayError
from tests.service.board import Board
from tests.service.reviews import asked, patient, policy, submitted, verdict
from tests.service.test_crew import WORK, approve, break_creation
from tests.service.test_explain import offered
from tests.service.test_planning import planned, said, stands

by_hand = pytest.mark.usefixtures(patient.__name__)
__all__ = ["patient"]


async def test_a_reply_that_nobody_can_read_is_answered_or_written_over(board: Board) -> None:
    ref = await planned(board, description=said("What a nice task!"))
    task = await stands(board, ref, "proposed")  # the scripted planner mends its reply when it is told
    assert offered(task)["replan"] is None
    await board.service._c.db(lambda store: store.plannings.change(1, state="raw", raw="What?"))
    task = await board.show(ref)
    assert {"replan", "set_spec", "drop_plan"} <= set(offered(task))
    await board.call("task.set_spec", ref=ref, text=json.dumps({**WORK, "agent": "ada"}))
    assert (await board.show(ref))["planning"] == "proposed"


async def test_a_planner_that_cannot_be_had_is_asked_again(board: Board) -> None:
    async def refuse(*_: object, **__: object) -> str:
        raise GatewayError("INVALID_REQUEST", "no session today")

    calls = board.service.gateway.calls
    create = calls.session_create
    calls.session_create = refuse  # type: ignore[method-assign]
    ref = await planned(board)
    task = await stands(board, ref, "held")
    assert offered(task)["plan"] is None
    calls.session_create = create  # type: ignore[method-assign]
    await board.call("task.plan", ref=ref)
    await stands(board, ref, "person")


async def test_agents_that_were_not_made_are_asked_for_again(board: Board) -> None:
    ref = await board.add(json.dumps({**WORK, "agent": "Zed", "agents": [{"name": "Zed", "soul": "Z"}]}))
    break_creation(board, "no room")
    await approve(board, ref)
    assert offered(await stands(board, ref, "held"))["retry"] is None


@by_hand
async def test_a_reviewer_that_gave_no_verdict_is_asked_again(board: Board) -> None:
    await policy(board, review="agent_then_person")
    ref = await submitted(board)
    key = await asked(board, ref)
    assert "review" not in offered(await board.show(ref))
    await board.call("agent.delete", id="ccp-reviewer", work="stop")
    task = await board.reach(ref, "held")
    assert offered(task)["review"] is None
    await board.call("task.review", ref=ref)
    again = await asked(board, ref, number=2)
    assert again != key
    await verdict(board, again, "approve", "all there")
    task = await board.show(ref)
    assert (task["state"], "review" in offered(task)) == ("review", False)
