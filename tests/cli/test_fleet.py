"""The fleet's verbs on a fake fleet: what they ask of it, what they print, and how they fail."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import ccp_tui.incus
from ccp_tui import terminal
from ccp_tui.incus import FleetError, RemoteState
from tests.cli.conftest import Ccp
from tests.support.fakefleet import ABSENT, IMAGE, LOCAL, FakeFleet, deployment, few


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    fake = FakeFleet()
    monkeypatch.setattr(ccp_tui.incus, "Fleet", lambda config=None, only=(): fake, raising=False)
    return fake


def test_the_list(ccp: Ccp, fleet: FakeFleet) -> None:
    rows = ccp("fleet", "list", "--json").json()
    assert [row["name"] for row in rows] == ["demo", "docs", "shop"]
    assert {key: rows[0][key] for key in ("name", "state", "address", "port", "image", "version", "health")} == {
        "name": "demo", "state": "running", "address": "192.0.2.1", "port": 2201, "image": IMAGE, "version": "0.2.0",
        "health": {"gateway": "ready", "service": "ready"},
    }  # fmt: skip
    head, first, *_ = ccp("fleet", "list").out.splitlines()
    assert head.split()[:3] == ["NAME", "STATE", "SSH"]
    assert head.split()[6:9] == ["CPUS", "MEMORY", "DISK"]
    assert "LOCATION" not in head
    assert rows[0]["inside_address"] == "10.201.83.10"
    assert first.split()[:5] == ["demo", "running", "192.0.2.1:2201", "ready/ready", "2/6"]


def test_an_empty_list_says_how_to_begin(ccp: Ccp, fleet: FakeFleet) -> None:
    for each in few():
        fleet.gone(each.ref)
    assert "ccp fleet create NAME" in ccp("fleet", "list").out
    assert ccp("fleet", "list", "--json").json() == []


def test_no_incus_here(ccp: Ccp, fleet: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = FakeFleet([], (ABSENT,))
    monkeypatch.setattr(ccp_tui.incus, "Fleet", lambda **_: empty)
    ran = ccp("fleet", "list", "--json")
    assert ran.code == 5
    assert ran.json()["error"]["fix"].startswith("Install it: apt install incus")
    assert "not installed" in ran.err


def test_one_remote_that_hangs_hides_nothing(ccp: Ccp, fleet: FakeFleet) -> None:
    fleet.remotes = (
        LOCAL,
        RemoteState("oslo", "https://192.0.2.9", "unreachable", "No answer.", "Is it up?"),
    )
    ran = ccp("fleet", "list", "--json")
    assert (ran.code, len(ran.json())) == (0, 3)
    assert "oslo: No answer." in ran.err
    assert ccp("fleet", "list", "--remote", "nowhere").code == 3
    assert [row["state"] for row in ccp("fleet", "remotes", "--json").json()] == ["ready", "unreachable"]


@pytest.mark.parametrize(
    ("verb", "method"),
    [("start", "start_one"), ("restart", "restart"), ("freeze", "freeze"), ("unfreeze", "unfreeze")],
)
def test_the_life_of_one(ccp: Ccp, fleet: FakeFleet, verb: str, method: str) -> None:
    ran = ccp("fleet", verb, "demo", "--json")
    assert ran.code == 0
    assert ran.json()["ref"] == "demo"
    assert fleet.asked(method) == [("demo",)]


def test_many_at_once_and_one_failure_stops_no_other(ccp: Ccp, fleet: FakeFleet) -> None:
    fleet.refuse_ref["docs"] = FleetError(
        "NOT_ALLOWED", "Incus lets this user do nothing.", "Join incus-admin."
    )
    ran = ccp("fleet", "stop", "demo", "docs", "shop", "nobody", "--json")
    assert ran.code == 6  # the worst
    results = {row["ref"]: row for row in ran.json()}
    assert results["demo"]["done"] == results["shop"]["done"] == "stopped"
    assert results["docs"]["error"]["code"] == "NOT_ALLOWED"
    assert results["nobody"]["error"]["code"] == "NOT_FOUND"
    assert ccp("fleet", "stop", "demo", "nobody").code == 3
    assert ccp("fleet", "stop", "nobody").code == 3
    ccp("fleet", "stop", "shop", "--force")
    assert fleet.asked("stop_one")[-1] == ("shop", True)


def test_delete_asks_for_the_name(ccp: Ccp, fleet: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ccp("fleet", "delete", "demo").code == 2
    assert ccp("fleet", "delete", "demo", "--json").code == 2
    said: list[str] = ["demi"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: said.pop())
    assert ccp("fleet", "delete", "demo").code == 2
    assert not fleet.asked("delete")
    said.append("demo")
    assert ccp("fleet", "delete", "demo").code == 0
    assert ccp("fleet", "delete", "docs", "shop", "--yes").out.count("deleted") == 2
    assert fleet.deployments == ()


def test_limits(ccp: Ccp, fleet: FakeFleet) -> None:
    ran = ccp("fleet", "resize", "demo", "--memory", "3GiB", "--processes", "500", "--json")
    assert ran.json()["limits"] == {"cpu": "2", "memory": "3GiB", "disk": "10GiB", "processes": 500}
    assert fleet.asked("resize") == [("demo", {"memory": "3GiB", "processes": 500})]
    assert ccp("fleet", "resize", "demo").code == 2
    wrong = ccp("fleet", "resize", "demo", "--memory", "3")
    assert wrong.code == 2
    assert "has no unit" in wrong.err


def test_snapshots(ccp: Ccp, fleet: FakeFleet) -> None:
    assert [one["name"] for one in ccp("fleet", "snapshot", "list", "demo", "--json").json()] == [
        "before-upgrade", "first"
    ]  # fmt: skip
    assert "before-upgrade" in ccp("fleet", "snapshot", "list", "demo").out
    taken = ccp("fleet", "snapshot", "create", "demo", "--name", "now", "--json").json()
    assert taken["snapshot"]["name"] == "now"
    ccp("fleet", "snapshot", "delete", "demo", "first")
    ccp("fleet", "restore", "demo", "now")
    assert fleet.asked("delete_snapshot") == [("demo", "first")]
    assert fleet.asked("restore") == [("demo", "now")]
    assert ccp("fleet", "snapshot", "list", "nobody").code == 3


def test_elsewhere(ccp: Ccp, fleet: FakeFleet, tmp_path: Path) -> None:
    assert ccp("fleet", "copy", "demo", "other").code == 0
    assert ccp("fleet", "rename", "other", "third").code == 0
    file = tmp_path / "demo.tar"
    assert ccp("fleet", "export", "demo", str(file), "--json").json()["bytes"] == 5 * 2**20
    assert ccp("fleet", "import", str(file), "fourth").code == 0
    assert ccp("fleet", "move", "demo", "node2").code == 0
    assert fleet.asked("import_") == [(file, "fourth")]
    assert fleet.asked("move") == [("demo", "node2")]


def test_upgrade_tells_its_stages(ccp: Ccp, fleet: FakeFleet) -> None:
    ran = ccp("fleet", "upgrade", "demo", "--image", IMAGE)
    assert "snapshot      0.1 s" in ran.err
    assert ran.out == "demo: upgraded\n"
    assert fleet.asked("upgrade") == [("demo", IMAGE)]
    assert "demo: snapshot" in ccp("fleet", "upgrade", "demo", "shop").err
    assert ccp("fleet", "upgrade", "demo", "--wheel", "/tmp/ccp.whl").code == 0
    assert fleet.asked("upgrade")[-1] == ("demo", "/tmp/ccp.whl")
    assert ccp("fleet", "upgrade", "demo", "--wheel", "x.whl", "--image", IMAGE).code == 2


def test_images(ccp: Ccp, fleet: FakeFleet) -> None:
    assert ccp("fleet", "image", "list", "--json").json()[0]["alias"] == IMAGE
    assert f"{IMAGE} (newest)" in ccp("fleet", "image", "list").out
    quiet = ccp("fleet", "image", "build", "--bootstrap")
    assert "unpacking" not in quiet.err
    loud = ccp("fleet", "image", "build", "--base", "images:debian/13", "--progress")
    assert "unpacking" in loud.err
    assert fleet.asked("build_image") == [("", True), ("images:debian/13", False)]
    assert ccp("fleet", "image", "build", "--base", "x", "--bootstrap").code == 2
    assert ccp("fleet", "image", "prune", "--json").json() == {"deleted": ["ccp/0.1.0-00000000"]}
    assert ccp("fleet", "image").code == 2


def test_attach_runs_the_program(ccp: Ccp, fleet: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(words: list[str]) -> int:
        ran.append(words)
        return 7

    monkeypatch.setattr(terminal, "run", run)
    fleet.argv = ["incus", "exec", "demo"]
    assert ccp("fleet", "attach", "demo").code == 7
    ccp("fleet", "attach", "demo", "shell", "--user", "root")
    assert ran == [["incus", "exec", "demo"]] * 2
    assert fleet.asked("attach") == [("demo", "board", ""), ("demo", "shell", "root")]
    assert not fleet.asked("fate")
    stopped = ccp("fleet", "attach", "docs")
    assert stopped.code == 4
    assert "ccp fleet start docs" in stopped.err
    fleet.put(deployment("far", "error", note="m3 is offline"))
    assert "it is error (m3 is offline)" in ccp("fleet", "attach", "far").err
    assert ccp("fleet", "attach", "nobody").code == 3
    assert ccp("fleet", "attach", "demo", "board", "boot").code == 2
    assert ccp("fleet", "attach", "demo", "--user", "root").code == 2


@pytest.mark.parametrize(("number", "code"), [(9, 137), (1, 129)])
def test_what_was_cut_off_says_why(ccp: Ccp, fleet: FakeFleet, number: int, code: int) -> None:
    fleet.argv = ["sh", "-c", f"kill -{number} $$"]
    fleet.cut_off = "The connection was cut off: demo is stopped."
    ran = ccp("fleet", "attach", "demo")
    assert (ran.code, ran.err) == (code, f"ccp: {fleet.cut_off}\n")


def test_attach_without_the_client(ccp: Ccp, fleet: FakeFleet) -> None:
    fleet.argv = ["no-such-program-here"]
    ran = ccp("fleet", "attach", "demo")
    assert ran.code == 5
    assert "apt install incus-client" in ran.err


@pytest.mark.parametrize("words", [("logs", "demo", "boot"), ("attach", "demo", "logs", "boot")])
def test_logs(ccp: Ccp, fleet: FakeFleet, words: tuple[str, ...]) -> None:
    fleet.log["boot"] = ["one", "two \x1b[31mred"]
    assert ccp("fleet", *words).out == "one\ntwo red\n"
    assert ccp("fleet", *words, "--lines", "1", "--json").json()["lines"] == ["two \x1b[31mred"]


def test_a_log_is_followed(ccp: Ccp, fleet: FakeFleet) -> None:
    fleet.log["gateway"] = ["before"]
    fleet.more_log = asyncio.Queue()
    fleet.more_log.put_nowait("after")
    fleet.more_log.put_nowait(None)
    assert ccp("fleet", "logs", "demo", "--follow").out == "before\nafter\n"


def test_the_screen_needs_a_terminal(ccp: Ccp, fleet: FakeFleet) -> None:
    assert ccp("fleet").code == 2
    assert "ccp fleet list --json" in ccp("fleet", "--json").err


def test_names_with_a_remote(ccp: Ccp, fleet: FakeFleet) -> None:
    fleet.put(deployment("api", remote="berlin"))
    ccp("fleet", "stop", "berlin:api")
    assert fleet.asked("stop_one") == [("berlin:api", False)]
