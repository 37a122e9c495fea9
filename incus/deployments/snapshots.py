"""Snapshots of a deployment: taken while it runs, put back while it does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import lifecycle, stored
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Snapshot
from ccp_tui.incus.names import EGRESS, PORT, UPGRADING

# A pool of the driver "dir" copies every file.
TAKE_S = 600.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_name(name: str) -> str:
    """The name, when a snapshot may have it. Raises FleetError USAGE."""
    if not _NAME.fullmatch(name):
        raise FleetError(
            "USAGE",
            f"{name!r} can't be the name of a snapshot.",
            "Use up to 63 letters, digits, '.', '_' and '-'.",
        )
    return name


def parsed(entry: Json) -> Snapshot:
    """A snapshot as Incus tells it (in a list, or within an instance); its size where the pool keeps quotas."""
    size = entry.get("size")
    return Snapshot(
        str(entry.get("name") or "").rpartition("/")[2],
        str(entry.get("created_at") or ""),
        size if isinstance(size, int) and size > 0 else None,
    )


async def listed(connection: Connection, name: str) -> tuple[Snapshot, ...]:
    """The snapshots of a deployment, oldest first. Raises FleetError."""
    await lifecycle.owned(connection, name)
    entries = await connection.get(f"/1.0/instances/{name}/snapshots", {"recursion": 1})
    return tuple(sorted((parsed(entry) for entry in entries or ()), key=lambda one: one.created_at))


async def create(connection: Connection, name: str, snapshot: str = "") -> Snapshot:
    """Takes a snapshot, also of a running deployment: it holds what a power cut at that moment would leave.

    The board's database lies with its journal on the same disk and is taken at the same moment (see ``stored.still``),
    so it comes up whole. Raises FleetError EXISTS for a name that is taken.
    """
    instance = await lifecycle.owned(connection, name)
    taken = check_name(snapshot or datetime.now(UTC).strftime("%Y%m%d-%H%M%S"))
    async with stored.still(connection, instance):
        await operations.run(
            connection,
            "POST",
            f"/1.0/instances/{name}/snapshots",
            {"name": taken, "stateful": False},
            within=TAKE_S,
        )
    return parsed(await connection.get(f"/1.0/instances/{name}/snapshots/{taken}"))


async def restore(connection: Connection, name: str, snapshot: str) -> None:
    """Puts a deployment's disk back to a snapshot; a running one is stopped gracefully before and started after.

    Its settings (port, limits, devices) stay as they are now, for the old port may be somebody else's by now; what
    says which image is in it comes from the snapshot. Raises FleetError; a deployment that ran runs again then, too.
    """
    instance = await lifecycle.owned(connection, name)
    await connection.get(f"/1.0/instances/{name}/snapshots/{check_name(snapshot)}")
    async with stored.stopped(connection, instance):
        await stored.through(_put_back(connection, name, snapshot, instance))


async def _put_back(connection: Connection, name: str, snapshot: str, before: Json) -> None:
    await operations.run(connection, "PUT", f"/1.0/instances/{name}", {"restore": snapshot}, within=TAKE_S)
    await _settings(connection, name, before)


async def _settings(connection: Connection, name: str, before: Json) -> None:
    """Gives the restored instance the devices, limits and port of before."""
    now = await connection.get(f"/1.0/instances/{name}")
    config = {key: value for key, value in (now.get("config") or {}).items() if not _kept(key)}
    config.pop(UPGRADING, None)  # it was taken as an upgrade began
    config |= {key: value for key, value in (before.get("config") or {}).items() if _kept(key)}
    body = {
        key: before.get(key) for key in ("architecture", "devices", "ephemeral", "profiles", "description")
    }
    await operations.run(connection, "PUT", f"/1.0/instances/{name}", body | {"config": config})


def _kept(key: str) -> bool:
    return key.startswith(("limits.", "security.")) or key in (PORT, EGRESS)


async def delete(connection: Connection, name: str, snapshot: str) -> None:
    """Deletes a snapshot; the deployment is not touched. Raises FleetError NOT_FOUND."""
    await lifecycle.owned(connection, name)
    path = f"/1.0/instances/{name}/snapshots/{check_name(snapshot)}"
    await operations.run(connection, "DELETE", path, within=TAKE_S)
