"""A deployment as Incus stores it: read raw, held still while it is copied, its settings cleaned for a new one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import lifecycle, listing
from ccp_tui.incus.errors import FleetError

T = TypeVar("T")
# Their snapshots are of one moment. The others copy file by file while the container may write.
ATOMIC = frozenset({"btrfs", "zfs", "lvm", "lvmcluster", "ceph"})


def running(instance: Json) -> bool:
    """Whether its processes exist (Incus counts a frozen one as running for most actions)."""
    return str(instance.get("status") or "").lower() in ("running", "frozen")


def target(instance: Json) -> dict[str, str]:
    """The parameter that puts something on the member of the cluster where an instance is; none without a cluster."""
    location = str(instance.get("location") or "none")
    return {} if location == "none" else {"target": location}


async def driver(connection: Connection, instance: Json) -> str:
    """The driver of the pool its root disk is in: "btrfs", "dir", …"""
    _, root = listing.root_disk(instance.get("expanded_devices") or {})
    pool = await connection.get(f"/1.0/storage-pools/{root.get('pool', 'default')}")
    return str(pool.get("driver") or "")


@asynccontextmanager
async def still(connection: Connection, instance: Json) -> AsyncIterator[None]:
    """Within it nothing in the instance writes, where the pool can't take everything at one moment.

    What is copied then is what a power cut would leave: SQLite in WAL mode comes up whole from it. On btrfs, ZFS, LVM
    and Ceph a snapshot is of one moment by itself, and nothing is held.
    """
    name = instance["name"]
    if instance.get("status") != "Running" or await driver(connection, instance) in ATOMIC:
        yield
        return
    await lifecycle.freeze(connection, name)
    try:
        yield
    finally:
        await lifecycle.unfreeze(connection, name)


@asynccontextmanager
async def stopped(connection: Connection, instance: Json) -> AsyncIterator[None]:
    """Within it the deployment is stopped, gracefully; afterwards it runs again, if it did before.

    Raises FleetError.
    """
    name, ran = str(instance["name"]), running(instance)
    try:
        if instance.get("status") == "Frozen":
            await through(lifecycle.unfreeze(connection, name))
        if ran:
            await through(lifecycle.stop(connection, name))
        yield
    finally:
        if ran and not running(await connection.get(f"/1.0/instances/{name}")):
            await through(lifecycle.start(connection, name))


async def halt(connection: Connection, name: str, within: float = 20.0) -> None:
    """Stops an instance whatever it is doing; one that is stopped is left alone. Raises FleetError."""
    found = await connection.get(f"/1.0/instances/{name}")
    if running(found):
        if found.get("status") == "Frozen":
            await lifecycle.unfreeze(connection, name)
        await lifecycle.stop(connection, name, force=True, within=within)


async def discard(connection: Connection, name: str) -> str:
    """Deletes an instance that came to nothing: "" when it is gone, else words that say what is left."""
    with contextlib.suppress(FleetError):
        await lifecycle.state(connection, name, "stop", within=20, force=True)
    try:
        await lifecycle.remove(connection, name)
    except FleetError as error:
        if error.code != "NOT_FOUND":
            return f"The container {name} is left behind ({error.message}): `incus delete -f {name}`."
    return ""


async def through(action: Coroutine[Any, Any, T]) -> T:
    """The result of an action that, once begun, Incus goes through with. Cancelled, its end is waited for first.

    Without that, what the action makes could appear after somebody has cleaned up.
    """
    task = asyncio.ensure_future(action)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():  # it has a deadline of its own
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task})
        if not task.cancelled():
            task.exception()
        raise


async def made(connection: Connection, making: Coroutine[Any, Any, Any], name: str) -> None:
    """Waits until an instance is made; cancelled, it is deleted again. What fails, Incus takes back by itself.

    Raises FleetError.
    """
    task = asyncio.ensure_future(making)
    try:
        await through(_result(task))
    except asyncio.CancelledError:
        if not task.cancelled() and task.exception() is None:
            await discard(connection, name)
        raise


async def _result(task: asyncio.Future[T]) -> T:
    return await task


async def unmade(connection: Connection, operation: Json, name: str, within: float) -> None:
    """Deletes an instance that is being made, as soon as it is."""
    with contextlib.suppress(FleetError):
        await operations.wait(connection, operation, within)
        await discard(connection, name)
