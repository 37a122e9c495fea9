"""The emergency stop: one key, armed and fired, from every screen; the banner while it holds."""

from __future__ import annotations

import asyncio

import pytest

from ccp_tui.failures import ServiceUnavailable
from ccp_tui.screens.widgets import emergency
from tests.screens.conftest import SMALL, Stage, StageMaker
from tests.screens.fakes import HOUR_AGO, health, snapshot
from tests.screens.picture import check_picture
from tests.screens.talk import ANSWERS, type_words, until

STOPPED = health() | {"emergency": {"at": HOUR_AGO, "by": "ada"}}


def asked(s: Stage) -> list[str]:
    return [method for method, _ in s.live.calls if method.startswith("emergency.")]


async def test_the_first_press_arms_the_second_fires(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("f9")
        assert "f9 again within 3 s to stop every run and all dispatching" in s.lines()[1]
        assert asked(s) == []
        await s.press("f9")
        assert asked(s) == ["emergency.stop"]
        assert s.live.asked("emergency.stop") == [{}]
        await s.press("f9")  # armed anew: a third press does not fire
        assert asked(s) == ["emergency.stop"]


async def test_escape_disarms_and_does_nothing_else(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers.update(ANSWERS)
        s.app.open("feed")
        await s.settle()
        await s.press("f9", "escape")
        assert s.app.screen.TITLE == "Feed"
        assert "again within" not in s.text
        await s.press("f9")
        assert asked(s) == []
        await s.press("escape", "escape")
        assert s.app.screen.TITLE == "Board"


async def test_it_is_disarmed_by_itself(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emergency, "ARMED_S", 0.05)
    async with stage() as s:
        await s.press("f9")
        await until(s, lambda: "again within" not in s.text)
        await asyncio.sleep(0)
        await s.press("f9")
        assert asked(s) == []


@pytest.mark.parametrize(
    "screen", ["task", "chat", "agents", "feed", "search", "queue", "help", "palette", "missions"]
)
async def test_it_works_on_every_screen(stage: StageMaker, screen: str) -> None:
    async with stage() as s:
        s.live.answers.update(ANSWERS)
        params = {"task": {"ref": "WEB-7"}, "chat": {"agent": "fox"}}.get(screen, {})
        s.app.open(screen, **params)
        await s.settle()
        await s.press("f9")
        assert "f9 again within" in s.text
        await s.press("f9")
        assert asked(s) == ["emergency.stop"]


async def test_it_works_while_words_are_typed_and_takes_none(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("n")
        await type_words(s, "Buy")
        await s.press("f9")
        assert "f9 again within" in s.lines()[1]
        await s.press("ctrl+backslash")
        assert asked(s) == ["emergency.stop"]
        await type_words(s, " tea")
        assert "Buy tea" in s.text


async def test_a_banner_stands_on_every_screen_until_it_is_resumed(stage: StageMaker) -> None:
    async with stage(SMALL, snapshot() | {"health": STOPPED}) as s:
        s.live.answers.update(ANSWERS)
        banner = "EVERYTHING IS STOPPED by ada since 11:00. Nothing starts. f9 f9 resumes."
        assert banner in s.lines()[1]
        check_picture(s.app, "stopped-80x24")
        for screen in ("feed", "agents", "queue", "missions"):
            s.app.open(screen)
            await s.settle()
            assert banner in s.lines()[1]
        await s.press("f9")
        assert "f9 again within 3 s to let everything go on" in s.lines()[1]
        await s.press("f9")
        assert asked(s) == ["emergency.resume"]
        s.live.emit("health", health=health())
        await s.settle()
        assert "STOPPED" not in s.text
        await s.press("escape")
        assert "STOPPED" not in s.text


async def test_the_banner_comes_to_whoever_watches(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.emit("health", health=STOPPED)
        await s.settle()
        assert "EVERYTHING IS STOPPED by ada" in s.lines()[1]


async def test_a_stop_that_could_not_be_made_says_so_until_it_is_read(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emergency, "ARMED_S", 60.0)  # also on a busy machine
    async with stage() as s:
        s.live.answers["emergency.stop"] = ServiceUnavailable(
            "The control service is away.", "run `ccp serve`."
        )
        await s.press("f9", "f9")
        await until(s, lambda: "Not stopped: The control service is away. run `ccp serve`." in s.lines()[1])
        await s.press("j")
        assert "Not stopped" in s.text
        await s.press("escape")
        assert "Not stopped" not in s.text
