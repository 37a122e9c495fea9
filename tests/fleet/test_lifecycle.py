"""The life of a deployment on real Incus, and commands, files and logs in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from ccp_tui.incus import CreateRequest, FleetError
from ccp_tui.incus.api import execute
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import create, lifecycle, logs, resize
from tests.fleet.site import ccp

pytestmark = pytest.mark.incus
Make = Callable[..., CreateRequest]


@pytest.fixture
async def name(connection: Connection, request_for: Make) -> str:
    """A running deployment."""
    return (await create.create(connection, request_for(), lambda _stage: None)).name


async def status(connection: Connection, name: str) -> str:
    return str((await lifecycle.owned(connection, name))["status"])


async def test_from_start_to_end(connection: Connection, name: str, prefix: str) -> None:
    await lifecycle.stop(connection, name)
    assert await status(connection, name) == "Stopped"
    with pytest.raises(FleetError) as caught:
        await lifecycle.freeze(connection, name)
    assert caught.value.code == "REFUSED"
    await lifecycle.stop(connection, name)  # it is stopped already: nothing to do
    await lifecycle.start(connection, name)
    with pytest.raises(FleetError) as caught:
        await lifecycle.start(connection, name)
    assert caught.value.code == "REFUSED"
    await lifecycle.freeze(connection, name)
    assert await status(connection, name) == "Frozen"
    await lifecycle.rename(connection, name, f"{prefix}two")
    assert await status(connection, f"{prefix}two") == "Running"
    await lifecycle.freeze(connection, f"{prefix}two")
    await lifecycle.delete(connection, f"{prefix}two")
    with pytest.raises(FleetError, match="is not a deployment"):
        await lifecycle.owned(connection, f"{prefix}two")


async def test_a_name_that_is_taken_stops_nothing(
    connection: Connection, name: str, request_for: Make, prefix: str
) -> None:
    pid = (await lifecycle.owned(connection, name))["state"]["pid"]
    with pytest.raises(FleetError) as caught:
        await lifecycle.rename(connection, name, name)
    assert caught.value.code == "EXISTS"
    with pytest.raises(FleetError) as caught:
        await lifecycle.rename(connection, name, "Not a name")
    assert caught.value.code == "USAGE"
    assert (await lifecycle.owned(connection, name))["state"]["pid"] == pid


async def test_one_that_does_not_obey(
    connection: Connection, request_for: Make, deaf_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await create.create(connection, request_for(image=deaf_image), lambda _stage: None)
    with pytest.raises(FleetError, match="still runs") as caught:
        await lifecycle.stop(connection, made.name, within=1)
    assert caught.value.code == "TIMEOUT"
    assert "--force" in caught.value.fix
    assert await status(connection, made.name) == "Running"
    monkeypatch.setattr(lifecycle, "FORCED_AFTER_S", 1.0)
    await lifecycle.stop(connection, made.name, force=True)
    assert await status(connection, made.name) == "Stopped"


async def test_limits_change_live_and_hold(connection: Connection, name: str) -> None:
    found = await resize.resize(connection, name, {"memory": "2GiB", "disk": "3GiB", "processes": 300})
    assert (found.cpu, found.memory, found.disk, found.processes) == ("1", "2GiB", "3GiB", 300)
    limit = "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/memory.max"
    said = await execute.run(connection, name, ["sh", "-c", limit])
    if said.code == 0:  # the cgroups are visible inside
        assert said.output.split() == ["300", str(2 * 2**30)]
    for wrong in ({"memory": "10MiB"}, {"cpu": "lots"}, {"speed": "fast"}):
        with pytest.raises(FleetError) as caught:
            await resize.resize(connection, name, wrong)
        assert caught.value.code == "USAGE"
    full = await execute.run(connection, name, ["fallocate", "-l", "4G", "/big"])
    assert full.code != 0  # the disk's limit holds


async def test_logs_need_a_running_one(connection: Connection, name: str) -> None:
    with pytest.raises(FleetError) as caught:
        await logs.tail(connection, name, "kitchen")
    assert caught.value.code == "USAGE"
    await lifecycle.stop(connection, name)
    with pytest.raises(FleetError) as caught:
        await logs.tail(connection, name, "gateway")
    assert caught.value.code == "REFUSED"
    assert isinstance(await logs.tail(connection, name, "boot"), list)


async def test_many_at_once_by_the_command_line(
    connection: Connection, request_for: Make, prefix: str
) -> None:
    """Each is told as it is done, and one that is none stops no other."""
    made = await asyncio.gather(
        *(create.create(connection, request_for(one), lambda _stage: None) for one in ("a", "b", "c"))
    )
    names = [one.name for one in made]
    for verb, done, then in (
        ("stop", "stopped", "Stopped"),
        ("start", "started", "Running"),
        ("freeze", "frozen", "Frozen"),
        ("unfreeze", "running", "Running"),
    ):
        ran = await asyncio.to_thread(ccp, "fleet", verb, names[0], f"{prefix}none", *names[1:])
        assert ran.returncode == 3, ran.stderr
        assert sorted(ran.stdout.splitlines()) == [f"{name}: {done}" for name in names]
        assert f"{prefix}none is not a deployment" in ran.stderr
        assert [await status(connection, name) for name in names] == [then] * 3
    ran = await asyncio.to_thread(ccp, "fleet", "delete", "--yes", *names, "--json")
    assert ran.returncode == 0, ran.stderr
    assert [row["ref"] for row in json.loads(ran.stdout)] == names
    for name in names:
        with pytest.raises(FleetError, match="is not a deployment"):
            await lifecycle.owned(connection, name)
