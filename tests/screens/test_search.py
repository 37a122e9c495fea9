"""Search everywhere: debounced, the last answer wins, every hit leads somewhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from rich.style import Style

from ccp_tui.failures import ServiceUnavailable
from ccp_tui.screens.chat import ChatScreen
from ccp_tui.screens.feed import FeedScreen
from ccp_tui.screens.search import SearchScreen
from ccp_tui.screens.search.screen import hit_pieces
from tests.screens.conftest import Stage, StageMaker
from tests.screens.talk import ANSWERS, HITS, until


async def search(s: Stage, text: str = "search") -> SearchScreen:
    s.live.answers.update(ANSWERS)
    s.app.open("search", text=text)
    await until(s, lambda: s.live.asked("search"))
    screen = s.app.screen
    assert isinstance(screen, SearchScreen)
    return screen


async def test_hits_stand_in_their_context(stage: StageMaker) -> None:
    async with stage() as s:
        await search(s)
        text = s.text
        assert "task    WEB-7 Search that forgives typing errors" in text
        assert "success_criteria: a search for “recieve” finds “receive”" in text
        assert "but make the search forgive" in text
        assert "delivered src/search/tokens.py red" in text
        assert "4 hits" in text
        assert "\x02" not in text
        assert "\x1b" not in text


async def test_typing_asks_once_for_the_last_words(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers.update(ANSWERS)
        s.app.open("search")
        await s.settle()
        assert "Every word you type must occur." in s.text
        for character in "tokens":
            await s.pilot.press(character)
        await until(s, lambda: s.live.asked("search"))
        await asyncio.sleep(0.3)
        assert [asked["text"] for asked in s.live.asked("search")][-1] == "tokens"
        assert len(s.live.asked("search")) < 6


async def test_a_late_answer_to_an_older_question_is_dropped(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await search(s)
        first, second = asyncio.Event(), asyncio.Event()

        async def call(method: str, params: Any = None, **_: Any) -> Any:
            late = params["text"] == "slow"
            await (first if late else second).wait()
            hit = dict(HITS[0], title=f"answer to {params['text']}")
            return {"hits": [hit]}

        s.live.call = call  # type: ignore[method-assign]
        screen.field.value = "slow"
        await asyncio.sleep(0.3)
        screen.field.value = "quick"
        await asyncio.sleep(0.3)
        second.set()
        await until(s, lambda: "answer to quick" in s.text)
        first.set()
        await s.settle()
        assert "answer to quick" in s.text
        assert "answer to slow" not in s.text


@pytest.mark.parametrize(("index", "kind"), [(2, ChatScreen), (3, FeedScreen)])
async def test_enter_goes_to_the_place(stage: StageMaker, index: int, kind: type[Any]) -> None:
    async with stage() as s:
        await search(s)
        await s.press(*["down"] * index, "enter")
        await s.settle()
        screen: Any = s.app.screen
        assert isinstance(screen, kind)
        if kind is ChatScreen:
            at = screen.transcript.cursor
            assert screen.transcript.items[at].message["id"] == 12
        else:
            assert screen.lines.event["id"] == 3


async def test_a_task_hit_opens_the_task(stage: StageMaker) -> None:
    async with stage() as s:
        await search(s)
        await s.press("enter")
        assert getattr(s.app.screen, "ref", "") == "WEB-7"


async def test_a_failure_is_told_in_the_box_and_the_words_stay(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await search(s)
        s.live.answers["search"] = ServiceUnavailable("The control service was lost.", "run `ccp serve`.")
        screen.field.value = "other"
        await until(s, lambda: "The control service was lost. run `ccp serve`." in s.text)
        assert screen.field.value == "other"


async def test_nothing_found_says_so(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await search(s)
        s.live.answers["search"] = {"hits": []}
        screen.field.value = "zebra"
        await until(s, lambda: "Nothing is written about “zebra”." in s.text)


def test_a_snippet_shows_the_hit_even_when_it_comes_late() -> None:
    plain, match = Style(), Style(bold=True)
    pieces = hit_pieces("words " * 40 + "then \x02hit\x03 and more " + "words " * 40, 60, plain, match)
    shown = "".join(text for text, _ in pieces)
    assert ("hit", match) in pieces
    assert len(shown) <= 60
    assert shown.startswith("…")
    assert shown.endswith("…")
