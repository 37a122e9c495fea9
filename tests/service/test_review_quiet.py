"""A planner or reviewer whose run hangs without a word: asked once, then held, with a way on that works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ccp_tui.gateway.demo import brain
from ccp_tui.gateway.demo.planner import plan
from ccp_tui.gateway.demo.steps import Pause, Say, Step
from ccp_tui.paths import Home
from ccp_tui.wire import Json
from tests.service.board import Board, board_on, until
from tests.service.reviews import asked, patient, policy, submitted, verdict
from tests.service.test_explain import offered
from tests.service.test_planning import planned, prompts, session, stands

SHORT = {"stalled_after": 0.6}
by_hand = pytest.mark.usefixtures(patient.__name__)
__all__ = ["patient"]


class Hanging:
    """A planner that says nothing while this is so."""

    def __init__(self) -> None:
        self.hangs = True

    def __call__(self, brief: object) -> Iterator[Step]:
        if self.hangs:
            yield Pause(4000)
        else:
            yield from plan(brief)  # type: ignore[arg-type]


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Hanging:
    made = Hanging()
    monkeypatch.setattr(brain, "plan", made)
    return made


async def held(board: Board, ref: str) -> Json:
    async def there() -> Json | None:
        task = await board.show(ref)
        return task if task["hold"] else None

    found: Json = await until(there)
    return found


async def test_a_planner_is_asked_once_then_held_then_asked_anew(home: Home, hanging: Hanging) -> None:
    async with board_on(home, **SHORT) as board:
        ref = await planned(board)
        task = await held(board, ref)
        assert task["hold"]["kind"] == "stalled"
        assert task["hold"]["reason"] == "no sign of life from ccp-planner for 1.2 s, also after it was asked"
        assert [("nothing was heard of you" in text) for text in prompts(board, task)] == [False, True]
        assert board.running(session(task)), "the live run is left alone"
        assert offered(task)["plan"] is None
        hanging.hangs = False
        await board.call("task.plan", ref=ref)
        task = await stands(board, ref, "person")
        assert (task["hold"], len(task["plannings"])) == (None, 1)
        assert task["questions"][0]["text"].startswith("Who is it for?")
        assert not await board.history(ref, "resent")


async def test_a_planner_that_comes_back_goes_on_by_itself(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(brief: object) -> Iterator[Step]:
        yield Pause(60)  # three seconds here
        yield from plan(brief)  # type: ignore[arg-type]

    monkeypatch.setattr(brain, "plan", slow)
    async with board_on(home, **SHORT) as board:
        ref = await planned(board)
        await held(board, ref)
        task = await stands(board, ref, "person", "proposed")
        assert task["hold"] is None


async def test_a_talking_planner_is_not_asked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brain, "plan", lambda _: [Say(" ".join(["word"] * 400), 10.0)])
    async with board_on(home, **SHORT) as board:
        ref = await planned(board)
        task = await stands(board, ref, "planner")
        await until(lambda: board.running(session(task)))
        await asyncio.sleep(1.6)
        task = await board.show(ref)
        assert (task["hold"], len(prompts(board, task))) == (None, 1)


@by_hand
async def test_a_reviewer_is_asked_once_then_held_then_another_is_asked(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        await policy(board, review="agent")
        ref = await submitted(board)
        key = await asked(board, ref)
        task = await held(board, ref)
        assert (task["state"], task["hold"]["kind"]) == ("review", "stalled")
        assert "no sign of life from ccp-reviewer" in task["hold"]["reason"]
        assert len(board.prompts(key)) == 2
        assert "Report command: " in board.prompts(key)[1]
        assert offered(task)["review"] is None
        await board.call("task.review", ref=ref)
        again = await asked(board, ref, number=2)
        await until(lambda: board.running(key) is None, told="the hanging run was ended")
        await verdict(board, again, "approve", "fine")
        assert (await board.reach(ref, "done"))["hold"] is None


@by_hand
async def test_a_reviewer_that_was_only_slow_is_heard(home: Home) -> None:
    async with board_on(home, **SHORT) as board:
        await policy(board, review="agent")
        ref = await submitted(board)
        key = await asked(board, ref)
        await held(board, ref)
        await verdict(board, key, "approve", "fine")
        assert (await board.reach(ref, "done"))["hold"] is None
