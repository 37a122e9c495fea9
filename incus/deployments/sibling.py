"""A new system with the data of a deployment, put together in containers beside it.

Incus can't rebuild an instance that has snapshots, so the new system is not unpacked over the old one. Two containers
that only sleep, one of the deployment's snapshot and one of the new image, hand the data over on a volume between them;
all of it stays on the server. The deployment is not touched before what comes out of this replaces its disk.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from ccp_tui.incus import names
from ccp_tui.incus.api import execute, operations
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import lifecycle, listing, stored
from ccp_tui.incus.errors import FleetError

# Carried by everything temporary; its value is the deployment's name.
UPGRADE = "user.ccp.upgrade-of"
MAKE_S = 600.0
MOVE_S = 3600.0
# Where the volume is in both; every system has this folder, or LXC makes it.
BETWEEN = "/mnt"
# Nothing of either system runs but this: no services, no network.
ASLEEP = {"raw.lxc": "lxc.init.cmd=/bin/sleep infinity", "boot.autostart": "false"}

_PACK = """
cd / || exit 1
for pattern in "$@"; do
  for found in $pattern; do
    if [ -e "$found" ] || [ -L "$found" ]; then echo "$found"; fi
  done
done > %(between)s/kept
[ -s %(between)s/kept ] || exit 0
set --
case "$(tar --version 2>/dev/null)" in *GNU*) set -- --xattrs --acls --sparse ;; esac
set -f
IFS='
'
tar "$@" -cpf %(between)s/data.tar $(cat %(between)s/kept)
"""
# What the image brings at the places of the data goes first: old data is not mixed with new.
_UNPACK = """
cd / || exit 1
[ -s %(between)s/kept ] || exit 0
while read -r found; do rm -rf "./$found" || exit 1; done < %(between)s/kept
set --
case "$(tar --version 2>/dev/null)" in *GNU*) set -- --xattrs --acls --numeric-owner ;; esac
tar "$@" -xpf %(between)s/data.tar && sync
"""


@asynccontextmanager
async def assembled(
    connection: Connection, instance: Json, snapshot: str, fingerprint: str, kept: Sequence[str]
) -> AsyncIterator[str]:
    """The name of a stopped instance that is the image ``fingerprint`` with the data ``kept`` of a snapshot in it.

    ``kept`` are paths without the first "/", shell patterns, written by us. It is gone, like all else that was made for
    it, when this ends. Raises FleetError.
    """
    await sweep(connection, str(instance["name"]))
    work = _Work(connection, instance)
    try:
        await work.volume()
        old = await work.make(
            "old", {"type": "copy", "source": f"{work.of}/{snapshot}", "instance_only": True}
        )
        await work.run(old, _PACK, kept)
        await work.gone(old)
        new = await work.make("new", {"type": "image", "fingerprint": fingerprint})
        await work.run(new, _UNPACK, ())
        await work.detached(new)
        yield new
    finally:
        await sweep(connection, work.of)


@asynccontextmanager
async def blank(connection: Connection, instance: Json) -> AsyncIterator[str]:
    """The name of an instance with nothing in it, for as long as this lasts. Raises FleetError."""
    work = _Work(connection, instance)
    name = ""
    try:
        name = await work.make("blank", {"type": "none"}, between=False)
        yield name
    finally:
        if name:
            await stored.discard(connection, name)


async def sweep(connection: Connection, of: str) -> None:
    """Removes what an upgrade of a deployment made beside it, also of one that was killed. Raises no FleetError."""
    with suppress(FleetError):
        found = await connection.get("/1.0/instances", {"recursion": 1})
        for one in found or ():
            if (one.get("config") or {}).get(UPGRADE) == of:
                await stored.discard(connection, str(one["name"]))
    with suppress(FleetError):
        for pool in await connection.get("/1.0/storage-pools") or ():
            base = f"/1.0/storage-pools/{str(pool).rpartition('/')[2]}/volumes/custom"
            for one in await connection.get(base, {"recursion": 1}) or ():
                if (one.get("config") or {}).get(UPGRADE) == of:
                    path = f"{base}/{one['name']}"
                    await connection.call("DELETE", path, params=stored.target(one), within=60)


class _Work:
    """The temporary containers and the volume of one upgrade, beside the deployment and on its machine."""

    def __init__(self, connection: Connection, instance: Json) -> None:
        self.of = str(instance["name"])
        self._connection = connection
        self._architecture = str(instance.get("architecture") or "")
        self._key, self._root = listing.root_disk(instance.get("expanded_devices") or {})
        self._pool = str(self._root.get("pool") or "default")
        self._limits = {
            key: value for key, value in (instance.get("config") or {}).items() if key.startswith("limits.")
        }
        self._cards = [
            name
            for name, device in (instance.get("expanded_devices") or {}).items()
            if device.get("type") == "nic"
        ]
        self._profiles = instance.get("profiles") or []
        self._target = stored.target(instance)
        self._name = f"ccp-upgrade-{secrets.token_hex(4)}"

    async def volume(self) -> None:
        config = {UPGRADE: self.of}
        if size := self._root.get("size"):
            config["size"] = str(size)
        body = {"name": self._name, "type": "custom", "content_type": "filesystem", "config": config}
        await self._connection.call(
            "POST", f"/1.0/storage-pools/{self._pool}/volumes/custom", body, params=self._target, within=60
        )

    async def make(self, kind: str, source: Json, between: bool = True) -> str:
        """A container that sleeps, with the volume and without a network; not a deployment, so nobody sees it."""
        name = f"{self._name}-{kind}"
        none: dict[str, Any] = {card: {"type": "none"} for card in self._cards}
        body: Json = {
            "name": name,
            "architecture": self._architecture,
            "source": source,
            "config": {
                **self._limits, **ASLEEP, UPGRADE: self.of, names.DEPLOYMENT: "0",
                # Both have the machine's usual range of ids, so that the volume belongs to the same root in each.
                "security.idmap.isolated": "false",
            },
            "devices": {
                **none,
                names.SSH_DEVICE: {"type": "none"},
                self._key: dict(self._root),
            },
            "profiles": self._profiles,
        }  # fmt: skip
        if between:
            volume = {"type": "disk", "pool": self._pool, "source": self._name, "path": BETWEEN}
            body["devices"]["between"] = volume
        await stored.through(
            operations.run(
                self._connection, "POST", "/1.0/instances", body, params=self._target, within=MAKE_S
            )
        )
        return name

    async def run(self, name: str, script: str, words: Sequence[str]) -> None:
        """Runs a script in one of them and leaves it stopped."""
        await lifecycle.state(self._connection, name, "start", within=60)
        command = ["sh", "-c", script % {"between": BETWEEN}, "sh", *words]
        await execute.checked(self._connection, name, command, within=MOVE_S)
        await lifecycle.state(self._connection, name, "stop", within=30, force=True)

    async def gone(self, name: str) -> None:
        await lifecycle.remove(self._connection, name)

    async def detached(self, name: str) -> None:
        """Takes the volume away from it: it holds keys, and is of no more use."""
        found = await self._connection.get(f"/1.0/instances/{name}")
        found["devices"].pop("between", None)
        body = {key: found[key] for key in ("architecture", "config", "devices", "ephemeral", "profiles")}
        await operations.run(self._connection, "PUT", f"/1.0/instances/{name}", body)
