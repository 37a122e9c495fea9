"""From the shell all the way to done and back, on the real service and the embedded gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.paths import Home
from tests.support.embedded import EmbeddedGateway

SPEC = """\
title: Hello file
deliverables: [hello.txt]
success_criteria: [it says hello]
checks: [test -s hello.txt]
"""
Shell = Callable[..., Any]


@pytest.fixture
def shell(home: Home, tmp_path: Path) -> Iterator[Shell]:
    """Runs ``ccp … --json`` against a service on an embedded gateway and answers the document."""
    gateway = EmbeddedGateway(tmp_path)
    gateway.start()
    environment = {
        **os.environ, "CCP_HOME": str(home.root), "CCP_GATEWAY_URL": gateway.url, "CCP_GATEWAY_TOKEN": gateway.token,
        "CCP_AUTO": "off",
    }  # fmt: skip
    serving = subprocess.Popen(
        [sys.executable, "-m", "ccp_tui", "serve", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    serving.stdout.readline()

    def run(*words: str, code: int = 0, text: str | None = None) -> Any:
        ran = subprocess.run(
            [sys.executable, "-m", "ccp_tui", *words, "--json"],
            env=environment, input=text, capture_output=True, text=True, timeout=90,
        )  # fmt: skip
        assert ran.returncode == code, (words, ran.stdout, ran.stderr)
        return json.loads(ran.stdout)

    yield run
    serving.terminate()
    serving.wait(30)
    serving.stdout.close()
    gateway.stop()


def test_a_task_goes_all_the_way(shell: Shell) -> None:
    agent = shell("agent", "import", "--all")[0]["id"]
    assert shell("status")["gateway"]["state"] == "connected"
    assert shell("task", "add", "--spec", "-", text=SPEC)["ref"] == "MAIN-1"
    assert shell("task", "assign", "main-1", agent, code=4)["error"]["gate"] == "spec_approved"
    shell("task", "approve-spec", "main-1")
    assert shell("task", "assign", "main-1", agent)["state"] == "assigned"
    assert shell("task", "dispatch", "main-1", "--wait", "60")["state"] == "review"
    assert shell("task", "approve", "main-1", "--round", "7", code=4)["error"]["gate"] == "this_round"

    shell("task", "reject", "main-1", "--reason", "Say it louder.")
    assert (
        shell("task", "show", "main-1")["attempts"][0]["rounds"][0]["reviews"][0]["reason"]
        == "Say it louder."
    )
    assert shell("task", "wait", "main-1", "--timeout", "60")["state"] == "review"
    assert shell("task", "approve", "main-1")["state"] == "done"
    rounds = shell("task", "show", "main-1")["attempts"][0]["rounds"]
    assert [len(one["checks"]) for one in rounds] == [1, 1]
    assert all(one["deliverables"][0]["present"] for one in rounds)
    assert shell("report", "--token", "ccp_wrong", "submit", code=6)["error"]["code"] == "NOT_ALLOWED"


def test_a_chat(shell: Shell) -> None:
    agent = shell("agent", "import", "--all")[0]["id"]
    said = shell("chat", agent, "hello", "there", "--wait", "60")
    assert "hello there" in said["reply"]["text"]
    assert [message["role"] for message in shell("chat", agent)] == ["user", "assistant"]
    assert shell("chat", agent, "--abort") == {"aborted": False}
