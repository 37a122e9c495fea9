"""The Textual application: it knows the screens by name, the themes and the connection, and holds no logic.

Screens are imported when they are first opened, so that the first one paints soon. Open one by its name::

    app.open("task", ref="WEB-12")      # task, chat(agent, session_key=None), agents, feed(mission=None, task=None),
                                        # search(text=""), queue, missions(mission=None), costs(mission), help,
                                        # palette; the board is always at the bottom
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding
from textual.filter import Monochrome, NoColor
from textual.screen import Screen

from ccp_tui import __version__
from ccp_tui.client import LiveClient
from ccp_tui.mirror import Change, Mirror
from ccp_tui.paths import Home
from ccp_tui.screens.widgets import alerts, emergency, glyphs, palette
from ccp_tui.screens.widgets.clipboard import sequence
from ccp_tui.screens.widgets.kept import Kept

log = logging.getLogger(__name__)

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


class CcpApp(App[int]):
    """One terminal on one home. ``live`` calls the service, ``mirror`` holds what it said."""

    TITLE = "ccp"
    CSS_PATH = "screens/widgets/app.tcss"
    ENABLE_COMMAND_PALETTE = False
    # Keys that work on every screen and over every dialog, whatever has the focus.
    BINDINGS: ClassVar[list[Any]] = [
        Binding(emergency.KEYS.replace(" ", ","), "emergency", show=False, priority=True),
        Binding("escape", "disarm", show=False, priority=True),
    ]

    def __init__(
        self, home: Home | Path, *, live: LiveClient | None = None, mirror: Mirror | None = None
    ) -> None:
        super().__init__()
        self.home = home if isinstance(home, Home) else Home(home)
        self.kept = Kept(self.home.root / "screen.json")
        self.mirror = mirror or Mirror()
        self.live = live or LiveClient(self.home, self.mirror, name=f"board {__version__}")
        self.glyphs = glyphs.choose()
        self.stop = emergency.EmergencyStop(self)
        self.alerts = alerts.Alerts(self.mirror, self.write, lambda: self.rings)
        self.mirror.subscribe(self._on_mirror)
        for theme in palette.OURS:
            self.register_theme(theme)
        if self.no_color:
            self._filters = [NoColor() if isinstance(each, Monochrome) else each for each in self._filters]
        self.theme = palette.TERMINAL.name if self.no_color else self._kept_theme()
        self._palette: tuple[str, palette.Palette] | None = None

    @property
    def palette(self) -> palette.Palette:
        """The styles of the theme in use."""
        if self._palette is None or self._palette[0] != self.theme:
            styles = palette.palette(
                self.theme_variables, ansi=self.native_ansi_color, no_color=self.no_color
            )
            self._palette = (self.theme, styles)
        return self._palette[1]

    async def on_mount(self) -> None:
        self.live.start()
        await self.push_screen(self.make("board"))

    async def on_unmount(self) -> None:
        await self.live.stop()

    def make(self, name: str, **params: Any) -> Screen[Any]:
        """A new screen by its name. Raises KeyError for a name that does not exist."""
        module, _, kind = SCREENS[name].partition(":")
        made: Screen[Any] = getattr(import_module(module), kind)(**params)
        return made

    def open(self, name: str, **params: Any) -> None:
        """Puts a screen on top."""
        self.push_screen(self.make(name, **params))

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

    def write(self, data: str) -> None:
        """Bytes for the terminal itself, beside what is drawn."""
        if self._driver is not None:
            self._driver.write(data)
            self._driver.flush()

    def copy(self, text: str) -> bool:
        """Copies text to the clipboard of the person's terminal; False when it is too long for one."""
        data = sequence(text)
        if data is None:
            return False
        self._clipboard = text
        self.write(data)
        return True

    @asynccontextmanager
    async def stepped_aside(self) -> AsyncIterator[None]:
        """Gives the terminal to another program. Nothing is drawn meanwhile: no timer meets a stopped terminal."""
        with self.batch_update(), self.suspend():
            yield
        self.refresh(repaint=True, layout=True)

    def theme_names(self) -> list[str]:
        """The themes to choose from: ours first."""
        ours = [theme.name for theme in palette.OURS]
        return ours + sorted(name for name in self.available_themes if name not in ours)

    def keep_theme(self, name: str) -> None:
        """Uses a theme, now and the next time."""
        self.theme = name
        self.kept.put("theme", name)

    def _kept_theme(self) -> str:
        name = self.kept.get("theme")
        return name if name in self.available_themes else palette.DEFAULT


def run_board(home: Home) -> int:
    """Runs the board on a home until the person quits; answers the exit code. The service may be away: it says so."""
    _log_to(home.logs / "board.log")
    app = CcpApp(home)
    app.run()
    return app.return_code or 0


def _log_to(path: Path) -> None:
    """Warnings go to a small file: a board has no other place for them than its own screen."""
    with suppress(OSError):
        handler = RotatingFileHandler(path, maxBytes=512 * 1024, backupCount=1, delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger("ccp_tui").addHandler(handler)
