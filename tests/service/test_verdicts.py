"""The verdict's report: once, for its round, by the reviewer that was asked, in words that make sense."""

from __future__ import annotations

import pytest

from ccp_tui.client import ServiceFailure
from tests.service.board import Board
from tests.service.reviews import asked, patient, policy, submitted, verdict

__all__ = ["patient"]
pytestmark = pytest.mark.usefixtures("patient")


async def refused(board: Board, token: str, **params: object) -> ServiceFailure:
    with pytest.raises(ServiceFailure) as caught:
        await board.report_as(token, "verdict", **params)
    return caught.value


async def reviewed(board: Board, **settings: str) -> tuple[str, str]:
    """A task in Review with a reviewer that says nothing by itself; the reviewer's session."""
    await policy(board, **{"review": "agent_then_person", **settings})
    ref = await submitted(board)
    return ref, await asked(board, ref)


async def test_only_the_first_verdict_counts(board: Board) -> None:
    ref, key = await reviewed(board)
    words = await verdict(board, key, "approve", "Good.")
    assert f"round 1 of {ref} is recorded" in words
    second = await refused(board, board.token_of(key), verdict="reject", reason="I changed my mind.")
    assert second.code == "NOT_ALLOWED"
    rounds = (await board.show(ref))["attempts"][0]["rounds"]
    assert [(one["verdict"], one["reason"]) for one in rounds[0]["reviews"]] == [("approve", "Good.")]


async def test_a_verdict_on_an_older_round_changes_nothing(board: Board) -> None:
    ref, key = await reviewed(board)
    await board.call("task.reject", ref=ref, attempt=1, round=1, reason="Mine came first.")
    failure = await refused(board, board.token_of(key), verdict="approve", reason="Good.")
    assert failure.code == "NOT_ALLOWED"
    await board.work(ref)
    await board.reach(ref, "review")
    second = await asked(board, ref, number=2)
    await refused(board, board.token_of(key), verdict="approve", reason="Good.")
    assert (await board.show(ref))["attempts"][0]["rounds"][1]["reviews"] == []
    await verdict(board, second, "approve", "Good.")
    reviews = (await board.show(ref))["attempts"][0]["rounds"][1]["reviews"]
    assert [one["verdict"] for one in reviews] == ["approve"]


async def test_a_rejection_needs_words(board: Board) -> None:
    ref, key = await reviewed(board)
    failure = await refused(board, board.token_of(key), verdict="reject", reason="  ")
    assert failure.details["gate"] == "reason"
    assert (await board.history(ref, "refused"))[-1]["actor"] == "ccp-reviewer"
    await verdict(board, key, "reject", "Because.")
    assert (await board.card(ref))["state"] == "in_progress"


async def test_anything_but_a_verdict_is_explained(board: Board) -> None:
    _, key = await reviewed(board)
    for said in ("maybe", "", None, 7):
        failure = await refused(board, board.token_of(key), verdict=said, reason="x")
        assert failure.code == "USAGE"
        assert "verdict approve" in failure.message


async def test_a_worker_gives_no_verdict_and_a_reviewer_delivers_nothing(board: Board) -> None:
    ref, key = await reviewed(board)
    failure = await refused(board, await board.token(ref), verdict="approve", reason="I am good.")
    assert failure.code == "NOT_ALLOWED"
    with pytest.raises(ServiceFailure):
        await board.report_as(board.token_of(key), "submit", summary="x")
    assert (await board.show(ref))["attempts"][0]["rounds"][0]["reviews"] == []


async def test_a_policy_that_was_changed_meanwhile_decides(board: Board) -> None:
    ref, key = await reviewed(board, review="agent")
    await policy(board, review="person")
    await verdict(board, key, "approve", "Good.")
    assert (await board.card(ref))["state"] == "review"


async def test_an_approval_does_not_finish_what_still_needs_another(board: Board) -> None:
    ref, key = await reviewed(board, review="agent")
    other = await board.add()
    one, needed = [(await board.card(name))["id"] for name in (ref, other)]
    await board.service._c.db(lambda store: store.dependencies.add(one, needed))
    await verdict(board, key, "approve", "Good.")
    task = await board.show(ref)
    assert task["state"] == "review"
    assert [row["verdict"] for row in task["attempts"][0]["rounds"][0]["reviews"]] == ["approve"]


async def test_a_token_in_the_reason_is_hidden(board: Board) -> None:
    ref, key = await reviewed(board)
    await verdict(board, key, "reject", f"My token is {board.token_of(key)}.")
    (review,) = (await board.show(ref))["attempts"][0]["rounds"][0]["reviews"]
    assert review["reason"] == "My token is ccp_…."
