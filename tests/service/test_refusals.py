"""Every move that is not made: the gate is named, the refusal is recorded, and nothing has changed."""

from __future__ import annotations

import pytest

from tests.service.board import IDLE, Board, spec

VERDICT = {"attempt": 1, "round": 1}


async def test_nothing_leaves_the_inbox_without_its_gates(board: Board) -> None:
    ref = (await board.call("task.add", title="Bare"))["task"]["ref"]
    await board.refused("task.approve_spec", "spec_complete", ref=ref, version=1)
    await board.refused("task.assign", "spec_approved", ref=ref, agent=board.agent)
    for method in ("dispatch", "unassign", "drop_plan", "stop", "restore", "retry"):
        await board.refused(f"task.{method}", "state", ref=ref)
    await board.refused("task.reopen", "state", ref=ref, reason="why not")
    await board.refused("task.approve", "state", ref=ref, **VERDICT)
    await board.refused("task.reject", "state", ref=ref, reason="no", **VERDICT)


@pytest.mark.parametrize("missing", ["deliverables", "success_criteria"])
async def test_a_spec_needs_a_deliverable_and_a_criterion(board: Board, missing: str) -> None:
    lines = {
        "deliverables": "success_criteria: [it is good]",
        "success_criteria": "deliverables: [a.md]",
    }
    ref = await board.add(f"title: Half\n{lines[missing]}\n")
    failure = await board.refused("task.approve_spec", "spec_complete", ref=ref, version=1)
    assert missing.removesuffix("s").replace("_", " ").removesuffix("ia") in failure.message


async def test_assigning_needs_an_agent(board: Board) -> None:
    ref = await board.approved()
    await board.refused("task.assign", "agent", ref=ref)
    await board.fails("task.assign", "NOT_FOUND", ref=ref, agent="nobody")


async def test_a_stale_version_of_the_spec_is_not_approved(board: Board) -> None:
    ref = await board.add()
    await board.call("task.set_spec", ref=ref, text=spec(title="Another"))
    failure = await board.refused("task.approve_spec", "spec_version", ref=ref, version=1)
    assert "version 2" in failure.message
    await board.call("task.approve_spec", ref=ref, version=2)
    assert (await board.show(ref))["approved_spec"]["version"] == 2


async def test_a_new_version_needs_a_new_approval(board: Board) -> None:
    ref = await board.approved()
    await board.call("task.set_spec", ref=ref, text=spec(title="Another"))
    assert (await board.card(ref))["spec_approved"] is False
    await board.refused("task.assign", "spec_approved", ref=ref, agent=board.agent)


async def test_the_spec_is_fixed_once_it_is_assigned(board: Board) -> None:
    ref = await board.assigned()
    failure = await board.refused("task.set_spec", "state", ref=ref, text=spec(title="Another"))
    assert "Inbox" in failure.message
    assert (await board.show(ref))["spec"]["version"] == 1


async def test_a_working_task_takes_no_verdict_and_no_second_dispatch(board: Board) -> None:
    ref = await board.dispatched()
    for method in ("dispatch", "assign", "unassign", "restore", "plan"):
        await board.refused(f"task.{method}", "state", ref=ref)
    await board.refused("task.approve", "state", ref=ref, **VERDICT)
    await board.refused("task.retry", "held", ref=ref)
    await board.refused("task.move", "actor", ref=ref, to="testing")
    await board.refused("task.move", "state", ref=ref, to="done")


async def test_a_verdict_is_for_the_round_that_stands(board: Board) -> None:
    ref = await board.in_review()
    for verdict in ({"attempt": 1, "round": 2}, {"attempt": 2, "round": 1}, {"attempt": 0, "round": 0}):
        await board.refused("task.approve", "this_round", ref=ref, **verdict)
        await board.refused("task.reject", "this_round", ref=ref, reason="no", **verdict)
    for reason in ("", "  \n"):
        await board.refused("task.reject", "reason", ref=ref, reason=reason, **VERDICT)
    await board.refused("task.move", "this_round", ref=ref, to="done")
    await board.fails("task.approve", "USAGE", ref=ref)
    await board.call("task.move", ref=ref, to="done", **VERDICT)
    assert (await board.card(ref))["state"] == "done"


async def test_what_is_done_stays_done_until_it_is_reopened_with_a_reason(board: Board) -> None:
    ref = await board.in_review()
    await board.call("task.approve", ref=ref, **VERDICT)
    await board.refused("task.cancel", "state", ref=ref)
    await board.refused("task.approve", "state", ref=ref, **VERDICT)
    await board.refused("task.reopen", "reason", ref=ref, reason=" ")
    await board.refused("task.move", "reason", ref=ref, to="assigned")
    await board.call("task.reopen", ref=ref, reason="one more thing")
    assert (await board.card(ref))["state"] == "assigned"


async def test_the_approval_of_an_earlier_attempt_is_worth_nothing_after_reopening(board: Board) -> None:
    ref = await board.in_review()
    await board.call("task.approve", ref=ref, **VERDICT)
    await board.call("task.reopen", ref=ref, reason="not quite")
    await board.refused("task.move", "state", ref=ref, to="done")
    await board.call("task.dispatch", ref=ref)
    await board.work(ref)
    await board.reach(ref, "review")
    await board.refused("task.approve", "this_round", ref=ref, **VERDICT)
    await board.call("task.approve", ref=ref, attempt=2, round=1)


async def test_no_column_move_jumps_over_the_gates(board: Board) -> None:
    ref = await board.add(spec(IDLE))
    for column in ("assigned", "in_progress", "testing", "review", "done", "inbox"):
        failure = await board.fails("task.move", "REFUSED", ref=ref, to=column)
        assert failure.details["gate"] in ("state", "spec_approved")
    assert (await board.card(ref))["state"] == "inbox"
    assert len(await board.history(ref, "refused")) == 6
    await board.fails("task.move", "USAGE", ref=ref, to="nowhere")


async def test_what_is_not_there_is_not_found(board: Board) -> None:
    for method in ("show", "spec", "dispatch", "stop", "cancel", "history", "transcript"):
        await board.fails(f"task.{method}", "NOT_FOUND", ref="NOPE-1")
    await board.fails("task.set_spec", "NOT_FOUND", ref="NOPE-1", text=spec())
    await board.fails("task.spec", "NOT_FOUND", ref=await board.add(), version=7)


async def test_a_bad_request_is_told_in_words(board: Board) -> None:
    bad = await board.fails("task.add", "USAGE", title="x", spec="deliverables:\n  - path: /etc/passwd\n")
    assert bad.details == {"line": 2, "field": "path"}
    await board.fails("task.add", "USAGE", title="x", priority="highest")
    await board.fails("task.add", "USAGE", title="x", due="tomorrow")
    await board.fails("task.add", "USAGE", title=7)
    await board.fails("task.add", "NOT_FOUND", title="x", mission="nowhere")
    assert (await board.call("task.list"))["tasks"] == []
    refused = await board.fails("task.add", "REFUSED", title=" \n ")
    assert refused.details["gate"] == "title"
    await board.fails("task.dispatch", "USAGE")
    await board.fails("task.list", "USAGE", state="limbo")
