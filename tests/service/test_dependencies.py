"""Tasks that need others: no circles, no start before their time, and no result built on one that was sent back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.client import ServiceFailure
from ccp_tui.lifecycle import Trigger
from ccp_tui.paths import Home
from ccp_tui.policy import Auto
from ccp_tui.service.board.moves import move
from ccp_tui.service.context import person
from ccp_tui.store import Store
from ccp_tui.wire import Json
from tests.service.board import IDLE, Board, board_on, spec, until


@pytest.fixture
async def auto(home: Home) -> AsyncIterator[Board]:
    async with board_on(home, auto=Auto.DISPATCH) as made:
        yield made


async def done(board: Board, text: str | None = None, **more: Any) -> str:
    """A task of Ada's that is done."""
    ref = await board.assigned(spec(IDLE) if text is None else text, **more)
    await board.reach(ref, "in_progress")
    return await finish(board, ref)


async def finish(board: Board, ref: str, content: str = "Hello, world.\n") -> str:
    await board.work(ref, content)
    task = await board.reach(ref, "review")
    await board.call("task.approve", ref=ref, attempt=task["attempt"], round=task["round"])
    return ref


async def held(board: Board, ref: str) -> Json:
    async def there() -> Json | None:
        task = await board.show(ref)
        return task if task["hold"] and task["hold"]["kind"] == "dependency" else None

    found: Json = await until(there, told=f"{ref} held for a dependency")
    return found


async def released(board: Board, ref: str) -> Json:
    async def there() -> Json | None:
        task = await board.show(ref)
        return None if task["hold"] else task

    found: Json = await until(there, told=f"{ref} released")
    return found


async def test_a_task_waits_for_what_it_needs_and_starts_when_that_is_done(auto: Board) -> None:
    bob = await auto.second_agent()
    first = await auto.assigned(spec(IDLE))
    await auto.reach(first, "in_progress")
    second = await auto.assigned(spec(IDLE), agent=bob, needs=[first])

    async def says() -> bool:
        return bool((await auto.card(second))["waiting"] == f"it waits for {first}")

    await until(says)
    task = await auto.show(second)
    assert (task["waits_for"], task["queued"]) == ([first], True)
    assert [one["ref"] for one in task["needs"]] == [first]
    assert [one["ref"] for one in (await auto.show(first))["dependants"]] == [second]
    assert task["why"] == f"queued: it waits for {first}"
    assert {one["trigger"]: one["gate"] for one in task["moves"]}["dispatch"] == "dependencies_done"
    await auto.work(first)
    await auto.reach(first, "review")
    await auto.call("task.reject", ref=first, attempt=1, round=1, reason="not yet")
    assert (await auto.card(second))["state"] == "assigned", "a result that was sent back is none"
    await finish(auto, first)
    await auto.reach(second, "in_progress")


async def test_circles_are_refused_in_words_and_change_nothing(board: Board) -> None:
    one, two, three = [await board.add() for _ in range(3)]
    await board.call("task.depend", ref=two, needs=[one])
    await board.call("task.depend", ref=three, needs=[two])
    failure = await board.fails("task.depend", "USAGE", ref=one, needs=[three])
    assert f"{three} needs {two} needs {one} needs {three}" in str(failure)
    assert "circle" in str(await board.fails("task.depend", "USAGE", ref=one, needs=[one]))
    assert (await board.show(one))["needs"] == []
    await board.fails("task.depend", "NOT_FOUND", ref=one, needs=["NO-1"])
    await board.fails("task.depend", "USAGE", ref=one, needs=[])
    before = await board.call("task.list")
    with pytest.raises(ServiceFailure):
        await board.call("task.add", title="Half", needs=["NO-1"])
    assert await board.call("task.list") == before
    assert [row["text"] for row in await board.history(two, "depends")] == [f"{two} needs {one} from here on"]


async def test_what_is_worked_on_gets_no_new_needs(board: Board) -> None:
    first = await board.dispatched()
    other = await board.add()
    failure = await board.refused("task.depend", "state", ref=first, needs=[other])
    assert "stop it first" in failure.details["reason"]
    await board.call("task.cancel", ref=other)
    third = await board.add()
    await board.refused("task.depend", "dependencies_done", ref=third, needs=[other])


@pytest.mark.parametrize("way", ["restore", "remove"])
async def test_a_cancelled_need_holds_what_needs_it_until_it_is_settled(auto: Board, way: str) -> None:
    bob = await auto.second_agent()
    first = await auto.add()
    waiting = await auto.assigned(spec(IDLE), agent=bob, needs=[first])
    inbox = await auto.add(needs=[first])
    await auto.call("task.cancel", ref=first)
    for ref in (waiting, inbox):
        task = await held(auto, ref)
        assert task["hold"]["reason"] == f"it needs {first}, which was cancelled"
        assert f"Restore {first}, or remove it" in task["why"]
    assert waiting in [item["ref"] for item in (await auto.call("attention.list"))["attention"]]
    failure = await auto.refused("task.dispatch", "dependencies_done", ref=waiting)
    assert f"Restore {first}" in failure.details["reason"]
    await auto.call("task.approve_spec", ref=inbox, version=1)
    await auto.call("task.assign", ref=inbox, agent=bob)
    assert (await held(auto, inbox))["queued"], "assigned and queued, it is held all the same"
    assert len(await auto.history(inbox, "held")) == 1, "told once"
    if way == "restore":
        await auto.call("task.restore", ref=first)
        assert (await released(auto, waiting))["state"] == "assigned"
        await released(auto, inbox)
    else:
        await auto.call("task.depend", ref=waiting, needs=[first], remove=True)
        await auto.reach(waiting, "in_progress")
        assert (await auto.show(inbox))["hold"]["kind"] == "dependency"
    assert len(await auto.history(waiting, "released")) == 1


async def test_work_on_a_result_that_is_sent_back_waits_for_the_new_one(auto: Board) -> None:
    bob = await auto.second_agent()
    first = await done(auto)
    second = await auto.assigned(spec(IDLE, paths=("two.md",)), agent=bob, needs=[first])
    key = (await auto.reach(second, "in_progress"))["session_key"]
    await until(lambda: auto.prompts(key))

    await auto.call("task.reopen", ref=first, reason="the name is wrong")
    task = await held(auto, second)
    assert task["state"] == "in_progress"
    assert task["hold"]["reason"] == f"{first} was reopened: the name is wrong"
    workspace = await workspace_of(auto, bob)
    (workspace / "two.md").write_text("built on it\n")
    await auto.report(second, "deliver", path="two.md")
    with pytest.raises(ServiceFailure, match=f"it waits for {first}: stop working, you are told here"):
        await auto.report(second, "submit", summary="made it")

    await auto.reach(first, "in_progress")
    await finish(auto, first, "Hello, Ada.\n")
    assert (await released(auto, second))["state"] == "in_progress"
    await until(lambda: len(auto.prompts(key)) == 2)
    told = auto.prompts(key)[1]
    assert f"{first}, which your work builds on, was reopened and is done again" in told
    assert f"--- result of {first} ---" in told
    assert "\nRound: 1\n" in told
    assert "\nReport command: " in told
    await auto.report(second, "submit", summary="made it anew")
    await auto.reach(second, "review")
    assert len(auto.prompts(key)) == 2, "told once"


async def workspace_of(board: Board, agent: str) -> Path:
    rows = (await board.call("agent.list"))["agents"]
    return Path(next(row["workspace"] for row in rows if row["id"] == agent))


async def test_what_waits_for_review_is_not_approved_over_a_need_that_was_reopened(auto: Board) -> None:
    bob = await auto.second_agent()
    first = await done(auto)
    second = await auto.assigned(spec(IDLE), agent=bob, needs=[first])
    await auto.reach(second, "in_progress")
    workspace = auto.workspace
    auto.workspace = await workspace_of(auto, bob)
    await auto.work(second)
    await auto.reach(second, "review")
    auto.workspace = workspace
    await auto.call("task.reopen", ref=first, reason="not yet")
    assert (await held(auto, second))["state"] == "review"
    await auto.reach(first, "in_progress")
    failure = await auto.refused("task.approve", "dependencies_done", ref=second, attempt=1, round=1)
    assert failure.details["reason"] == f"it waits for {first}"
    await finish(auto, first)
    await released(auto, second)
    await auto.call("task.approve", ref=second, attempt=1, round=1)
    assert (await auto.card(second))["state"] == "done"


async def test_a_reviewer_that_gave_up_meanwhile_is_asked_again(auto: Board) -> None:
    bob = await auto.second_agent()
    first = await done(auto)
    second = await auto.assigned(spec(IDLE, "!review silent"), agent=bob, needs=[first])
    await auto.reach(second, "in_progress")
    workspace, auto.workspace = auto.workspace, await workspace_of(auto, bob)
    await auto.work(second)
    auto.workspace = workspace
    await auto.reach(second, "review")
    await auto.call("task.reopen", ref=first, reason="not yet")
    await held(auto, second)

    def give_up(store: Store) -> None:
        attempt = store.attempts.of_task(store.tasks.by_ref(second)["id"])
        assert attempt
        round_id = store.rounds.current(attempt["id"])["id"]
        store.review_requests.end(store.review_requests.open(round_id), "silent")

    await auto.service._c.db(give_up)
    assert not await auto.history(second, "review_asked")
    await auto.reach(first, "in_progress")
    await finish(auto, first)
    await released(auto, second)
    requests = (await auto.show(second))["attempts"][0]["rounds"][0]["review_requests"]
    assert [one["number"] for one in requests] == [1, 2]
    assert len(await auto.history(second, "review_asked")) == 1


async def test_a_done_dependant_stays_done_and_its_history_says_so(auto: Board) -> None:
    first = await done(auto)
    second = await done(auto, needs=[first])
    await auto.call("task.reopen", ref=first, reason="the name is wrong")
    task = await auto.show(second)
    assert (task["state"], task["hold"]) == ("done", None)
    (noted,) = await auto.history(second, "needs_reopened")
    assert noted["text"] == f"{second} builds on {first}, which was reopened"
    assert noted["reason"] == "the name is wrong"


async def test_a_service_that_was_away_meanwhile_makes_up_for_it(auto: Board) -> None:
    """What follows from a cancelled need is decided from the database: also by the next service."""
    first = await auto.add()
    second = await auto.add(needs=[first])
    await auto.stop_service()
    store = Store(auto.home.database, auto.home.backups)
    store.transaction(lambda s: move(s, s.tasks.by_ref(first), Trigger.CANCEL, person(), "was cancelled"))
    store.close()
    await auto.start_service()
    await held(auto, second)
