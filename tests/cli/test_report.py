"""``ccp report``: the words an agent's shell runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError

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
        (["ask", "which", "colour?"], {"kind": "ask", "text": "which colour?"}),
        (
            ["ask", "which?", "--option", "red", "-o", "dark blue"],
            {"kind": "ask", "text": "which?", "options": ["red", "dark blue"]},
        ),
        (
            ["subtask", "Draw", "it", "-d", "in ink"],
            {"kind": "subtask", "title": "Draw it", "description": "in ink"},
        ),
        (["verdict", "approve"], {"kind": "verdict", "verdict": "approve"}),
        (
            ["verdict", "reject", "page 2", "is missing"],
            {"kind": "verdict", "verdict": "reject", "reason": "page 2 is missing"},
        ),
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


def access(home: Home) -> list[str]:
    return ["report", "--socket", str(home.root / "elsewhere.sock"), "--token", "t"]


def lose(agents: FakeService, times: int, then: Json | Refusal) -> None:
    """The first answers are lost on their way, with the line."""
    left = [times]

    def answer(_: Json) -> Json:
        if left[0]:
            left[0] -= 1
            raise ConnectionClosedError(None, None)
        if isinstance(then, Refusal):
            raise then
        return then

    agents.answers["report"] = answer


@pytest.mark.parametrize("words", [["deliver", "a.md"], ["submit"], ["block", "need a key"]])
def test_a_lost_line_is_taken_up_again(ccp: Ccp, agents: FakeService, home: Home, words: list[str]) -> None:
    lose(agents, 2, {"message": "Taken."})
    assert ccp(*access(home), *words).out == "Taken.\n"
    assert len(agents.asked("report")) == 3


def test_progress_is_not_said_twice(ccp: Ccp, agents: FakeService, home: Home) -> None:
    lose(agents, 1, {"message": "Noted."})
    ran = ccp(*access(home), "progress", "half way")
    assert (ran.code, len(agents.asked("report"))) == (5, 1)
    assert "Go on with your work" in ran.err


@pytest.mark.parametrize("state", ["testing", "review"])
def test_a_submission_whose_answer_was_lost_is_in(
    ccp: Ccp, agents: FakeService, home: Home, state: str
) -> None:
    lose(agents, 1, Refusal("REFUSED", "the task is elsewhere", gate="state", state=state))
    ran = ccp(*access(home), "submit", "--json")
    assert (ran.code, ran.json()["ok"]) == (0, True)
    assert "Your submission is in" in ran.json()["message"]


def test_a_submission_that_was_refused_at_once_is_not_in(ccp: Ccp, agents: FakeService, home: Home) -> None:
    lose(agents, 0, Refusal("REFUSED", "the task is in Review", gate="state", state="review"))
    assert ccp(*access(home), "submit").code == 4


def test_a_line_that_stays_lost_ends_in_words_for_an_agent(
    ccp: Ccp, agents: FakeService, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_PATIENCE_SECONDS", 0.3)
    lose(agents, 100, {})
    ran = ccp(*access(home), "submit")
    assert ran.code == 5
    assert "not known" in ran.err
    assert "same command again" in ran.err
    assert "doctor" not in ran.err


def test_too_many_reports_are_waited_for(ccp: Ccp, agents: FakeService, home: Home) -> None:
    busy = Refusal("UNAVAILABLE", "Too many reports at once.", fix="wait a second, then report.")
    answers = [busy, {"message": "Taken."}]

    def answer(_: Json) -> Json:
        given = answers.pop(0)
        if isinstance(given, Refusal):
            raise given
        assert isinstance(given, dict)
        return given

    agents.answers["report"] = answer
    assert ccp(*access(home), "deliver", "a.md").out == "Taken.\n"
    agents.answers["report"] = busy
    ran = ccp(*access(home), "progress", "x")
    assert (ran.code, "wait a second" in ran.err) == (5, True)


def test_a_sub_task_brings_its_spec(ccp: Ccp, agents: FakeService, home: Home, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text("title: Draw it\n")
    ccp(*access(home), "subtask", "Draw it", "--spec", str(tmp_path / "spec.yaml"))
    assert agents.asked("report") == [
        {"token": "t", "kind": "subtask", "title": "Draw it", "spec": "title: Draw it\n"}
    ]


def test_a_lost_sub_task_is_not_captured_twice(ccp: Ccp, agents: FakeService, home: Home) -> None:
    lose(agents, 1, {"message": "Captured."})
    ran = ccp(*access(home), "subtask", "Draw it")
    assert ran.code == 5
    assert "the sub-task may be captured, or not" in ran.err
    assert len(agents.asked("report")) == 1


def test_a_lost_question_is_asked_again_for_the_same_is_the_same(
    ccp: Ccp, agents: FakeService, home: Home
) -> None:
    lose(agents, 1, {"message": "A person is asked."})
    assert ccp(*access(home), "ask", "which?").out == "A person is asked.\n"
    assert len(agents.asked("report")) == 2
