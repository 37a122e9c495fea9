"""The fleet's application on a fake fleet, to press keys in and look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from ccp_tui.fleet_app import FleetApp
from ccp_tui.paths import Home
from ccp_tui.screens.fleet import FleetScreen
from tests.support.fakefleet import FakeFleet

SMALL, LARGE = (80, 24), (160, 45)


class FleetStage:
    """One running app: press keys, look at lines, see what was asked of the fleet."""

    def __init__(self, app: FleetApp, fleet: FakeFleet, pilot: Pilot[Any]) -> None:
        self.app, self.fleet, self.pilot = app, fleet, pilot

    async def press(self, *keys: str) -> None:
        """Presses keys and waits until all that follows from them is done."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def type(self, text: str) -> None:
        await self.press(*("space" if each == " " else each for each in text))

    async def settle(self) -> None:
        for _ in range(4):
            await self.pilot.pause()

    async def painted(self) -> None:
        """Waits until what the fleet told last is drawn: a burst is drawn together, a moment later."""
        await self.pilot.pause(0.3)
        await self.settle()

    @property
    def table(self) -> FleetScreen:
        screen = self.app.bottom
        assert isinstance(screen, FleetScreen)
        return screen

    def lines(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines())

    @property
    def notice(self) -> str:
        return self.app.bottom.notice_line.notice  # type: ignore[no-any-return]

    def line_of(self, word: str) -> str:
        """The first line with a word in it."""
        return next(line for line in self.lines() if word in line)


@asynccontextmanager
async def fleet_stage(
    folder: Path, fleet: FakeFleet | None = None, size: tuple[int, int] = SMALL
) -> AsyncIterator[FleetStage]:
    """The app runs as long as the block does."""
    fake = fleet or FakeFleet()
    app = FleetApp(fake, Home(folder))  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        stage = FleetStage(app, fake, pilot)
        await stage.settle()
        yield stage
