"""What the board costs on the line: bytes written to a real pseudo-terminal, at 1,000 tasks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ccp_tui import clock
from tests.screens.fakes import Json, card, in_review, snapshot
from tests.support.fakeservice import FakeService
from tests.support.pty import Terminal

RUN = "import sys; from pathlib import Path; from ccp_tui.app import run_board; from ccp_tui.paths import Home; " \
      "sys.exit(run_board(Home(Path(sys.argv[1]))))"  # fmt: skip
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 45)], ids=["80x24", "160x45"])


def many(count: int) -> Json:
    """A board with that many tasks in all seven columns, most of them finished, one mission."""
    board = snapshot()
    states = ("planning", "inbox", "assigned", "in_progress", "testing", "review", "done", "done")
    board["tasks"] = [
        card(n, states[n % 8], f"Task number {n} with a title of the usual length", agent="fox", agent_name="Fox",
             agent_emoji="🦊", created_at="2026-01-01T00:00:00.000Z", state_since="2026-01-01T00:00:00.000Z")
        for n in range(count)
    ]  # fmt: skip
    board["missions"] = board["missions"][:1]
    return board


@asynccontextmanager
async def board(
    home: Path, size: tuple[int, int], count: int = 1000
) -> AsyncIterator[tuple[Terminal, FakeService]]:
    env = {"CCP_ASCII": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    async with (
        FakeService(home / "control.sock", many(count)) as service,
        Terminal([sys.executable, "-c", RUN, str(home)], size, env) as terminal,
    ):
        await terminal.shows(f"{count} tasks", 40)
        await terminal.quiet(1.0)
        await terminal.cost("j", "k")  # the first keys may still flush what the start left to draw
        yield terminal, service


@SIZES
async def test_moving_the_cursor_writes_little(tmp_path: Path, size: tuple[int, int]) -> None:
    async with board(tmp_path, size) as (terminal, _):
        wide = size[0] > 100  # on a narrow screen the third column to the right moves the window
        keys = ("j", "j", "k", "down", "l", "j", *(("l", "l", "l", "h", "h") if wide else ("h",)))
        costs = [await terminal.cost(key) for key in keys]
        assert max(costs) <= 1024, costs
        assert min(costs) > 0, "the keys did nothing"


@SIZES
async def test_scrolling_a_column_or_the_window_stays_bounded(tmp_path: Path, size: tuple[int, int]) -> None:
    async with board(tmp_path, size) as (terminal, _):
        costs = {
            key: await terminal.cost(key) for key in ("G", "pageup", "k", "g", "pagedown", "7", "G", "1")
        }
        assert max(costs.values()) <= 12 * 1024, costs


@SIZES
@pytest.mark.slow
async def test_an_idle_board_writes_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    async with board(tmp_path, size) as (terminal, _):
        before = terminal.written
        await asyncio.sleep(10)
        assert terminal.written == before


@pytest.mark.slow
@pytest.mark.parametrize("page", ["1", "2", "4", "5"])
async def test_an_idle_task_screen_writes_nothing(tmp_path: Path, page: str) -> None:
    async with board(tmp_path, (160, 45)) as (terminal, service):
        service.answers["task.show"] = lambda _: {"task": in_review()}
        terminal.send("enter")
        await terminal.shows("Overview")
        await terminal.cost(page)
        before = terminal.written
        await asyncio.sleep(10)
        assert terminal.written == before


async def test_activity_of_one_task_repaints_its_card_only(tmp_path: Path) -> None:
    async with board(tmp_path, (160, 45)) as (terminal, service):
        ref = "WEB-3"  # the first in progress
        before = terminal.written
        activity = {"kind": "words", "text": "reading the tests", "at": clock.now()}
        await service.emit("activity", ref=ref, activity=activity)
        await terminal.shows("reading the tests")
        await terminal.quiet()
        assert terminal.written - before <= 512


async def test_quits_and_gives_the_terminal_back(tmp_path: Path) -> None:
    async with board(tmp_path, (80, 24), 20) as (terminal, _):
        terminal.send("q")
        assert await terminal.ended() == 0
