"""The fleet's screen and verbs on a machine whose Incus is not there, comes, goes and comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.incus import CreateRequest
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import create
from tests.fleet.conftest import DAEMON, SMALL
from tests.fleet.relay import relay
from tests.support.pty import Terminal

CCP = [sys.executable, "-m", "ccp_tui"]


@pytest.fixture
def bare() -> Iterator[dict[str, str]]:
    """A machine without Incus: no socket, no client, no configuration, and pylxd can't be loaded."""
    folder = Path(tempfile.mkdtemp(prefix="ccp-"))
    (folder / "pylxd.py").write_text("raise ImportError('there is none')\n")
    yield {
        **os.environ,
        "INCUS_SOCKET": str(folder / "incus.socket"),
        "INCUS_CONF": str(folder),
        "INCUS_GLOBAL_CONF": str(folder),
        "CCP_HOME": str(folder / "home"),
        "CCP_NO_AUTOSTART": "1",
        "PATH": str(folder),
        "PYTHONPATH": str(folder),
    }
    shutil.rmtree(folder, ignore_errors=True)


def ran(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CCP, *words], env=env, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def test_verbs_without_incus(bare: dict[str, str]) -> None:
    for words in (
        ("fleet", "list"),
        ("fleet", "stop", "demo"),
        ("fleet", "attach", "demo"),
        ("fleet", "image", "list"),
    ):
        refused = ran(bare, *words)
        assert refused.returncode == 5, refused
        assert "There is no Incus on this machine." in refused.stderr
        assert "apt install incus" in refused.stderr
        assert "incus admin init --minimal" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert ran(bare, "--version").returncode == 0
    assert "The control service is not running." in ran(bare, "task", "list").stderr
    assert ran(bare, "doctor").stdout


async def test_the_screen_without_incus(bare: dict[str, str]) -> None:
    async with Terminal([*CCP, "fleet"], (100, 30), bare) as terminal:
        await terminal.shows("There is no Incus on this machine.")
        await terminal.shows("apt install incus")
        terminal.send("?")
        await terminal.shows("What works here")
        terminal.send("escape")
        await terminal.until(lambda: "What works here" not in terminal.text)
        terminal.send("q")
        assert await terminal.ended() == 0


async def test_the_screen_ends_with_its_terminal(bare: dict[str, str]) -> None:
    """Also where nobody ends it: nothing of it stays behind and spins."""
    deaf = ["/bin/sh", "-c", 'trap "" HUP; exec "$0" "$@"', *CCP, "fleet"]
    async with Terminal(deaf, (100, 30), bare) as terminal:
        await terminal.shows("There is no Incus on this machine.")
        terminal.hang_up()
        assert await terminal.ended() == 129


@pytest.mark.incus
async def test_the_screen_while_incus_comes_and_goes(
    connection: Connection, tiny_image: str, prefix: str, bare: dict[str, str]
) -> None:
    name = f"{prefix}one"
    await create.create(connection, CreateRequest(name, SMALL, image=tiny_image), lambda _stage: None)
    path = Path(bare["INCUS_SOCKET"])
    env = {**bare, "PATH": os.environ["PATH"], "PYTHONPATH": ""}
    shown = prefix.rstrip("-")  # long names are cut
    async with Terminal([*CCP, "fleet"], (140, 40), env) as terminal:
        await terminal.shows("Incus does not run on this machine.")
        await terminal.shows("systemctl start incus")
        async with relay(path, DAEMON.url):
            await terminal.shows(shown, 40)
            assert "does not run on this machine" not in terminal.text
        await terminal.shows("does not run on this machine", 30)
        await terminal.shows("unreachable since")
        assert shown in terminal.text, "as last seen"
        async with relay(path, DAEMON.url):
            await terminal.until(lambda: "unreachable" not in terminal.text, 60)
            assert shown in terminal.text
        terminal.send("q")
        assert await terminal.ended() == 0
