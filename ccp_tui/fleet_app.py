"""The fleet's application: one screen on all deployments. It needs no control service and no home of a board."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ccp_tui.paths import Home, HomeError
from ccp_tui.screens.fleet.works import Work, Works
from ccp_tui.screens.widgets.shell import Shell, log_to

if TYPE_CHECKING:
    from ccp_tui.incus import Deployment, Fleet
    from ccp_tui.screens.fleet.draft import Draft

log = logging.getLogger(__name__)

STOP_S = 10.0
SCREENS = {
    "fleet": "ccp_tui.screens.fleet:FleetScreen",
    "wizard": "ccp_tui.screens.fleet.wizard:WizardScreen",
    "work": "ccp_tui.screens.fleet.workscreen:WorkScreen",
    "log": "ccp_tui.screens.fleet.log:LogScreen",
    "help": "ccp_tui.screens.help:HelpScreen",
}


class FleetApp(Shell):
    """One terminal on a fleet. ``works`` go on whatever screen is on top; quitting cancels what still goes on."""

    SCREENS_BY_NAME = SCREENS

    def __init__(self, fleet: Fleet, home: Home) -> None:
        super().__init__(home.root / "screen.json")
        self.fleet = fleet
        self.works = Works(self._work_changed)
        self._listeners: list[Callable[[], None]] = []
        self._starting: asyncio.Task[None] | None = None

    async def on_mount(self) -> None:
        await self.push_screen(self.make("fleet"))
        self._starting = asyncio.create_task(self._start())

    async def _start(self) -> None:
        """Connecting takes what it takes: the screen stands already, and says so."""
        try:
            await self.fleet.start()
        except Exception as error:
            log.exception("the fleet could not be started")
            self.bottom.say(f"The fleet could not be started: {error}", "refusal")

    async def on_unmount(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
        await self.works.cancel_all()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self.fleet.stop()

    @property
    def bottom(self) -> Any:
        """The table."""
        from ccp_tui.screens.fleet.screen import FleetScreen

        return next(screen for screen in self.screen_stack if isinstance(screen, FleetScreen))

    # -- works

    def begin(self, work: Work) -> None:
        """Begins a work and shows it."""
        self.works.begin(work)
        self.open("work", work=work)

    def works_changed(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls back when a work changed; answers how to end that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _work_changed(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def open_board(self, deployment: Deployment) -> None:
        """The board of a deployment, from whatever screen."""
        bottom = self.bottom
        bottom.select(deployment)
        bottom.do(bottom.attach(deployment, "board", "", "the board; q comes back"))

    def edit_again(self, draft: Draft) -> None:
        """The wizard with what was asked for before."""
        self.bottom.do(self.bottom.new(draft))


def run_fleet(fleet: Fleet, home: Home) -> int:
    """Runs the fleet's screen until the person quits; answers the exit code."""
    with suppress(HomeError):
        log_to(home.prepare().logs / "fleet.log")
    app = FleetApp(fleet, home)
    app.run()
    return app.return_code or 0
