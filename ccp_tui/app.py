"""The board's application: it knows the screens by name and the connection, and holds no logic.

Screens are imported when they are first opened, so that the first one paints soon. Open one by its name::

    app.open("task", ref="WEB-12")      # task, chat(agent, session_key=None), agents, feed(mission=None, task=None),
                                        # search(text=""), queue, missions(mission=None), costs(mission), help,
                                        # palette; the board is always at the bottom
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import Binding
from textual.widget import Widget

from ccp_tui import __version__
from ccp_tui.client import LiveClient
from ccp_tui.mirror import Change, Mirror
from ccp_tui.paths import Home
from ccp_tui.screens.widgets import alerts, emergency
from ccp_tui.screens.widgets.shell import Shell, log_to

# Screen name → where its class is. Screens take their parameters by keyword.
SCREENS = {
    "board": "ccp_tui.screens.board:BoardScreen",
    "task": "ccp_tui.screens.task:TaskScreen",
    "chat": "ccp_tui.screens.chat:ChatScreen",
    "agents": "ccp_tui.screens.agents:AgentsScreen",
    "feed": "ccp_tui.screens.feed:FeedScreen",
    "search": "ccp_tui.screens.search:SearchScreen",
    "queue": "ccp_tui.screens.queue:QueueScreen",
    "missions": "ccp_tui.screens.missions:MissionsScreen",
    "costs": "ccp_tui.screens.missions:CostsScreen",
    "help": "ccp_tui.screens.help:HelpScreen",
    "palette": "ccp_tui.screens.palette:PaletteScreen",
}


class CcpApp(Shell):
    """One terminal on one home. ``live`` calls the service, ``mirror`` holds what it said."""

    SCREENS_BY_NAME = SCREENS
    # Keys that work on every screen and over every dialog, whatever has the focus.
    BINDINGS: ClassVar[list[Any]] = [
        Binding(emergency.KEYS.replace(" ", ","), "emergency", show=False, priority=True),
        Binding("escape", "disarm", show=False, priority=True),
    ]

    def __init__(
        self, home: Home | Path, *, live: LiveClient | None = None, mirror: Mirror | None = None
    ) -> None:
        self.home = home if isinstance(home, Home) else Home(home)
        super().__init__(self.home.root / "screen.json")
        self.mirror = mirror or Mirror()
        self.live = live or LiveClient(self.home, self.mirror, name=f"board {__version__}")
        self.stop = emergency.EmergencyStop(self)
        self.alerts = alerts.Alerts(self.mirror, self.write, lambda: self.rings)
        self.mirror.subscribe(self._on_mirror)

    async def on_mount(self) -> None:
        self.live.start()
        await self.push_screen(self.make("board"))

    async def on_unmount(self) -> None:
        await self.live.stop()

    def over_dialogs(self) -> Iterator[Widget]:
        yield emergency.StopLine()

    def action_emergency(self) -> None:
        self.stop.press()

    def action_disarm(self) -> None:
        self.stop.disarm()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape belongs to the emergency stop only while that is armed."""
        return self.stop.listens_to_escape if action == "disarm" else super().check_action(action, parameters)

    def _on_mirror(self, change: Change) -> None:
        if change.full or change.health:
            self.stop.changed()

    @property
    def rings(self) -> bool:
        """Whether new needs-you items ring and notify."""
        return not alerts.silenced() and self.kept.get(alerts.KEPT) != "off"


def run_board(home: Home) -> int:
    """Runs the board on a home until the person quits; answers the exit code. The service may be away: it says so."""
    log_to(home.logs / "board.log")
    app = CcpApp(home)
    app.run()
    return app.return_code or 0
