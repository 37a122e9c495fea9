"""Running a spec's checks: shell commands in the agent's workspace, with a time limit and bounded output.

A check is the person's command over files that an agent wrote, so what it runs may be the agent's: it gets a clean
environment without anything of ours, and another user's rights where one is configured (``CCP_CHECKS_USER``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import signal
import time
from pathlib import Path
from typing import Any

from ccp_tui import clock
from ccp_tui.service.reports.tokens import hide
from ccp_tui.service.sessions.transcripts import shortened
from ccp_tui.text import clean

LARGEST_OUTPUT = 256 * 1024
# After a check ended, its pipe may be held open by a process that left its group and can't be found.
DRAIN_S = 2.0
# What a check leaves behind may start more while it is being ended.
SWEEPS = 5
Row = dict[str, Any]


class CannotRun(Exception):
    """No check can be run here, whatever it says; the words say why."""


class ChecksUserError(CannotRun):
    """The user that checks must run as can't be used; the words say why."""


def identity(name: str) -> dict[str, Any]:
    """How a subprocess becomes the checks' user; empty for the service's own. Raises ChecksUserError."""
    if not name:
        return {}
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise ChecksUserError(f"CCP_CHECKS_USER names {name}, and there is no such user") from None
    if user.pw_uid == os.getuid():
        return {}
    if os.getuid() != 0:
        raise ChecksUserError(f"this service may not run checks as {name}: only root may change users")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


async def run(check: Row, workspace: Path, user: str) -> Row:
    """One check's result, as the store keeps it. A check that can't be run has no exit code and says why."""
    started, began = clock.now(), time.monotonic()
    exit_code: int | None = None
    timed_out = False
    mark = secrets.token_hex(16)
    try:
        process, pipe = await _start(check["command"], workspace, user, mark)
    except OSError as error:
        output = str(error)
    else:
        output, timed_out = await _watch(process, pipe, float(check["timeout_s"]), mark)
        exit_code = None if timed_out else process.returncode
    return result(check, started, began, exit_code, output, timed_out)


def result(
    check: Row, started: str, began: float, exit_code: int | None, output: str, timed_out: bool
) -> Row:
    """A result as the store keeps it, of a check that ends now; ``began`` is of the monotonic clock, in seconds."""
    return {
        "name": check["name"],
        "command": check["command"],
        "exit_code": exit_code,
        "output": shortened(hide(clean(output))),
        "timed_out": int(timed_out),
        "duration_ms": int((time.monotonic() - began) * 1000),
        "started_at": started,
    }


async def _start(
    command: str, workspace: Path, user: str, mark: str
) -> tuple[asyncio.subprocess.Process, int]:
    """The check's shell, and the pipe with what it prints.

    The pipe is our own: with one of asyncio's, a check would last as long as the last process that inherited it.
    """
    reading, writing = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            cwd=workspace,
            env=_environment(workspace, mark),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            start_new_session=True,
            **identity(user),
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return process, reading


async def _watch(process: asyncio.subprocess.Process, pipe: int, limit: float, mark: str) -> tuple[str, bool]:
    """The output, and whether the time limit ended it. Nothing of the check is left running."""
    head, tail = bytearray(), bytearray()
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(pipe, "rb", buffering=0)
    )
    reader = asyncio.create_task(_read(stream, head, tail))
    timed_out = False
    try:
        async with asyncio.timeout(limit):
            await process.wait()
    except TimeoutError:
        timed_out = True
    finally:
        _kill(-process.pid)
        await process.wait()
        await asyncio.to_thread(_end_strays, mark)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.shield(reader)
        reader.cancel()
        transport.close()
    left_out = "\n… the middle is left out …\n" if len(tail) >= LARGEST_OUTPUT // 2 else ""
    return head.decode(errors="replace") + left_out + tail.decode(errors="replace"), timed_out


async def _read(stream: asyncio.StreamReader, head: bytearray, tail: bytearray) -> None:
    """Reads to the end, however much comes, and keeps the beginning and the end of it."""
    half = LARGEST_OUTPUT // 2
    while chunk := await stream.read(65536):
        room = half - len(head)
        head += chunk[:room]
        tail += chunk[max(0, room) :]
        del tail[:-half]


def _end_strays(mark: str) -> None:
    """Ends what left the check's process group, a daemon for instance: its environment shows whose it is.

    Only where the system has /proc; what wiped its environment is not found.
    """
    for _ in range(SWEEPS):
        strays = _marked(mark.encode())
        if not strays:
            return
        for pid in strays:
            _kill(pid)


def _marked(mark: bytes) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            if mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def _kill(pid: int) -> None:
    """Kills a process, or with a negative id a group; one that is gone is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _environment(workspace: Path, mark: str) -> dict[str, str]:
    """Nothing of ours (no home of the service, no token, no provider key) but the mark of this one check."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ", "TMPDIR") if name in os.environ}
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return {**kept, "PATH": path, "HOME": str(workspace), "CI": "true", "CHECK_MARK": mark}
