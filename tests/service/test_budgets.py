"""A budget stops work, before it starts and while it runs; more money lets it go on in the same session."""

from __future__ import annotations

import asyncio

import pytest

from ccp_tui.paths import Home
from ccp_tui.policy import Auto, Policy
from ccp_tui.service.execution import spending
from ccp_tui.store import Store
from tests.service.board import IDLE, Board, board_on, spec, until

SPENDS = spec("!exec echo one", "!pause 4000")  # its first answer has a price, and then it runs on


async def held(board: Board, ref: str) -> bool:
    hold = (await board.card(ref))["hold"]
    return bool(hold and hold["kind"] == "budget")


async def test_a_run_that_crosses_its_budget_is_stopped_and_goes_on_when_it_is_raised(board: Board) -> None:
    ref = await board.assigned(SPENDS)
    await board.call("task.edit", ref=ref, budget_tokens=5)
    card = (await board.call("task.dispatch", ref=ref))["task"]
    key = card["session_key"]
    await until(lambda: held(board, ref))
    await until(lambda: board.running(key) is None, told="the run is aborted, not only warned of")
    card = await board.card(ref)
    assert card["state"] == "in_progress"
    spent = f"{card['tokens']:,}"
    assert card["hold"]["reason"] == f"the task has spent {spent} of its 5 tokens"
    assert "raised" in card["hold"]["release"]
    assert len(await board.history(ref, "held")) == 1

    await board.call("task.edit", ref=ref, budget_tokens=1_000_000)
    await until(lambda: len(board.prompts(key)) == 2)
    assert "budget" in board.prompts(key)[1]
    assert "Report command: " in board.prompts(key)[1]
    await board.reach(ref, "review")
    assert (await board.card(ref))["attempt"] == 1
    assert len(await board.history(ref, "released")) == 1


async def test_a_removed_budget_releases_too(board: Board) -> None:
    ref = await board.assigned(SPENDS)
    await board.call("task.edit", ref=ref, budget_usd=0.0000001)
    key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
    await until(lambda: held(board, ref))
    assert "$" in (await board.card(ref))["hold"]["reason"]
    await board.call("task.edit", ref=ref, budget_usd=None)
    await until(lambda: len(board.prompts(key)) == 2)
    assert (await board.card(ref))["hold"] is None


async def test_an_answer_of_the_person_does_not_get_past_a_spent_budget(board: Board) -> None:
    """Words for the worker wait too: a rejection would start a run."""
    ref = await board.in_review()
    key = (await board.card(ref))["session_key"]
    await board.call("chat.abort", session_key=key)
    before = len(board.prompts(key))
    await board.call("task.edit", ref=ref, budget_tokens=1)
    await board.service._c.db(lambda store: store.sessions.spent(key, 10, 0.1))
    await board.call("task.reject", ref=ref, attempt=1, round=1, reason="more")
    await until(lambda: held(board, ref))
    await asyncio.sleep(0.3)
    assert len(board.prompts(key)) == before
    await board.call("task.edit", ref=ref, budget_tokens=None)
    await until(lambda: len(board.prompts(key)) == before + 1)
    assert "--- reason ---\nmore" in board.prompts(key)[-1]


async def test_a_mission_without_budget_starts_nothing_until_it_has_some(home: Home) -> None:
    async with board_on(home, auto=Auto.DISPATCH) as board:
        await board.call("mission.create", title="Web", slug="web", policy={"budget_tokens": 5})
        first = await board.assigned(SPENDS, mission="web")
        key = (await board.reach(first, "held"))["session_key"]
        hold = (await board.card(first))["hold"]
        assert hold["reason"].startswith("the mission has spent ")
        second = await board.assigned(spec(), mission="web")
        card = await board.reach(second, "held")
        assert (card["state"], card["hold"]["kind"], card["attempts"]) == ("assigned", "budget", [])
        assert card["why"].startswith("the mission has spent ")

        await board.call("mission.update", slug="web", policy={"budget_tokens": None})
        await until(lambda: len(board.prompts(key)) == 2)
        # what waited in the queue starts by itself, once its agent is free
        await board.reach(first, "review")
        await board.reach(second, "in_progress", "testing", "review")


async def test_other_missions_go_on(board: Board) -> None:
    await board.call("mission.create", title="Web", slug="web", policy={"budget_tokens": 5})
    await board.call("mission.create", title="Docs", slug="docs")
    poor = await board.assigned(SPENDS, mission="web")
    rich = await board.assigned(SPENDS, mission="docs", agent=await board.second_agent())
    for ref in (poor, rich):
        await board.call("task.dispatch", ref=ref)
    await until(lambda: held(board, poor))
    card = await board.card(rich)
    assert card["hold"] is None
    assert board.running(card["session_key"])


async def test_a_spent_budget_survives_a_restart_and_is_raised_after_it(board: Board) -> None:
    ref = await board.assigned(SPENDS)
    await board.call("task.edit", ref=ref, budget_tokens=5)
    key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
    await until(lambda: held(board, ref))
    await until(lambda: board.running(key) is None)
    await board.restart_service()
    await asyncio.sleep(1.5)  # longer than the grace after which ended runs are judged
    assert await held(board, ref)
    assert len(board.prompts(key)) == 1
    await board.call("task.edit", ref=ref, budget_tokens=1_000_000)
    await until(lambda: len(board.prompts(key)) == 2)


async def test_a_task_that_waits_for_a_person_costs_nothing(board: Board) -> None:
    ref = await board.in_review()
    key = (await board.card(ref))["session_key"]
    await board.call("chat.abort", session_key=key)
    await board.service._c.db(lambda store: store.sessions.spent(key, 10, 0.1))
    await board.call("task.edit", ref=ref, budget_tokens=1)
    await asyncio.sleep(0.2)
    assert (await board.card(ref))["hold"] is None
    await board.call("task.approve", ref=ref, attempt=1, round=1)


@pytest.mark.parametrize("given", [{"budget_tokens": 0}, {"budget_tokens": "5"}, {"budget_usd": -1}])
async def test_a_budget_that_is_none_is_refused(board: Board, given: dict[str, object]) -> None:
    ref = await board.add()
    failure = await board.fails("task.edit", "USAGE", ref=ref, **given)
    assert failure.details["field"] in given


async def test_the_tasks_own_budget_wins_over_the_policys(board: Board) -> None:
    ref = await board.dispatched(spec(IDLE))
    key = (await board.card(ref))["session_key"]

    def work(store: Store) -> list[str]:
        store.sessions.spent(key, 100, 0.5)
        task = store.tasks.by_ref(ref)
        base = Policy(task_budget_tokens=50)
        told = [spending.problem(store, task, base)]
        told.append(spending.problem(store, {**task, "budget_tokens": 200}, base))
        told.append(spending.problem(store, task, Policy(task_budget_usd=0.5)))
        told.append(spending.problem(store, {**task, "budget_tokens": 101}, Policy()))
        return told

    told = await board.service._c.db(work)
    assert told == [
        "the task has spent 100 of its 50 tokens",
        "",
        "the task has spent $0.50 of its $0.50",
        "",
    ]


async def test_a_failure_that_is_final_is_not_tried_again_by_a_budget_that_comes_and_goes(
    board: Board,
) -> None:
    """A hold of its own stays: nothing of it runs that a budget could stop, or let go on."""
    ref = await board.assigned(spec("!exec echo one", "!fail 400"))
    key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
    before = (await board.reach(ref, "held"))["hold"]
    for budget in (1, None):
        await board.call("task.edit", ref=ref, budget_tokens=budget)
        await asyncio.sleep(0.3)
        assert (await board.card(ref))["hold"] == before
    assert len(board.prompts(key)) == 1


async def test_a_run_that_submitted_and_goes_on_is_stopped_too(board: Board) -> None:
    ref = await board.dispatched(spec("!exec echo one", IDLE, checks=("sleep 3",)))
    key = (await board.card(ref))["session_key"]
    await board.work(ref)
    assert (await board.card(ref))["state"] == "testing"
    assert board.running(key)
    await board.call("task.edit", ref=ref, budget_tokens=1)
    await until(lambda: board.running(key) is None)
    assert (await board.reach(ref, "review"))["hold"] is None


async def test_a_service_that_died_before_the_abort_stops_the_run_when_it_is_back(board: Board) -> None:
    ref = await board.assigned(spec("!exec echo one", IDLE))
    key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
    await until(lambda: board.running(key))
    board.service._deliveries.abort = lambda session_key: None  # type: ignore[method-assign]
    await board.call("task.edit", ref=ref, budget_tokens=1)
    await until(lambda: held(board, ref))
    assert board.running(key)
    await board.restart_service()
    await until(lambda: board.running(key) is None)
    assert await held(board, ref)


async def test_a_planner_is_stopped_by_the_missions_budget_and_goes_on(board: Board) -> None:
    await board.call("mission.create", title="Web", slug="web")
    ref = await board.add(None, description="!exec echo one\n!pause 4000", mission="web")
    await board.call("task.plan", ref=ref)

    async def session() -> str | None:
        plannings = (await board.show(ref))["plannings"]
        return plannings[0]["session_key"] if plannings else None

    key = await until(session)
    await until(lambda: board.running(key))
    await until(lambda: spent(board, ref))
    await board.call("mission.update", slug="web", policy={"budget_tokens": 1})
    await until(lambda: held(board, ref))
    await until(lambda: board.running(key) is None)
    await asyncio.sleep(0.5)
    assert len(board.prompts(key)) == 1
    assert await held(board, ref), "nobody takes a planner that was cut off for one that has nothing to say"
    await board.call("mission.update", slug="web", policy={"budget_tokens": None})
    await until(lambda: len(board.prompts(key)) == 2)
    assert board.prompts(key)[1].endswith(board.prompts(key)[0])


async def spent(board: Board, ref: str) -> bool:
    return bool((await board.card(ref))["tokens"])
