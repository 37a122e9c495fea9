"""Stop, cancel, retry, reopen, reject: what ends with an attempt, and what the next one gets."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.board import IDLE, Board, report_token, spec, until

REASON = "The greeting is cold:\n  - say *hello*\n  - and mean it"


@pytest.mark.parametrize("method", ["stop", "cancel"])
async def test_ending_a_task_aborts_its_run_and_voids_its_token(board: Board, method: str) -> None:
    ref = await board.dispatched()
    key, token = (await board.card(ref))["session_key"], await board.token(ref)
    await until(lambda: board.running(key))
    card = (await board.call(f"task.{method}", ref=ref))["task"]
    assert card["state"] == {"stop": "assigned", "cancel": "cancelled"}[method]
    assert card["session_key"] is None
    await until(lambda: board.running(key) is None)
    before = await board.show(ref)
    for kind, more in (
        ("progress", {"text": "still at it"}),
        ("deliver", {"path": "hello.md"}),
        ("submit", {}),
        ("block", {"text": "help"}),
    ):
        with pytest.raises(Exception, match="this attempt has ended") as caught:
            await board.report_as(token, kind, **more)
        assert caught.value.code == "NOT_ALLOWED"  # type: ignore[attr-defined]
    assert await board.show(ref) == before
    (attempt,) = before["attempts"]
    assert (attempt["state"], attempt["outcome"]) == (
        "ended",
        {"stop": "stopped", "cancel": "cancelled"}[method],
    )


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_stop_while_the_gateway_is_away_ends_the_run_when_it_is_back(
    board: Board, restarted: bool
) -> None:
    """The gateway resumes the interrupted turn by itself, also for a service that was started anew."""
    ref = await board.dispatched()
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.away()
    await board.call("task.stop", ref=ref)
    if restarted:
        await board.restart_service_away()
    await board.back()
    await asyncio.sleep(0.5)
    await until(lambda: board.running(key) is None)
    await asyncio.sleep(0.3)
    assert board.running(key) is None
    assert (await board.card(ref))["state"] == "assigned"


async def test_a_late_report_harms_no_new_attempt(board: Board) -> None:
    ref = await board.dispatched()
    old = await board.token(ref)
    await board.call("task.stop", ref=ref)
    await board.call("task.dispatch", ref=ref)
    before = await board.reach(ref, "in_progress")
    (board.workspace / "hello.md").write_text("hello")
    for kind, more in (("deliver", {"path": "hello.md"}), ("submit", {}), ("block", {"text": "stuck"})):
        with pytest.raises(Exception, match="this attempt has ended"):
            await board.report_as(old, kind, **more)
    after = await board.show(ref)
    assert (after["state"], after["hold"], after["attempt"]) == ("in_progress", None, 2)
    assert after["attempts"][1]["rounds"] == before["attempts"][1]["rounds"]


async def test_each_attempt_has_a_session_and_a_token_of_its_own(board: Board) -> None:
    ref = await board.dispatched()
    await board.call("task.stop", ref=ref)
    await board.call("task.dispatch", ref=ref)
    await board.reach(ref, "in_progress")
    first, second = (await board.show(ref))["attempts"]
    assert first["session_key"] != second["session_key"]
    assert first["session_key"].startswith(f"agent:{board.agent}:ccp-{ref.lower()}-1")
    await until(lambda: board.prompts(second["session_key"]))
    tokens = [report_token(board.prompts(one["session_key"])[0]) for one in (first, second)]
    assert len(set(tokens)) == 2
    assert tokens[1] == await board.token(ref)


async def test_retry_is_for_what_is_held(board: Board) -> None:
    ref = await board.dispatched(spec("!fail 400"))
    held = await board.reach(ref, "held")
    assert held["state"] == "in_progress"
    await board.call("task.retry", ref=ref)

    async def second() -> bool:
        return len((await board.show(ref))["attempts"]) == 2

    await until(second)
    first, _ = (await board.show(ref))["attempts"]
    assert first["outcome"] == "stopped"


async def test_the_reason_of_a_reopening_reaches_every_later_attempt(board: Board) -> None:
    ref = await board.in_review()
    await board.call("task.approve", ref=ref, attempt=1, round=1)
    await board.call("task.reopen", ref=ref, reason=REASON)
    for attempt in (2, 3):
        await board.call("task.dispatch", ref=ref)
        key = (await board.reach(ref, "in_progress"))["session_key"]
        await until(lambda key=key: board.prompts(key))  # type: ignore[misc]
        prompt = board.prompts(key)[0]
        assert f"Attempt: {attempt}" in prompt
        assert f"--- reason ---\n{REASON}\n--- end of reason ---" in prompt
        await board.call("task.stop", ref=ref)


async def test_a_worker_whose_first_round_was_directed_mends_what_is_sent_back(board: Board) -> None:
    made = "!exec echo hi > hello.md; {report} deliver hello.md; {report} submit"
    ref = await board.assigned(spec(made))
    await board.call("task.dispatch", ref=ref)
    await board.reach(ref, "review")
    await board.call("task.reject", ref=ref, attempt=1, round=1, reason="longer, please")

    async def again() -> bool:
        card = await board.card(ref)
        return (card["state"], card["round"]) == ("review", 2)

    await until(again, told="it is in review again")
    assert "longer, please" in (board.workspace / "hello.md").read_text()


async def test_a_rejection_reaches_the_worker_word_for_word_in_its_session(board: Board) -> None:
    ref = await board.in_review()
    key = (await board.card(ref))["session_key"]
    card = (await board.call("task.reject", ref=ref, attempt=1, round=1, reason=REASON))["task"]
    assert (card["state"], card["round"], card["attempt"], card["session_key"]) == ("in_progress", 2, 1, key)
    await until(lambda: len(board.prompts(key)) == 2)
    prompt = board.prompts(key)[1]
    assert f"--- reason ---\n{REASON}\n--- end of reason ---" in prompt
    assert "\nRound: 2\n" in prompt
    assert report_token(prompt) == await board.token(ref)
    await board.work(ref, "Hello, dear world.\n")
    await board.reach(ref, "review")
    for verdict in ("approve", "reject"):
        await board.refused(f"task.{verdict}", "this_round", ref=ref, attempt=1, round=1, reason="old")
    await board.call("task.approve", ref=ref, attempt=1, round=2)
    rounds = (await board.show(ref))["attempts"][0]["rounds"]
    assert [one["result"] for one in rounds] == ["rejected", "approved"]
    assert rounds[0]["reviews"][0]["reason"] == REASON
    assert rounds[0]["deliverables"][0]["sha256"] != rounds[1]["deliverables"][0]["sha256"]


async def test_a_cancelled_task_comes_back_and_is_done_anew(board: Board) -> None:
    ref = await board.dispatched()
    await board.call("task.cancel", ref=ref, reason="not now")
    assert (await board.history(ref, "cancelled"))[0]["reason"] == "not now"
    await board.call("task.restore", ref=ref)
    await board.call("task.assign", ref=ref)
    await board.call("task.dispatch", ref=ref)
    await board.work(ref)
    task = await board.reach(ref, "review")
    assert task["attempt"] == 2


async def test_a_stopped_review_ends_its_attempt(board: Board) -> None:
    ref = await board.in_review(spec(IDLE))
    await board.call("task.stop", ref=ref)
    await board.refused("task.approve", "state", ref=ref, attempt=1, round=1)
    assert (await board.show(ref))["attempts"][0]["rounds"][0]["result"] in ("passed", "dropped")
