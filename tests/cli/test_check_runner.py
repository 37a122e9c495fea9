"""``ccp check-runner`` as systemd starts it: one line in, one line out."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.realgateway import REPOSITORY


def runner(workspaces: Path | str, **more: Any) -> subprocess.Popen[bytes]:
    env = {**os.environ, "CCP_WORKSPACES": str(workspaces)}
    given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen(
        [sys.executable, "-m", "ccp_tui", "check-runner"], env=env, cwd=REPOSITORY, **given
    )


def ask(workspaces: Path | str, line: bytes) -> dict[str, Any]:
    """The answer to one line; standard input stays open until it came."""
    with runner(workspaces) as process:
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):  # it need not read a line that is too long to its end
            process.stdin.write(line)
            process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        assert process.wait(20) == 0
    return answer


def request(folder: Path, **changes: Any) -> bytes:
    asked = {"name": "it", "command": "pwd", "cwd": str(folder), "timeout_s": 5, **changes}
    return json.dumps(asked).encode() + b"\n"


def test_one_check(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    row = ask(tmp_path, request(tmp_path / "ada"))
    assert (row["exit_code"], row["output"]) == (0, f"{tmp_path / 'ada'}\n")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cwd": "/etc"}, "no workspace under"),
        ({"command": ""}, "needs command"),
        ({"command": 1}, "needs command"),
        ({"timeout_s": 0}, "between"),
        ({"timeout_s": 1e9}, "between"),
        ({"timeout_s": True}, "number"),
        ({"command": "a\0b"}, "text"),
    ],
)
def test_a_bad_request_is_refused_in_words(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    assert words in ask(tmp_path, request(tmp_path, **changes))["error"]


def test_what_is_no_request_is_refused(tmp_path: Path) -> None:
    for line in (b"\n", b"[]\n", b"nonsense\n", b"x" * (2 * 2**20) + b"\n"):
        assert ask(tmp_path, line)["error"]


def test_without_a_folder_for_workspaces_nothing_runs(tmp_path: Path) -> None:
    assert "CCP_WORKSPACES" in ask("", request(tmp_path))["error"]


def test_a_file_is_no_connection(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(request(tmp_path))
    with (tmp_path / "in").open("rb") as file, runner(tmp_path, stdin=file) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert b"socket or a pipe" in err
