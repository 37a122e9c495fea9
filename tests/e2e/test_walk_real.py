"""A task's whole life on the real gateway, cut at a dispatch, while words stream, and during a review.

What reached the AI provider is counted there: each prompt once, whatever was killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ccp_tui.paths import Home
from tests.service.life import REF, Life, life_on
from tests.support.breaker import At, Step
from tests.support.line import unique
from tests.support.provider import Provider
from tests.support.realgateway import RealGateway

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(400)]

SECONDS = 300.0
WORK, REVIEW = "ccp-main-1-1-", "ccp-main-1-review-1-1-"
CUTS = [
    (Step("chat.send", At.BEFORE, (WORK,), answer=True), "service"),
    (Step("chat", At.AFTER, (WORK, '"delta"')), "gateway"),
    (Step("chat", At.AFTER, (REVIEW, '"delta"')), "both"),
]


@pytest.fixture
async def life(real_gateway: RealGateway, home: Home) -> AsyncIterator[Life]:
    await asyncio.to_thread(real_gateway.ensure)
    async with life_on(home, real_gateway, CCP_CHECK_COMMANDS="on") as made:
        yield made


@pytest.mark.parametrize(("step", "who"), CUTS, ids=[f"{who}-{step}" for step, who in CUTS])
async def test_each_prompt_reaches_the_provider_once(
    life: Life, provider: Provider, step: Step, who: str
) -> None:
    title = unique("Write a short greeting")  # the provider remembers the prompts of other tests too
    await life.cut_at(step, who, title, SECONDS)
    for what in ("Plan", "Task", "Review"):
        assert provider.told(f"{what}: {REF} {title}") == 1, what


async def test_what_the_gateway_acknowledged_and_did_not_begin_is_done_all_the_same(
    life: Life, provider: Provider
) -> None:
    """Killed right after its acknowledgement, the gateway keeps the message and starts nothing with it.

    The person judges: an agent that is made in such a gateway's life is not found by it.
    """
    title = unique("Write a short greeting")
    acknowledged = Step("chat.send", At.AFTER, (WORK,), answer=True)
    await life.cut_at(acknowledged, "both", title, SECONDS, judge="person")
    assert provider.told(f"Task: {REF} {title}") == 1
