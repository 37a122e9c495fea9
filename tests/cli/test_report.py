"""``ccp report``: the words an agent's shell runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.cli import report
from ccp_tui.paths import Home
from tests.cli.conftest import Ccp
from tests.cli.fake_service import FakeService, Json, Refusal


@pytest.fixture
def agents(home: Home) -> Iterator[FakeService]:
    fake = FakeService(home.root / "elsewhere.sock")
    fake.answers["report"] = {"ok": True, "message": "Noted."}
    yield fake
    fake.stop()


@pytest.mark.parametrize(
    ("words", "params"),
    [
        (["progress", "half", "way"], {"kind": "progress", "text": "half way"}),
        (["deliver", "out/a.md"], {"kind": "deliver", "path": "out/a.md"}),
        (
            ["deliver", "a.md", "--description", "the", "text"],
            {"kind": "deliver", "path": "a.md", "description": "the text"},
        ),
        (["submit"], {"kind": "submit"}),
        (["submit", "--summary", "all done"], {"kind": "submit", "summary": "all done"}),
        (["block", "need a key"], {"kind": "block", "text": "need a key"}),
    ],
)
def test_reports(ccp: Ccp, agents: FakeService, home: Home, words: list[str], params: Json) -> None:
    access = ["--socket", str(home.root / "elsewhere.sock"), "--token", "ccp_T"]
    assert ccp("report", *access, *words).out == "Noted.\n"
    assert ccp("report", *words, *access, "--json").json() == {"ok": True, "message": "Noted."}
    assert agents.asked("report") == [{"token": "ccp_T", **params}] * 2


def test_a_file_is_named_as_the_shell_sees_it(
    ccp: Ccp, agents: FakeService, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.md").touch()
    monkeypatch.chdir(tmp_path / "out")
    ccp("report", "--socket", str(home.root / "elsewhere.sock"), "--token", "t", "deliver", "./a.md")
    assert agents.asked("report")[0]["path"] == str(tmp_path.resolve() / "out/a.md")


def test_access_from_the_environment(
    ccp: Ccp, agents: FakeService, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CCP_TOKEN", "ccp_E")
    monkeypatch.setenv("CCP_AGENTS_SOCKET", str(home.root / "elsewhere.sock"))
    assert ccp("report", "progress", "x").code == 0
    assert agents.asked("report")[0]["token"] == "ccp_E"


@pytest.mark.parametrize("words", [[], ["--token", ""], ["--token", "  "]])
def test_no_token_is_not_allowed(ccp: Ccp, agents: FakeService, home: Home, words: list[str]) -> None:
    ran = ccp("report", "--socket", str(home.root / "elsewhere.sock"), *words, "progress", "x", "--json")
    assert ran.code == 6
    assert ran.json()["error"]["code"] == "NOT_ALLOWED"
    assert agents.calls == []


def test_a_bad_token_is_not_allowed(ccp: Ccp, agents: FakeService, home: Home) -> None:
    agents.answers["report"] = Refusal("NOT_ALLOWED", "This token opens no attempt.")
    ran = ccp("report", "--socket", str(home.root / "elsewhere.sock"), "--token", "bad", "submit")
    assert ran.code == 6
    assert "opens no attempt" in ran.err


def test_a_refused_submission_names_the_gate(ccp: Ccp, agents: FakeService, home: Home) -> None:
    agents.answers["report"] = Refusal(
        "REFUSED", "a.md is missing", gate="deliverables_present", state="in_progress"
    )
    ran = ccp("report", "--socket", str(home.root / "elsewhere.sock"), "--token", "t", "submit", "--json")
    assert ran.code == 4
    assert ran.json()["error"]["gate"] == "deliverables_present"


def test_no_service_is_waited_for_and_then_told(
    ccp: Ccp, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_PATIENCE_SECONDS", 0.3)
    ran = ccp("report", "--token", "t", "progress", "x")
    assert ran.code == 5
    assert "same command again" in ran.err
