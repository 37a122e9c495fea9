"""A planning on the real gateway: questions, answers, a service killed on the way, and the agents of the plan made."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Deployment
from tests.service.board import until
from tests.service.test_planning import answer, stands
from tests.support.line import unique

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(400)]


async def test_a_line_becomes_a_plan_and_its_agents(real: Deployment) -> None:
    pair: Any = real.pair
    title = unique("Prepare a guide to the harbour")
    ref = (await pair.call("task.add", title=title))["task"]["ref"]
    await pair.call("task.plan", ref=ref)
    await stands(pair, ref, "person", seconds=90)
    await answer(pair, ref, 1, options=["a"], text="and sailors")
    await pair.kill_service()
    await pair.start_service()
    await pair.connected()

    async def asked_again() -> bool:
        return len((await pair.show(ref))["questions"]) == 2

    await until(asked_again, 90)
    await answer(pair, ref, 2, options=["b"])
    task = await stands(pair, ref, "proposed", seconds=90)
    assert [one["label"] for one in task["questions"][0]["answer"]["options"]] == ["Newcomers"]
    assert len(task["spec"]["tasks"]) == 3
    prompts = [row for row in await messages(pair, task) if row["role"] == "user"]
    assert len(prompts) == 3
    assert await pair.history(ref, "resent") == []

    await pair.call("task.approve_spec", ref=ref, version=1)

    async def assigned() -> bool:
        cards = [(await pair.card(one["ref"])) for one in (await pair.show(ref))["subtasks"]]
        return len(cards) == 3 and all(card["agent"] in ("scout", "quill") for card in cards)

    await until(assigned, 120)
    soul = (await pair.call("agent.file", id="scout", name="SOUL.md"))["content"]
    assert soul.startswith("# Scout")


async def messages(pair: Any, task: dict[str, Any]) -> list[dict[str, Any]]:
    key = task["plannings"][0]["session_key"]
    found = await pair.call("chat.open", agent="ccp-planner", session_key=key)
    return list(found["messages"])
