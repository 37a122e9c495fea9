"""The logs of a deployment: followed, searched, and safe to look at."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ccp_tui.incus import FleetError
from ccp_tui.screens.fleet.log import KEPT, LogScreen
from tests.screens.fleetstage import FleetStage, fleet_stage
from tests.support.fakefleet import FakeFleet


def lines(count: int) -> list[str]:
    return [f"line {n} of the log" for n in range(count)]


async def open_log(s: FleetStage) -> LogScreen:
    await s.press("l")
    await s.painted()
    screen = s.app.screen
    assert isinstance(screen, LogScreen)
    return screen


async def test_it_shows_the_end_and_follows(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.log["gateway"] = lines(100)
    fleet.more_log = asyncio.Queue()
    async with fleet_stage(tmp_path, fleet) as s:
        await open_log(s)
        assert "line 99 of the log" in s.text
        fleet.more_log.put_nowait("one more \x1b[31m[red]")
        await s.painted()
        assert "one more [red]" in s.text
        await s.press("k", "k")
        fleet.more_log.put_nowait("unseen")
        await s.painted()
        assert "unseen" not in s.text
        assert "not following" in s.text
        await s.press("f")
        assert "unseen" in s.text


async def test_it_can_be_searched(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.log["gateway"] = lines(200)
    async with fleet_stage(tmp_path, fleet) as s:
        screen = await open_log(s)
        await s.press("/")
        await s.type("e 5 of")
        await s.press("enter")
        assert "line 5 of the log" in s.text
        await s.press("/", *["backspace"] * 6)
        await s.type("line 7")
        await s.press("enter", "n")
        assert screen.view.lines[screen.view.at].startswith("line 7")
        await s.press("/")
        await s.type("absent words")
        await s.press("enter")
        assert "is not in these" in s.text


async def test_tab_goes_to_the_next_log(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.log = {"gateway": ["from the gateway"], "service": ["from the service"]}
    async with fleet_stage(tmp_path, fleet) as s:
        await open_log(s)
        assert "from the gateway" in s.text
        await s.press("tab")
        await s.painted()
        assert "from the service" in s.text
        assert "from the gateway" not in s.text
        await s.press("tab")
        await s.painted()
        assert "Nothing was logged yet." in s.text


async def test_one_that_does_not_run_shows_what_there_is(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.refuse["follow_logs"] = FleetError("REFUSED", "docs does not run.", "Start it first.")
    fleet.log["boot"] = ["the last start"]
    async with fleet_stage(tmp_path, fleet) as s:
        await s.press("j")
        await open_log(s)
        assert "the last start" in s.text
        assert "docs does not run. Start it first." in s.text


async def test_a_log_is_bounded(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        screen = await open_log(s)
        for line in lines(KEPT + 50):
            screen.view.add(line)
        await s.painted()
        assert len(screen.view.lines) == KEPT
        assert f"line {KEPT + 49} of" in s.text
