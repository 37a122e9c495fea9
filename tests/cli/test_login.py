"""A login over SSH: the board, or one verb that only reads, and nothing else however it is put."""

from __future__ import annotations

import argparse
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.cli import NOUNS, _parser, main
from ccp_tui.cli.login import ALLOWED, EVERYWHERE, allowed
from ccp_tui.paths import Home
from tests.cli.conftest import Ccp
from tests.cli.fake_service import FakeService, card
from tests.support.realgateway import REPOSITORY

REFUSED = 6


@pytest.fixture
def ssh(ccp: Ccp, monkeypatch: pytest.MonkeyPatch) -> Ccp:
    """Runs ``ccp login`` as sshd does, with the words of one command."""

    def run(*words: str):  # type: ignore[no-untyped-def]
        (command,) = words
        monkeypatch.setenv("SSH_ORIGINAL_COMMAND", command)
        return ccp("login")

    return run


def test_a_verb_that_reads_is_run(ssh: Ccp, service: FakeService) -> None:
    service.answers["task.list"] = {"tasks": [card()]}
    for command in (
        "task list --json",
        "ccp task list --json",
        "task list --json --state inbox --text='a b'",
    ):
        ran = ssh(command)
        assert (ran.code, ran.json()[0]["ref"]) == (0, "WEB-12")
    assert service.asked("task.list")[-1] == {"state": "inbox", "text": "a b"}
    assert "WEB-12" in ssh("task list").out


def test_what_a_person_types_is_data(ssh: Ccp, service: FakeService) -> None:
    service.answers["search"] = {"hits": []}
    assert ssh("search '$(id)' '; id' '`id`' --json").json() == []
    assert service.asked("search")[-1]["text"] == "$(id) ; id `id`"


@pytest.mark.parametrize(
    "command",
    [
        "status; id",
        "status;id",
        "status --home /tmp",
        "status --home=/tmp",
        "status --ho /tmp",
        "--home /tmp status",
        "--json status",
        "status --no-start",
        "status\nid",
        "status\rid",
        "status \x1b[31m",
        "'status",
        "sh",
        "/bin/sh -c id",
        "bash -i",
        "sftp",
        "internal-sftp",
        "/usr/lib/openssh/sftp-server",
        "scp -t /tmp/x",
        "rsync --server . .",
        "login",
        "serve",
        "serve --token-file /etc/passwd",
        "stop",
        "backup /tmp/x",
        "report submit --token x",
        "check-runner",
        "demo",
        "stop-work",
        "resume-work",
        "chat send ada hello",
        "task add Evil",
        "task spec WEB-1 --file /etc/passwd",
        "task approve WEB-1",
        "task list --",
        "task list -sinbox",
        "task list --state --home",
        "task show -",
        "mission export web --out /tmp/x",
        "mission export web -o /tmp/x",
        "mission export web -o/tmp/x",
        "mission export web --o=/tmp/x",
        "mission policy web --auto full",
        "agent create Evil",
        "agent file ada SOUL.md",
        "agent set-file ada SOUL.md /etc/passwd",
        "question answer 1 --text -",
        "events --follow",
        "events -f",
        "summary --follow=x",
        "@/etc/passwd",
        "ccp",
        "ccp ccp status",
        "search " + "x" * 9000,
    ],
)
def test_nothing_else_is(ssh: Ccp, service: FakeService, command: str) -> None:
    ran = ssh(command)
    assert ran.code == REFUSED
    assert ran.err.startswith("ccp: ")
    assert not service.calls, "nothing was asked of the service"


@pytest.mark.parametrize("command", ["status && id", "status | id", "status x", "task list --text"])
def test_words_that_a_verb_has_no_use_for_are_refused_by_its_parser(
    ssh: Ccp, service: FakeService, command: str
) -> None:
    assert ssh(command).code == 2
    assert not service.calls


def test_a_refusal_is_json_where_json_was_asked_for(ssh: Ccp) -> None:
    ran = ssh("task add Evil --json")
    assert ran.json()["error"]["code"] == "NOT_ALLOWED"
    assert "board" in ran.json()["error"]["fix"]


def test_no_service_is_started(ssh: Ccp, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCP_NO_AUTOSTART", "0")
    assert ssh("status").code == 5
    assert not home.lock.exists()


def test_the_board_needs_a_terminal(ccp: Ccp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_ORIGINAL_COMMAND", raising=False)
    ran = ccp("login")
    assert ran.code == 2
    assert "ssh -t" in ran.err


def test_without_a_command_it_is_the_board_without_an_editor_that_is_a_shell(home: Home) -> None:
    """On a terminal: the board comes up on this home, starts no service, and $EDITOR is gone from its environment."""
    code = (
        "import os, ccp_tui.app as app\n"
        "app.run_board = lambda home: print('BOARD', home.root, os.environ.get('EDITOR'), flush=True) or 0\n"
        "from ccp_tui.cli import main\nraise SystemExit(main(['login']))"
    )
    master, slave = pty.openpty()
    try:
        env = {**os.environ, "CCP_HOME": str(home.root), "EDITOR": "vi", "CCP_NO_AUTOSTART": "0"}
        ran = subprocess.run(
            [sys.executable, "-c", code], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=REPOSITORY,
            timeout=60, check=False,
        )  # fmt: skip
        said = os.read(master, 4096).decode()
    finally:
        os.close(master)
        os.close(slave)
    assert ran.returncode == 0, said
    assert f"BOARD {home.root} None" in said
    assert not home.lock.exists()


# -- the list itself ----------------------------------------------------------------------------------------------


def _options(verb: tuple[str, ...]) -> Iterator[argparse.Action]:
    parser: argparse.ArgumentParser = _parser(verb[0])
    for word in verb:
        (nouns,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        parser = nouns.choices[word]
    yield from (one for one in parser._actions if not isinstance(one, argparse._SubParsersAction))


@pytest.mark.parametrize("verb", ALLOWED, ids=" ".join)
def test_every_option_on_the_list_is_what_the_list_says(verb: tuple[str, ...]) -> None:
    there = {name: one for one in _options(verb) for name in one.option_strings}
    reads = ALLOWED[verb]
    assert reads.flags | reads.values | EVERYWHERE <= there.keys()
    for name in reads.flags | EVERYWHERE:
        assert there[name].nargs == 0, name
    for name in reads.values:
        assert there[name].nargs is None, name


@pytest.mark.parametrize("verb", ALLOWED, ids=" ".join)
def test_no_option_on_the_list_names_a_file(verb: tuple[str, ...]) -> None:
    reads = ALLOWED[verb]
    for one in _options(verb):
        if set(one.option_strings) & (reads.flags | reads.values):
            assert one.metavar not in ("FILE", "DIR", "PATH", "URL"), one.option_strings
            assert one.dest not in ("home", "out", "file", "socket", "token", "no_start", "no-start")


@pytest.mark.parametrize("verb", ALLOWED, ids=" ".join)
def test_no_verb_on_the_list_reads_or_writes_a_file_it_is_told_of(
    verb: tuple[str, ...], home: Home, service: FakeService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every option and every operand set to a path: neither is that file opened nor one made."""
    secret, new = tmp_path / "secret", tmp_path / "new"
    secret.write_text("swordfish")
    reads = ALLOWED[verb]
    opened: list[str] = []
    watching = True

    def audit(event: str, args: tuple[object, ...]) -> None:
        if watching and event == "open":
            opened.append(str(args[0]))

    sys.addaudithook(audit)
    monkeypatch.setenv("CCP_HOME", str(home.root))
    monkeypatch.chdir(tmp_path)
    try:
        for path in (secret, new):
            for words in ([str(path)], *([name, str(path)] for name in sorted(reads.values))):
                quoted = " ".join([*verb, *words, *([] if "--limit" in words else ["--json"])])
                monkeypatch.setenv("SSH_ORIGINAL_COMMAND", quoted)
                main(["login"])
    finally:
        watching = False
    assert not {str(secret), str(new)} & set(opened)
    assert not new.exists()
    assert {name for name, _ in service.calls} <= {
        "status", "summary", "dispatch.plan", "search", "events.list", "task.list", "task.show", "task.history",
        "mission.list", "mission.costs", "mission.timeline", "agent.list", "question.list",
    }  # fmt: skip


def test_the_list_holds_verbs_only() -> None:
    assert {verb[0] for verb in ALLOWED} <= set(NOUNS)
    assert not {verb[0] for verb in ALLOWED} & {"serve", "stop", "report", "login", "check-runner", "backup"}


def test_help_tells_what_there_is(ssh: Ccp, capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("--help", "help"):
        with pytest.raises(SystemExit):
            ssh(command)
        assert "only reads" in capfd.readouterr().out
    assert json.dumps(allowed("--version")) == '["--version"]'
