"""The feed: live, filtered, searched, bounded."""

from __future__ import annotations

import asyncio
from typing import Any

from ccp_tui.failures import ServiceFailure
from ccp_tui.screens.feed import FeedScreen
from ccp_tui.screens.feed import log as feed_log
from tests.screens.conftest import LARGE, Stage, StageMaker
from tests.screens.fakes import snapshot
from tests.screens.talk import ANSWERS, EVENTS, event


async def feed(s: Stage, **params: Any) -> FeedScreen:
    s.live.answers.update(ANSWERS)
    s.app.open("feed", **params)
    await s.settle()
    screen = s.app.screen
    assert isinstance(screen, FeedScreen)
    return screen


async def arrive(s: Stage, *rows: Any) -> None:
    for row in rows:
        s.live.emit("feed", event=row)
    await asyncio.sleep(0.3)
    await s.settle()


async def test_events_stand_oldest_first_with_who_and_why(stage: StageMaker) -> None:
    async with stage(size=LARGE) as s:
        await feed(s)
        lines = s.lines()
        assert lines[1].split()[:2] == ["Nov", "22"]
        assert "WEB-7    Fox         delivered src/tokens.py" in s.text
        assert "check pytest failed: 2 failed, 31 passed" in s.text
        assert "▌" in lines[7]
        assert "following" in lines[0]


async def test_a_new_event_appears_while_following(stage: StageMaker) -> None:
    async with stage() as s:
        await feed(s)
        await arrive(s, event(8, "report.progress", "half done\x1b[2J", "WEB-8", "agent:owl", agent="owl"))
        assert "WEB-8    Owl         half done" in s.text
        assert "▌" in s.lines()[8]


async def test_reading_above_is_not_disturbed(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await feed(s)
        await s.press("k", "k")
        await arrive(s, event(8, "x", "eight"), event(9, "x", "nine"))
        assert screen.lines.event is not None
        assert screen.lines.event["id"] == 5
        assert "4 below, G follows" in s.text
        await s.press("G")
        assert screen.lines.event["id"] == 9
        assert "following" in s.text


async def test_enter_goes_to_the_task(stage: StageMaker) -> None:
    async with stage() as s:
        await feed(s)
        await s.press("k", "k", "enter")
        assert getattr(s.app.screen, "ref", "") == "WEB-8"


async def test_search_goes_to_the_nearest_and_on(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await feed(s)
        await s.press("/", *"fox", "enter")
        assert screen.lines.event is not None
        assert screen.lines.event["id"] == 2
        await s.press("/", "ctrl+a", "ctrl+k", *"deliv", "enter")
        assert screen.lines.event["id"] == 3
        assert "/deliv" in s.lines()[0]
        await s.press("n")
        assert screen.lines.event["id"] == 3
        await s.press("/", "ctrl+a", "ctrl+k", *"ed", "enter")
        start = screen.lines.event["id"]
        await s.press("n")
        await s.press("N")
        assert screen.lines.event["id"] == start
        await s.press("escape")
        assert not screen.lines.words
        assert s.app.screen is screen
        await s.press("escape")
        assert s.app.screen is not screen


async def test_a_search_without_a_hit_says_so(stage: StageMaker) -> None:
    async with stage() as s:
        await feed(s)
        await s.press("/", *"zebra", "enter")
        assert "No event here holds “zebra”" in s.text


async def test_the_filter_asks_the_service_and_holds_for_what_comes(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await feed(s, mission="web")
        assert s.live.asked("events.list")[0]["mission"] == "web"
        await s.press("k", "k", "t")
        assert s.live.asked("events.list")[-1] == {"task": "WEB-8", "limit": 300}
        assert "task WEB-8" in s.lines()[0]
        count = len(screen.lines.rows_held)
        await arrive(s, event(8, "x", "other", "WEB-7"), event(9, "x", "mine", "WEB-8"))
        assert len(screen.lines.rows_held) == count + 1
        await s.press("x")
        assert s.live.asked("events.list")[-1] == {"limit": 300}
        await s.press("f")
        await s.press(*"agent ow".replace(" ", ""), "enter")


async def test_older_events_load_and_the_view_stays(stage: StageMaker) -> None:
    rows = [event(n, "x", f"event number {n}", "WEB-7") for n in range(1, 700)]

    def listed(params: Any) -> Any:
        held = [row for row in rows if row["id"] < params.get("before", 10_000)]
        return {"events": held[-params["limit"] :]}

    async with stage() as s:
        s.live.answers.update(ANSWERS)
        s.live.answers["events.list"] = listed
        s.app.open("feed")
        await s.settle()
        screen: Any = s.app.screen
        assert len(screen.lines.rows_held) == 300
        await s.press("g")
        assert len(screen.lines.rows_held) == 600
        assert screen.lines.event["id"] == 400
        assert "event number 400" in s.text


async def test_memory_is_bounded(stage: StageMaker, monkeypatch: Any) -> None:
    monkeypatch.setattr(feed_log, "KEPT", 50)
    async with stage() as s:
        screen = await feed(s)
        await arrive(s, *(event(n, "x", f"number {n}") for n in range(100, 400)))
        assert len(screen.lines.rows_held) == 50
        assert "number 399" in s.text


async def test_an_event_is_shown_where_a_hit_leads(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await feed(s, event_id=3)
        assert screen.lines.event is not None
        assert screen.lines.event["id"] == 3
        assert not screen.lines.follow


async def test_a_new_snapshot_reads_again(stage: StageMaker) -> None:
    async with stage(size=LARGE) as s:
        screen = await feed(s)
        s.live.answers["events.list"] = {"events": [*EVENTS, event(20, "x", "while we were away")]}
        s.live.mirror.apply_snapshot(snapshot())
        await s.settle()
        assert "while we were away" in s.text
        assert screen.lines.follow


async def test_empty_and_failed_feeds_say_what_to_do(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["events.list"] = {"events": []}
        s.app.open("feed")
        await s.settle()
        assert "Nothing has happened yet." in s.text
        s.live.answers["events.list"] = ServiceFailure("FAILED", "The disk is gone.")
        s.app.open("feed", task="WEB-1")
        await s.settle()
        assert "The feed could not be read" in s.text
        assert "The disk is gone." in s.text
