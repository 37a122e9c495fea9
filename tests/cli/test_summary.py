"""``ccp summary``: one line at each change, over restarts, as small as it can be, and never longer than it is read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from ccp_tui import __version__
from ccp_tui.lifecycle import State
from ccp_tui.paths import Home
from tests.cli.conftest import Ccp
from tests.cli.fake_service import FakeService
from tests.service.board import Board, board_on, spec, until
from tests.support.realgateway import REPOSITORY

AWAY: dict[str, Any] = {
    "service": "down",
    "gateway": "unknown",
    "tasks": {},
    "needs_you": None,
    "shortages": [],
    "version": __version__,
}


def some(summary: dict[str, Any]) -> dict[str, Any]:
    """A summary with only the states that a task is in."""
    return {**summary, "tasks": {state: count for state, count in summary["tasks"].items() if count}}


class Follower:
    """A running ``ccp summary --follow`` and the lines it wrote."""

    def __init__(self, home: Home) -> None:
        reading, writing = os.pipe()
        env = {**os.environ, "CCP_HOME": str(home.root), "CCP_NO_AUTOSTART": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ccp_tui", "summary", "--follow"], stdout=writing, env=env, cwd=REPOSITORY
        )
        os.close(writing)
        os.set_blocking(reading, False)
        self._reading = reading
        self._data = b""
        self.at: list[float] = []

    @property
    def lines(self) -> list[dict[str, Any]]:
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self._reading, 65536):
                self._data += chunk
        found = [
            some(json.loads(line)) for line in self._data.splitlines(keepends=True) if line.endswith(b"\n")
        ]
        self.at += [time.monotonic()] * (len(found) - len(self.at))
        return found

    def hang_up(self) -> None:
        os.close(self._reading)
        self._reading = -1

    def end(self) -> None:
        if self._reading >= 0:
            self.hang_up()
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def follower(home: Home) -> Iterator[Follower]:
    made = Follower(home)
    yield made
    made.end()


@pytest.fixture
async def board(home: Home) -> AsyncIterator[Board]:
    async with board_on(home) as made:
        yield made


async def test_once(board: Board) -> None:
    ref = await board.add()
    env = {**os.environ, "CCP_HOME": str(board.home.root)}
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "ccp_tui", "summary"],
        env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ref
    said = json.loads(ran.stdout)
    assert set(said["tasks"]) == set(State)
    assert some(said) == {
        "service": "ready", "gateway": "ready", "tasks": {"inbox": 1}, "needs_you": 0, "shortages": [],
        "version": __version__,
    }  # fmt: skip


def test_without_a_service_none_is_started(ccp: Ccp, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCP_NO_AUTOSTART", "0")
    assert ccp("summary").json() == AWAY
    assert not home.lock.exists()


async def test_a_change_is_a_line_and_nothing_is_none(board: Board, follower: Follower) -> None:
    await until(lambda: follower.lines)
    assert follower.lines[0]["tasks"] == {}
    await asyncio.sleep(1.5)
    assert len(follower.lines) == 1, "an idle board says nothing"
    ref = await board.in_review()
    await until(lambda: follower.lines[-1] == {**follower.lines[0], "tasks": {"review": 1}, "needs_you": 1})
    await board.call("task.approve", ref=ref, attempt=1, round=1)
    await until(lambda: (follower.lines[-1]["tasks"], follower.lines[-1]["needs_you"]) == ({"done": 1}, 0))
    assert all(one != two for one, two in zip(follower.lines, follower.lines[1:], strict=False))
    await board.away()
    await until(lambda: follower.lines[-1]["gateway"] in ("down", "starting"))
    await board.back()
    await until(lambda: follower.lines[-1]["gateway"] == "ready")


async def test_a_flood_of_changes_is_two_lines_a_second(board: Board, follower: Follower) -> None:
    await until(lambda: follower.lines)
    began = time.monotonic()
    for number in range(30):
        await board.add(spec(title=f"Task {number}"), title=f"Task {number}")
    await until(lambda: follower.lines[-1]["tasks"] == {"inbox": 30})
    assert len(follower.lines) <= 3 + 2 * (time.monotonic() - began)


async def test_a_service_that_goes_and_comes_back(home: Home, follower: Follower) -> None:
    await until(lambda: follower.lines == [AWAY])
    async with board_on(home):
        await until(lambda: follower.lines[-1]["service"] == "ready")
        before = len(follower.lines)
    await until(lambda: follower.lines[-1] == AWAY)
    assert len(follower.lines) > before
    await asyncio.sleep(1.0)
    assert [one for one in follower.lines if one == AWAY] == [AWAY, AWAY]


async def test_it_ends_when_nobody_reads_any_more(board: Board, follower: Follower) -> None:
    await until(lambda: follower.lines)
    follower.hang_up()
    assert await asyncio.to_thread(follower.process.wait, 10) == 0
    assert board.agent  # nothing happened on the board meanwhile


async def test_it_ends_without_a_service_too(follower: Follower) -> None:
    await until(lambda: follower.lines)
    follower.hang_up()
    assert await asyncio.to_thread(follower.process.wait, 10) == 0


async def test_it_stays_small(board: Board, follower: Follower) -> None:
    """In every container of a fleet one of these runs for as long as somebody looks at the list."""
    for number in range(20):
        await board.add(title=f"Task {number}")
    await until(lambda: follower.lines and follower.lines[-1]["tasks"] == {"inbox": 20})
    proc = Path(f"/proc/{follower.process.pid}")
    (used,) = re.findall(r"VmHWM:\s+(\d+) kB", await asyncio.to_thread((proc / "status").read_text))
    print(f"{used} kB")
    assert int(used) < 40 * 1024
    maps = await asyncio.to_thread((proc / "maps").read_text)
    assert "_sqlite3" not in maps
    assert "_ssl" not in maps


def test_the_service_is_asked_once(ccp: Ccp, service: FakeService) -> None:
    service.answers["summary"] = {**AWAY, "service": "ready"}
    assert ccp("summary", "--json").json()["service"] == "ready"
    assert service.asked("summary") == [{}]
