"""``ccp fleet create``: its stages, its keys, and what it refuses before anything is made."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest

import ccp_tui.incus
from ccp_tui.incus import CreateRequest, FleetError, Limits
from tests.cli.conftest import Ccp
from tests.support.fakefleet import FakeFleet

KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"k" * 32).decode() + " ann@laptop"


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> FakeFleet:
    fake = FakeFleet()
    monkeypatch.setattr(ccp_tui.incus, "Fleet", lambda config=None, only=(): fake, raising=False)
    return fake


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "ann"
    home.joinpath(".ssh").mkdir(parents=True)
    home.joinpath(".ssh", "id_ed25519.pub").write_text(KEY + "\n")
    monkeypatch.setenv("HOME", str(home))
    return home


class Typing(io.StringIO):
    """A terminal's standard input."""

    def isatty(self) -> bool:
        return True


def asked(fleet: FakeFleet) -> CreateRequest:
    ((request,),) = fleet.asked("create")
    assert isinstance(request, CreateRequest)
    return request


def test_a_name_is_enough(ccp: Ccp, fleet: FakeFleet) -> None:
    ran = ccp("fleet", "create", "fresh")
    assert ran.code == 0
    assert asked(fleet) == CreateRequest("fresh", ssh_key=KEY)
    assert "id_ed25519.pub" in ran.err  # said aloud
    stages = [line.split()[0] for line in ran.err.splitlines() if " 0.2 s" in line]
    assert stages == ["check", "image", "instance", "start", "system", "gateway", "service"]
    assert "ssh -p 2210 ccp@192.0.2.1" in ran.out
    assert "ccp fleet attach fresh" in ran.out


def test_json_is_one_document(ccp: Ccp, fleet: FakeFleet) -> None:
    ran = ccp("fleet", "create", "fresh", "--json")
    assert ran.json()["name"] == "fresh"
    assert " s  " not in ran.err


def test_everything_that_can_be_said(ccp: Ccp, fleet: FakeFleet, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("sk-secret\n")
    words = "--cpu 4 --memory 4GiB --disk 20GiB --pool fast --target node1 --remote berlin --port 2250 --profile p"
    more = "--provider openai --provider-url https://llm.example.org/v1 --model big --image ccp/0.1.0-1"
    ran = ccp(
        "fleet", "create", "all", *words.split(), *more.split(), "--api-key-file", str(secret),
        "--allow", "10.1.1.1:53", "--allow", "10.1.1.2:443", "--processes", "900",
    )  # fmt: skip
    assert asked(fleet) == CreateRequest(
        "all", Limits("4", "4GiB", "20GiB", 900), "ccp/0.1.0-1", "fast", "p", "berlin", "node1", KEY, 2250, "openai",
        "https://llm.example.org/v1", "big", "sk-secret", ("10.1.1.1:53", "10.1.1.2:443"),
    )  # fmt: skip
    assert "sk-secret" not in ran.out + ran.err


def test_the_key_is_asked_without_echo(ccp: Ccp, fleet: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Typing())
    monkeypatch.setattr("getpass.getpass", lambda _: "sk-typed")
    ccp("fleet", "create", "fresh", "--provider", "anthropic")
    assert asked(fleet).api_key == "sk-typed"


def test_the_key_from_standard_input(ccp: Ccp, fleet: FakeFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("sk-piped\n"))
    ccp("fleet", "create", "fresh", "--provider", "anthropic", "--api-key-file", "-")
    assert asked(fleet).api_key == "sk-piped"


def test_without_a_terminal_no_key_is_waited_for(
    ccp: Ccp, fleet: FakeFleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ran = ccp("fleet", "create", "fresh", "--provider", "anthropic")
    assert asked(fleet).api_key == ""
    assert "--api-key-file" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Bad",), "must start with a letter"),
        (("ok", "--memory", "2"), "has no unit"),
        (("ok", "--memory", "512MiB"), "too little"),
        (("ok", "--cpu", "1.5"), "whole number"),
        (("ok", "--port", "99999"), "not between"),
        (("ok", "--ssh-key", "nowhere.pub"), "can't be read"),
        (("ok", "--api-key-file", "x"), "needs --provider"),
        (("ok", "--provider", "openai", "--api-key-file", "nowhere"), "can't be read"),
        (("ok", "--provider", "Open AI"), "not the name of a provider"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_made(
    ccp: Ccp, fleet: FakeFleet, words: tuple[str, ...], said: str
) -> None:
    ran = ccp("fleet", "create", *words)
    assert ran.code == 2
    assert said in ran.err
    assert not fleet.asked("create")


def test_a_private_key_is_refused(ccp: Ccp, fleet: FakeFleet, own_home: Path) -> None:
    private = own_home / "id"
    private.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n")
    ran = ccp("fleet", "create", "fresh", "--ssh-key", str(private))
    assert ran.code == 2
    assert "private key" in ran.err


def test_nobody_gets_in_without_a_key(ccp: Ccp, fleet: FakeFleet, own_home: Path) -> None:
    ccp("fleet", "create", "fresh", "--ssh-key", "none")
    assert asked(fleet).ssh_key == ""
    fleet.calls.clear()
    own_home.joinpath(".ssh", "id_ed25519.pub").unlink()
    assert "nobody gets in" in ccp("fleet", "create", "second").err
    assert asked(fleet).ssh_key == ""


def test_a_failure_tells_the_last_words_of_what_was_removed(ccp: Ccp, fleet: FakeFleet) -> None:
    log = [f"line {n}" for n in range(100)] + ["no \x1b[31msockets"]
    fleet.refuse["gateway"] = FleetError("TIMEOUT", "The gateway was not ready.", "", log)
    ran = ccp("fleet", "create", "fresh")
    assert ran.code == 5
    assert "  | no sockets\n" in ran.err
    assert len([line for line in ran.err.splitlines() if line.startswith("  | ")]) == 20
    assert ran.err.index("no sockets") < ran.err.index("The gateway was not ready.")


def test_a_failure_tells_its_stage_and_its_fix(ccp: Ccp, fleet: FakeFleet) -> None:
    fleet.refuse["instance"] = FleetError("EXISTS", "The port is taken.", "Name another.")
    ran = ccp("fleet", "create", "fresh", "--json")
    assert ran.code == 4
    assert ran.json()["error"] == {"code": "REFUSED", "message": "The port is taken.", "fix": "Name another."}
