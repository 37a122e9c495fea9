"""What the fleet costs on the line, and attaching: in a real pseudo-terminal, with 20 deployments."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.modes import Written
from tests.support.pty import Terminal

# The fake is told what to do by files, each taken once: a line of Python with `fleet` in it.
RUN = """
import asyncio, sys
from pathlib import Path
from ccp_tui.fleet_app import run_fleet
from ccp_tui.paths import Home
from tests.support.fakefleet import FakeFleet, many

folder = Path(sys.argv[1])

class Told(FakeFleet):
    async def start(self):
        self.reader = asyncio.create_task(self.read())
    async def read(self):
        while True:
            for file in sorted(folder.glob("*.do")):
                line = file.read_text()
                file.unlink()
                exec(line, {"fleet": self})
            await asyncio.sleep(0.05)

fleet = Told(many(20))
fleet.argv = sys.argv[2:] or ["true"]
fleet.cut_off = "The connection was cut off: work-00 is stopped."
sys.exit(run_fleet(fleet, Home(folder)))
"""
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 45)], ids=["80x24", "160x45"])


@asynccontextmanager
async def fleet(folder: Path, size: tuple[int, int], *attached: str) -> AsyncIterator[Terminal]:
    env = {"CCP_ASCII": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    async with Terminal([sys.executable, "-c", RUN, str(folder), *attached], size, env) as terminal:
        await terminal.shows("20 deployments", 40)
        await terminal.quiet(1.0)
        await terminal.cost("j", "k")
        yield terminal


async def tell(folder: Path, line: str) -> None:
    new = folder / "line.new"
    new.write_text(line)
    new.rename(folder / "line.do")


@SIZES
async def test_moving_the_cursor_writes_little(tmp_path: Path, size: tuple[int, int]) -> None:
    async with fleet(tmp_path, size) as terminal:
        costs = [await terminal.cost(key) for key in ("j", "j", "k", "down")]
        assert max(costs) <= (2048 if size[0] > 100 else 1536), costs
        assert min(costs) > 0


@SIZES
@pytest.mark.slow
async def test_an_idle_screen_writes_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    async with fleet(tmp_path, size) as terminal:
        before = terminal.written
        await tell(tmp_path, "fleet.tell()")  # the fleet calls back though nothing changed
        await asyncio.sleep(10)
        assert terminal.written == before


@SIZES
async def test_a_figure_rewrites_its_cells_only(tmp_path: Path, size: tuple[int, int]) -> None:
    async with fleet(tmp_path, size) as terminal:
        before = terminal.written
        await tell(tmp_path, "fleet.change('work-05', cpu_used=1.4, memory_used=1900 * 2**20)")
        await terminal.shows("1.4/2")
        await terminal.quiet()
        assert terminal.written - before <= 160
        before = terminal.written
        await tell(tmp_path, "[fleet.change(f'work-{n:02d}', cpu_used=1.1) for n in range(1, 20)]")
        await terminal.quiet(1.0)
        assert terminal.written - before <= 19 * 50 + 50


async def test_a_small_change_of_much_writes_nothing(tmp_path: Path) -> None:
    async with fleet(tmp_path, (80, 24)) as terminal:
        before = terminal.written
        await tell(tmp_path, "fleet.change('work-05', memory_used=813 * 2**20)")
        await terminal.quiet(1.0)
        assert terminal.written == before


SHELL = 'echo "in it: $(stty size)"; read line; echo "got $line"; read line'


async def test_attaching_gives_the_terminal_and_takes_it_back(tmp_path: Path) -> None:
    async with fleet(tmp_path, (80, 24), "sh", "-c", SHELL) as terminal:
        terminal.send("enter")
        await terminal.shows("in it: 24 80")
        assert "work-00: the board; q comes back." in terminal.text
        terminal.send("h", "i", "enter")
        await terminal.shows("got hi")
        await tell(tmp_path, "fleet.change('work-03', state='stopping')")
        terminal.resize((100, 30))
        terminal.send("enter")
        await terminal.shows("20 deployments")
        await terminal.shows("stopping")
        await terminal.shows("q quit  ? help")
        terminal.send("q")
        assert await terminal.ended() == 0


async def test_ctrl_c_is_for_the_program_that_is_attached(tmp_path: Path) -> None:
    async with fleet(tmp_path, (80, 24), "sh", "-c", "echo in it; sleep 60") as terminal:
        terminal.send("enter")
        await terminal.shows("in it")
        terminal.send("ctrl+c")
        await terminal.shows("20 deployments")
        terminal.send("q")
        assert await terminal.ended() == 0


async def test_a_deployment_that_dies_meanwhile_gives_the_screen_back(tmp_path: Path) -> None:
    """Whatever it had switched on: the mouse, another screen, no cursor, no echo."""
    dies = f"printf '\\033[?1049h\\033[?1003h\\033[?25lin it'; stty raw -echo; kill -{int(signal.SIGKILL)} $$"
    async with fleet(tmp_path, (80, 24), "sh", "-c", dies) as terminal:
        written = Written()
        terminal.heard = written.add
        terminal.send("enter")
        await terminal.shows("The connection was cut off: work-00 is stopped.")
        await terminal.shows("20 deployments")
        terminal.send("q")
        assert await terminal.ended() == 0
        assert written.changed() == set()
        assert terminal.lines_and_echo()


async def test_a_missing_client_is_told(tmp_path: Path) -> None:
    async with fleet(tmp_path, (80, 24), "no-such-program-here") as terminal:
        terminal.send("enter")
        await terminal.shows("no-such-program-here is missing here.")
        await terminal.shows("20 deployments")
        assert await terminal.cost("j") > 0
