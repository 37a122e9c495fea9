"""Upgrades on real Incus: another system under the same data, and back again where it does not come up."""

from __future__ import annotations

import asyncio
import zipfile
from pathlib import Path

import pytest

from ccp_tui.incus import FleetError, Stage, names
from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import lifecycle, sibling, snapshots, upgrade, wheels
from tests.fleet import private
from tests.fleet.daemons import Daemon

pytestmark = pytest.mark.incus
# The owners, modes, times and contents of everything in the data; of folders no times and of links no owners, for
# busybox's tar, unlike GNU's, gives them new ones.
DATA = """
cd /
find var/lib/ccp home/openclaw srv/agents etc/ssh/ssh_host_ed25519_key etc/machine-id etc/ccp | sort |
while read -r f; do
  if [ -L "$f" ]; then echo "$f -> $(readlink "$f")"; continue; fi
  stat -c '%n %a %u %g' "$f"
  [ ! -f "$f" ] || { stat -c '%s %Y' "$f"; cat "$f"; }
done
"""
# Stand-ins for what the full image has: they tell what they were asked.
SYSTEMCTL = '#!/bin/sh\necho "$@" >> /asked\n'
PIP = """#!/bin/sh
echo "$@" >> /asked
case "$1" in
install) for f; do :; done; [ -f "$f" ] || exit 1; cp "$f" /installed ;;
check) [ ! -e /needs-more ] || { echo "ccp-tui 9.9 requires other, which is not installed."; exit 1; } ;;
esac
"""


async def left_beside(connection: Connection, name: str) -> list[str]:
    """What is there besides the deployment: instances, volumes."""
    instances = [url.rpartition("/")[2] for url in await connection.get("/1.0/instances")]
    volumes = await connection.get("/1.0/storage-pools/default/volumes/custom")
    return [one for one in instances if one != name] + list(volumes or ())


async def test_a_new_system_under_the_same_data(private_connection: Connection) -> None:
    connection = private_connection
    made = await private.deployed(connection)
    await snapshots.create(connection, made.name, "older")
    before = await lifecycle.owned(connection, made.name)
    data = await private.sh(connection, made.name, DATA)
    assert "srv/agents/one/a file 644 1001 2000" in data
    assert "srv/agents/one/link -> a file" in data
    assert "var/lib/ccp/mission.db 600 1000 1000" in data
    stages: list[Stage] = []

    taken = await upgrade.upgrade(connection, made.name, "ccp/two", stages.append)

    done = [stage.name for stage in stages if stage.seconds is not None]
    assert done == ["check", "stop", "snapshot", "data", "system", "start", "health"]
    assert taken.name == "before-1.0.2"
    # Of the same size and time in both images: Incus's own copying takes them for the same.
    said = await private.sh(connection, made.name, "cat /etc/system; ls /etc/junk 2>/dev/null || echo clean")
    assert said == "1.0.2clean"
    assert (await private.sh(connection, made.name, DATA)).splitlines() == data.splitlines()
    after = await lifecycle.owned(connection, made.name)
    assert (after["status"], after["config"]["user.ccp.version"]) == ("Running", "1.0.2")
    assert (after["config"]["user.ccp.image"], after["config"]["image.ccp.version"]) == ("ccp/two", "1.0.2")
    for key in (
        "user.ccp.port",
        "user.ccp.created",
        "limits.memory",
        "volatile.idmap.base",
        "volatile.eth0.hwaddr",
    ):
        assert after["config"][key] == before["config"][key]
    assert names.UPGRADING not in after["config"]
    assert after["devices"] == before["devices"]
    assert [one.name for one in await snapshots.listed(connection, made.name)] == ["older", taken.name]
    assert await left_beside(connection, made.name) == []

    with pytest.raises(FleetError, match="already"):
        await upgrade.upgrade(connection, made.name, "ccp/two")
    with pytest.raises(FleetError, match="no image"):
        await upgrade.upgrade(connection, made.name, "ccp/none")
    assert (await lifecycle.owned(connection, made.name))["status"] == "Running"

    await snapshots.restore(connection, made.name, taken.name)
    assert await private.sh(connection, made.name, "cat /etc/system /etc/junk") == "1.0.1system-junk"
    assert (await lifecycle.owned(connection, made.name))["config"]["user.ccp.version"] == "1.0.1"


@pytest.mark.parametrize("pool", ["default", "slow"])
async def test_what_does_not_come_up_is_taken_back(private_connection: Connection, pool: str) -> None:
    connection = private_connection
    made = await private.deployed(connection, pool=pool)
    seen = []

    async def sick() -> None:
        seen.append(
            await private.sh(connection, made.name, "cat /etc/system; echo new > /var/lib/ccp/mission.db")
        )
        raise FleetError("TIMEOUT", "The gateway was not ready.")

    stages: list[Stage] = []
    with pytest.raises(FleetError, match=r"1\.0\.2 failed and was taken back: The gateway was not ready"):
        await upgrade.upgrade(connection, made.name, "ccp/two", stages.append, healthy=sick)
    assert seen == ["1.0.2"]
    assert stages[-1].name == "rollback"
    assert "not ready" in stages[-1].words
    assert await private.sh(connection, made.name, "cat /etc/system /etc/junk") == "1.0.1system-junk"
    assert await private.sh(connection, made.name, "cat /var/lib/ccp/mission.db") == "board"
    after = await lifecycle.owned(connection, made.name)
    assert (after["config"]["user.ccp.version"], after["config"]["user.ccp.image"]) == ("1.0.1", "ccp/one")
    assert names.UPGRADING not in after["config"]
    assert await left_beside(connection, made.name) == []


@pytest.mark.parametrize("when", ["data", "system"])
async def test_a_cancelled_upgrade_is_taken_back(private_connection: Connection, when: str) -> None:
    connection = private_connection
    made = await private.deployed(connection)
    there = asyncio.Event()

    def told(stage: Stage) -> None:
        if stage.name == when and stage.seconds is None:
            there.set()

    task = asyncio.create_task(upgrade.upgrade(connection, made.name, "ccp/two", told))
    await asyncio.wait_for(there.wait(), 60)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await private.sh(connection, made.name, "cat /etc/system /etc/junk") == "1.0.1system-junk"
    assert await left_beside(connection, made.name) == []


async def test_one_that_was_cut_off_is_brought_back_first(private_connection: Connection) -> None:
    """As after a power cut in the middle: half a system on the disk, and what was made beside it still there."""
    connection = private_connection
    made = await private.deployed(connection)
    await snapshots.create(connection, made.name, "before-x")
    await private.sh(connection, made.name, "rm -r /var/lib/ccp /etc/system")
    config = {names.UPGRADING: "before-x"}
    await operations.run(connection, "PATCH", f"/1.0/instances/{made.name}", {"config": config})
    await lifecycle.stop(connection, made.name)
    beside = {"name": "ccptest-left", "source": {"type": "none"}, "config": {sibling.UPGRADE: made.name}}
    await operations.run(connection, "POST", "/1.0/instances", beside)
    volume = {"name": "ccptest-left", "type": "custom", "config": {sibling.UPGRADE: made.name}}
    await connection.call("POST", "/1.0/storage-pools/default/volumes/custom", volume)

    await upgrade.upgrade(connection, made.name, "ccp/two")

    assert (await lifecycle.owned(connection, made.name))["status"] == "Stopped"
    assert await left_beside(connection, made.name) == []
    await lifecycle.start(connection, made.name)
    assert await private.sh(connection, made.name, "cat /etc/system /var/lib/ccp/mission.db") == "1.0.2board"


async def test_a_wheel_alone(private_connection: Connection, private_server: Daemon, tmp_path: Path) -> None:
    connection = private_connection
    files = {"bin/systemctl": SYSTEMCTL, wheels.PIP.lstrip("/"): PIP, "var/tmp/.keep": ""}
    private.image(private_server, "ccp/three", "1.0.3", files)
    made = await private.deployed(connection, "ccp/three")
    wheel = tmp_path / "ccp_tui-9.9.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ccp_tui/__init__.py", "")

    taken = await wheels.upgrade(connection, made.name, wheel)
    assert taken.name == "before-9.9.0"
    asked = (await private.sh(connection, made.name, "cat /asked")).splitlines()
    path = f"/var/tmp/{wheel.name}"
    assert asked == [
        "stop ccp.service", f"install --quiet --no-index --no-deps --force-reinstall {path}", "check",
        "start ccp.service",
    ]  # fmt: skip
    assert await private.sh(connection, made.name, "wc -c < /installed; ls /var/tmp") == str(
        wheel.stat().st_size
    )
    assert (await lifecycle.owned(connection, made.name))["config"]["user.ccp.version"] == "9.9.0"

    await private.sh(connection, made.name, "touch /needs-more; rm /asked /installed; sync")
    with pytest.raises(FleetError, match="needs other packages") as caught:
        await wheels.upgrade(connection, made.name, wheel)
    assert caught.value.code == "REFUSED"
    # Back to the snapshot, which was taken when the service was stopped.
    assert (
        await private.sh(connection, made.name, "ls /installed 2>/dev/null; cat /asked") == "stop ccp.service"
    )

    (tmp_path / "other-1.0-py3-none-any.whl").write_bytes(wheel.read_bytes())
    (tmp_path / "ccp_tui-1.0-py3-none-any.whl").write_bytes(b"junk")
    for name in (
        "other-1.0-py3-none-any.whl",
        "ccp_tui-1.0-py3-none-any.whl",
        "ccp_tui-2.0-py3-none-any.whl",
    ):
        with pytest.raises(FleetError) as caught:
            await wheels.upgrade(connection, made.name, tmp_path / name)
        assert caught.value.code in ("USAGE", "NOT_FOUND")
    await lifecycle.stop(connection, made.name)
    with pytest.raises(FleetError, match="not running"):
        await wheels.upgrade(connection, made.name, wheel)
