"""On the real gateway: an agent's question through OpenClaw's own tool, and a sub-agent, as the board has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Deployment
from tests.service.board import spec, until
from tests.support.line import unique

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 120.0


async def test_a_question_of_the_gateway_is_answered_with_an_option_and_words(real: Deployment) -> None:
    board = real.pair
    ref = await board.dispatched(
        spec("!question Which colour? | Red | Blue", "!pause 60"), title=unique("Colours")
    )

    async def asked() -> Any:
        return [one for one in (await board.call("attention.list"))["attention"] if one["ref"] == ref]

    (item,) = await until(asked, SECONDS)
    question = item["answer"]["question"]
    assert [(one["id"], one["label"]) for one in question["options"]] == [("a", "Red"), ("b", "Blue")]
    assert (question["text"], question["kind"], question["free"]) == ("Which colour?", "gateway", True)
    await board.call("question.answer", id=question["id"], options=["b"], text="but dark")

    async def heard() -> bool:
        rows = [row["tool"] for row in await board.transcript(ref) if row["tool"]]
        return any("Blue – but dark" in str(tool["output"]) for tool in rows)

    await until(heard, SECONDS)
    assert await asked() == []
    (row,) = (await board.call("question.list", ref=ref))["questions"]
    assert (row["state"], row["answer"]["text"]) == ("answered", "but dark")
    await board.call("task.cancel", ref=ref)


async def test_a_sub_agent_is_under_its_task_with_its_words_and_its_outcome(real: Deployment) -> None:
    board = real.pair
    text = spec("!spawn !say I looked at the coast", "!say I wait for it")
    ref = await board.dispatched(text, title=unique("The coast"))

    async def child(*states: str) -> Any:
        rows = (await board.show(ref))["subagents"]
        return rows[0] if rows and rows[0]["state"] in states else None

    begun = await until(lambda: child("running", "done"), SECONDS)
    assert ":subagent:" in begun["session_key"]
    done = await until(lambda: child("done"), SECONDS)
    assert "I looked at the coast" in done["last_text"]
    kinds = [event["kind"] for event in await board.history(ref)]
    assert (kinds.count("spawned"), kinds.count("subagent_done")) == (1, 1)
    await board.call("task.cancel", ref=ref)
