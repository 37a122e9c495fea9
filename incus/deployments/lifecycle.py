"""The life of a deployment after it was made: started, stopped, frozen, renamed, deleted. Only ever our own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ccp_tui.incus import names
from ccp_tui.incus.api import operations, words
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import listing, network
from ccp_tui.incus.errors import FleetError

START_S = 60.0
# The service aborts the runs and ends, then the gateway; both have their own 40 s. A stop that cuts the gateway off
# makes it careful at its next start.
STOP_S = 100.0
FORCED_AFTER_S = 30.0
DELETE_S = 120.0
BUSY_S = 20.0


async def owned(connection: Connection, name: str) -> Json:
    """The instance behind a deployment's name. Raises FleetError NOT_FOUND, also for other people's instances."""
    missing = FleetError(
        "NOT_FOUND",
        f"{names.join_ref(connection.name, name)} is not a deployment.",
        "`ccp fleet list` shows them.",
    )
    try:
        names.check_name(name)
        found = await patiently(lambda: connection.get(f"/1.0/instances/{name}", {"recursion": 1}))
    except FleetError as error:
        if error.message == words.AWAY:
            error = await _away(connection, name, error)
        raise (missing if error.code in ("NOT_FOUND", "USAGE") else error) from None
    if not listing.ours(found):
        raise missing
    return found


async def _away(connection: Connection, name: str, error: FleetError) -> FleetError:
    """The same error with the member of the cluster that does not answer, by its name."""
    for one in await listing.look(connection):
        if one.get("name") == name and one.get("location") not in (None, "", "none"):
            said = f"{name} is on {one['location']}, which is out of reach."
            return FleetError("UNAVAILABLE", said, words.BACK)
    return error


async def start(connection: Connection, name: str) -> None:
    """Starts a stopped deployment. Raises FleetError: REFUSED when its port was taken meanwhile."""
    await state(connection, name, "start", within=START_S)


async def stop(connection: Connection, name: str, force: bool = False, within: float = STOP_S) -> None:
    """Stops a deployment gracefully within so many seconds. With ``force`` it is given 30 s and then killed.

    Raises FleetError TIMEOUT when it did not obey and still runs.
    """
    within = min(within, FORCED_AFTER_S) if force else within
    try:
        await state(connection, name, "stop", within=within)
    except FleetError as error:
        instance = await owned(connection, name)
        if instance.get("status") == "Stopped":
            return
        if not force:
            if error.code in ("TIMEOUT", "FAILED"):
                raise FleetError(
                    "TIMEOUT",
                    f"{name} did not stop within {within:.0f} s; it still runs.",
                    "Stop it with --force.",
                ) from None
            raise
        await state(connection, name, "stop", within=30, force=True)


async def restart(connection: Connection, name: str) -> None:
    """Stops a running deployment gracefully and starts it again. Raises FleetError TIMEOUT when it did not stop."""
    await stop(connection, name)
    await start(connection, name)


async def freeze(connection: Connection, name: str) -> None:
    """Halts all processes of a running deployment where they are."""
    await state(connection, name, "freeze", within=30)


async def unfreeze(connection: Connection, name: str) -> None:
    """Lets a frozen deployment go on."""
    await state(connection, name, "unfreeze", within=30)


async def rename(connection: Connection, name: str, new: str) -> None:
    """Gives a deployment another name. A running one is stopped for it and started again.

    Raises FleetError USAGE for a name that can't be, EXISTS for one that is taken; then nothing was stopped.
    """
    names.check_name(new)
    instance = await owned(connection, name)
    await absent(connection, new)
    running = instance.get("status") != "Stopped"
    if instance.get("status") == "Frozen":
        await unfreeze(connection, name)
    if running:
        await stop(connection, name)
    try:
        await patiently(
            lambda: operations.run(
                connection, "POST", f"/1.0/instances/{name}", {"name": new, "migration": False}
            )
        )
        name = new
    finally:
        if running:
            await start(connection, name)


async def delete(connection: Connection, name: str) -> None:
    """Deletes a deployment with its disk and snapshots; a running one is stopped first, gracefully while it obeys.

    Raises FleetError.
    """
    instance = await owned(connection, name)
    status = instance.get("status")
    if status == "Frozen":
        await unfreeze(connection, name)
    if status != "Stopped":
        await stop(connection, name, force=True)
    await remove(connection, name)
    await network.tidy(connection)


async def remove(connection: Connection, name: str) -> None:
    """Deletes a stopped instance; right after a failed start Incus calls it busy for a while."""
    await patiently(lambda: operations.run(connection, "DELETE", f"/1.0/instances/{name}", within=DELETE_S))


async def state(connection: Connection, name: str, action: str, within: float, force: bool = False) -> None:
    """One change of state, waited for. ``within`` is also how long Incus lets the inside take."""
    body = {"action": action, "timeout": round(within), "force": force, "stateful": False}
    await patiently(
        lambda: operations.run(connection, "PUT", f"/1.0/instances/{name}/state", body, within=within + 15)
    )


async def absent(connection: Connection, name: str) -> None:
    """Nothing, when no instance has this name. Raises FleetError EXISTS, whoever it belongs to."""
    try:
        await connection.get(f"/1.0/instances/{name}")
    except FleetError as error:
        if error.code == "NOT_FOUND":
            return
        raise
    raise FleetError("EXISTS", f"The name {name} is taken.", "Choose another name.")


async def patiently(action: Callable[[], Awaitable[Json]], within: float = BUSY_S) -> Json:
    """The action's result; while the instance is busy it is tried again, with growing pauses, for so many seconds."""
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + within, 0.1
    while True:
        try:
            return await action()
        except FleetError as error:
            if not (error.code == "REFUSED" and error.message == words.BUSY) or loop.time() + pause > end:
                raise
        await asyncio.sleep(pause)
        pause = min(2.0, pause * 2)
