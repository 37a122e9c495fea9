"""A deployment moved to a newer image, its data kept; back to what it was when the new system does not come up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

from ccp_tui.clock import now
from ccp_tui.incus import names
from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import inside, lifecycle, sibling, snapshots, stored
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Snapshot, Stage

# What is the deployment's own; all the rest is the system's and comes from the image.
KEPT = (
    "var/lib/ccp",
    "home/openclaw",
    "srv/agents",
    "etc/ccp",
    "etc/ssh/authorized_keys",
    "etc/ssh/ssh_host_*",
    "etc/machine-id",
    "var/log/journal",
)
REPLACE_S = 1800.0

OnStage = Callable[[Stage], None]
Healthy = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Target:
    """The image to go to."""

    alias: str
    fingerprint: str
    version: str
    properties: dict[str, str]


class Stages:
    """Tells the stages of an action as they begin and end, with their times."""

    def __init__(self, on_stage: OnStage | None) -> None:
        self._tell = on_stage or (lambda stage: None)

    @asynccontextmanager
    async def stage(self, name: str, words: str = "") -> AsyncIterator[None]:
        started, clock = now(), asyncio.get_running_loop().time()
        self._tell(Stage(name, started, None, words))
        yield
        self._tell(Stage(name, started, asyncio.get_running_loop().time() - clock, words))


async def upgrade(
    connection: Connection,
    name: str,
    image: str = "",
    on_stage: OnStage | None = None,
    *,
    healthy: Healthy | None = None,
    kept: Sequence[str] = KEPT,
) -> Snapshot:
    """Puts a newer image's system under a deployment; the snapshot of before, which stays.

    Stages: check, stop, snapshot, data (old data into the new system, beside the deployment), system (the disk is
    replaced), start, health, and rollback when any of these fails. ``healthy`` raises FleetError when what is inside
    did not come up; by default the image says what there is to wait for. A deployment that was stopped is stopped
    again in the end. Raises FleetError; the deployment is then as it was, or the words say what to do.
    """
    stages = Stages(on_stage)
    async with stages.stage("check"):
        instance = await whole(connection, name)
        target = await find(connection, image or names.LATEST)
        if (instance.get("config") or {}).get("volatile.base_image") == target.fingerprint:
            raise FleetError("REFUSED", f"{name} has the image {target.alias} already.")
        await sibling.sweep(connection, name)
    ran = stored.running(instance)
    touched, taken = False, None
    try:
        await stored.through(mark(connection, name, names.BEGUN))
        if ran:
            async with stages.stage("stop"):
                if instance.get("status") == "Frozen":
                    await stored.through(lifecycle.unfreeze(connection, name))
                await stored.through(lifecycle.stop(connection, name))
        async with stages.stage("snapshot"):
            taken = await before(connection, name, target.version)
        async with AsyncExitStack() as beside:
            async with stages.stage("data"):
                new = sibling.assembled(connection, instance, taken.name, target.fingerprint, kept)
                source = await beside.enter_async_context(new)
            async with stages.stage("system"):
                touched = True
                await stored.through(mark(connection, name, taken.name))
                await _replace(connection, name, source, target)
                # From here on a process that dies leaves a whole system; what it does meanwhile must not be undone.
                await stored.through(mark(connection, name, names.BEGUN))
        async with stages.stage("start"):
            await stored.through(lifecycle.start(connection, name))
        async with stages.stage("health"):
            await (healthy() if healthy else inside.healthy(connection, name))
        await stored.through(mark(connection, name, ""))
    except BaseException as error:
        async with stages.stage("rollback", str(error)):
            left = await stored.through(_back(connection, name, taken.name if taken and touched else "", ran))
        if not isinstance(error, FleetError):
            raise
        words = f"The upgrade of {name} to {target.version} failed and was taken back: {error.message}"
        raise FleetError(error.code, left or words, error.fix) from None
    if not ran:
        await lifecycle.stop(connection, name)
    return taken


async def find(connection: Connection, image: str) -> Target:
    """The image behind an alias or a fingerprint. Raises FleetError NOT_FOUND."""
    try:
        alias = await connection.get(f"/1.0/images/aliases/{quote(image, safe='')}")
        fingerprint = str(alias["target"])
    except FleetError as error:
        if error.code != "NOT_FOUND" or not re.fullmatch(r"[0-9a-f]{12,64}", image):
            raise _no_image(error, image) from None
        fingerprint = image
    try:
        found = await connection.get(f"/1.0/images/{fingerprint}")
    except FleetError as error:
        raise _no_image(error, image) from None
    properties = {str(key): str(value) for key, value in (found.get("properties") or {}).items()}
    aliases = [str(one.get("name")) for one in found.get("aliases") or ()]
    own = [one for one in aliases if one.startswith(names.IMAGE_PREFIX) and one != names.LATEST]
    version = properties.get(names.IMAGE_VERSION) or str(found["fingerprint"])[:12]
    return Target((own or [image])[0], str(found["fingerprint"]), version, properties)


def _no_image(error: FleetError, image: str) -> FleetError:
    if error.code != "NOT_FOUND":
        return error
    return FleetError(
        "NOT_FOUND", f"There is no image {image}.", "`ccp fleet image list` shows what there is."
    )


async def whole(connection: Connection, name: str) -> Json:
    """The instance. One whose upgrade was cut off (its process was killed, say) is put in order first.

    What was made beside it goes, and a disk that is neither the old nor the new becomes the old one; it is left stopped
    then. Raises FleetError.
    """
    instance = await lifecycle.owned(connection, name)
    marked = (instance.get("config") or {}).get(names.UPGRADING)
    if not marked:
        return instance
    await sibling.sweep(connection, name)
    if marked != names.BEGUN:
        await _put_back(connection, name, marked)
    await mark(connection, name, "")
    return await lifecycle.owned(connection, name)


async def before(connection: Connection, name: str, version: str) -> Snapshot:
    """A snapshot ``before-<version>``, with a number behind when that name is taken."""
    base = "before-" + re.sub(r"[^A-Za-z0-9._-]", "-", version)[:40]
    taken = {one.name for one in await snapshots.listed(connection, name)}
    free = next(one for one in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if one not in taken)
    return await snapshots.create(connection, name, free)


async def _replace(connection: Connection, name: str, source: str, target: Target) -> None:
    """Makes the disk of a stopped deployment that of ``source``; its snapshots and settings stay."""
    await _erase(connection, name)
    await _refresh(connection, name, source)
    new = (await connection.get(f"/1.0/instances/{source}")).get("config") or {}
    found = await connection.get(f"/1.0/instances/{name}")
    config = {
        key: value
        for key, value in (found.get("config") or {}).items()
        if not key.startswith(names.FROM_IMAGE)
    }
    config |= {f"{names.FROM_IMAGE}{key}": value for key, value in target.properties.items()}
    config |= {
        names.IMAGE: target.alias,
        names.VERSION: target.version,
        "volatile.base_image": target.fingerprint,
    }
    # How the files on the disk are owned, for kernels that can't map ids at mount: Incus shifts them at the start.
    if owned := new.get("volatile.last_state.idmap"):
        config["volatile.last_state.idmap"] = owned
    body: Json = {
        key: found[key] for key in ("architecture", "devices", "ephemeral", "profiles", "description")
    }
    await operations.run(connection, "PUT", f"/1.0/instances/{name}", body | {"config": config})


async def _erase(connection: Connection, name: str) -> None:
    """Empties the disk: Incus copies by rsync, which takes files of the same size and time for the same files."""
    async with sibling.blank(connection, await lifecycle.owned(connection, name)) as nothing:
        await _refresh(connection, name, nothing)


async def _refresh(connection: Connection, name: str, source: str) -> None:
    found = await connection.get(f"/1.0/instances/{name}")
    body: Json = {
        "name": name,
        "architecture": found.get("architecture"),
        "source": {"type": "copy", "source": source, "refresh": True, "instance_only": True},
    }
    making = operations.run(
        connection, "POST", "/1.0/instances", body, params=stored.target(found), within=REPLACE_S
    )
    await stored.through(making)


async def mark(connection: Connection, name: str, how_far: str) -> None:
    """Notes how far an upgrade is, for whoever finds it cut off: see ``names.UPGRADING``; "" when it is over."""
    change = {"config": {names.UPGRADING: how_far}}
    await operations.run(connection, "PATCH", f"/1.0/instances/{name}", change)


async def _put_back(connection: Connection, name: str, snapshot: str) -> None:
    """The disk as in a snapshot, whatever is on it; the deployment is stopped then."""
    await stored.halt(connection, name)
    if await stored.driver(connection, await lifecycle.owned(connection, name)) not in stored.ATOMIC:
        await _erase(connection, name)  # there a snapshot is put back by rsync, too
    await snapshots.restore(connection, name, snapshot)


async def _back(connection: Connection, name: str, snapshot: str, ran: bool) -> str:
    """Takes an upgrade back; "" when all is as before, else words that say what is not."""
    try:
        await sibling.sweep(connection, name)
        if snapshot:
            await _put_back(connection, name, snapshot)
        await mark(connection, name, "")
        if ran and not stored.running(await lifecycle.owned(connection, name)):
            await lifecycle.start(connection, name)
    except FleetError as error:
        what = f"`ccp fleet restore {name} {snapshot}` brings it back." if snapshot else "Start it by hand."
        return f"The upgrade failed, and taking it back failed, too ({error.message}): {what}"
    return ""
