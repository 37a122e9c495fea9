"""The palette: found by a few letters, run by enter."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_tui.screens.board import BoardScreen
from ccp_tui.screens.chat import ChatScreen
from ccp_tui.screens.feed import FeedScreen
from ccp_tui.screens.palette import PaletteScreen
from ccp_tui.screens.palette.fuzzy import match
from ccp_tui.screens.search import SearchScreen
from tests.screens.conftest import Stage, StageMaker
from tests.screens.talk import ANSWERS


async def find(s: Stage, text: str) -> PaletteScreen:
    await s.press("ctrl+p")
    for character in text:
        await s.pilot.press("space" if character == " " else character)
    await s.settle()
    screen = s.app.screen
    assert isinstance(screen, PaletteScreen)
    return screen


def rows(screen: PaletteScreen) -> list[str]:
    return ["".join(text for text, _ in row.lines[0]).strip() for row in screen.found.entries]


async def test_it_opens_with_the_actions_of_the_screen_beneath(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await find(s, "")
        listed = rows(screen)
        assert any(row.startswith("action  new") for row in listed)
        assert any(row.startswith("agent   chat with Fox") for row in listed)
        assert any(row.startswith("mission mission Operations") for row in listed)
        assert not any(row.startswith("task") for row in listed)


@pytest.mark.parametrize(
    ("typed", "first"),
    [("web-1", "WEB-1 "), ("help pages", "WEB-8 "), ("owl", "chat with Owl"), ("oper", "mission Operations"),
     ("fltr", "filter"), ("chsi", "WEB-1 "), ("web-7", "WEB-7 ")],
)  # fmt: skip
async def test_a_few_letters_find_it(stage: StageMaker, typed: str, first: str) -> None:
    async with stage() as s:
        screen = await find(s, typed)
        assert first in rows(screen)[0]


async def test_enter_goes_to_the_task(stage: StageMaker) -> None:
    async with stage() as s:
        await find(s, "typing err")
        await s.press("enter")
        assert getattr(s.app.screen, "ref", "") == "WEB-7"


async def test_enter_runs_an_action(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers.update(ANSWERS)
        screen = await find(s, "feed")
        await s.press("down") if "action" not in rows(screen)[0] else None
        await s.press("enter")
        assert isinstance(s.app.screen, FeedScreen)


async def test_it_opens_a_chat_and_switches_the_mission(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers.update(ANSWERS)
        await find(s, "chat owl")
        await s.press("enter")
        chat: Any = s.app.screen
        assert isinstance(chat, ChatScreen)
        assert chat.agent == "owl"
        await find(s, "operations")
        await s.press("enter")
        assert isinstance(s.app.screen, BoardScreen)
        assert s.app.screen.view.mission == "ops"


async def test_the_last_row_searches_everything_and_up_reaches_it(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers.update(ANSWERS)
        await find(s, "search")
        await s.press("up", "enter")
        search: Any = s.app.screen
        assert isinstance(search, SearchScreen)
        assert search.field.value == "search"


async def test_escape_leaves_everything_as_it_was(stage: StageMaker) -> None:
    async with stage() as s:
        calls = list(s.live.calls)
        await find(s, "cancel")
        await s.press("escape")
        assert isinstance(s.app.screen, BoardScreen)
        assert s.live.calls == calls


def test_a_whole_word_beats_a_beginning_beats_a_middle_beats_letters() -> None:
    texts = ["web-1 sign in", "web-11 opt-out", "cobweb-1x", "w e b dash - 1"]
    scores = [found.score if (found := match("web-1", text)) else -99 for text in texts]
    assert scores == sorted(scores, reverse=True)
    assert match("xyz", "web") is None
    assert match("", "web") is not None


def test_the_letters_meant_are_told() -> None:
    found = match("ni", "needs input")
    assert found is not None
    assert found.at == (0, 6)
