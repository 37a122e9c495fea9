"""The table of deployments: what it shows, how it follows what happens, and what it says when Incus is away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from ccp_tui.incus import RemoteState
from ccp_tui.screens.fleet import words
from tests.screens.fleetstage import LARGE, SMALL, fleet_stage
from tests.support.fakefleet import ABSENT, LOCAL, FakeFleet, deployment, few

OSLO = RemoteState(
    "oslo", "https://192.0.2.9:8443", "unreachable", "No answer within 5 s.", "Is it up?",
    "2026-11-23T11:58:00.000Z", True,
)  # fmt: skip


async def test_a_row_tells_what_matters(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        head = s.lines()[1].split()
        assert head == ["name", "state", "ssh", "gw", "svc", "tasks", "you", "cpu", "memory"]
        assert s.line_of("demo").split() == [
            "▌", "demo", "●", "running", "192.0.2.1:2201", "●", "●", "2/6", "0.8/2", "0.8G/2G"
        ]  # fmt: skip
        assert "▲2" in s.line_of("shop")
        assert "3 deployments" in s.lines()[0]
        assert "2 need you" in s.lines()[0]


async def test_a_narrow_screen_tells_the_rest_below(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        assert "ssh -p 2201 ccp@192.0.2.1 · gateway ready" in s.text
        assert "disk 2.1G of 10GiB · 0.2.0 · 2 snapshots · 2 in progress" in s.text


async def test_a_wide_screen_has_it_all(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path, size=LARGE) as s:
        assert "version" in s.lines()[1]
        assert "wrk" in s.lines()[1]  # tasks by state
        assert "0.8G of 2GiB" in s.text
        assert "before-upgrade" in s.text
        await s.press("j", "j")
        assert "2 things need you" in s.text


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_no_two_names_look_the_same(tmp_path: Path, size: tuple[int, int]) -> None:
    """A column goes before names are cut to what they have in common."""
    async with fleet_stage(tmp_path, size=size) as s:
        for town in ("hamburg", "hannover"):
            s.fleet.put(deployment(f"newsletter-of-the-branch-{town}"))
        await s.painted()
        for start in ("newsletter-of-the-branch-ham", "newsletter-of-the-branch-han"):
            assert len([line for line in s.lines() if f" {start}" in line[:50]]) == 1


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_help_quit_and_filter_are_never_cut_off(tmp_path: Path, size: tuple[int, int]) -> None:
    async with fleet_stage(tmp_path, size=size) as s:
        hints = s.lines()[-1]
        assert hints.startswith(" / filter")
        assert hints.endswith("q quit  ? help")


async def test_the_cursor_follows_its_deployment(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("j")
        s.fleet.put(deployment("alpha"))
        await s.painted()
        assert s.table.deployment is not None
        assert s.table.deployment.name == "docs"
        s.fleet.gone("docs")
        await s.painted()
        assert s.table.deployment.name == "shop"


async def test_two_of_one_name_on_two_remotes_are_two(tmp_path: Path) -> None:
    berlin = RemoteState("berlin", "https://192.0.2.7:8443", "ready")
    fleet = FakeFleet([deployment("demo"), deployment("demo", "stopped", remote="berlin")], (LOCAL, berlin))
    async with fleet_stage(tmp_path, fleet, LARGE) as s:
        await s.press("j")
        assert s.table.deployment is not None
        assert s.table.deployment.ref == "berlin:demo"
        assert "where" in s.lines()[2]
        assert " ● local  ● berlin" in s.lines()[1]


async def test_what_is_being_done_shows_whoever_began_it(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        s.fleet.change("demo", state="stopping")
        await s.painted()
        assert "› stopping" in s.line_of("demo")
        await s.press("s")
        assert s.notice == "demo is busy: stopping."


async def test_text_from_outside_is_data(tmp_path: Path) -> None:
    evil = deployment("evil", note="[red]x\x1b[31m\n‮y", version="[b]1", image="\x1b]0;t\x07i")
    async with fleet_stage(tmp_path, FakeFleet([evil]), LARGE) as s:
        assert "[red]x y" in s.text
        assert "[b]1" in s.text
        assert "\x1b" not in s.text


async def test_a_note_stands_where_a_narrow_and_a_wide_screen_have_room(tmp_path: Path) -> None:
    short = deployment("short", note="Out of memory at 18:06: a program was killed.")
    for size in (SMALL, LARGE):
        async with fleet_stage(tmp_path, FakeFleet([short]), size) as s:
            assert "Out of memory at 18:06" in s.text


async def test_a_filter_typed_in_one_burst_is_whole_and_no_letter_of_it_a_command(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path, FakeFleet([*few(), deployment("Sow")])) as s:
        for character in "/sow":
            s.app.post_message(events.Key(character, character))
        s.app.post_message(events.Key("enter", "\r"))
        s.app.post_message(events.Key("S", "S"))  # a command again: what is found is stopped, after a yes
        await s.painted()
        assert s.table.filter_line.text == "sow"
        assert [row.key for row in s.table.rows.entries] == [("local", "Sow")]
        assert "Stop Sow" in s.text
        assert s.app.screen is not s.table
        await s.press("escape", "escape")
        assert len(s.table.rows.entries) == 4
        assert not [call for call in s.fleet.calls if call[0] in ("start_one", "stop_one", "export")]


async def test_what_is_pasted_into_the_filter_is_one_line_of_it(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("/")
        s.app.post_message(events.Paste("sho\x1b[31mp\nx"))
        await s.settle()
        assert s.table.filter_line.text == "shop x"
        await s.press("backspace", "backspace")
        assert [row.key for row in s.table.rows.entries] == [("local", "shop")]
        await s.press("ctrl+u")
        assert len(s.table.rows.entries) == 3


async def test_the_filter_narrows_and_escape_clears_it(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("/")
        await s.type("stopped")
        assert [row.key for row in s.table.rows.entries] == [("local", "docs")]
        await s.press("enter", "escape")
        assert len(s.table.rows.entries) == 3
        await s.press("/")
        await s.type("nothing")
        assert "No deployment matches" in s.text


async def test_no_incus_here(tmp_path: Path) -> None:
    fleet = FakeFleet([], (ABSENT,))
    async with fleet_stage(tmp_path, fleet) as s:
        assert "Incus is not installed here." in s.text
        assert "apt install incus" in s.text
        await s.press("n")
        assert "not installed" in s.notice
        fleet.put(deployment("demo"))
        fleet.say(LOCAL)
        await s.painted()
        assert "demo" in s.text
        assert "not installed" not in s.text


async def test_a_remote_that_is_lost_keeps_its_rows_and_says_how_to_mend_it(tmp_path: Path) -> None:
    fleet = FakeFleet([*few(), deployment("api", remote="oslo")], (LOCAL, OSLO))
    async with fleet_stage(tmp_path, fleet) as s:
        assert "✗ oslo unreachable since 11:58" in s.lines()[1]
        assert "Is it up?  oslo: No answer within 5 s." in s.text
        await s.press("G")
        assert "as last seen, unreachable since 11:58" in s.text
        fleet.say(LOCAL, replace(OSLO, state="ready", stale=False, words="", fix=""))
        await s.painted()
        assert "Is it up?" not in s.text
        assert "as last seen" not in s.text


async def test_nothing_yet_says_what_to_press(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path, FakeFleet([])) as s:
        assert "n makes the first" in s.text


async def test_the_help_lists_what_applies(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path, size=LARGE) as s:
        await s.press("?")
        for label in ("board", "snapshots", "limits", "delete", "export", "mark all"):
            assert label in s.text
        await s.type("snapshots")
        await s.press("enter")
        assert "Snapshots of demo" in s.text


async def test_unknown_figures_are_blank(tmp_path: Path) -> None:
    bare = deployment("bare", cpu_used=None, memory_used=None, disk_used=None, tasks={}, needs_you=None,
                      address="", port=None, version="", snapshots=())  # fmt: skip
    for size in (SMALL, LARGE):
        async with fleet_stage(tmp_path, FakeFleet([bare]), size) as s:
            assert "None" not in s.text
            assert "no SSH port" in s.text


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "?"), (0, "0M"), (40 * 2**20, "40M"), (812 * 2**20, "0.8G"), (9 * 2**30, "9.0G"), (2**40, "1.0T"),
     (9.96 * 2**30, "10G"), (999 * 2**30, "999G"), (50_000 * 2**40, "50000T")],
)  # fmt: skip
def test_sizes(count: float | None, shown: str) -> None:
    assert words.size(count) == shown


def test_a_machine_with_an_ipv6_address_is_a_door_too() -> None:
    assert words.door(deployment("a", host="2001:db8::1")) == "[2001:db8::1]:2201"


def test_the_port_is_the_machines_not_the_containers() -> None:
    assert words.login(deployment("a", address="10.1.1.1", host="barn")) == "ssh -p 2201 ccp@barn"
    assert words.login(deployment("a", host="barn", port=None)) == ""
