"""Planners' and reviewers' sessions: sub-agents that they wait for, and messages that nobody must hear any more."""

from __future__ import annotations

import pytest

from ccp_tui.service.sessions.delivery import _over
from ccp_tui.store import Store
from tests.service.board import Board, until
from tests.service.reviews import asked, patient, policy, submitted
from tests.service.test_planning import planned, prompts, session, stands

by_hand = pytest.mark.usefixtures(patient.__name__)
__all__ = ["patient"]


async def test_a_planner_may_wait_for_a_sub_agent(board: Board) -> None:
    ref = await planned(board, description="!spawn !pause 60\n!say I let somebody look it up.")
    task = await stands(board, ref, "planner")
    await until(lambda: len(board.rows(session(task))) > 2 and board.running(session(task)) is None)
    await until(lambda: _said(board, session(task)))

    async def at_work() -> bool:
        found = await board.show(ref)
        return any(one["state"] == "running" for one in found["subagents"])

    assert await at_work()
    assert not await board.history(ref, "reply_refused")
    assert len(prompts(board, task)) == 1
    await stands(board, ref, "proposed", "person", seconds=30)
    assert not await at_work()


def _said(board: Board, key: str) -> bool:
    return any(
        "I let somebody" in str(row["content"]) for row in board.rows(key) if row["role"] == "assistant"
    )


@by_hand
async def test_nothing_more_is_sent_to_a_reviewer_whose_review_is_over(board: Board) -> None:
    await policy(board, review="agent")
    ref = await submitted(board)
    key = await asked(board, ref)

    def over(store: Store) -> bool:
        row = store.outbox.latest_in(key)
        assert row is not None
        return _over(store, row)

    assert not await board.service._c.db(over)
    await board.call("task.approve", ref=ref, attempt=1, round=1)
    assert await board.service._c.db(over)
