"""Missions with a policy: set, seen by everybody, kept; what they cost; and an archive that loses no running work."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_tui.paths import Home
from ccp_tui.policy import Auto, Policy
from tests.service.board import Board, board_on, spec, until


async def mission(board: Board, slug: str) -> dict[str, Any]:
    found = (await board.call("mission.list", archived=True))["missions"]
    return next(one for one in found if one["slug"] == slug)


async def test_a_policy_is_its_own_settings_over_those_of_the_service(board: Board) -> None:
    made = await board.call("mission.create", title="Web", slug="web", policy={"concurrency": 2})
    assert made["mission"]["policy"] == {"concurrency": 2}
    assert made["mission"]["effective"] == {**Policy(auto=Auto.OFF).to_json(), "concurrency": 2}

    await board.client.keep()
    changed = await board.call(
        "mission.update", slug="web", policy={"review": "agent", "budget_usd": 5, "reviewer": "ada"}
    )
    own = {"concurrency": 2, "review": "agent", "budget_usd": 5.0, "reviewer": board.agent}
    assert changed["mission"]["policy"] == own
    assert changed["mission"]["effective"]["auto"] == "off"
    await until(lambda: board.client.named("mission.changed"))
    assert board.client.named("mission.changed")[-1]["mission"] == changed["mission"]
    (event,) = board.client.feed("mission_changed")
    assert event["text"] == "mission Web was changed: review agent, budget usd 5.0, reviewer ada"
    assert event["data"]["policy"] == {key: own[key] for key in ("review", "budget_usd", "reviewer")}

    taken = await board.call("mission.update", slug="web", policy={"concurrency": None})
    assert taken["mission"]["effective"]["concurrency"] is None
    await board.restart_service()
    assert await mission(board, "web") == taken["mission"]
    snapshot = await board.client.subscribe()
    assert taken["mission"] in snapshot["missions"]


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"review": "nobody"}, "review"),
        ({"colour": "red"}, "colour"),
        ({"concurrency": 0}, "concurrency"),
        ("agent", "policy"),
    ],
)
async def test_nonsense_is_refused_by_name_and_changes_nothing(board: Board, policy: Any, field: str) -> None:
    await board.call("mission.create", title="Web", slug="web")
    before = await mission(board, "web")
    failure = await board.fails("mission.update", "USAGE", slug="web", title="New", policy=policy)
    assert failure.details["field"] == field
    await board.fails("mission.create", "USAGE", title="Docs", policy=policy)
    assert await mission(board, "web") == before
    assert len((await board.call("mission.list"))["missions"]) == 1


async def test_an_agent_that_is_not_there_is_no_reviewer(board: Board) -> None:
    await board.call("mission.create", title="Web", slug="web")
    await board.fails("mission.update", "NOT_FOUND", slug="web", policy={"reviewer": "zoe"})
    assert (await mission(board, "web"))["policy"] == {}


async def test_a_mission_is_not_archived_from_under_its_work(home: Home) -> None:
    async with board_on(home, auto=Auto.DISPATCH) as board:
        await board.call("mission.create", title="Web", slug="web")
        ref = await board.assigned(spec("!pause 4000"), mission="web")
        await board.reach(ref, "in_progress")
        queued = await board.assigned(spec(), mission="web")
        failure = await board.fails("mission.update", "REFUSED", slug="web", archived=True)
        assert f"work goes on in it: {ref}, {queued}" in failure.details["reason"]
        assert not (await mission(board, "web"))["archived"]
        for one in (queued, ref):
            await board.call("task.cancel", ref=one)
        assert (await board.call("mission.update", slug="web", archived=True))["mission"]["archived"]
        back = await board.call("mission.update", slug="web", archived=False)
        assert not back["mission"]["archived"]


async def test_costs_are_the_gateways_figures_by_task_agent_and_purpose(board: Board) -> None:
    await board.call(
        "mission.create", title="Web", slug="web", policy={"budget_tokens": 1_000_000, "task_budget_usd": 9}
    )
    other = await board.second_agent()
    refs = [await board.assigned(spec(), mission="web", agent=agent) for agent in (board.agent, other)]
    for ref in refs:
        await board.call("task.dispatch", ref=ref)
        await board.reach(ref, "review")
    costs = await board.call("mission.costs", slug="web")
    assert costs["budget"] == {"tokens": 1_000_000, "usd": None, "task_tokens": None, "task_usd": 9.0}
    assert sorted(row["ref"] for row in costs["by_task"]) == sorted(refs)
    assert {row["agent"] for row in costs["by_agent"]} == {board.agent, other}
    assert [row["purpose"] for row in costs["by_purpose"]] == ["work"]
    for part in ("by_task", "by_agent", "by_purpose"):
        assert sum(row["tokens"] for row in costs[part]) == costs["total"]["tokens"] > 0
        assert sum(row["cost_usd"] for row in costs[part]) == pytest.approx(costs["total"]["cost_usd"])
    await board.fails("mission.costs", "NOT_FOUND", slug="nowhere")
