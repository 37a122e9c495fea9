"""Deployments out of what Incus lists: one call tells everything about all of them on a remote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccp_tui.incus import names
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Deployment, Limits, Snapshot

LOOK_S = 10.0
STATES = {"Running": "running", "Stopped": "stopped", "Frozen": "frozen", "Error": "error"}
# Nobody can see from here whether the process that upgrades is alive, on whichever machine.
CUT_OFF = "An upgrade has not ended. Was it cut off? Then upgrade again, start or restore."
# What Incus calls its operations, and the state they mean while they run.
UNDER_WAY = {
    "Creating instance": "creating",
    "Starting instance": "starting",
    "Stopping instance": "stopping",
    "Restarting instance": "restarting",
    "Freezing instance": "freezing",
    "Unfreezing instance": "thawing",
    "Deleting instance": "deleting",
    "Renaming instance": "renaming",
    "Snapshotting instance": "snapshotting",
    "Restoring snapshot": "restoring",
    "Backing up instance": "exporting",
    "Migrating instance": "moving",
    "Rebuilding instance": "upgrading",
}


async def look(connection: Connection) -> list[Json]:
    """Our instances on a remote as Incus tells them, with their state and snapshots. Raises FleetError.

    Of one on an offline member, or (for a moment) between two states, Incus tells the name and no settings, see
    :func:`readable`; then what is on our bridge is ours.
    """
    found = [one for one in await connection.get("/1.0/instances", {"recursion": 2}, LOOK_S) or () if one]
    bare = [one for one in found if not readable(one)]
    if not bare:
        return [one for one in found if ours(one)]
    try:
        bridge = await connection.get(f"/1.0/networks/{names.NETWORK}")
    except FleetError as error:
        if error.code != "NOT_FOUND":
            raise
        bridge = {}
    known = {str(url).partition("?")[0].rpartition("/")[2] for url in bridge.get("used_by") or ()}
    return [one for one in found if ours(one) or (not readable(one) and one.get("name") in known)]


def ours(instance: Json) -> bool:
    """Whether an instance carries our marker."""
    return (instance.get("config") or {}).get(names.DEPLOYMENT) == "1"


def readable(instance: Json) -> bool:
    """Whether Incus could tell an instance's settings."""
    return bool(instance.get("config"))


def full(instance: Json) -> bool:
    """Whether the gateway and the service are in it: its image says so."""
    return (instance.get("config") or {}).get(names.FROM_IMAGE + names.CONTAINS) == names.FULL


def deployment(remote: str, instance: Json) -> Deployment:
    """One instance as a deployment; whatever an offline member leaves out is unknown."""
    config: Json = instance.get("config") or {}
    state: Json = instance.get("state") or {}
    status = str(instance.get("status") or "")
    location = str(instance.get("location") or "")
    # What is frozen is neither down nor able to tell.
    health = "unknown" if status in ("Running", "Frozen") else "down"
    return Deployment(
        remote=remote,
        name=str(instance["name"]),
        state=STATES.get(status, status.lower() or "error"),
        location="" if location == "none" else location,
        address=_address(state),
        port=_number(config.get(names.PORT)),
        image=config.get(names.IMAGE, ""),
        version=config.get(names.VERSION, ""),
        limits=limits(instance),
        memory_used=_dig(state, "memory", "usage") if status != "Stopped" else None,
        disk_used=_dig(state, "disk", root_disk(instance.get("expanded_devices") or {})[0], "usage"),
        gateway=health,
        service=health,
        snapshots=_snapshots(instance.get("snapshots")),
        created_at=config.get(names.CREATED) or _moment(instance.get("created_at")),
        note=_note(config, location),
    )


def _note(config: Json, location: str) -> str:
    """What is unusual about an instance, in a line; "" when nothing is."""
    if config:
        return CUT_OFF if config.get(names.UPGRADING) else ""
    if location in ("", "none"):
        return "Incus can't read it right now."
    return f"The cluster member {location} is out of reach."


def limits(instance: Json) -> Limits:
    """The limits that are in force, whether the instance or its profile sets them; "" where there is none."""
    config: Mapping[str, str] = instance.get("expanded_config") or instance.get("config") or {}
    _, root = root_disk(instance.get("expanded_devices") or {})
    return Limits(
        cpu=config.get("limits.cpu", ""),
        memory=config.get("limits.memory", ""),
        disk=root.get("size", ""),
        processes=_number(config.get("limits.processes")) or 0,
    )


def root_disk(devices: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The device that holds the root file system, with its name; ("root", {}) where there is none."""
    for name, device in devices.items():
        if device.get("type") == "disk" and device.get("path") == "/":
            return name, dict(device)
    return names.ROOT_DEVICE, {}


def cpu_ns(instance: Json) -> int | None:
    """The CPU time an instance has used since its start, in nanoseconds."""
    return _dig(instance.get("state") or {}, "cpu", "usage")


def _address(state: Json) -> str:
    for name, card in sorted((state.get("network") or {}).items()):
        for address in (card or {}).get("addresses") or () if name != "lo" else ():
            if address.get("family") == "inet" and address.get("scope") == "global":
                return str(address.get("address") or "")
    return ""


def _snapshots(found: Any) -> tuple[Snapshot, ...]:
    made = [
        # "r1/snap0" in some listings, "snap0" in others
        Snapshot(
            str(one.get("name") or "").rpartition("/")[2],
            _moment(one.get("created_at")),
            size if isinstance(size := one.get("size"), int) and size >= 0 else None,
        )
        for one in found or ()
    ]
    return tuple(sorted(made, key=lambda one: one.created_at))


def _moment(text: Any) -> str:
    """Incus's time (nanoseconds) in the product's one format."""
    said = str(text or "")
    if said.startswith("0001-"):  # of what it could not read Incus gives the beginning of time
        return ""
    return (
        f"{said[:19]}.{(said[20:23] if said[19:20] == '.' else '').rstrip('Z').ljust(3, '0')}Z"
        if said
        else ""
    )


def _dig(found: Any, *path: str) -> int | None:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isdigit() else None
