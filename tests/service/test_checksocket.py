"""Checks that a runner at the other end of a socket runs: the same results, and words for whatever goes wrong there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.verification import checksocket
from tests.service.board import IDLE, board_on, spec, until
from tests.service.test_checks import gone

Row = dict[str, Any]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CHECK: Row = {"name": "it", "command": "true", "timeout_s": 20.0}


@contextlib.asynccontextmanager
async def listening(at: Path, talk: Talk) -> AsyncIterator[None]:
    server = await asyncio.start_unix_server(talk, at)
    try:
        yield
    finally:
        server.close()


@contextlib.asynccontextmanager
async def runners(at: Path, workspaces: Path) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """As systemd does it: a process of its own for each connection, which is its standard input and output."""
    started: list[asyncio.subprocess.Process] = []

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(at))
    listener.listen()
    listener.setblocking(False)

    async def accept() -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.setblocking(True)
            env = {**os.environ, "CCP_WORKSPACES": str(workspaces), "SECRET": "of ours"}
            with connection:
                started.append(
                    await asyncio.create_subprocess_exec(
                        sys.executable,
                        "-m",
                        "ccp_tui",
                        "check-runner",
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        env=env,
                    )
                )

    accepting = asyncio.create_task(accept())
    try:
        yield started
    finally:
        accepting.cancel()
        listener.close()
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@pytest.fixture
def at(home: Home) -> Path:
    return home.root / "checks.sock"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = tmp_path / "agents" / "ada"
    made.mkdir(parents=True)
    return made


async def run(workspace: Path, at: Path, **changes: Any) -> Row:
    return await checksocket.run({**CHECK, **changes}, workspace, at)


async def test_a_check_runs_in_its_workspace_and_its_result_comes_back(workspace: Path, at: Path) -> None:
    async with runners(at, workspace.parent):
        result = await run(workspace, at, command="pwd; echo to stderr >&2; exit 3")
        assert result["output"] == f"{workspace}\nto stderr\n"
        assert (result["name"], result["exit_code"], result["timed_out"]) == ("it", 3, 0)
        assert result["duration_ms"] >= 0
        assert result["started_at"].endswith("Z")
        seen = await run(workspace, at, command="env; ls -l /proc/self/fd")
        assert "of ours" not in seen["output"]
        assert "CCP_" not in seen["output"]
        assert "socket:" not in seen["output"], "the connection is not the check's"
        slow = await run(workspace, at, command="echo begun; sleep 300", timeout_s=0.3)
        assert (slow["exit_code"], slow["timed_out"], slow["output"]) == (None, 1, "begun\n")


async def test_a_folder_elsewhere_is_refused(workspace: Path, at: Path) -> None:
    (workspace / "out").symlink_to("/etc")
    async with runners(at, workspace.parent):
        for folder in (Path("/etc"), workspace.parent, workspace / "..", workspace / "out", Path("/")):
            with pytest.raises(checksocket.RunnerError, match="is no workspace under"):
                await run(folder, at)
        (workspace / "inner").symlink_to(".")
        assert (await run(workspace / "inner", at))["exit_code"] == 0


async def test_a_service_that_goes_away_takes_its_check_with_it(workspace: Path, at: Path) -> None:
    async with runners(at, workspace.parent) as started:
        work = asyncio.create_task(run(workspace, at, command="sleep 300 & echo $! > child; sleep 300"))
        child = await until(lambda: (workspace / "child").exists() and (workspace / "child").read_text())
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert await asyncio.wait_for(started[0].wait(), 20) == 1
        await until(lambda: gone(int(child)))


async def test_a_check_that_kills_its_runner_could_not_be_run(workspace: Path, at: Path) -> None:
    async with runners(at, workspace.parent):
        result = await run(workspace, at, command="kill -9 $PPID; sleep 20")
    assert (result["exit_code"], result["timed_out"]) == (None, 0)
    assert "could not be run: the runner ended without a result" in result["output"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "ended without a result"),
        (b'{"exit_code": 0', "ended without a result"),
        (b"nonsense\n", "can't be read"),
        (b"[]\n", "ended without a result"),
        (b'{"output": "' + b"x" * (3 * 2**20) + b'"}\n', "too large"),
    ],
)
async def test_what_is_no_result_is_told(workspace: Path, at: Path, answer: bytes, words: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    async with listening(at, talk):
        result = await run(workspace, at)
    assert result["exit_code"] is None
    assert words in result["output"]


async def test_only_the_outcome_is_taken_from_a_runner(workspace: Path, at: Path) -> None:
    said = {
        "exit_code": 0,
        "output": "a\x1b[31mb" + "x" * 10**6,
        "name": "other",
        "command": "other",
        "started_at": "",
    }

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(json.loads(await reader.readline()))
        writer.write(json.dumps(said).encode() + b"\n")
        writer.close()

    asked: list[Row] = []
    async with listening(at, talk):
        result = await run(workspace, at)
        assert asked == [{"name": "it", "command": "true", "cwd": str(workspace), "timeout_s": 20.0}]
        assert (result["name"], result["command"], result["exit_code"]) == ("it", "true", 0)
        assert result["output"].startswith("abx")
        assert len(result["output"]) < 20_000
        for odd in (True, "0", None, 1e300, 10**30):
            said["exit_code"] = odd
            assert (await run(workspace, at))["exit_code"] is None


async def test_a_runner_that_says_nothing_is_given_up(
    workspace: Path, at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksocket, "GRACE_S", 0.2)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the service hangs up
        left.set()
        writer.close()

    left = asyncio.Event()
    async with listening(at, talk):
        result = await run(workspace, at, timeout_s=0.1)
        assert "gave no result within" in result["output"]
        await asyncio.wait_for(left.wait(), 10)


async def test_without_a_runner_the_task_is_held_and_no_round_lost(home: Home, at: Path) -> None:
    async with board_on(home, checks_socket=at) as board:
        ref = await board.dispatched(spec(IDLE, checks=("test -f hello.md",)))
        await board.work(ref)
        task = await board.reach(ref, "held")
        assert (task["state"], task["round"], task["hold"]["kind"]) == ("testing", 1, "error")
        assert str(at) in task["hold"]["reason"]
        async with runners(at, board.workspace.parent):
            await board.restart_service()  # as the words say: mended, the checks run
            task = await board.reach(ref, "review")
        (result,) = task["attempts"][0]["rounds"][0]["checks"]
        assert result["ok"]
