"""An approved plan comes to be: its agents with their souls, its sub-tasks in their order, each once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccp_tui.gateway import GatewayError
from ccp_tui.paths import Home
from ccp_tui.policy import Auto
from ccp_tui.wire import Json
from tests.service.board import Board, board_on, until
from tests.service.test_planning import PLANNER, planned, proposed, said, stands

WORK: Json = {
    "title": "A guide",
    "summary": "What it is for.",
    "deliverables": [{"path": "guide.md"}],
    "success_criteria": ["it can be followed"],
}
SCOUT: Json = {"name": "Scout", "role": "finds", "emoji": "🔭", "soul": "# Scout\n\nYou find things out."}
QUILL: Json = {"name": "Quill", "role": "writes", "emoji": "🪶", "soul": "# Quill\n\nYou write."}


def part(key: str, agent: str, *needs: str) -> Json:
    return {**WORK, "key": key, "title": f"Part {key}", "agent": agent, "needs": list(needs)}


LARGE: Json = {
    **WORK,
    "agent": "Quill",
    "agents": [SCOUT, QUILL],
    "tasks": [part("gather", "Scout"), part("write", "Quill", "gather")],
}


@pytest.fixture
async def going(home: Home) -> AsyncIterator[Board]:
    """A board where what is assigned is queued by itself, and that runs one task at a time."""
    async with board_on(home, auto=Auto.DISPATCH) as made:
        yield made


async def proposal(board: Board, plan: Json, **more: Any) -> str:
    """A task whose planner proposed this plan."""
    ref = await planned(board, "A guide", description=said({"kind": "plan", "plan": plan}), **more)
    await stands(board, ref, "proposed")
    return ref


async def approve(board: Board, ref: str, version: int = 1) -> Json:
    return dict((await board.call("task.approve_spec", ref=ref, version=version))["task"])


async def tasks(board: Board) -> dict[str, Json]:
    return {one["title"]: one for one in (await board.call("task.list"))["tasks"]}


async def assigned(board: Board, *titles: str) -> dict[str, Json]:
    """All cards, once those with these titles have an agent."""

    async def there() -> dict[str, Json] | None:
        found = await tasks(board)
        return found if all(found[title]["agent"] for title in titles) else None

    found: dict[str, Json] = await until(there, told=f"{titles} assigned")
    return found


async def agents(board: Board) -> dict[str, Json]:
    return {one["id"]: one for one in (await board.call("agent.list"))["agents"]}


async def soul(board: Board, agent: str) -> str:
    return str((await board.service.gateway.calls.file_get(agent, "SOUL.md")).content)


async def test_a_large_plan_comes_to_be(board: Board) -> None:
    ref = await proposal(board, LARGE, priority="high", due="2026-12-24")
    card = await approve(board, ref)
    assert (card["planning"], card["subtasks"]) == (None, 2)
    cards = await assigned(board, "A guide", "Part gather", "Part write")
    gather, write, whole = cards["Part gather"], cards["Part write"], cards["A guide"]
    assert [one["agent"] for one in (gather, write, whole)] == ["scout", "quill", "quill"]
    assert {one["state"] for one in (gather, write, whole)} == {"assigned"}
    assert (gather["parent"], gather["priority"], gather["due"]) == (ref, "high", "2026-12-24")
    assert (write["waits_for"], set(whole["waits_for"])) == ([gather["ref"]], {gather["ref"], write["ref"]})
    assert all(one["spec_approved"] for one in (gather, write, whole))
    detail = await board.show(gather["ref"])
    assert (detail["approved_spec"]["author"], detail["approved_spec"]["agents"]) == (PLANNER, [])
    assert await soul(board, "scout") == SCOUT["soul"]
    assert await soul(board, "quill") == QUILL["soul"]
    made = (await agents(board))["scout"]
    assert (made["name"], made["role"], made["emoji"]) == ("Scout", "finds", "🔭")
    task = await board.show(ref)
    assert [(one["name"], one["agent"], one["problem"]) for one in task["crew"]] == [
        ("Scout", "scout", ""),
        ("Quill", "quill", ""),
    ]
    assert [one["ref"] for one in task["subtasks"]] == [gather["ref"], write["ref"]]
    assert [one["ref"] for one in task["needs"]] == [gather["ref"], write["ref"]]
    assert task["plannings"][0]["outcome"] == "approved"


async def test_what_is_assigned_is_queued_in_the_order_of_the_plan(going: Board) -> None:
    ref = await proposal(going, LARGE)
    await approve(going, ref)
    await going.reach((await assigned(going, "Part gather"))["Part gather"]["ref"], "review", seconds=30)
    cards = await assigned(going, "A guide", "Part write")
    assert cards["A guide"]["queued"]
    assert cards["Part write"]["queued"]
    assert cards["Part gather"]["ref"] in cards["Part write"]["waiting"]


async def test_approving_twice_makes_nothing_twice(board: Board) -> None:
    ref = await proposal(board, LARGE)
    answers = await asyncio.gather(*(approve(board, ref) for _ in range(3)), return_exceptions=True)
    assert not isinstance(answers[0], BaseException)
    await assigned(board, "A guide", "Part gather", "Part write")
    assert len(await tasks(board)) == 3
    assert set(await agents(board)) == {board.agent, PLANNER, "scout", "quill"}
    assert len(await board.history(ref, "spec_approved")) == 1


async def test_a_new_version_of_an_approved_plan_keeps_the_parts_that_are_there(board: Board) -> None:
    ref = await proposal(board, LARGE)
    await approve(board, ref)
    await assigned(board, "A guide", "Part gather", "Part write")
    await board.call("task.unassign", ref=ref)
    wider = {**LARGE, "tasks": [*LARGE["tasks"], part("draw", "ada", "write")]}
    await board.call("task.set_spec", ref=ref, text=json.dumps(wider))
    await approve(board, ref, 2)
    cards = await assigned(board, "Part draw")
    assert len(cards) == 4
    assert cards["Part draw"]["waits_for"] == [cards["Part write"]["ref"]]


async def test_an_agent_that_is_there_is_taken(board: Board) -> None:
    await board.call("agent.create", name="Scout", soul="You are the first Scout.")
    ref = await proposal(board, {**LARGE, "agent": board.agent})
    card = await approve(board, ref)
    assert (card["state"], card["agent"]) == ("assigned", board.agent)
    cards = await assigned(board, "Part gather")
    assert cards["Part gather"]["agent"] == "scout"
    assert await soul(board, "scout") == "You are the first Scout."
    assert list(await agents(board)).count("scout") == 1


async def test_an_agent_of_somebody_else_on_the_gateway_keeps_its_soul(board: Board) -> None:
    calls = board.service.gateway.calls
    await calls.agent_create("Scout")
    await calls.file_set("scout", "SOUL.md", "You are somebody else's.")
    ref = await proposal(board, LARGE)
    await approve(board, ref)
    await assigned(board, "Part gather")
    assert await soul(board, "scout") == "You are somebody else's."


async def test_the_agent_that_the_person_chose_stays(board: Board) -> None:
    ref = await proposal(board, LARGE, agent=board.agent)
    card = await approve(board, ref)
    assert (card["state"], card["agent"]) == ("assigned", board.agent)


async def test_a_plan_written_by_hand_comes_to_be_like_a_planners(board: Board) -> None:
    ref = await board.add(json.dumps(LARGE))
    await approve(board, ref)
    cards = await assigned(board, "Say hello", "Part gather", "Part write")
    assert cards["Say hello"]["agent"] == "quill"
    assert len(cards) == 3


async def test_work_for_an_agent_that_would_not_exist_is_not_approved(board: Board) -> None:
    ref = await board.add(json.dumps({**WORK, "agent": "Zoe"}))
    refusal = await board.refused("task.approve_spec", "agent", ref=ref, version=1)
    assert "Zoe" in refusal.details["reason"]
    circle = {**LARGE, "tasks": [part("a", "Scout", "b"), part("b", "Scout", "a")]}
    await board.fails("task.set_spec", "USAGE", ref=ref, text=json.dumps(circle))


def break_creation(board: Board, words: str = "") -> list[str]:
    """From here on no agent can be created: refused with these words, or without an answer. The names asked for."""
    calls, asked = board.service.gateway.calls, []
    create = calls.agent_create

    async def broken(name: str, **more: Any) -> Any:
        asked.append(name)
        if words:
            raise GatewayError("INVALID_REQUEST", words)
        await create(name, **more)
        return await asyncio.Event().wait()

    calls.agent_create = broken  # type: ignore[method-assign]
    return asked


async def test_an_agent_that_can_not_be_made_holds_the_task_until_it_can(board: Board) -> None:
    ref = await proposal(board, LARGE)
    calls = board.service.gateway.calls
    create = calls.agent_create
    asked = break_creation(board, "no room for another agent")
    await approve(board, ref)
    task = await stands(board, ref, "held")
    assert task["hold"]["kind"] == "error"
    assert "did not make the agent Scout: no room for another agent" in task["hold"]["reason"]
    await until(lambda: asked == ["Scout", "Quill"])
    await board.call("task.edit", ref=ref, priority="low")  # other commits do not make it ask again
    await asyncio.sleep(0.3)
    assert asked == ["Scout", "Quill"]
    calls.agent_create = create  # type: ignore[method-assign]
    await board.call("task.retry", ref=ref)
    cards = await assigned(board, "A guide", "Part gather", "Part write")
    assert (cards["A guide"]["hold"], cards["A guide"]["state"]) == (None, "assigned")
    assert await soul(board, "scout") == SCOUT["soul"]


async def test_an_agent_that_could_not_be_made_is_asked_for_at_the_next_connect(board: Board) -> None:
    ref = await proposal(board, LARGE)
    break_creation(board, "no room for another agent")
    await approve(board, ref)
    await stands(board, ref, "held")
    await board.restart_service()
    cards = await assigned(board, "A guide", "Part gather", "Part write")
    assert cards["A guide"]["hold"] is None


async def test_an_agent_that_the_person_made_meanwhile_is_taken(board: Board) -> None:
    ref = await proposal(
        board, {**LARGE, "agents": [SCOUT], "agent": board.agent, "tasks": [part("a", "Scout")]}
    )
    calls = board.service.gateway.calls
    create = calls.agent_create
    break_creation(board, "no room for another agent")
    await approve(board, ref)
    await stands(board, ref, "held")
    calls.agent_create = create  # type: ignore[method-assign]
    await board.call("agent.create", name="Scout", soul="Mine.")
    cards = await assigned(board, "Part a")
    assert cards["A guide"]["hold"] is None
    assert await soul(board, "scout") == "Mine."


async def test_a_crash_between_making_an_agent_and_noting_it_makes_no_second_one(board: Board) -> None:
    """The gateway made it and nobody heard so: it is found by its name, and still gets its soul."""
    ref = await proposal(board, LARGE)
    asked = break_creation(board)
    await approve(board, ref)
    await until(lambda: asked == ["Scout"])
    await until(lambda: on_gateway(board, "scout"))
    await board.restart_service()
    await assigned(board, "A guide", "Part gather", "Part write")
    assert await soul(board, "scout") == SCOUT["soul"]
    ids = [one.id for one in await board.service.gateway.calls.agents_list()]
    assert ids.count("scout") == 1


async def on_gateway(board: Board, agent: str) -> bool:
    return any(one.id == agent for one in await board.service.gateway.calls.agents_list())


async def test_with_the_gateway_away_an_approval_waits_for_it(board: Board) -> None:
    ref = await proposal(board, LARGE)
    await board.away()
    await approve(board, ref)
    assert len(await tasks(board)) == 3
    task = await board.show((await tasks(board))["Part gather"]["ref"])
    assert task["why"] == "it waits for its agent Scout, which is being made"
    await board.back()
    await assigned(board, "A guide", "Part gather", "Part write")


async def test_an_unattended_plan_is_approved_where_the_policy_says_so(board: Board) -> None:
    await board.add()
    await board.call("mission.update", slug="main", policy={"auto": "full"})
    more = {"auto": True, "description": said({"kind": "plan", "plan": LARGE})}
    ref = (await board.call("task.add", title="A guide", **more))["task"]["ref"]
    cards = await assigned(board, "A guide", "Part gather", "Part write")
    (event,) = await board.history(ref, "spec_approved")
    assert (event["actor_kind"], event["actor"]) == ("service", "ccp")
    assert cards["Part gather"]["auto"]


async def test_an_unattended_plan_waits_for_the_person_where_the_policy_does_not(board: Board) -> None:
    await board.add()
    more = {"auto": True, "description": said({"kind": "plan", "plan": LARGE})}
    ref = (await board.call("task.add", title="A guide", **more))["task"]["ref"]
    await stands(board, ref, "proposed")
    await board.call("mission.update", slug="main", policy={"auto": "dispatch"})
    await asyncio.sleep(0.2)
    assert (await board.card(ref))["planning"] == "proposed"
    attended = await proposal(board, LARGE)
    await board.call("mission.update", slug="main", policy={"auto": "full"})
    await asyncio.sleep(0.2)
    assert (await board.card(attended))["planning"] == "proposed"


async def test_a_scripted_plan_runs_from_the_first_line_to_its_agents(going: Board) -> None:
    ref = await planned(going, "Prepare a guide to the harbour")
    await proposed(going, ref)
    await approve(going, ref)
    task = await going.show(ref)
    first = task["subtasks"][0]["ref"]
    await going.reach(first, "review", seconds=40)
    assert {"scout", "quill"} <= set(await agents(going))
