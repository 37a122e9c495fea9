"""Checks that somebody else runs, over a Unix socket: one connection for each, one line of JSON either way.

Where agents have a user of their own, their code must run as that user and not as the service's, and only root may
change users. So systemd listens (``Accept=yes``) and starts ``ccp check-runner`` as the agents' user for each
connection. Closing the connection kills the check.

The request is ``{command, cwd, timeout_s, name}``; the answer is a result as :func:`checks.run` makes it, or
``{"error": words}`` when it was refused. What is checked runs as the same user as the runner, so of the answer only
the outcome is taken, as text that is not trusted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import stat
import time
from pathlib import Path
from typing import Any

from ccp_tui import clock
from ccp_tui.service.verification import checks
from ccp_tui.spec import LONGEST_CHECK_TIMEOUT_S
from ccp_tui.text import one_line

LARGEST_REQUEST = 2**20  # bytes of a line
LARGEST_ANSWER = 2 * 2**20
CONNECT_S = 5.0
REQUEST_S = 10.0  # how long a runner waits for its line
GRACE_S = 20.0  # beyond the check's own limit, to start it and to end what it left
WRITE_S = 10.0
Row = dict[str, Any]


class RunnerError(checks.CannotRun):
    """Nobody runs checks on the socket, or the runner refuses this one; the words say why."""


class BadRequest(Exception):
    """What came is no request for a check, or one for a folder that is none of ours; the words say so."""


async def run(check: Row, workspace: Path, at: Path) -> Row:
    """One check's result, as :func:`checks.run` gives it. Cancelled, it closes the connection, which ends the check.

    Raises RunnerError. A connection that is lost meanwhile is a check that could not be run.
    """
    started, began = clock.now(), time.monotonic()
    limit = float(check["timeout_s"])
    request = {"name": check["name"], "command": check["command"], "cwd": str(workspace), "timeout_s": limit}
    reader, writer = await _connect(at)
    answer, trouble = b"", "the runner ended without a result"
    try:
        async with asyncio.timeout(limit + GRACE_S):
            writer.write(json.dumps(request).encode() + b"\n")
            await writer.drain()
            answer = await reader.readline()
    except TimeoutError:
        trouble = f"the runner gave no result within {limit + GRACE_S:g} s"
    except ValueError:
        trouble = "the runner's result is too large"
    except OSError as error:
        trouble = f"the runner was lost ({error.strerror or error})"
    finally:
        writer.transport.abort()
    exit_code, output, timed_out = _outcome(answer, trouble)
    return checks.result(check, started, began, exit_code, output, timed_out)


async def _connect(at: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_S):
            return await asyncio.open_unix_connection(at, limit=LARGEST_ANSWER)
    except OSError as error:  # TimeoutError is one
        why = error.strerror or "it does not answer"
        raise RunnerError(f"checks can't be run: nobody takes them on {at} ({why})") from None


def _outcome(answer: bytes, trouble: str) -> tuple[int | None, str, bool]:
    """The exit code, the output, and whether the time limit ended it. Raises RunnerError for a refusal."""
    try:
        row = json.loads(answer) if answer.endswith(b"\n") else None
    except (ValueError, RecursionError):
        row, trouble = None, "the runner's result can't be read"
    if not isinstance(row, dict):
        return None, f"The check could not be run: {trouble}.", False
    if isinstance(row.get("error"), str):
        raise RunnerError(f"checks can't be run: {one_line(row['error'], 500)}")
    code, output = row.get("exit_code"), row.get("output")
    if isinstance(code, bool) or not isinstance(code, int) or not -256 < code < 256:
        code = None
    return code, output if isinstance(output, str) else "", row.get("timed_out") in (1, True)


# -- the other end ------------------------------------------------------------------------------------------------


async def serve_one(reading: int, workspaces: Path | None) -> Row | None:
    """Reads one request from a pipe or socket and runs it in its folder, which must lie under ``workspaces``.

    The answer, or None when the other side went away and the check was ended for it.
    """
    reader = asyncio.StreamReader(limit=LARGEST_REQUEST)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(os.dup(reading), "rb", buffering=0)
    )
    try:
        async with asyncio.timeout(REQUEST_S):
            line = await reader.readline()
        check, folder = _read(line, workspaces)
    except TimeoutError:
        return {"error": f"no request came within {REQUEST_S:g} s"}
    except (ValueError, BadRequest) as error:
        return {"error": str(error)}
    else:
        return await _until_gone(check, folder, reader)
    finally:
        transport.close()


async def _until_gone(check: Row, folder: Path, reader: asyncio.StreamReader) -> Row | None:
    work = asyncio.create_task(checks.run(check, folder, ""), name="check")
    gone = asyncio.create_task(reader.read(1), name="connection")
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        return await work if work.done() else None
    finally:
        for task in (work, gone):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await work  # it ends what it started


def _read(line: bytes, workspaces: Path | None) -> tuple[Row, Path]:
    """The check and its real folder. Raises BadRequest."""
    try:
        request = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise BadRequest("that is no request: one line of JSON was expected")
    command, cwd, name = (request.get(key) for key in ("command", "cwd", "name"))
    limit = request.get("timeout_s")
    if not (isinstance(command, str) and command.strip() and isinstance(cwd, str) and isinstance(name, str)):
        raise BadRequest("a request needs command, cwd, name and timeout_s")
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise BadRequest("timeout_s must be a number of seconds")
    if not 0 < limit <= LONGEST_CHECK_TIMEOUT_S:
        raise BadRequest(f"timeout_s must lie between 0 and {LONGEST_CHECK_TIMEOUT_S:g}")
    if "\0" in command or "\0" in cwd:
        raise BadRequest("command and cwd must be text")
    return {"name": name, "command": command, "timeout_s": limit}, _folder(cwd, workspaces)


def _folder(cwd: str, workspaces: Path | None) -> Path:
    if workspaces is None:
        raise BadRequest("the runner does not know where workspaces are: set CCP_WORKSPACES for it")
    root, folder = Path(os.path.realpath(workspaces)), Path(os.path.realpath(cwd))
    if folder == root or not folder.is_relative_to(root):
        raise BadRequest(f"{one_line(cwd, 200)} is no workspace under {root}")
    return folder


def answer(writing: int, row: Row) -> bool:
    """Writes the answer to a pipe, socket or file; False when nobody takes it."""
    data = memoryview(json.dumps(row).encode() + b"\n")
    waits = not stat.S_ISREG(os.fstat(writing).st_mode)
    end = time.monotonic() + WRITE_S
    while data:
        try:
            if waits and not select.select([], [writing], [], max(0.0, end - time.monotonic()))[1]:
                return False
            data = data[os.write(writing, data) :]
        except BlockingIOError:
            continue
        except OSError:
            return False
    return True
