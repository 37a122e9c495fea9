"""An upgrade whose process is killed: the list says so and how to go on, and each of the ways works."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from ccp_tui.incus import names
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import lifecycle, listing, snapshots, upgrade
from tests.fleet import private
from tests.fleet.daemons import Daemon
from tests.fleet.test_upgrade import left_beside

pytestmark = pytest.mark.incus

OLD, NEW = "1.0.1board", "1.0.2board"
Killed = Callable[[str, str], Awaitable[None]]


@pytest.fixture
def killed(private_connection: Connection, private_server: Daemon, tmp_path: Path) -> Iterator[Killed]:
    """Upgrades by the command line, and kills that as soon as the deployment is marked like this."""
    running: list[subprocess.Popen[bytes]] = []

    async def until_marked(name: str, mark: str) -> None:
        command = [sys.executable, "-m", "ccp_tui", "fleet", "upgrade", name, "--image", "ccp/two"]
        process = subprocess.Popen(  # noqa: ASYNC220 - it is killed, not waited for
            command, env=_at(private_server), stderr=subprocess.DEVNULL
        )
        running.append(process)
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            path = f"/1.0/instances/{name}"
            marked = (await private_connection.get(path))["config"].get(names.UPGRADING, "")
            if marked == mark and await private_connection.get(f"{path}/snapshots"):
                process.kill()
            await asyncio.sleep(0.02)
        assert process.wait(10) == -9, "it was not seen at work"

    yield until_marked
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def _at(server: Daemon) -> dict[str, str]:
    return {
        **os.environ,
        "INCUS_DIR": str(server.state),
        "INCUS_CONF": str(server.folder),
        "INCUS_SOCKET": "",
    }


def ccp(server: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    """A verb on the private Incus."""
    command = [sys.executable, "-m", "ccp_tui", "fleet", *words]
    return subprocess.run(command, env=_at(server), capture_output=True, text=True, timeout=120)


def noted(server: Daemon, name: str) -> str:
    (row,) = [row for row in json.loads(ccp(server, "list", "--json").stdout) if row["name"] == name]
    return str(row["note"])


@pytest.mark.parametrize("mark", [names.BEGUN, "before-1.0.2"], ids=["beside", "on the disk"])
@pytest.mark.parametrize("way", ["upgrade", "start", "restore"])
async def test_each_way_on(
    private_connection: Connection, private_server: Daemon, killed: Killed, mark: str, way: str
) -> None:
    connection, server = private_connection, private_server
    made = await private.deployed(connection)
    await killed(made.name, mark)
    assert (await lifecycle.owned(connection, made.name))["status"] == "Stopped"
    assert noted(server, made.name) == listing.CUT_OFF
    assert listing.CUT_OFF in ccp(server, "list").stdout

    words = {
        "upgrade": ("upgrade", made.name, "--image", "ccp/two"),
        "start": ("start", made.name),
        "restore": ("restore", made.name, "before-1.0.2"),
    }[way]
    done = ccp(server, *words)
    assert done.returncode == 0, done.stderr
    assert noted(server, made.name) == ""
    assert await left_beside(connection, made.name) == []
    if way != "start":
        await lifecycle.start(connection, made.name)
    said = await private.sh(connection, made.name, "cat /etc/system /var/lib/ccp/mission.db")
    assert said == (NEW if way == "upgrade" else OLD)
    assert "before-1.0.2" in [one.name for one in await snapshots.listed(connection, made.name)]


async def test_what_is_done_after_it_is_not_undone(
    private_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed as the new system came up: that is a whole one, and people go on with it."""
    connection = private_connection
    made = await private.deployed(connection)

    async def dies() -> None:
        raise SystemExit

    async def nothing(*_args: object) -> str:
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(upgrade, "_back", nothing)
        with pytest.raises(SystemExit):
            await upgrade.upgrade(connection, made.name, "ccp/two", healthy=dies)
    assert (await lifecycle.owned(connection, made.name))["config"][names.UPGRADING] == names.BEGUN
    await private.sh(connection, made.name, "echo later > /var/lib/ccp/mission.db; sync")
    after = await upgrade.whole(connection, made.name)
    assert names.UPGRADING not in after["config"]
    said = await private.sh(connection, made.name, "cat /etc/system /var/lib/ccp/mission.db")
    assert said == "1.0.2later"


async def test_a_deletion_takes_along_what_lies_beside(
    private_connection: Connection, private_server: Daemon, killed: Killed
) -> None:
    made = await private.deployed(private_connection)
    await killed(made.name, names.BEGUN)
    gone = ccp(private_server, "delete", made.name, "--yes")
    assert gone.returncode == 0, gone.stderr
    assert await left_beside(private_connection, made.name) == []
