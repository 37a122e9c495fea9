"""A mission whose policy is turned to starting by itself starts what was assigned before, or says why it does not."""

from __future__ import annotations

import pytest

from tests.service.board import IDLE, Board, spec, until


async def turn(board: Board, auto: str, **more: object) -> None:
    await board.call("mission.update", slug="main", policy={"auto": auto}, **more)


@pytest.mark.parametrize("auto", ["dispatch", "full"])
async def test_what_was_assigned_before_starts_and_the_rest_says_why_not(board: Board, auto: str) -> None:
    bob = await board.second_agent()
    first = await board.assigned(spec(IDLE))
    behind = await board.assigned(spec(IDLE))
    needing = await board.assigned(spec(IDLE), agent=bob, needs=[first])
    open_one = await board.approved(spec(IDLE))
    await turn(board, auto)
    await board.reach(first, "in_progress")
    for ref, words in ((behind, f"{board.agent} is working on {first}"), (needing, f"it waits for {first}")):
        await until(lambda ref=ref, words=words: waits(board, ref, words))  # type: ignore[misc]
    (asked,) = await board.history(first, "dispatch_asked")
    assert asked["actor_kind"] == "service"
    assert (await board.card(open_one))["state"] == "inbox"


async def waits(board: Board, ref: str, words: str) -> bool:
    return words in ((await board.card(ref))["waiting"] or "")


async def test_another_mission_is_left_alone(board: Board) -> None:
    await board.add()  # makes the first mission
    await board.call("mission.create", title="Other", slug="other", prefix="OTH")
    ref = await board.assigned(spec(IDLE), mission="other")
    await turn(board, "dispatch")
    assert (await board.card(ref))["queued"] is False


async def test_another_setting_starts_nothing(board: Board) -> None:
    ref = await board.assigned(spec(IDLE))
    await board.call("mission.update", slug="main", policy={"concurrency": 2})
    await turn(board, "off")
    assert (await board.card(ref))["queued"] is False


async def test_what_a_person_stopped_stays_stopped_until_it_is_assigned_anew(board: Board) -> None:
    ref = await board.dispatched()
    await board.call("task.stop", ref=ref)
    await turn(board, "dispatch")
    card = await board.card(ref)
    assert (card["state"], card["queued"]) == ("assigned", False)
    assert card["waiting"] == "it waits for you to dispatch it"
    await turn(board, "off")
    await board.call("task.unassign", ref=ref)
    await board.call("task.assign", ref=ref, agent=board.agent)
    await turn(board, "dispatch")
    await board.reach(ref, "in_progress")


async def test_a_task_held_for_a_dependency_stays_held_until_that_is_settled(board: Board) -> None:
    needed = await board.assigned(spec("!exec true"))
    ref = await board.assigned(spec(IDLE), needs=[needed])
    await board.call("task.cancel", ref=needed)
    held = await board.reach(ref, "held")
    await turn(board, "dispatch")
    card = await board.card(ref)
    assert (card["state"], card["hold"]) == ("assigned", held["hold"])
    await board.call("task.depend", ref=ref, needs=[needed], remove=True)
    await board.reach(ref, "in_progress")
