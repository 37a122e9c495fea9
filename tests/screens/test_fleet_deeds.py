"""What keys do to deployments: to one, to many, and what is asked before something is lost."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from ccp_tui.incus import FleetError
from tests.screens.fleetstage import LARGE, fleet_stage
from tests.support.fakefleet import IMAGE, FakeFleet, deployment


@pytest.mark.parametrize(
    ("row", "keys", "method"),
    [(1, "s", "start_one"), (0, "Sy", "stop_one"), (0, "Ry", "restart"), (0, "z", "freeze")],
)
async def test_the_life_of_one(tmp_path: Path, row: int, keys: str, method: str) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press(*"j" * row, *keys)
        assert [call[0] for call in s.fleet.asked(method)] == [["demo", "docs"][row]]
        assert s.table.notice_line.kind == "good"


async def test_a_frozen_one_goes_on(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("z", "z")
        assert s.fleet.asked("unfreeze") == [("demo",)]


async def test_no_is_no(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("S")
        assert "2 running tasks are aborted first" in s.text
        await s.press("n")
        assert not s.fleet.asked("stop_one")


async def test_what_incus_would_refuse_is_said(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("s")
        assert s.notice == "demo runs already."
        await s.press("j", "enter")
        assert s.notice == "docs is stopped: s starts it."
        assert not s.fleet.calls


async def test_many_at_once_and_one_failure_stops_no_other(tmp_path: Path) -> None:
    fleet = FakeFleet([deployment(name) for name in ("one", "three", "two")])
    fleet.refuse_ref["three"] = FleetError("FAILED", "Its disk is full.", "Free some room.")
    async with fleet_stage(tmp_path, fleet, LARGE) as s:
        await s.press("*")
        assert "3 marked" in s.lines()[0]
        await s.press("S", "y")
        await s.painted()
        assert sorted(call[0] for call in fleet.asked("stop_one")) == ["one", "three", "two"]
        assert s.notice == "2 stopped, 1 not. three: Its disk is full. Free some room."
        assert not s.table.marks
        await s.press("j")
        assert "Its disk is full." in s.lines()[5] + s.lines()[4] + s.lines()[3]


async def test_marks_take_only_those_it_applies_to(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("space", "space", "s")
        assert [call[0] for call in s.fleet.asked("start_one")] == ["docs"]


async def test_deleting_needs_the_name(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("D")
        assert "demo runs, and is stopped first." in s.text
        assert "2 snapshots are" in " ".join(s.text.split()).replace("│ ", "")
        await s.type("demi")
        await s.press("enter")
        assert "nothing was done" in s.text
        await s.press("backspace", "o", "enter")
        await s.painted()
        assert s.fleet.asked("delete") == [("demo",)]
        assert "demo" not in s.lines()[2]


async def test_deleting_many_needs_their_number(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("*", "D")
        await s.type("delete 3")
        await s.press("enter")
        await s.painted()
        assert len(s.fleet.asked("delete")) == 3
        assert "n makes the first" in s.text


async def test_limits_unchanged_are_not_sent(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("e", "enter")
        assert not s.fleet.asked("resize")
        await s.press("e", "tab")
        await s.type("512")
        await s.press("enter")
        assert "has no unit" in s.text
        await s.type("MiB")
        await s.press("enter")
        assert "too little" in s.text
        await s.press("home", *["delete"] * 6)
        await s.type("3GiB")
        await s.press("enter")
        assert s.fleet.asked("resize") == [("demo", {"memory": "3GiB"})]


async def test_snapshots(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("p", "n")
        await s.type("now")
        await s.press("enter")
        assert s.fleet.asked("snapshot") == [("demo", "now")]
        await s.press("p", "j", "enter")
        assert "is stopped and started again" in " ".join(s.text.split())
        await s.press("y")
        assert s.fleet.asked("restore") == [("demo", "before-upgrade")]
        await s.press("p", "D", "y")
        assert s.fleet.asked("delete_snapshot") == [("demo", "now")]


async def test_a_copy_and_a_new_name_are_checked_first(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("c", "home", *["delete"] * 9)
        await s.type("docs")
        await s.press("enter")
        assert "There is a docs already." in s.text
        await s.type("x")
        await s.press("enter")
        assert s.fleet.asked("copy") == [("demo", "docsx")]
        await s.press("t")
        assert "stopped and started again" in s.text
        await s.type("X")
        await s.press("enter")
        assert "'X' must start with a letter" in s.text
        assert not s.fleet.asked("rename")


async def test_a_failure_is_shown_with_its_fix(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.refuse["snapshot"] = FleetError("FAILED", "The pool is full.", "Free some room.")
    async with fleet_stage(tmp_path, fleet) as s:
        await s.press("p", "n", "enter")
        assert s.notice == "The pool is full. Free some room."
        assert "✗ The pool is full." in s.text


async def test_the_address_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet_stage(tmp_path) as s:
        written: list[str] = []
        monkeypatch.setattr(s.app, "write", written.append)
        await s.press("y")
        assert base64.b64encode(b"ssh -p 2201 ccp@192.0.2.1").decode() in written[0]


async def test_an_upgrade_tells_its_stages(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("u")
        assert "ccp/0.2.0-1a2b3c4d" in s.text
        await s.press("enter", "y")
        assert s.fleet.asked("upgrade") == [("demo", "ccp/0.2.0-1a2b3c4d")]
        assert "✓ snapshot" in s.text


async def test_a_deployment_as_a_file(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("o", "enter")
        ((ref, path),) = s.fleet.asked("export")
        assert ref == "demo"
        assert path.name.startswith("demo-")
        await s.press("escape", "O")
        await s.type("/x/demo.tar")
        await s.press("enter", "enter")
        assert "There is a demo already." in s.notice
        await s.press("O")
        await s.type("/x/other.tar")
        await s.press("enter", "enter")
        assert s.fleet.asked("import_") == [(Path("/x/other.tar"), "other")]


async def test_images_are_built_and_pruned(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        base = replace(s.fleet.found_images[0], alias="ccp-base/x", latest=False, base=True, used_by=())
        s.fleet.found_images = (*s.fleet.found_images, base)
        await s.press("i")
        assert "(newest)" in s.line_of(IMAGE)
        assert "used by 1" in s.line_of(IMAGE)
        assert "(base)" in s.line_of("ccp-base/x")
        await s.press("enter")
        assert s.fleet.asked("build_image") == [("", True)]
        assert "unpacking" in s.text
        await s.press("escape", "i", "down", "enter", "y")
        assert s.notice == "1 removed."


async def test_what_is_meant_is_what_was_named_not_where_the_cursor_stands_by_then(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await s.press("D")
        s.fleet.gone("demo")
        await s.painted()
        await s.type("demo")
        await s.press("enter")
        await s.painted()
        assert s.fleet.asked("delete") == [("demo",)]
        assert s.notice == "demo is not a deployment."
        assert len(s.fleet.deployments) == 2


async def test_one_that_does_not_stop_in_time_can_be_ended_by_force(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.refuse["stop_one"] = FleetError("TIMEOUT", "demo did not stop within 120 s; it still runs.")
    async with fleet_stage(tmp_path, fleet) as s:
        await s.press("S", "y")
        await s.painted()
        assert "End demo by force?" in s.text
        del fleet.refuse["stop_one"]
        await s.press("y")
        assert fleet.asked("stop_one") == [("demo", False), ("demo", True)]
