"""How much runs at a time: over all, per mission, per agent. Limits count what runs, and whoever waits says why."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ccp_tui.model import Hold, HoldKind
from ccp_tui.paths import Home
from ccp_tui.policy import Auto
from ccp_tui.service.settings import Settings
from tests.service.board import IDLE, Board, board_on, spec, until


@pytest.fixture
async def narrow(home: Home) -> AsyncIterator[Board]:
    """A board where two tasks may run at a time, and which starts what is assigned."""
    async with board_on(home, auto=Auto.DISPATCH, most_running=2) as made:
        yield made


async def waits(board: Board, ref: str, words: str) -> None:
    async def says() -> bool:
        return words in ((await board.card(ref))["waiting"] or "")

    await until(says, told=f"{ref} says {words!r}")


def test_there_is_a_limit_unless_somebody_sets_another() -> None:
    assert Settings.load(env={}).most_running == 4
    assert Settings.load(env={"CCP_MOST_RUNNING": "9"}).most_running == 9


async def test_over_all_agents_and_missions_so_many_run(narrow: Board) -> None:
    refs = [await narrow.assigned(spec(IDLE))]
    await narrow.reach(refs[0], "in_progress")
    await narrow.call("mission.create", title="Other", prefix="OTH")
    for name, mission in (("Bob", "main"), ("Cy", "other")):
        agent = await narrow.second_agent(name)
        refs.append(await narrow.assigned(spec(IDLE), agent=agent, mission=mission))
    first, second, third = refs
    await narrow.reach(second, "in_progress")
    await waits(narrow, third, f"2 tasks may run at a time, and {first}, {second} run now")
    task = await narrow.show(third)
    assert {one["trigger"]: one["gate"] for one in task["moves"]}["dispatch"] == "limit"
    assert "2 tasks may run at a time" in task["why"]
    await narrow.work(first)  # in review it runs no more
    await narrow.reach(third, "in_progress")


async def test_what_is_held_and_has_no_run_takes_nobodys_place(narrow: Board) -> None:
    first = await narrow.assigned(spec("!exec true", "!say nothing to do"))
    task = await narrow.reach(first, "held")  # told once, then held: no run is left
    assert task["hold"]["kind"] == "stalled"
    for name in ("Bob", "Cy"):
        agent = await narrow.second_agent(name)
        await narrow.reach(await narrow.assigned(spec(IDLE), agent=agent), "in_progress")


async def test_a_hold_does_not_free_the_place_of_a_run_that_goes_on(narrow: Board) -> None:
    refs = []
    for name in ("Bob", "Cy"):
        agent = await narrow.second_agent(name)
        refs.append(await narrow.assigned(spec(IDLE), agent=agent))
        key = (await narrow.reach(refs[-1], "in_progress"))["session_key"]
        await until(lambda key=key: narrow.running(key))  # type: ignore[misc]
    held = Hold(HoldKind.QUESTION, "it asks", "Answer.")
    await narrow.service._c.db(lambda store: store.tasks.hold(store.tasks.by_ref(refs[0])["id"], held))
    await waits(narrow, await narrow.assigned(spec(IDLE)), "2 tasks may run at a time")


async def test_a_mission_runs_as_many_as_its_policy_lets_it(home: Home) -> None:
    async with board_on(home, auto=Auto.DISPATCH) as board:
        await board.service._c.db(
            lambda store: store.missions.set_policy(store.missions.default(), {"concurrency": 1})
        )
        await board.call("mission.create", title="Other", prefix="OTH")
        first = await board.assigned(spec(IDLE))
        await board.reach(first, "in_progress")
        bob, cy = await board.second_agent("Bob"), await board.second_agent("Cy")
        second = await board.assigned(spec(IDLE), agent=bob)
        await waits(board, second, f"its mission runs 1 task at a time, and {first} run now")
        elsewhere = await board.assigned(spec(IDLE), agent=cy, mission="other")
        await board.reach(elsewhere, "in_progress")
        assert (await board.card(second))["state"] == "assigned"
        await board.call("task.stop", ref=first)
        await board.reach(second, "in_progress")


async def test_one_pass_lets_no_more_through_than_there_is_room_for(home: Home) -> None:
    """Several places come free at once, and more tasks than places wait."""
    async with board_on(home, auto=Auto.DISPATCH, most_running=2) as board:
        agents = [board.agent, *[await board.second_agent(name) for name in ("Bob", "Cy", "Di")]]
        async with board.service._dispatcher._one_at_a_time:
            refs = [await board.assigned(spec(IDLE), agent=agent) for agent in agents]
            assert (await board.call("dispatch.plan"))["would"] == refs[:2]
        for ref in refs[:2]:
            await board.reach(ref, "in_progress")
        await waits(board, refs[3], "2 tasks may run at a time")
        assert [(await board.card(ref))["state"] for ref in refs[2:]] == ["assigned", "assigned"]
