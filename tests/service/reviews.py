"""What tests of reviews share: the mission's policy, the reviewer's session, and its verdict as it reports it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ccp_tui.gateway.demo import brain
from ccp_tui.gateway.demo.steps import Pause, Step
from tests.service.board import IDLE, Board, spec, until


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reviewers read for as long as a test runs: the test speaks for them."""

    def review(_: object) -> Iterator[Step]:
        yield Pause(4000)

    monkeypatch.setattr(brain, "review", review)


async def submitted(board: Board, *script: str, text: str = "Hello, world.\n") -> str:
    """A task whose worker (the test) submitted; ``script`` is for the reviewer, which may be done with it already."""
    ref = await board.dispatched(spec(IDLE, *script))
    await board.work(ref, text)
    return ref


async def policy(board: Board, **settings: Any) -> None:
    """Sets some of the policy of the mission that tasks go to."""
    missions = (await board.call("mission.list"))["missions"]
    if not missions:
        await board.call("mission.create", title="Main", prefix="MAIN")
        missions = (await board.call("mission.list"))["missions"]
    await board.call("mission.update", slug=missions[0]["slug"], policy=settings)


async def asked(board: Board, ref: str, number: int = 1) -> str:
    """The session of the reviewer's ``number``-th request in the latest attempt, once it is prompted."""

    async def there() -> str:
        rounds = (await board.show(ref))["attempts"][-1]["rounds"]
        keys = [one["session_key"] for row in rounds for one in row["review_requests"]]
        key = keys[number - 1] if len(keys) >= number else ""
        return key if key and board.prompts(key) else ""

    found: str = await until(there, told=f"request {number} of {ref}")
    return found


async def verdict(board: Board, session_key: str, said: str, reason: str = "") -> str:
    """The verdict of the reviewer of this session, as its report command brings it; the words that it gets."""
    return await board.report_as(board.token_of(session_key), "verdict", verdict=said, reason=reason)
