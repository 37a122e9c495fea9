"""A deployment copied: on its remote under another name, or as one file out of it and into any other."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ccp_tui.clock import now
from ccp_tui.incus import names
from ccp_tui.incus.api import files, operations
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import filed, lifecycle, listing, network, ports, snapshots, stored
from ccp_tui.incus.deployments.settings import protections
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Limits

COPY_S = 900.0
BACKUP_S = 1800.0
# Who it is, for others: two containers with one identity would get one address of the bridge, and show one host key.
IDENTITY = (
    "/etc/ccp/service.env",  # the gateway's token; the first boot makes what is missing
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ecdsa_key.pub",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_ed25519_key.pub",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_rsa_key.pub",
)
MACHINE_ID = "/etc/machine-id"
# What an imported file may say about its container; everything else in it is somebody's wish, for a file can be made
# up. The last two say how the files on the disk are owned; the range of ids itself is Incus's new choice.
_CONFIG = (
    "user.ccp.", "limits.cpu", "limits.memory", "limits.processes", "image.", "volatile.base_image",
    "volatile.idmap.", "volatile.last_state.idmap",
)  # fmt: skip


async def copy(connection: Connection, name: str, new: str) -> None:
    """Copies a deployment, running or not; the copy is left stopped, without the snapshots.

    It has a port, an address, a range of user ids, a gateway token and host keys of its own. All else is the same: the
    agents, their tasks and the provider's key, so that both would go on with the same work once it is started. Raises
    FleetError; nothing of it is left then.
    """
    names.check_name(new)
    instance = await lifecycle.owned(connection, name)
    await lifecycle.absent(connection, new)
    port = await ports.free(connection)
    source, held = name, ""
    if stored.running(instance):
        held = f"copy-{secrets.token_hex(4)}"
        await snapshots.create(connection, name, held)
        source = f"{name}/{held}"
    try:
        body: Json = {
            "name": new,
            "architecture": instance.get("architecture"),
            "source": {"type": "copy", "source": source, "instance_only": True},
            "config": {names.PORT: str(port), names.CREATED: now()},
            "devices": _devices(instance, port),
            "profiles": instance.get("profiles") or [],
        }
        making = operations.run(
            connection, "POST", "/1.0/instances", body, params=stored.target(instance), within=COPY_S
        )
        await stored.made(connection, making, new)
        await _finished(connection, new, _new_identity(connection, new))
    finally:
        if held:
            await snapshots.delete(connection, name, held)


async def export(
    connection: Connection, name: str, path: Path, on_progress: filed.Progress | None = None
) -> int:
    """Writes a deployment into one file that only its owner may read (it holds keys); the file's size in bytes.

    The file is the whole container as of one moment, without its snapshots. Raises FleetError EXISTS when there is a
    file already; after any failure no part of a file is left.
    """
    filed.check_target(path)
    instance = await lifecycle.owned(connection, name)
    backup = f"ccp-{secrets.token_hex(4)}"
    base = f"/1.0/instances/{name}/backups"
    try:
        async with stored.still(connection, instance):
            await _backup(connection, base, backup)
        return await filed.download(connection, f"{base}/{backup}/export", path, on_progress)
    finally:
        with suppress(FleetError):  # it expires by itself
            await lifecycle.patiently(lambda: operations.run(connection, "DELETE", f"{base}/{backup}"))


async def import_(
    connection: Connection, path: Path, name: str, on_progress: filed.Progress | None = None, pool: str = ""
) -> str:
    """Makes a stopped deployment out of an exported file, with a new name, port, address and range of user ids.

    Its host keys stay, as clients know them. Of the file's settings only limits and our own are taken: no device, no
    privilege, no way into private networks. What was left out and may be missed is returned in words, "" mostly. Raises
    FleetError; USAGE when no deployment is in the file. Nothing is left after a failure.
    """
    names.check_name(name)
    filed.check_source(path)
    await lifecycle.absent(connection, name)

    async def undo(operation: Json) -> None:
        await stored.unmade(connection, operation, name, BACKUP_S)

    operation = await filed.upload(
        connection, "/1.0/instances", path, _headers(name, pool), undo, on_progress
    )
    await stored.made(connection, operations.wait(connection, operation, BACKUP_S), name)
    return await _finished(connection, name, _adopt(connection, name))


async def _backup(connection: Connection, base: str, backup: str) -> None:
    """Has Incus pack the instance; with zstd where the machine has it, which is five times as fast as gzip."""
    expires = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body: Json = {"name": backup, "expires_at": expires, "instance_only": True, "optimized_storage": False}
    try:
        await operations.run(
            connection, "POST", base, body | {"compression_algorithm": "zstd"}, within=BACKUP_S
        )
    except FleetError as error:
        if "zstd" not in error.message:
            raise
        await operations.run(
            connection, "POST", base, body | {"compression_algorithm": "gzip"}, within=BACKUP_S
        )


async def _finished(connection: Connection, name: str, last: Awaitable[str]) -> str:
    """What the last steps of a new instance return; it is deleted when they fail or are cancelled."""
    try:
        return await last
    except BaseException as error:
        left = await stored.discard(connection, name)
        if left and isinstance(error, FleetError):
            raise FleetError(error.code, error.message, f"{error.fix} {left}".strip()) from None
        raise


async def _new_identity(connection: Connection, name: str) -> str:
    for path in IDENTITY:
        try:
            await files.delete(connection, name, path)
        except FleetError as error:
            if error.code != "NOT_FOUND":
                raise
    await files.put(connection, name, MACHINE_ID, b"", mode=0o444)
    return ""


async def _adopt(connection: Connection, name: str) -> str:
    """Makes an imported instance ours: our own devices and protections, and nothing else of what the file says."""
    found = await connection.get(f"/1.0/instances/{name}")
    if not listing.ours(found) or found.get("type") != "container":
        raise FleetError(
            "USAGE", "No deployment of ccp is in this file.", "Use one that `ccp fleet export` wrote."
        )
    _, root = listing.root_disk(found.get("expanded_devices") or {})
    size = str(root.get("size") or Limits().disk)
    profile = (await connection.get("/1.0/profiles/default")).get("devices") or {}
    key, _ = listing.root_disk(profile)
    cards: Json = {name: {"type": "none"} for name, device in profile.items() if device.get("type") == "nic"}
    await network.settle(connection)
    port = await ports.free(connection)
    config = {
        key: str(value)
        for key, value in (found.get("config") or {}).items()
        if key.startswith(_CONFIG) and key not in (names.EGRESS, names.UPGRADING)
    }
    config |= {names.PORT: str(port), names.CREATED: now(), **protections()}
    devices: Json = cards | {
        key: {"type": "disk", "path": "/", "pool": str(root.get("pool") or "default"), "size": size},
        "eth0": network.card(),
        names.SSH_DEVICE: ports.device(port),
    }
    body = {
        "architecture": found.get("architecture"),
        "config": config,
        "devices": devices,
        "ephemeral": False,
    }
    await operations.run(
        connection, "PUT", f"/1.0/instances/{name}", body | {"profiles": ["default"], "description": ""}
    )
    await files.put(connection, name, MACHINE_ID, b"", mode=0o444)
    lost = ", ".join(network.entries(found))
    return f"It may not reach {lost} here; where it came from it might." if lost else ""


def _devices(instance: Json, port: int) -> Json:
    devices = {name: dict(device) for name, device in (instance.get("devices") or {}).items()}
    for device in devices.values():
        device.pop("hwaddr", None)
    if names.SSH_DEVICE in devices:
        devices[names.SSH_DEVICE] = ports.device(port)
    return devices


def _headers(name: str, pool: str) -> dict[str, str]:
    headers = {"X-Incus-name": name}
    return headers | {"X-Incus-pool": pool} if pool else headers
