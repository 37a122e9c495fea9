"""``make pictures``: the pictures of the README, drawn by the app itself on a board of canned data."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from ccp_tui import clock
from ccp_tui.app import CcpApp
from ccp_tui.fleet_app import FleetApp
from ccp_tui.mirror import Mirror
from ccp_tui.paths import Home
from ccp_tui.screens.widgets.shell import Shell
from tests.screens.fakes import NOW, FakeLive
from tests.support import fleetshow, showcase

CELL = 12.2  # the width of a cell in Rich's pictures
DOCS = Path(__file__).resolve().parents[2] / "docs"


class Painter:
    """The app with its first screen on it, to be brought to what a picture shows."""

    def __init__(self, app: Shell, pilot: Pilot[Any]) -> None:
        self.app, self._pilot = app, pilot

    async def settle(self) -> None:
        for _ in range(5):
            await self._pilot.pause()

    async def open(self, screen: str, **params: str) -> None:
        self.app.open(screen, **params)
        await self.settle()

    async def pause(self) -> None:
        """For what is drawn a moment after it was told."""
        await self._pilot.pause(0.5)

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self._pilot.press(key)
        await self.settle()

    async def type(self, words: str) -> None:
        await self.press(*("space" if character == " " else character for character in words))


async def board(painter: Painter) -> None:
    """All columns: plans, sub-tasks that wait for each other, work that runs, a hold, a reviewer at work."""
    await painter.press("3", "g")


async def plan(painter: Painter) -> None:
    """A plan as a document, before its approval."""
    await painter.open("task", ref=showcase.PLANNED, tab="spec")


async def question(painter: Painter) -> None:
    """A question of the planner, an option chosen and words written."""
    await painter.open("queue")
    await painter.press("enter", "3", "tab")
    await painter.type(showcase.OWN_WORDS)


async def fleet(painter: Painter) -> None:
    """Deployments on two machines: at work, needing the person, stopping, stopped, starting, short of memory."""
    await painter.pause()
    await painter.press("j", "j")


async def wizard(painter: Painter) -> None:
    """A new deployment, everything shown once more before it is made."""
    await painter.press("n")
    await painter.pause()
    await painter.type("night-walk")
    await painter.press("pagedown", "pagedown", "pagedown")
    await painter.type("anthropic")
    await painter.press("enter", "enter", "enter")
    await painter.type("not-a-key")
    await painter.press("pagedown")
    await painter.pause()


# Those of the fleet; the others are of the board.
OF_THE_FLEET = ("fleet", "wizard")
# What is drawn, and on how many columns and lines.
PICTURES: dict[str, tuple[Callable[[Painter], Awaitable[None]], tuple[int, int]]] = {
    "board": (board, (164, 22)),
    "plan": (plan, (134, 61)),
    "question": (question, (112, 28)),
    "fleet": (fleet, (164, 32)),
    "wizard": (wizard, (96, 17)),
}


def the_board(folder: Path) -> Shell:
    """The board of canned data."""
    mirror = Mirror()
    live = FakeLive(mirror, showcase.board())
    live.answers["task.show"] = {"task": showcase.plan()}
    return CcpApp(Home(folder), live=live, mirror=mirror)  # type: ignore[arg-type]


def the_fleet(folder: Path) -> Shell:
    """The fleet of canned data, and a person with one key."""
    keys = folder / ".ssh"
    keys.mkdir()
    keys.joinpath("id_ed25519.pub").write_text(f"{fleetshow.KEY}\n")
    return FleetApp(fleetshow.fleet(), Home(folder))  # type: ignore[arg-type]


async def draw(folder: Path, name: str) -> str:
    """One picture, as SVG."""
    scene, size = PICTURES[name]
    app = the_fleet(folder) if name in OF_THE_FLEET else the_board(folder)
    async with app.run_test(size=size) as pilot:
        painter = Painter(app, pilot)
        await painter.settle()
        await scene(painter)
        picture = app.export_screenshot(title="ccp")
    # Only fonts that the reader has: a picture fetches nothing.
    picture = re.sub(r',\s*url\("[^"]*"\) format\("\w+"\)', "", picture)
    return re.sub(
        r'x="([\d.]+)" (y="[\d.]+") textLength="([\d.]+)"([^>]*>)((?:&#160;)+)', _begins_later, picture
    )


def _begins_later(found: re.Match[str]) -> str:
    """A text without the blanks it begins with, further right instead: not every program draws such blanks."""
    blanks = found[5].count("&") * CELL
    x, length = float(found[1]) + blanks, float(found[3]) - blanks
    return f'x="{x:g}" {found[2]} textLength="{length:g}"{found[4]}'


def main() -> None:
    os.environ["CCP_ASCII"] = "0"
    os.environ["COLORTERM"] = "truecolor"
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.environ.pop("NO_COLOR", None)
    clock.now = lambda: NOW
    DOCS.mkdir(exist_ok=True)
    for name in PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["HOME"] = folder
            picture = asyncio.run(draw(Path(folder), name))
        (DOCS / f"{name}.svg").write_text(picture + "\n", encoding="utf-8")
        print(DOCS / f"{name}.svg")


if __name__ == "__main__":
    main()
