"""The commands that attach a terminal: words, never a shell's text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccp_tui.incus import FleetError
from ccp_tui.incus.attach import command

ENV = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "SECRET": "x"}


def test_the_board() -> None:
    assert command("local", "demo", "board", env=ENV) == [
        "incus", "exec", "demo", "--force-interactive", "--cwd", "/var/lib/ccp", "--env", "TERM=xterm-256color",
        "--env", "COLORTERM=truecolor", "--", "setpriv", "--reuid=ccp", "--regid=ccp", "--init-groups",
        "--", "env", "HOME=/var/lib/ccp", "USER=ccp", "LOGNAME=ccp", "SHELL=/bin/bash", "LANG=C.UTF-8",
        "/usr/local/bin/ccp",
    ]  # fmt: skip


def test_a_shell_of_either_user_on_a_remote() -> None:
    words = command("far", "demo", "shell", project="lab", config=Path("/etc/x"), env={})
    assert words[:6] == ["env", "INCUS_CONF=/etc/x", "incus", "exec", "--project", "lab"]
    assert words[6] == "far:demo"
    assert "--reuid=openclaw" in words
    assert words[-2:] == ["/bin/bash", "-l"]
    assert "--reuid=ccp" in command("local", "demo", "shell", "ccp", env={})


@pytest.mark.parametrize(
    ("which", "unit"), [("gateway", "openclaw-gateway.service"), ("service", "ccp.service")]
)
def test_logs(which: str, unit: str) -> None:
    words = command("local", "demo", f"logs:{which}", env=ENV)
    assert words[-1] == "--follow"
    assert words[words.index("--unit") + 1] == unit
    assert "--boot" in command("local", "demo", "logs:boot", env=ENV)


@pytest.mark.parametrize(
    ("name", "what", "user"),
    [
        ("demo", "kitchen", ""),
        ("demo", "logs:kitchen", ""),
        ("demo", "shell", "bob"),
        ("--help", "board", ""),
    ],
)
def test_nonsense(name: str, what: str, user: str) -> None:
    with pytest.raises(FleetError) as caught:
        command("local", name, what, user, env={})
    assert caught.value.code == "USAGE"
