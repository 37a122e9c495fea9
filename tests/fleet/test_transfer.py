"""Copies, exports and imports on real Incus: what is new, what stays, what is not believed; and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.incus import FleetError
from ccp_tui.incus.api import files
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import lifecycle, transfer
from ccp_tui.incus.model import Deployment
from tests.fleet import private
from tests.fleet.daemons import Daemon

pytestmark = pytest.mark.incus
SEEN = "cat /var/lib/ccp/mission.db /home/openclaw/.openclaw/.env '/srv/agents/one/a file'"


async def instance(private_connection: Connection, name: str) -> Json:
    return await lifecycle.owned(private_connection, name)


async def names(private_connection: Connection) -> list[str]:
    return [url.rpartition("/")[2] for url in await private_connection.get("/1.0/instances")]


async def running_range(private_connection: Connection, name: str) -> str:
    return (await private.sh(private_connection, name, "cat /proc/self/uid_map")).split()[1]


@contextlib.contextmanager
def full_folder(path: Path) -> Iterator[Path]:
    """A folder with room for 8 MiB."""
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


async def test_a_copy_has_all_its_own(private_connection: Connection) -> None:
    made = await private.deployed(private_connection)
    new = made.name.replace("one", "copy")
    await transfer.copy(private_connection, made.name, new)
    before, after = await instance(private_connection, made.name), await instance(private_connection, new)
    assert (before["status"], after["status"]) == ("Running", "Stopped")
    assert after["config"]["user.ccp.port"] != before["config"]["user.ccp.port"]
    assert after["devices"]["ssh"]["listen"].endswith(after["config"]["user.ccp.port"])
    for key in ("user.ccp.image", "user.ccp.version", "limits.memory", "security.idmap.isolated"):
        assert after["config"][key] == before["config"][key]
    for key in ("volatile.eth0.hwaddr", "volatile.idmap.base", "volatile.uuid", "user.ccp.created"):
        assert after["config"][key] != before["config"][key]
    assert not before["snapshots"]
    assert not after["snapshots"]
    # What tells one from the other is not there, and made anew at its first start.
    assert await files.get(private_connection, new, "/etc/machine-id") == b""
    with pytest.raises(FleetError, match=r"(?i)not found"):
        await files.get(private_connection, new, "/etc/ssh/ssh_host_ed25519_key")

    await lifecycle.start(private_connection, new)
    assert await private.sh(private_connection, new, SEEN) == "board\nKEY=1\nwork"
    assert await running_range(private_connection, new) != await running_range(private_connection, made.name)

    with pytest.raises(FleetError) as caught:
        await transfer.copy(private_connection, made.name, new)
    assert caught.value.code == "EXISTS"
    assert sorted(await names(private_connection)) == sorted([made.name, new])
    assert not (await instance(private_connection, made.name))["snapshots"]


async def test_out_as_one_file_and_in_again(private_connection: Connection, tmp_path: Path) -> None:
    made = await private.deployed(private_connection)
    path, new, told = tmp_path / "one.tar", made.name.replace("one", "again"), list[tuple[int, int | None]]()
    size = await transfer.export(
        private_connection, made.name, path, lambda done, total: told.append((done, total))
    )
    assert path.stat().st_size == size
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["one.tar"]
    assert not await private_connection.get(f"/1.0/instances/{made.name}/backups")
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)

    with pytest.raises(FleetError) as caught:
        await transfer.export(private_connection, made.name, path)
    assert caught.value.code == "EXISTS"
    assert path.stat().st_size == size

    told.clear()
    words = await transfer.import_(
        private_connection, path, new, lambda done, total: told.append((done, total))
    )
    assert (words, told[-1]) == ("", (size, size))
    before, after = await instance(private_connection, made.name), await instance(private_connection, new)
    assert after["status"] == "Stopped"
    await lifecycle.start(private_connection, new)
    assert (
        await private.sh(private_connection, new, SEEN + " /etc/ssh/ssh_host_ed25519_key")
        == "board\nKEY=1\nwork\nhost-key"
    )
    assert await running_range(private_connection, new) != await running_range(private_connection, made.name)
    for key in (
        "user.ccp.image",
        "user.ccp.version",
        "limits.memory",
        "limits.processes",
        "security.guestapi",
    ):
        assert after["config"][key] == before["config"][key]
    assert after["config"]["user.ccp.port"] != before["config"]["user.ccp.port"]
    after = await instance(private_connection, new)
    for key in ("volatile.eth0.hwaddr", "volatile.uuid"):
        assert after["config"][key] != before["config"][key]
    assert after["devices"].keys() == before["devices"].keys()

    with pytest.raises(FleetError) as caught:
        await transfer.import_(private_connection, path, new)
    assert caught.value.code == "EXISTS"
    assert await private.sh(private_connection, new, "cat /var/lib/ccp/mission.db") == "board"


async def test_a_file_that_asks_for_more_than_it_may_get_is_not_believed(
    private_connection: Connection, private_server: Daemon, tmp_path: Path
) -> None:
    made = await private.deployed(private_connection)
    private_server.incus("stop", "-f", made.name)
    for setting in (
        "security.privileged=true", "security.nesting=true", "raw.lxc=lxc.mount.entry=/etc mnt none bind 0 0",
        "user.ccp.egress=192.168.0.0/16", "boot.autostart=true",
    ):  # fmt: skip
        private_server.incus("config", "set", made.name, setting)
    private_server.incus("config", "device", "add", made.name, "host", "disk", "source=/", "path=/host")
    private_server.incus(
        "config",
        "device",
        "add",
        made.name,
        "open",
        "proxy",
        "listen=tcp:0.0.0.0:2299",
        "connect=tcp:127.0.0.1:1",
    )
    path = tmp_path / "wild.tar"
    await transfer.export(private_connection, made.name, path)
    new = made.name.replace("one", "tame")
    words = await transfer.import_(private_connection, path, new)
    assert "192.168.0.0/16" in words
    tame = await instance(private_connection, new)
    assert tame["expanded_devices"].keys() == {"root", "eth0", "ssh"}
    config = tame["expanded_config"]
    assert (config["security.privileged"], config["security.nesting"]) == ("false", "false")
    assert not {"raw.lxc", "user.ccp.egress", "boot.autostart"} & set(config)
    await lifecycle.start(private_connection, new)
    assert int(await running_range(private_connection, new)) >= 1_000_000


async def test_a_file_without_a_deployment_leaves_nothing(
    private_connection: Connection, private_server: Daemon, tmp_path: Path
) -> None:
    private_server.incus("init", "ccp/one", "ccptest-foreign")
    private_server.incus("export", "ccptest-foreign", str(tmp_path / "foreign.tar"))
    (tmp_path / "junk.tar").write_bytes(os.urandom(70_000))
    with tarfile.open(tmp_path / "empty.tar", "w") as tar:
        entry = tarfile.TarInfo("nothing")
        tar.addfile(entry, io.BytesIO())
    before = await names(private_connection)
    for name in ("foreign.tar", "junk.tar", "empty.tar", "none.tar"):
        with pytest.raises(FleetError):
            await transfer.import_(private_connection, tmp_path / name, "ccptest-new")
        assert await names(private_connection) == before
    with pytest.raises(FleetError, match="not a deployment"):
        await transfer.export(private_connection, "ccptest-foreign", tmp_path / "x.tar")


async def test_nothing_is_left_of_an_export_that_is_cancelled_or_fails(
    private_connection: Connection, tmp_path: Path
) -> None:
    made = await private.deployed(private_connection)
    await private.sh(
        private_connection, made.name, "dd if=/dev/urandom of=/srv/big bs=1M count=60 2>/dev/null"
    )
    started = asyncio.Event()
    task = asyncio.create_task(
        transfer.export(
            private_connection, made.name, tmp_path / "one.tar", lambda done, total: started.set()
        )
    )
    await asyncio.wait_for(started.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert os.listdir(tmp_path) == []
    assert not await private_connection.get(f"/1.0/instances/{made.name}/backups")

    with full_folder(tmp_path / "small") as small:
        with pytest.raises(FleetError, match="can't be written"):
            await transfer.export(private_connection, made.name, small / "one.tar")
        assert os.listdir(small) == []
    with pytest.raises(FleetError, match="no folder"):
        await transfer.export(private_connection, made.name, tmp_path / "nowhere" / "one.tar")


async def test_nothing_is_left_of_an_import_that_is_cancelled(
    private_connection: Connection, tmp_path: Path
) -> None:
    made = await private.deployed(private_connection)
    await private.sh(
        private_connection, made.name, "dd if=/dev/urandom of=/srv/big bs=1M count=60 2>/dev/null"
    )
    path = tmp_path / "one.tar"
    await transfer.export(private_connection, made.name, path)
    for after in (0, path.stat().st_size):  # while it is sent, and when all of it was
        there = asyncio.Event()

        def told(done: int, total: int | None, after: int = after, there: asyncio.Event = there) -> None:
            if done >= after:
                there.set()

        task = asyncio.create_task(transfer.import_(private_connection, path, "ccptest-new", told))
        await asyncio.wait_for(there.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await names(private_connection) == [made.name]


async def test_a_deployment_in_the_slow_pool_is_frozen_while_it_is_packed(
    private_connection: Connection, tmp_path: Path
) -> None:
    made: Deployment = await private.deployed(private_connection, pool="slow")
    beat = "mkdir /beat; (n=0; while n=$((n+1)); do echo $n >/beat/n; mv /beat/n /beat/a; done) >/dev/null 2>&1 &"
    await private.sh(private_connection, made.name, beat)
    await transfer.export(private_connection, made.name, tmp_path / "one.tar")
    assert (await instance(private_connection, made.name))["status"] == "Running"
    first = await private.sh(private_connection, made.name, "cat /beat/a; sleep 0.5; cat /beat/a")
    assert len(set(first.split())) == 2
