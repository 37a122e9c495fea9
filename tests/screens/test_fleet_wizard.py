"""The wizard: every field is checked as it is typed, enter makes nothing, escape keeps what was written."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from ccp_tui.incus import CreateRequest, Limits, Member, Pool, RemoteState
from ccp_tui.screens.fleet.wizard import WizardScreen
from tests.screens.fleetstage import LARGE, SMALL, FleetStage, fleet_stage
from tests.support.fakefleet import LOCAL, FakeFleet, few

KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"k" * 32).decode() + " ann@laptop"
BERLIN = RemoteState("berlin", "https://192.0.2.7:8443", "ready")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person with one public key."""
    home = tmp_path / "ann"
    home.joinpath(".ssh").mkdir(parents=True)
    home.joinpath(".ssh", "id_ed25519.pub").write_text(KEY + "\n")
    monkeypatch.setenv("HOME", str(home))
    return home


async def wizard(s: FleetStage) -> WizardScreen:
    await s.press("n")
    await s.painted()
    screen = s.app.screen
    assert isinstance(screen, WizardScreen)
    return screen


def asked(s: FleetStage) -> CreateRequest:
    ((request,),) = s.fleet.asked("create")
    assert isinstance(request, CreateRequest)
    return request


async def test_a_name_and_one_key_are_enough(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await wizard(s)
        await s.type("new-one")
        assert "✓ free" in s.text
        await s.press("ctrl+o")
        await s.painted()
        request = asked(s)
        assert request == CreateRequest("new-one", Limits(), remote="local", ssh_key=KEY)


@pytest.mark.parametrize(
    ("name", "problem"),
    [("demo", "There is a demo already."), ("-a", "must start with a letter"), ("a--b", "has '--' in it"),
     ("Big", "must start with a letter"), ("a b", "has ' ' in it"), ("x" * 41, "40 are the most")],
)  # fmt: skip
async def test_the_name_is_checked_as_it_is_typed(tmp_path: Path, name: str, problem: str) -> None:
    async with fleet_stage(tmp_path) as s:
        await wizard(s)
        await s.type(name)
        assert problem in s.text
        await s.press("ctrl+o")
        assert not s.fleet.asked("create")


async def test_enter_never_makes_anything(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        screen = await wizard(s)
        await s.type("fine")
        await s.press(*["enter"] * 30)
        assert not s.fleet.asked("create")
        assert screen.at == 4
        assert "^o makes it; nothing was made yet." in s.text
        for words in ("fine", "2 cores, 2GiB memory, 10GiB disk", "key ann@laptop", "later, inside"):
            assert words in s.text


async def test_escape_steps_back_and_keeps_what_was_written(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        screen = await wizard(s)
        await s.type("fine")
        await s.press("pagedown")
        await s.type("8")
        await s.press("escape")
        assert screen.at == 0
        assert screen.fields["name"].control.value == "fine"
        await s.press("escape")
        assert "esc again" in s.text
        await s.press("pagedown")
        assert screen.fields["cpu"].control.value == "8"
        await s.press("escape", "escape", "escape")
        assert s.app.screen is s.table


async def test_everything_that_was_said_is_asked_for(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path, size=LARGE) as s:
        await wizard(s)
        await s.type("all")
        await s.press("pagedown")
        await s.type("4")
        await s.press("enter")
        await s.type("4GiB")
        await s.press("enter")
        await s.type("20GiB")
        await s.press("enter", "right", "enter", "enter")
        await s.type("2250")
        await s.press("enter")
        await s.type("10.1.1.1:53, 10.1.1.2:443")
        await s.press("enter")
        await s.type("openai")
        await s.press("enter")
        await s.type("https://llm.example.org/v1")
        await s.press("enter")
        await s.type("big-1")
        await s.press("enter")
        await s.type("sk-secret")
        assert "sk-secret" not in s.text
        await s.press("enter")
        assert "with a key" in s.text
        assert "sk-secret" not in s.text
        await s.press("ctrl+o")
        await s.painted()
        request = asked(s)
        assert request.limits == Limits("4", "4GiB", "20GiB")
        assert (request.pool, request.port, request.egress) == (
            "default", 2250, ("10.1.1.1:53", "10.1.1.2:443")
        )  # fmt: skip
        assert (request.provider, request.provider_url, request.model) == (
            "openai", "https://llm.example.org/v1", "big-1"
        )  # fmt: skip
        assert request.api_key == "sk-secret"
        assert "sk-secret" not in repr(request)


@pytest.mark.parametrize(
    ("page", "field", "typed", "problem"),
    [(1, "memory", "2", "has no unit"), (1, "memory", "512MiB", "too little"), (1, "cpu", "0", "whole number"),
     (1, "disk", "1GiB", "too little"), (2, "port", "70000", "not between 1"), (2, "port", "x", "Write a number"),
     (2, "ssh_key", "/nowhere.pub", "can't be read"), (2, "ssh_key", "ssh-rsa AAAA", "damaged"),
     (3, "provider_url", "ftp://x", "not an address"), (3, "api_key", "k", "needs a provider")],
)  # fmt: skip
async def test_a_wrong_value_is_told_under_its_field(
    tmp_path: Path, page: int, field: str, typed: str, problem: str
) -> None:
    async with fleet_stage(tmp_path) as s:
        screen = await wizard(s)
        await s.type("fine")
        screen.show_page(page)
        await s.settle()
        screen.fields[field].control.focus()
        await s.settle()
        await s.type(typed)
        await s.painted()
        assert problem in s.text
        screen.show_page(0)
        await s.press("ctrl+o")
        assert screen.at == page
        assert "Not yet." in s.text
        assert not s.fleet.asked("create")


async def test_a_private_key_is_told_and_never_sent(tmp_path: Path, own_home: Path) -> None:
    own_home.joinpath(".ssh", "id_x").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    async with fleet_stage(tmp_path) as s:
        screen = await wizard(s)
        await s.type("fine")
        await s.press("pagedown", "pagedown")
        await s.type("~/.ssh/id_x")
        await s.painted()
        assert "This is a private key." in s.text
        await s.press("ctrl+o")
        assert screen.at == 2


async def test_without_a_key_of_ones_own_it_is_said(tmp_path: Path, own_home: Path) -> None:
    own_home.joinpath(".ssh", "id_ed25519.pub").unlink()
    async with fleet_stage(tmp_path) as s:
        await wizard(s)
        await s.type("fine")
        await s.press("pagedown", "pagedown")
        assert "nobody gets in by SSH" in s.text
        await s.press("ctrl+o")
        await s.painted()
        assert asked(s).ssh_key == ""


async def test_only_fields_that_mean_something_are_asked(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path) as s:
        await wizard(s)
        assert "Remote" not in s.text
        assert "Member" not in s.text


async def test_remotes_and_members_to_choose_from(tmp_path: Path) -> None:
    fleet = FakeFleet(few(), (LOCAL, BERLIN))
    fleet.found_members = (Member("node1", "Online"), Member("node2", "Offline", "", "no answer since 12:00"))
    async with fleet_stage(tmp_path, fleet, LARGE) as s:
        screen = await wizard(s)
        await s.type("fine")
        await s.press("down", "right")
        await s.painted()
        assert screen.draft.get("remote") == "berlin"
        assert fleet.asked("pools")[-1] == ("berlin",)
        await s.press("down", "right", "right")
        assert "node2 is offline: no answer since 12:00" in s.text
        await s.press("left", "ctrl+o")
        await s.painted()
        assert (asked(s).remote, asked(s).target) == ("berlin", "node1")


async def test_a_name_is_free_on_another_remote(tmp_path: Path) -> None:
    async with fleet_stage(tmp_path, FakeFleet(few(), (LOCAL, BERLIN)), LARGE) as s:
        await wizard(s)
        await s.type("demo")
        assert "There is a demo already." in s.text
        await s.press("down", "right")
        await s.painted()
        assert "✓ free" in s.text


async def test_no_image_and_no_room_are_told_before(tmp_path: Path) -> None:
    fleet = FakeFleet()
    fleet.found_images = ()
    fleet.found_pools = (Pool("default", "btrfs", 28 * 2**30, 30 * 2**30),)
    async with fleet_stage(tmp_path, fleet) as s:
        await wizard(s)
        assert "There is no image here yet" in s.text
        await s.press("pagedown")
        assert "only 2.0G left" in s.text
        await s.press("ctrl+o")
        assert not fleet.asked("create")


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_every_page_fits_the_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    fleet = FakeFleet(few(), (LOCAL, BERLIN))
    fleet.found_members = (Member("node1", "Online"),)
    async with fleet_stage(tmp_path, fleet, size) as s:
        screen = await wizard(s)
        for page in range(5):
            screen.show_page(page)
            await s.settle()
            for row in screen.rows_here():
                assert row.ask.label in s.text
                assert row.words.text.split("…")[0][:40] in s.text
            assert s.lines()[-1].endswith("esc back")
