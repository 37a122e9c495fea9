"""Help, versions, options in any place, and the exit codes of what was called wrongly."""

from __future__ import annotations

import re
import socket
import threading

import pytest

from ccp_tui import __version__
from ccp_tui.cli import NOUNS
from ccp_tui.paths import Home
from tests.cli.conftest import Ccp
from tests.cli.fake_service import FakeService, card

WITH_VERBS = ("mission", "task", "agent", "question", "report", "fleet")


def _help(ccp: Ccp, capfd: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as left:
        ccp(*words, "--help")
    assert left.value.code == 0
    return capfd.readouterr().out


def test_version(ccp: Ccp, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        ccp("--version")
    assert left.value.code == 0
    assert capfd.readouterr().out == f"ccp {__version__}\n"


def test_help_documents_every_verb_and_exit_code(ccp: Ccp, capfd: pytest.CaptureFixture[str]) -> None:
    text = _help(ccp, capfd)
    for noun in NOUNS:
        assert re.search(rf"^    {noun}(?: |$)", text, re.MULTILINE)
    for code in range(7):
        assert re.search(rf"\b{code}  \w", text)


@pytest.mark.parametrize("noun", NOUNS)
def test_help_of_every_verb(ccp: Ccp, capfd: pytest.CaptureFixture[str], noun: str) -> None:
    text = _help(ccp, capfd, noun)
    assert text.startswith(f"usage: ccp {noun}")
    verbs = re.findall(r"^    ([a-z][a-z-]+)(?: |$)", text.partition("\nverbs:")[2], re.MULTILINE)
    assert bool(verbs) == (noun in WITH_VERBS)
    for one in verbs:
        assert _help(ccp, capfd, noun, one).startswith(f"usage: ccp {noun} {one}")


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("task",),
        ("task", "show"),
        ("task", "list", "--state", "limbo"),
        ("task", "list", "--limit", "0"),
        ("task", "reject", "WEB-1"),
        ("task", "reopen", "WEB-1"),
        ("task", "place", "WEB-1"),
        ("task", "assign", "WEB-1"),
        ("task", "edit", "WEB-1"),
        ("task", "spec"),
        ("task", "add", "x", "--due", "soon"),
        ("task", "add", "x", "--spec", "/no/such/file"),
        ("agent", "edit", "ada"),
        ("agent", "file", "ada", "passwd"),
        ("mission", "edit", "web"),
        ("chat", "ada", "--wait", "5"),
        ("task", "dispatch", "WEB-1", "--wait", "-1"),
        ("report", "--token", "t", "progress", " "),
        ("report", "--token", "t", "verdict", "reject"),
        ("report", "--token", "t", "verdict", "perhaps"),
        ("report", "--token", "t", "ask", " "),
        ("report", "--token", "t", "subtask", "x", "--spec", "/no/such/file"),
        ("question", "answer", "7"),
        ("question", "answer", "0", "--text", "x"),
        ("agent", "delete", "ada"),
        ("agent", "delete", "ada", "--work", "keep", "--yes"),
        ("mission", "policy", "web", "--review", "nobody"),
        ("mission", "policy", "web", "--budget-usd", "much"),
        ("mission", "policy", "web", "--concurrency", "1.5"),
        ("task", "depend", "WEB-1"),
        ("task", "replan", "WEB-1"),
        ("task", "edit", "WEB-1", "--budget-tokens", "-5"),
    ],
)
def test_wrong_calls_exit_2(ccp: Ccp, words: tuple[str, ...]) -> None:
    ran = ccp(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("ccp: ")
    ran = ccp(*words, "--json")
    assert ran.code == 2
    assert ran.json()["error"]["code"] == "USAGE"


def test_the_board_needs_a_terminal(ccp: Ccp) -> None:
    ran = ccp()
    assert ran.code == 2
    assert "terminal" in ran.err


@pytest.mark.parametrize(
    "words", [("--json", "task", "list"), ("task", "--json", "list"), ("task", "list", "--json")]
)
def test_common_options_stand_anywhere(ccp: Ccp, service: FakeService, words: tuple[str, ...]) -> None:
    service.answers["task.list"] = {"tasks": [card()]}
    assert ccp(*words).json() == [card()]


def test_home_option(ccp: Ccp, service: FakeService, tmp_path_factory: pytest.TempPathFactory) -> None:
    ran = ccp("--home", str(tmp_path_factory.mktemp("other")), "task", "list", "--json")
    assert ran.code == 5
    assert ran.json()["error"]["code"] == "UNAVAILABLE"
    assert service.calls == []


def test_a_line_survives_large_answers(ccp: Ccp, service: FakeService) -> None:
    tasks = [card(f"WEB-{number}", description="x" * 1000) for number in range(2000)]
    service.answers["task.list"] = {"tasks": tasks}
    assert ccp("task", "list", "--json").json() == tasks


def test_a_line_sends_large_questions(
    ccp: Ccp, service: FakeService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    service.answers["task.set_spec"] = {"spec": {"version": 2}}
    for size in (100, 200, 70_000):
        file = tmp_path_factory.mktemp("spec") / "spec.yaml"
        file.write_text("ü" * size)
        assert ccp("task", "spec", "web-12", "--file", str(file)).code == 0
        assert service.asked("task.set_spec")[-1] == {"ref": "WEB-12", "text": "ü" * size}


@pytest.mark.parametrize("answer", [b"HTTP/1.1 404 Not Found\r\n\r\n", b"220 mail.example.org\r\n\r\n", b""])
def test_something_else_on_the_socket(ccp: Ccp, home: Home, answer: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home.control_socket))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        ran = ccp("task", "list", "--json")
        thread.join(5)
    assert ran.code == 5
    assert ran.json()["error"]["fix"]
