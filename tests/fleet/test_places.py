"""Where a deployment is made and what of: profile and pool as asked for, limits that hold, images kept while used."""

from __future__ import annotations

import pytest

from ccp_tui.incus import CreateRequest, FleetError, Limits
from ccp_tui.incus.api import execute
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import create, lifecycle, resize
from ccp_tui.incus.image import images
from tests.fleet import private
from tests.fleet.daemons import Daemon

pytestmark = pytest.mark.incus
MIB = 2**20


async def test_a_profile_and_a_pool_of_ones_own(
    private_connection: Connection, private_server: Daemon
) -> None:
    """The profile's settings hold; its network cards and its pool give way to what every deployment has."""
    connection, server = private_connection, private_server
    server.incus("profile", "create", "ours")
    server.incus("profile", "set", "ours", "limits.cpu.priority=3", "security.nesting=true")
    server.incus("profile", "device", "add", "ours", "disk", "disk", "pool=default", "path=/")
    server.incus("profile", "device", "add", "ours", "lan", "nic", "nictype=p2p", "name=lan0")
    try:
        request = CreateRequest("ccptest-places", private.SMALL, image="ccp/one", profile="ours", pool="slow")
        made = await create.create(connection, request, lambda _stage: None)
        instance = await lifecycle.owned(connection, made.name)
        devices = instance["expanded_devices"]
        assert instance["profiles"] == ["ours"]
        assert instance["expanded_config"]["limits.cpu.priority"] == "3"
        assert instance["expanded_config"]["security.nesting"] == "false"
        assert (devices["disk"]["pool"], devices["disk"]["size"]) == ("slow", private.SMALL.disk)
        assert devices["lan"] == {"type": "none"}
        cards = {name for name, device in devices.items() if device["type"] == "nic"}
        assert cards == {"eth0"}
    finally:
        for name in server.incus("list", "-f", "csv", "-c", "n").split():
            server.incus("delete", "-f", name)
        server.incus("profile", "delete", "ours")


async def test_a_failure_brings_the_last_words_of_what_is_removed(
    private_connection: Connection, private_server: Daemon
) -> None:
    """Whoever has to find out why has nothing else: the container is gone by then."""
    files = {"bin/journalctl": "#!/bin/sh\necho out of sockets, key sk-of-words\n"}
    private.image(private_server, "ccp/sick", "1.0.9", files)
    private_server.incus("image", "set-property", "ccp/sick", "ccp.contains", "full")
    request = CreateRequest(
        "ccptest-sick", private.SMALL, image="ccp/sick", provider="lab", api_key="sk-of-words"
    )
    try:
        with pytest.raises(FleetError) as caught:
            await create.create(private_connection, request, lambda _stage: None)
        assert caught.value.log == ("out of sockets, key …",)
        assert not await private_connection.get("/1.0/instances")
    finally:
        private_server.incus("image", "delete", "ccp/sick")


async def test_no_limit_below_what_is_in_use(
    private_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = private_connection
    monkeypatch.setattr("ccp_tui.incus.model.LEAST_MEMORY", 16 * MIB)
    monkeypatch.setattr("ccp_tui.incus.model.LEAST_DISK", 16 * MIB)
    made = await private.deployed(connection)
    fill = (
        "mkdir /mnt; mount -t tmpfs none /mnt && fallocate -l 96M /mnt/full && fallocate -l 96M /full && sync"
    )
    await private.sh(connection, made.name, fill)
    for small in ({"memory": "64MiB"}, {"disk": "64MiB"}):
        with pytest.raises(FleetError) as caught:
            await resize.resize(connection, made.name, small)
        assert caught.value.code == "REFUSED", small
    fits = await resize.resize(connection, made.name, {"memory": "256MiB", "disk": "256MiB"})
    assert (fits.memory, fits.disk) == ("256MiB", "256MiB")
    assert (await execute.run(connection, made.name, ["fallocate", "-l", "300M", "/more"])).code != 0
    assert fits == Limits("1", "256MiB", "256MiB", private.SMALL.processes)


async def test_prune_removes_what_nothing_uses_and_nothing_else(
    private_connection: Connection, private_server: Daemon
) -> None:
    connection, server = private_connection, private_server
    await private.deployed(connection, "ccp/one")
    server.incus("image", "alias", "create", "ccp/latest", fingerprint(server, "ccp/two"))
    for alias, version in (("ccp/idle", "1.1.1"), ("ccp-base/old", "1.1.2"), ("ccp-base/new", "1.1.3")):
        private.image(server, alias, version)
        base = alias.startswith("ccp-base/")
        server.incus("image", "set-property", alias, "user.ccp.base", "1" if base else "0")
        server.incus("image", "set-property", alias, "ccp.created", f"2026-11-23T10:00:00.{version[-1]}00Z")
    private.image(server, "somebodys", "9.9.9")
    server.incus("image", "set-property", "somebodys", "user.ccp.image", "0")
    try:
        found = {one.alias: one for one in await images.listed(connection)}
        assert "somebodys" not in found
        assert {alias for alias, one in found.items() if one.base} == {"ccp-base/old", "ccp-base/new"}
        assert {alias for alias, one in found.items() if one.used_by} == {"ccp/one"}
        assert {alias for alias, one in found.items() if one.latest} == {"ccp/two"}
        assert sorted(await images.prune(connection)) == ["ccp-base/old", "ccp/idle"]
        left = server.incus("image", "list", "-f", "csv", "-c", "l").split()
        assert {"ccp/one", "ccp-base/new", "somebodys"} <= set(left)
        assert not {"ccp/idle", "ccp-base/old"} & set(left)
        assert await images.prune(connection) == ()
    finally:
        server.incus("image", "alias", "delete", "ccp/latest")
        for alias in ("ccp-base/new", "somebodys"):
            server.incus("image", "delete", alias)


def fingerprint(server: Daemon, alias: str) -> str:
    listed = server.incus("image", "list", alias, "-f", "csv", "-c", "F").split()
    return listed[0]
