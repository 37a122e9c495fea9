"""The help: what works here, and runs."""

from __future__ import annotations

from ccp_tui.screens.feed import FeedScreen
from ccp_tui.screens.help import HelpScreen
from tests.screens.conftest import LARGE, Stage, StageMaker
from tests.screens.fakes import snapshot
from tests.screens.talk import ANSWERS


async def help_of(s: Stage, filter: str = "") -> HelpScreen:
    await s.press("?")
    for character in filter:
        await s.pilot.press("space" if character == " " else character)
    await s.settle()
    screen = s.app.screen
    assert isinstance(screen, HelpScreen)
    return screen


async def test_it_lists_exactly_what_applies_here(stage: StageMaker) -> None:
    async with stage(size=LARGE) as s:
        board = s.app.screen
        screen = await help_of(s)
        offered = {action.id for action in board.action_list.offered()}  # type: ignore[attr-defined]
        assert {row.key for row in screen.found.entries if row.key} == offered
        assert "What works here: Board" in s.text
        assert "Task" in s.text


async def test_what_does_not_apply_is_not_listed(stage: StageMaker) -> None:
    async with stage(board=snapshot() | {"tasks": []}) as s:
        screen = await help_of(s)
        assert "task.dispatch" not in {row.key for row in screen.found.entries}


async def test_typing_filters_and_enter_runs(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers.update(ANSWERS)
        screen = await help_of(s, "feed")
        assert {row.key for row in screen.found.entries if row.key} <= {"board.feed", "app.feed"}
        await s.press("enter")
        assert isinstance(s.app.screen, FeedScreen)


async def test_no_match_says_so(stage: StageMaker) -> None:
    async with stage() as s:
        await help_of(s, "qqqq")
        assert "Nothing here is called “qqqq”." in s.text
        await s.press("enter")
        assert isinstance(s.app.screen, HelpScreen)


async def test_it_tells_of_the_screen_it_was_opened_on(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers.update(ANSWERS)
        s.app.open("feed")
        await s.settle()
        screen = await help_of(s)
        assert "What works here: Feed" in s.text
        assert "feed.filter" in {row.key for row in screen.found.entries}
