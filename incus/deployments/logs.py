"""The logs inside a deployment: of the gateway, of the service, and what the system said when it started."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ccp_tui.incus import names
from ccp_tui.incus.api import execute
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import lifecycle
from ccp_tui.incus.errors import FleetError
from ccp_tui.text import clean

TAIL = 200
LOG_S = 20.0


async def follow(connection: Connection, name: str, which: str, lines: int = 0) -> AsyncGenerator[str, None]:
    """The last lines of a log and then those that are written, none of them lost in between.

    Raises FleetError; close it with ``aclosing``.
    """
    command = [*journal(which, lines), "--follow"]
    async with aclosing(execute.lines(connection, name, command)) as found:
        async for line in found:
            yield clean(line)


async def tail(connection: Connection, name: str, which: str, lines: int = TAIL) -> list[str]:
    """The last lines of a log. Of a container that does not run only the log of its start is within reach ("boot")."""
    instance = await lifecycle.owned(connection, name)
    if instance.get("status") != "Running" and which == "boot":
        try:
            answer = await connection.raw("GET", f"/1.0/instances/{name}/logs/lxc.log", within=LOG_S)
        except FleetError as error:
            if error.code == "NOT_FOUND":
                return []
            raise
        return clean(answer.text).splitlines()[-lines:]
    await readable(connection, name, which)
    done = await execute.run(connection, name, journal(which, lines), within=LOG_S)
    return clean(done.output if done.code == 0 else done.errors).splitlines()


async def readable(connection: Connection, name: str, which: str) -> None:
    """Raises FleetError when there is no such log, or when what writes it does not run."""
    if which not in (*names.UNITS, "boot"):
        raise FleetError("USAGE", f"There is no log named {which!r}.", "One of gateway, service, boot.")
    if (await lifecycle.owned(connection, name)).get("status") != "Running":
        raise FleetError("REFUSED", f"{name} does not run.", "Start it first.")


def journal(which: str, lines: int) -> list[str]:
    """The command that prints so many last lines of a log."""
    unit = ["--unit", names.UNITS[which]] if which in names.UNITS else ["--boot"]
    return ["journalctl", *unit, "--lines", str(int(lines)), "--output", "short-iso", "--no-pager", "--quiet"]
