"""Snapshots on real Incus: taken while the container writes, put back whole, also where pools copy file by file."""

from __future__ import annotations

import asyncio

import pytest

from ccp_tui.incus import FleetError
from ccp_tui.incus.api import events
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import lifecycle, resize, snapshots, stored
from tests.fleet import private
from tests.fleet.daemons import Daemon

pytestmark = pytest.mark.incus

PYTHON = "/usr/bin/python3"
# A writer of a database in WAL mode as the board has one: two rows that must be equal, in one transaction; 20 MB, so
# that copying it takes a while.
WRITER = """
import sqlite3
db = sqlite3.connect("/var/lib/ccp/mission.db", isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER, fill TEXT)")
db.execute("INSERT INTO t VALUES ('a', 0, ''), ('b', 0, '')")
db.executemany("INSERT INTO t VALUES (?, 0, ?)", ((f"f{row}", "x" * 65536) for row in range(300)))
n = 0
while True:
    n += 1
    db.execute("BEGIN IMMEDIATE")
    for key in "ab":
        db.execute("UPDATE t SET n=?, fill=? WHERE k=?", (n, str(n) * 2000, key))
    db.execute("UPDATE t SET n=?, fill=? WHERE k=?", (n, str(n % 10) * 65536, f"f{n * 7 % 300}"))
    db.execute("COMMIT")
    if n == 20:
        open("/writing", "w").close()
"""
CHECK = """
import sqlite3
db = sqlite3.connect("/var/lib/ccp/mission.db")
print(db.execute("PRAGMA integrity_check").fetchone()[0])
print(*(n for (n,) in db.execute("SELECT n FROM t WHERE k < 'c' ORDER BY k")))
"""


async def test_the_disk_goes_back_and_the_settings_stay(private_connection: Connection) -> None:
    made = await private.deployed(private_connection)
    taken = await snapshots.create(private_connection, made.name, "first")
    assert taken.name == "first"
    await private.sh(
        private_connection, made.name, "echo changed > /var/lib/ccp/mission.db; rm -r /srv/agents/one"
    )
    await resize.resize(private_connection, made.name, {"processes": 700})
    unnamed = await snapshots.create(private_connection, made.name)
    assert [one.name for one in await snapshots.listed(private_connection, made.name)] == [
        "first",
        unnamed.name,
    ]

    await snapshots.restore(private_connection, made.name, "first")
    assert (
        await private.sh(private_connection, made.name, "cat /var/lib/ccp/mission.db /srv/agents/one/link")
        == "board\nwork"
    )
    instance = await lifecycle.owned(private_connection, made.name)
    assert (instance["status"], instance["config"]["limits.processes"]) == ("Running", "700")
    assert instance["config"]["user.ccp.port"] == str(made.port)

    await snapshots.delete(private_connection, made.name, "first")
    assert [one.name for one in await snapshots.listed(private_connection, made.name)] == [unnamed.name]


async def test_a_stopped_one_stays_stopped_and_a_frozen_one_is_stopped_gracefully(
    private_connection: Connection,
) -> None:
    made = await private.deployed(private_connection)
    await snapshots.create(private_connection, made.name, "s")
    await lifecycle.freeze(private_connection, made.name)
    await snapshots.restore(private_connection, made.name, "s")
    assert (await lifecycle.owned(private_connection, made.name))["status"] == "Running"
    await lifecycle.stop(private_connection, made.name)
    await snapshots.restore(private_connection, made.name, "s")
    assert (await lifecycle.owned(private_connection, made.name))["status"] == "Stopped"


async def test_words_for_what_can_not_be(private_connection: Connection, private_server: Daemon) -> None:
    made = await private.deployed(private_connection)
    await snapshots.create(private_connection, made.name, "s")
    for code, action in (
        ("EXISTS", snapshots.create(private_connection, made.name, "s")),
        ("USAGE", snapshots.create(private_connection, made.name, "a/b")),
        ("NOT_FOUND", snapshots.restore(private_connection, made.name, "none")),
        ("NOT_FOUND", snapshots.delete(private_connection, made.name, "none")),
        ("NOT_FOUND", snapshots.create(private_connection, "ccptest-nobody", "s")),
    ):
        with pytest.raises(FleetError) as caught:
            await action
        assert caught.value.code == code
    assert (await lifecycle.owned(private_connection, made.name))["status"] == "Running"
    private_server.incus("launch", "ccp/one", "ccptest-foreign")
    with pytest.raises(FleetError, match="not a deployment"):
        await snapshots.create(private_connection, "ccptest-foreign", "s")


async def held(stream: events.Stream) -> int:
    """How many snapshots were taken while the instance was frozen, until it is frozen for none."""
    frozen, taken, found = False, False, 0
    async for happened in stream:
        if happened.action == "instance-paused":
            frozen, taken = True, False
        elif happened.action == "instance-snapshot-created":
            taken, found = True, found + frozen
        elif happened.action == "instance-resumed":
            if not taken:
                break
            frozen = False
    return found


@pytest.mark.parametrize("driver", ["btrfs", "dir"])
async def test_the_database_of_a_running_board_comes_back_whole(
    driver: str, private_server: Daemon, private_connection: Connection
) -> None:
    made = await private.deployed(private_connection, pool="default" if driver == "btrfs" else "slow")
    assert (
        await stored.driver(private_connection, await lifecycle.owned(private_connection, made.name))
        == driver
    )
    # This machine's Python, read-only: the tiny image has none.
    usr = ["usr", "disk", "source=/usr", "path=/usr", "readonly=true"]
    private_server.incus("config", "device", "add", made.name, *usr)
    await private.sh(
        private_connection,
        made.name,
        "rm /var/lib/ccp/mission.db; ln -s usr/lib64 /lib64; ln -s usr/lib /lib",
    )
    await private.sh(private_connection, made.name, f"{PYTHON} -c '{_quoted(WRITER)}' >/writer.log 2>&1 &")
    await private.sh(private_connection, made.name, "until [ -e /writing ]; do sleep 0.1; done")
    async with events.opened(private_connection) as stream:
        watching = asyncio.create_task(held(stream))
        for number in range(3):
            await asyncio.sleep(0.3)
            await snapshots.create(private_connection, made.name, f"s{number}")
        await lifecycle.freeze(private_connection, made.name)  # the last to be told
        await lifecycle.unfreeze(private_connection, made.name)
        # Where a snapshot is not of one moment by itself, nothing is written while it is taken.
        assert await asyncio.wait_for(watching, 20) == (3 if driver == "dir" else 0)
    seen = []
    for number in (0, 2):
        await snapshots.restore(private_connection, made.name, f"s{number}")
        said = await private.sh(private_connection, made.name, f"{PYTHON} -c '{_quoted(CHECK)}'")
        verdict, first, second = said.split()
        assert (verdict, first) == ("ok", second)
        seen.append(int(first))
    assert 0 < seen[0] < seen[1]


def _quoted(script: str) -> str:
    return script.replace("'", "'\\''")
