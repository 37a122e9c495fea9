"""What a person attaches to: the commands for a terminal, and the logs for a screen."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path

from ccp_tui.incus import names
from ccp_tui.incus.api import execute
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import lifecycle
from ccp_tui.incus.errors import FleetError
from ccp_tui.text import clean

WHAT = ("board", "shell", "logs:gateway", "logs:service", "logs:boot")
HOMES = {"ccp": names.CCP_HOME, "openclaw": names.OPENCLAW_HOME, "root": "/root"}
TAIL = 200
LOG_S = 20.0
# Of the terminal, and nothing else of this machine.
TERMINAL = ("TERM", "COLORTERM")


def command(
    endpoint_name: str,
    name: str,
    what: str,
    user: str = "",
    *,
    project: str = "",
    config: Path | None = None,
    env: Mapping[str, str] = os.environ,
) -> list[str]:
    """The words of a command that attaches this terminal: no shell reads them.

    ``what`` is one of WHAT, ``user`` who a shell is for (openclaw unless said otherwise, ccp, root); ``config`` is the
    folder of the Incus client's configuration when it is not the usual one. Raises FleetError USAGE.
    """
    names.check_name(name)
    words = ["env", f"INCUS_CONF={config}"] if config else []
    words += ["incus", "exec", *(["--project", project] if project and project != "default" else [])]
    words += [f"{endpoint_name}:{name}" if endpoint_name != names.LOCAL else name]
    kind, _, which = what.partition(":")
    if kind == "logs" and which in (*names.UNITS, "boot"):
        return [*words, "--", *_journal(which, TAIL), "--follow"]
    if what not in ("board", "shell"):
        raise FleetError(
            "USAGE", f"There is nothing named {what!r} to attach to.", f"One of {', '.join(WHAT)}."
        )
    who = "ccp" if what == "board" else user or "openclaw"
    if who not in HOMES:
        raise FleetError("USAGE", f"There is no user {who!r} inside.", f"One of {', '.join(HOMES)}.")
    words += ["--force-interactive", "--cwd", HOMES[who]]
    for key in TERMINAL:
        if env.get(key):
            words += ["--env", f"{key}={env[key]}"]
    # runuser gives the user's groups too, which `incus exec --user` does not.
    words += ["--", "runuser", "-u", who, "--", "env", f"HOME={HOMES[who]}", "LANG=C.UTF-8"]
    return [*words, "/usr/local/bin/ccp"] if what == "board" else [*words, "/bin/bash", "-l"]


async def follow(connection: Connection, name: str, which: str) -> AsyncGenerator[str, None]:
    """The lines of a log as they are written from now on. Raises FleetError; close it with ``aclosing``."""
    async with aclosing(execute.lines(connection, name, [*_journal(which, 0), "--follow"])) as lines:
        async for line in lines:
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
    done = await execute.run(connection, name, _journal(which, lines), within=LOG_S)
    return clean(done.output if done.code == 0 else done.errors).splitlines()


async def readable(connection: Connection, name: str, which: str) -> None:
    """Raises FleetError when there is no such log, or when what writes it does not run."""
    if which not in (*names.UNITS, "boot"):
        raise FleetError("USAGE", f"There is no log named {which!r}.", "One of gateway, service, boot.")
    if (await lifecycle.owned(connection, name)).get("status") != "Running":
        raise FleetError("REFUSED", f"{name} does not run.", "Start it first.")


def _journal(which: str, lines: int) -> list[str]:
    unit = ["--unit", names.UNITS[which]] if which in names.UNITS else ["--boot"]
    return ["journalctl", *unit, "--lines", str(int(lines)), "--output", "short-iso", "--no-pager", "--quiet"]
