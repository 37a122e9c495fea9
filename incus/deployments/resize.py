"""Other limits for a deployment, live."""

from __future__ import annotations

from collections.abc import Mapping

from ccp_tui.incus.api import execute, operations
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import lifecycle, listing
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Limits, bytes_of

RESIZE_S = 60.0


async def resize(connection: Connection, name: str, changes: Mapping[str, str | int]) -> Limits:
    """Changes some limits (keys of Limits) of a deployment, running or not; the limits that hold from now on.

    Raises FleetError USAGE for a value that can't be, REFUSED for a disk or a memory smaller than what is in use.
    """
    instance = await lifecycle.owned(connection, name)
    now = listing.limits(instance)
    defaults = Limits()
    before = Limits(
        now.cpu or defaults.cpu, now.memory or defaults.memory, now.disk or defaults.disk,
        now.processes or defaults.processes,
    )  # fmt: skip
    wanted = before.changed(changes)
    used = listing.deployment(connection.name, instance)
    if "disk" in changes and used.disk_used is not None and bytes_of(wanted.disk) < used.disk_used:
        raise FleetError("REFUSED", f"{name} holds more than {wanted.disk} on its disk.")
    if "memory" in changes and used.memory_used is not None and bytes_of(wanted.memory) < used.memory_used:
        raise FleetError(
            "REFUSED", f"{name} uses more than {wanted.memory} of memory right now.", "Stop it first."
        )
    body: Json = {"config": {key: value for key, value in config(wanted).items() if _key(key) in changes}}
    if "disk" in changes:
        # All of the device: one on the instance replaces the profile's, not a key of it.
        root, device = listing.root_disk(instance.get("expanded_devices") or {})
        body["devices"] = {root: device | {"size": wanted.disk}}
    await lifecycle.patiently(
        lambda: operations.run(connection, "PATCH", f"/1.0/instances/{name}", body, within=RESIZE_S)
    )
    if listing.full(instance) and instance.get("status") == "Running":
        # The agents' share is computed of the whole when systemd reads its units.
        await execute.run(connection, name, ("systemctl", "daemon-reload"), within=RESIZE_S)
    return listing.limits(await lifecycle.owned(connection, name))


def config(limits: Limits) -> dict[str, str]:
    """Limits as instance configuration (the disk's size is its device's)."""
    return {
        "limits.cpu": limits.cpu,
        "limits.memory": limits.memory,
        "limits.processes": str(limits.processes),
    }


def _key(config_key: str) -> str:
    return config_key.removeprefix("limits.")
