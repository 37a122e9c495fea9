"""A task's whole life, cut at every step of the talk with the gateway: the same end, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from ccp_tui.paths import Home
from tests.service.life import REF, Life, life_on
from tests.service.processes import sent_prompts, short_folder
from tests.support.breaker import At, Step
from tests.support.embedded import EmbeddedGateway

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SECONDS = 60.0
PLAN, WORK, REVIEW = ("ccp-main-1-plan-1-",), ("ccp-main-1-1-",), ("ccp-main-1-review-1-1-",)


def _session(key: tuple[str, ...]) -> list[Step]:
    """A session is made, and its first message sent and acknowledged: each before and after it arrives."""
    return [
        Step("sessions.create", At.BEFORE, key),
        Step("sessions.create", At.BEFORE, key, answer=True),
        Step("chat.send", At.BEFORE, key),
        Step("chat.send", At.BEFORE, key, answer=True),
        Step("chat.send", At.AFTER, key, answer=True),
    ]


def _run(key: tuple[str, ...]) -> list[Step]:
    """Its run, from the gateway's side."""
    final = Step("chat", At.BEFORE, (*key, '"final"'))
    tools = [] if key == PLAN else [Step("session.tool", At.AFTER, key)]
    return [Step("chat", At.AFTER, (*key, '"delta"')), *tools, final]


STEPS = [
    *_session(PLAN),
    *_run(PLAN),
    Step("agents.create", At.BEFORE, ("Scribe",)),
    Step("agents.create", At.BEFORE, ("Scribe",), answer=True),
    *_session(WORK),
    *_run(WORK),
    *_session(REVIEW),
    *_run(REVIEW),
]
# What the service sends is cut with the service; what the gateway tells, with each, and with both.
CUTS = [(step, "service") for step in STEPS]
CUTS += [(step, who) for step in STEPS if step.of in ("chat", "session.tool") for who in ("gateway", "both")]
CUTS += [(step, "both") for step in STEPS if step.of == "chat.send" and step.answer]


@pytest.fixture
async def life(home: Home) -> AsyncIterator[Life]:
    with short_folder() as folder:
        gateway = EmbeddedGateway(folder, speed=8.0)
        await asyncio.to_thread(gateway.start)
        try:
            async with life_on(home, gateway, CCP_GATEWAY_GRACE="0.5", CCP_RESUME_GRACE="3") as made:
                yield made
        finally:
            await asyncio.to_thread(gateway.stop)


@pytest.mark.parametrize(("step", "who"), CUTS, ids=[f"{who}-{step}" for step, who in CUTS])
async def test_whatever_is_killed_and_whenever_the_end_is_the_same(life: Life, step: Step, who: str) -> None:
    await life.cut_at(step, who, "Write a short greeting", SECONDS)
    assert isinstance(life.gateway, EmbeddedGateway)
    prompts = Counter(
        line.split(":")[0]
        for prompt in sent_prompts(life.gateway.state)
        for line in prompt.splitlines()
        if line.startswith(tuple(f"{what}: {REF} " for what in ("Plan", "Task", "Review")))
    )
    assert prompts == {"Plan": 1, "Task": 1, "Review": 1}
