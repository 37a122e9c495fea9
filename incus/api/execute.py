"""Commands in an instance: with the whole output when they have ended, or line by line while they run.

Incus's recorded output is the one way that lost nothing under load; pylxd's ``execute`` and the incus command both did.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import websockets

from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import CONNECT_S, Connection, Json
from ccp_tui.incus.errors import FleetError

LONGEST_LINE = 256 * 1024


@dataclass(frozen=True)
class Done:
    """A command that has ended: its exit code and all it wrote."""

    code: int
    output: str
    errors: str


async def run(
    connection: Connection,
    instance: str,
    command: Sequence[str],
    *,
    user: int = 0,
    group: int = 0,
    cwd: str = "/",
    env: Mapping[str, str] | None = None,
    within: float = 60.0,
) -> Done:
    """Runs a command in a running instance to its end. Nothing secret belongs into ``command`` or ``env``: Incus keeps
    both in the operation.

    Raises FleetError NOT_FOUND when there is no such command inside, TIMEOUT after ``within`` seconds.
    """
    body = _body(command, user, group, cwd, env)
    body |= {"wait-for-websocket": False, "record-output": True}
    ended = await operations.run(connection, "POST", f"/1.0/instances/{instance}/exec", body, within=within)
    found: Json = ended.get("metadata") or {}
    logs: Json = found.get("output") or {}
    texts = {}
    for stream, path in sorted(logs.items()):
        answer = await connection.raw("GET", path)
        texts[stream] = answer.content.decode("utf-8", "replace")
    for path in logs.values():
        with contextlib.suppress(FleetError):  # a log that stays behind is removed with its instance
            await connection.call("DELETE", path)
    return Done(int(found.get("return", -1)), texts.get("1", ""), texts.get("2", ""))


async def checked(
    connection: Connection, instance: str, command: Sequence[str], within: float = 60.0, **who: Any
) -> str:
    """The output of a command that ended with 0. Raises FleetError FAILED with its last words otherwise."""
    done = await run(connection, instance, command, within=within, **who)
    if done.code != 0:
        said = (done.errors or done.output).strip().splitlines()
        raise FleetError(
            "FAILED", f"{command[0]} inside ended with {done.code}: {said[-1] if said else 'no words'}."
        )
    return done.output


async def lines(
    connection: Connection,
    instance: str,
    command: Sequence[str],
    *,
    user: int = 0,
    group: int = 0,
    cwd: str = "/",
    env: Mapping[str, str] | None = None,
) -> AsyncGenerator[str, None]:
    """The lines of a command's output as they come, without their ends, until it ends or the caller closes this.

    Errors of the command are left out. Incus kills the command when the sockets close. Close it with ``aclosing``.
    """
    body = _body(command, user, group, cwd, env) | {"wait-for-websocket": True}
    operation: Json = await connection.call("POST", f"/1.0/instances/{instance}/exec", body)
    path = f"/1.0/operations/{operation['id']}/websocket"
    fds: Json = operation["metadata"]["fds"]
    async with contextlib.AsyncExitStack() as stack:
        sockets = {}
        # All of them, or Incus does not start the command.
        for name in ("0", "1", "2", "control"):
            sockets[name] = await stack.enter_async_context(
                connection.websocket(path, {"secret": fds[name]}, within=CONNECT_S)
            )
        idle = [asyncio.create_task(_drain(sockets[name])) for name in ("2", "control")]
        try:
            async for line in _split(sockets["1"]):
                yield line
        finally:
            for task in idle:
                task.cancel()
            await asyncio.gather(*idle, return_exceptions=True)


async def _split(socket: websockets.ClientConnection) -> AsyncGenerator[str, None]:
    """Whole lines of a stream; a line without end is cut at LONGEST_LINE bytes."""
    rest = b""
    try:
        async for message in socket:
            if isinstance(message, str):  # an empty text frame is the end of the file
                break
            rest += message
            *whole, rest = rest.split(b"\n")
            for line in whole:
                yield line[:LONGEST_LINE].decode("utf-8", "replace")
            if len(rest) > LONGEST_LINE:
                yield rest[:LONGEST_LINE].decode("utf-8", "replace")
                rest = b""
    except websockets.ConnectionClosed:
        pass
    if rest:
        yield rest[:LONGEST_LINE].decode("utf-8", "replace")


async def _drain(socket: websockets.ClientConnection) -> None:
    with contextlib.suppress(websockets.ConnectionClosed):
        async for _ in socket:
            pass


def _body(command: Sequence[str], user: int, group: int, cwd: str, env: Mapping[str, str] | None) -> Json:
    return {
        "command": list(command),
        "environment": {"LANG": "C.UTF-8", **(env or {})},
        "interactive": False,
        "user": user,
        "group": group,
        "cwd": cwd,
    }
