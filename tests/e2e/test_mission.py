"""One typed line becomes a mission that is done, on the real gateway: planned, staffed, worked, checked, reviewed.

The person answers two questions, edits the plan and approves it; the service is killed twice on the way.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ccp_tui.paths import Home
from tests.e2e.conftest import Deployment
from tests.service.board import until
from tests.service.processes import processes_on
from tests.support.provider import Provider
from tests.support.realgateway import RealGateway

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 420.0
LINE = "Prepare a guide to owls"
REAL_LIFE = {"CCP_AUTO": "dispatch", "CCP_CHECK_COMMANDS": "on", "CCP_INSTALL_SKILL": "on"}
ONCE = "test -f .tried || { touch .tried; echo not yet; exit 1; }"


@pytest.fixture
async def live(real_gateway: RealGateway, provider: Provider, home: Home) -> AsyncIterator[Deployment]:
    """A whole deployment as it is in real life, without an agent."""
    await asyncio.to_thread(real_gateway.ensure)
    async with processes_on(home, real_gateway, **REAL_LIFE) as pair:
        yield Deployment(pair, real_gateway, provider, "", "")


async def shown(live: Deployment, *words: str) -> Any:
    return json.loads((await live.ccp(*words, "--json")).out)


async def answered(live: Deployment, ref: str, number: int) -> None:
    """Answers the planner's question of this number by the command line, once it is there."""

    async def asked() -> Any:
        questions = (await live.pair.call("question.list", ref=ref))["questions"]
        ready = len(questions) == number and questions[-1]["state"] == "open"
        return questions[-1] if ready else None

    question = await until(asked, SECONDS, told=f"question {number}")
    option = question["options"][0]
    await live.ccp(
        "question", "answer", str(question["id"]), "--option", option["id"], "--text", f"words {number}"
    )
    # What reaches the planner is the option's own words, not its letter alone, and the person's.
    prompt = (await until(lambda: live.provider.requests_with(f"Question {number} answered"), SECONDS))[-1]
    assert option["label"] in prompt.prompt
    assert f"words {number}" in prompt.prompt


def harder(text: str) -> str:
    """The plan as the person edits it: a check that fails once, and a criterion that the reviewer looks at twice."""
    plan = yaml.safe_load(text)
    assert len(plan["tasks"]) == 3
    assert len(plan["agents"]) == 2
    plan["tasks"][0].setdefault("checks", []).append({"name": "second time", "command": ONCE})
    plan["tasks"][1]["success_criteria"].append("it deserves a second look")
    return yaml.safe_dump(plan, sort_keys=False, allow_unicode=True)


async def test_a_typed_line_becomes_a_mission_that_is_done(live: Deployment, tmp_path: Path) -> None:
    pair = live.pair
    await live.ccp("mission", "create", "Owls", "--prefix", "OWL")
    await live.ccp("mission", "policy", "owls", "--review", "agent")
    ref = (await shown(live, "task", "add", LINE, "--mission", "owls"))["ref"]
    await live.ccp("task", "plan", ref)
    await answered(live, ref, 1)
    await answered(live, ref, 2)
    task = await pair.reach(ref, "planning", seconds=SECONDS)
    task = await until(lambda: proposed(live, ref), SECONDS)
    assert (await pair.call("task.list", mission="owls"))["tasks"][0]["subtasks"] == 0

    edited = tmp_path / "plan.yaml"
    edited.write_text(harder(task["spec"]["text"]))
    await live.ccp("task", "spec", ref, "--file", str(edited))
    await live.ccp("task", "approve-spec", ref)

    await until(lambda: in_state(live, "OWL-2", "in_progress"), SECONDS)
    await pair.kill_service()
    await pair.start_service()
    await until(lambda: reviewing(live), SECONDS, told="a reviewer at work")
    await pair.kill_service()
    await pair.start_service()

    await until(lambda: all_done(live), SECONDS, told="the whole mission done")
    tasks = {one["ref"]: one for one in (await pair.call("task.list", mission="owls"))["tasks"]}
    assert sorted(tasks) == [ref, "OWL-2", "OWL-3", "OWL-4"]
    shows = {one: await pair.show(one) for one in tasks}
    first = shows["OWL-2"]["attempts"][-1]["rounds"]
    assert [one["result"] for one in first] == ["failed", "approved"]
    second = shows["OWL-3"]["attempts"][-1]["rounds"]
    assert [one["result"] for one in second] == ["rejected", "approved"]
    judges = {review["actor_kind"] for one in shows.values() for review in reviews(one)}
    assert judges == {"reviewer"}
    for one in tasks:
        assert live.provider.prompts(f"Task: {one} {tasks[one]['title']}\nAttempt: 1") == 1, one
    order = [row["task"] for row in await events(live) if row["kind"] == "dispatched"]
    assert order == ["OWL-2", "OWL-3", "OWL-4", ref]
    assert Counter(order).most_common(1)[0][1] == 1

    timeline = tmp_path / "owls.md"
    await live.ccp("mission", "export", "owls", "--format", "md", "--out", str(timeline))
    told = timeline.read_text()
    for word in (LINE, "OWL-3", "second time", "not yet", "approved"):
        assert word in told, word
    costs = await shown(live, "mission", "costs", "owls")
    assert costs["total"]["tokens"] > 0
    assert {row["purpose"] for row in costs["by_purpose"]} >= {"plan", "work", "review"}


async def proposed(live: Deployment, ref: str) -> Any:
    task = await live.pair.show(ref)
    return task if task["planning"] == "proposed" else None


async def in_state(live: Deployment, ref: str, state: str) -> bool:
    cards = (await live.pair.call("task.list", mission="owls"))["tasks"]
    return any(card["ref"] == ref and card["state"] == state for card in cards)


async def reviewing(live: Deployment) -> bool:
    cards = (await live.pair.call("task.list", mission="owls"))["tasks"]
    return any(card["reviewer"] for card in cards)


async def all_done(live: Deployment) -> bool:
    cards = (await live.pair.call("task.list", mission="owls"))["tasks"]
    return {card["state"] for card in cards} == {"done"}


async def events(live: Deployment) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await live.pair.call("events.list", mission="owls", limit=5000))["events"]
    return rows


def reviews(task: dict[str, Any]) -> list[dict[str, Any]]:
    return [review for attempt in task["attempts"] for one in attempt["rounds"] for review in one["reviews"]]
