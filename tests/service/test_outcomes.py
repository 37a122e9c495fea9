"""A run that ends without a submission, fails, is aborted or lost: never a card that says "running" for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.execution.outcomes import _judge
from ccp_tui.service.settings import Settings
from ccp_tui.store import Store
from tests.service.board import IDLE, Board, board_on, spec, until

QUITS = spec("!say I think I am done.")


async def test_a_worker_that_stops_is_told_once_and_then_held(board: Board) -> None:
    ref = await board.assigned(QUITS)
    await board.call("task.dispatch", ref=ref)
    task = await board.reach(ref, "held")
    key = task["session_key"]
    assert task["hold"]["kind"] == "stalled"
    assert "without submitting" in task["hold"]["reason"]
    for way in ("Retry", "another agent", "cancel"):
        assert way in task["hold"]["release"]
    prompts = board.prompts(key)
    assert len(prompts) == 2
    assert f"{ref} is not submitted" in prompts[1]
    assert len(await board.history(ref, "nudged")) == 1
    assert len(await board.history(ref, "held")) == 1


async def test_a_worker_that_was_told_may_still_submit(board: Board) -> None:
    ref = await board.assigned(spec("!exec mkdir -p .worker; {report} progress hello"))
    await board.call("task.dispatch", ref=ref)
    key = (await board.card(ref))["session_key"]
    await until(lambda: len(board.prompts(key)) == 2)
    await board.work(ref)
    await board.reach(ref, "review")


async def test_each_round_has_its_own_telling(board: Board) -> None:
    ref = await board.in_review(spec("!pause 3"))
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key) is None)
    (board.workspace / "hello.md").unlink()  # nothing that could be handed in once more
    await board.call("task.reject", ref=ref, attempt=1, round=1, reason="!say no, I will not")
    await board.reach(ref, "held")
    assert len(await board.history(ref, "nudged")) == 1
    assert [row["round"] for row in await board.history(ref, "nudged")] == [2]


async def test_a_failing_provider_holds_the_task_with_words_and_a_way_on(board: Board) -> None:
    ref = await board.assigned(spec("!say Starting.", "!fail 400"))
    await board.call("task.dispatch", ref=ref)
    task = await board.reach(ref, "held")
    assert (task["state"], task["hold"]["kind"]) == ("in_progress", "error")
    assert "HTTP 400" in task["hold"]["reason"]
    assert "Retry" in task["hold"]["release"]
    assert task["why"].startswith(task["hold"]["reason"])
    notes = [row["text"] for row in await board.transcript(ref) if row["role"] == "system"]
    assert len(notes) == 1  # the gateway tells a failure twice
    assert "HTTP 400" in notes[0]
    agent = (await board.call("agent.list"))["agents"][0]
    assert agent["live"] == "waiting"


async def test_an_aborted_run_holds_the_task(board: Board) -> None:
    ref = await board.dispatched(spec("!stream 50000 40"))
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    assert (await board.call("chat.abort", session_key=key)) == {"aborted": True}
    task = await board.reach(ref, "held")
    assert task["hold"]["kind"] == "error"
    assert "aborted" in task["hold"]["reason"]
    assert (await board.call("chat.abort", session_key=key)) == {"aborted": False}


async def test_a_second_hold_is_told_again(board: Board) -> None:
    ref = await board.assigned(spec("!fail 400"))
    await board.call("task.dispatch", ref=ref)
    await board.reach(ref, "held")
    await board.call("task.retry", ref=ref)

    async def again() -> bool:
        return len(await board.history(ref, "held")) == 2

    await until(again)
    assert (await board.card(ref))["attempt"] == 2


async def test_a_gateway_that_is_lost_holds_after_a_grace_and_releases_on_return(board: Board) -> None:
    ref = await board.dispatched()
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    before = board.running(key)
    await board.gateway.kill()
    task = await board.reach(ref, "held")
    assert (task["state"], task["hold"]["kind"]) == ("in_progress", "gateway")
    assert "when the gateway is back" in task["hold"]["release"]
    await board.back()
    await until(lambda: board.running(key))
    assert board.running(key) != before  # resumed under another id
    await until(lambda: released(board, ref))
    assert len(board.prompts(key)) == 1
    await board.work(ref)
    task = await board.reach(ref, "review")
    assert len(task["attempts"]) == 1
    assert len(task["attempts"][0]["run_ids"]) == 2
    assert await board.history(ref, "nudged") == []


@pytest.fixture
async def late(home: Home, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Board]:
    """A board whose gateway, when it is back, takes up interrupted turns long after the grace."""
    monkeypatch.setattr("ccp_tui.gateway.demo.runs.RESUME_SECONDS", 80.0)  # four, as fast as tests play
    monkeypatch.setattr("ccp_tui.service.sessions.runs.JUDGE_AGAIN_S", 0.3)
    async with board_on(home, resume_grace=0.5) as board:
        yield board


async def cut_off(board: Board) -> tuple[str, str]:
    """A task whose run the gateway's death interrupted, and its session."""
    ref = await board.dispatched()
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.away()
    await board.back()
    return ref, key


async def test_a_turn_that_a_busy_gateway_takes_up_late_is_waited_for(late: Board) -> None:
    """Words sent meanwhile would have the work done twice."""
    ref, key = await cut_off(late)
    await until(lambda: late.running(key))
    await late.work(ref)
    task = await late.reach(ref, "review")
    assert len(task["attempts"]) == 1
    assert await late.history(ref, "nudged") == []


async def test_a_turn_that_the_gateway_never_takes_up_is_not_waited_for_for_ever(
    late: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccp_tui.service.sessions.runs.COMES_BACK_S", 1.0)
    ref, _ = await cut_off(late)

    async def nudged() -> bool:
        return bool(await late.history(ref, "nudged"))

    await until(nudged)


async def released(board: Board, ref: str) -> bool:
    return (await board.card(ref))["hold"] is None


async def test_a_short_loss_is_no_hold(home: Home) -> None:
    async with board_on(home, gateway_grace=30.0) as board:
        ref = await board.dispatched()
        connection = board.service.gateway._connection
        assert connection is not None
        connection.abort()
        await board.connected()
        await asyncio.sleep(0.2)
        assert (await board.card(ref))["hold"] is None
        assert await board.history(ref, "held") == []


async def test_a_run_that_ended_while_we_were_away_is_judged(board: Board) -> None:
    ref = await board.dispatched(spec("!pause 10"))
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.stop_service()
    await until(lambda: board.running(key) is None)
    await board.start_service()
    await board.connected()
    await until(lambda: nudged(board, ref))
    await until(lambda: len(board.prompts(key)) == 2)


async def nudged(board: Board, ref: str) -> bool:
    return bool(await board.history(ref, "nudged"))


async def test_a_silent_live_run_is_left_alone_over_a_restart_of_the_service(board: Board) -> None:
    ref = await board.dispatched()
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.restart_service()
    await asyncio.sleep(1.5)  # longer than the grace
    task = await board.show(ref)
    assert (task["state"], task["hold"], len(task["attempts"])) == ("in_progress", None, 1)
    assert len(board.prompts(key)) == 1
    await board.work(ref)
    await board.reach(ref, "review")


async def test_words_that_wait_behind_a_run_become_a_run_and_no_telling(board: Board) -> None:
    ref = await board.dispatched(spec("!pause 10"))
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.call("chat.send", session_key=key, text=f"{IDLE}\nand then?", mode="followup")
    await until(lambda: len(board.prompts(key)) == 2)
    first = board.running(key)
    await until(lambda: board.running(key) not in (None, first))
    await asyncio.sleep(0.3)
    assert await board.history(ref, "nudged") == []
    assert (await board.card(ref))["hold"] is None


@pytest.mark.parametrize("mode", ["steer", "interrupt"])
async def test_words_to_a_running_worker_do_not_end_its_attempt(board: Board, mode: str) -> None:
    ref = await board.dispatched(spec("!pause 10"))
    key = (await board.card(ref))["session_key"]
    await until(lambda: board.running(key))
    await board.call("chat.send", session_key=key, text=f"{IDLE}\nmind the gap", mode=mode)
    await until(
        lambda: any("mind the gap" in row["content"] for row in board.rows(key) if row["role"] == "user")
    )
    await until(lambda: board.running(key))
    await asyncio.sleep(0.3)
    task = await board.show(ref)
    assert (task["state"], task["hold"], task["attempt"]) == ("in_progress", None, 1)
    assert await board.history(ref, "nudged") == []


async def test_a_run_that_a_changed_configuration_cut_off_is_sent_again_once(board: Board) -> None:
    ref = await board.dispatched(spec(IDLE))
    key = (await board.card(ref))["session_key"]

    def cut_off(store: Store) -> list[str]:
        attempt = store.attempts.by_session(key)
        assert attempt
        done = []
        for purpose in ("dispatch", "dispatch-again"):
            store.attempts.run_ended(attempt["id"], f"{key}:{purpose}", "superseded", "it was superseded")
            _judge(store, store.tasks.by_ref(ref), attempt, "ccp report", Settings())
            done.append(str(store.outbox.latest_of(attempt["id"])["idempotency_key"]))  # type: ignore[index]
        return done

    assert await board.service._c.db(cut_off) == [f"{key}:dispatch-again"] * 2
    task = await board.reach(ref, "held")
    assert (task["hold"]["kind"], "was superseded" in task["hold"]["reason"]) == ("error", True)
    assert len(await board.history(ref, "resent")) == 1


async def test_what_leads_on_from_a_hold_is_listed(board: Board) -> None:
    other = await board.second_agent()
    ref = await board.assigned(spec("!fail 400"))
    await board.call("task.dispatch", ref=ref)
    task = await board.reach(ref, "held")
    ways = [way["trigger"] for way in task["moves"]]
    assert ways == ["retry", "assign", "stop", "cancel"]
    card = (await board.call("task.assign", ref=ref, agent=other))["task"]
    assert (card["state"], card["agent"], card["hold"]) == ("assigned", other, None)
