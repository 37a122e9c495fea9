"""Making a deployment, stage by stage: its times, its failures, leaving it at work, cancelling it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ccp_tui.incus import FleetError
from ccp_tui.screens.fleet.works import Work
from ccp_tui.screens.fleet.workscreen import WorkScreen
from tests.screens.fleetstage import FleetStage, fleet_stage
from tests.support.fakefleet import FakeFleet


async def make(s: FleetStage, name: str = "fresh") -> None:
    await s.press("n")
    await s.painted()
    await s.type(name)
    await s.press("ctrl+o")
    await s.painted()
    assert isinstance(s.app.screen, WorkScreen)


async def test_the_stages_with_their_times(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.hold = "gateway"
    async with fleet_stage(tmp_path, fleet) as s:
        await make(s)
        assert "✓ system         0.2 s  system is well" in s.text
        assert "› gateway" in s.text
        assert "· service" in s.text
        fleet.go.set()
        await s.painted()
        assert "✓ service" in s.text
        assert "✓ Done in" in s.text
        assert "ssh -p 2210 ccp@192.0.2.1" in s.text
        assert "⏎ opens its board." in s.text


async def test_leaving_it_stops_nothing(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.hold = "system"
    async with fleet_stage(tmp_path, fleet) as s:
        await make(s)
        await s.press("escape")
        assert s.app.screen is s.table
        assert "1 at work" in s.lines()[0]
        await s.press("w")
        assert "› system" in s.text
        await s.press("q")
        fleet.go.set()
        await s.painted()
        assert "at work" not in s.lines()[0]
        assert "fresh" in s.text


async def test_cancelling_asks_and_then_says_what_became_of_it(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.hold = "start"
    async with fleet_stage(tmp_path, fleet) as s:
        await make(s)
        await s.press("x", "n")
        assert s.app.works.running
        await s.press("x", "y")
        await s.painted()
        assert "✗ Cancelled" in s.text
        assert not s.app.works.running


async def test_a_failure_is_told_and_can_be_mended(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.refuse["instance"] = FleetError("EXISTS", "The port is taken.", "Name another.")
    async with fleet_stage(tmp_path, fleet) as s:
        await make(s)
        assert "✗ instance" in s.text
        assert "✗ The port is taken. Name another." in s.text
        del fleet.refuse["instance"]
        await s.press("e")
        await s.painted()
        assert "fresh" in s.text  # the wizard, with what was written
        await s.press("ctrl+o")
        await s.painted()
        assert "✓ Done in" in s.text


async def test_quitting_meanwhile_asks_and_cleans_up(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.hold = "system"
    async with fleet_stage(tmp_path, fleet) as s:
        await make(s)
        await s.press("escape", "q")
        assert "Quit while making fresh?" in s.text
        await s.press("n")
        assert s.app.is_running
        (work,) = s.app.works.running
        await s.press("q", "y")
    assert work.state == "cancelled"
    assert not fleet.started


async def test_its_log_is_one_key_away(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.hold = "system"
    fleet.log["boot"] = ["Started the journal."]
    async with fleet_stage(tmp_path, fleet) as s:
        await make(s)
        await s.press("l")
        await s.painted()
        assert "Started the journal." in s.text
        await s.press("escape")
        assert "› system" in s.text


async def test_after_a_failure_its_last_words_are_one_key_away(tmp_path: Path) -> None:
    """The container is gone by then, and with it the log that could be asked for."""
    fleet = FakeFleet()
    said = ["Started the journal.", "Out of \x1b[31m[red]sockets."]
    fleet.refuse["gateway"] = FleetError("TIMEOUT", "The gateway was not ready.", "", said)
    async with fleet_stage(tmp_path, fleet) as s:
        await make(s)
        await s.press("l")
        await s.painted()
        assert "The last words of fresh" in s.text
        assert "Out of [red]sockets." in s.text
        await s.press("tab", "2")
        assert "Out of [red]sockets." in s.text
        assert not fleet.asked("follow_logs")
        await s.press("escape")
        assert "✗ The gateway was not ready." in s.text


async def test_what_a_cancelled_one_left_is_said(tmp_path: Path) -> None:
    work = Work("Making x", left_behind)
    work.start()
    await asyncio.sleep(0)
    work.cancel()
    await work.ended()
    assert (work.state, work.words) == ("cancelled", "Cancelled. What was made of x is still there.")


async def left_behind(_work: Work) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise asyncio.CancelledError("What was made of x is still there.") from None


async def test_a_row_that_is_being_made_opens_its_stages(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.hold = "system"
    async with fleet_stage(tmp_path, fleet) as s:
        await make(s, "aaa")
        await s.press("escape")
        from tests.support.fakefleet import deployment

        fleet.put(deployment("aaa", "creating"))
        await s.painted()
        await s.press("g", "enter")
        assert isinstance(s.app.screen, WorkScreen)


async def test_a_work_that_is_over_writes_nothing_more(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await make(s)
        screen = s.app.screen
        assert isinstance(screen, WorkScreen)
        assert screen._timer is None
