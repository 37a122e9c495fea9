"""The application that screens stand in: themes, symbols, the terminal's clipboard, a way to step aside. No data."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App
from textual.filter import Monochrome, NoColor
from textual.screen import Screen
from textual.widget import Widget

from ccp_tui import terminal
from ccp_tui.screens.widgets import glyphs, palette
from ccp_tui.screens.widgets.clipboard import sequence
from ccp_tui.screens.widgets.kept import Kept


class Shell(App[int]):
    """What every application of ours has. ``kept`` is the file in which this terminal's choices are remembered."""

    TITLE = "ccp"
    CSS_PATH = Path(__file__).with_name("app.tcss")
    ENABLE_COMMAND_PALETTE = False
    # Screen name → where its class is. Screens take their parameters by keyword.
    SCREENS_BY_NAME: ClassVar[Mapping[str, str]] = {}

    def __init__(self, kept: Path) -> None:
        super().__init__()
        self.kept = Kept(kept)
        self.glyphs = glyphs.choose()
        for theme in palette.OURS:
            self.register_theme(theme)
        if self.no_color:
            self._filters = [NoColor() if isinstance(each, Monochrome) else each for each in self._filters]
        self.theme = palette.TERMINAL.name if self.no_color else self._kept_theme()
        self._palette: tuple[str, palette.Palette] | None = None

    def on_load(self) -> None:
        if not self.is_headless:
            terminal.end_with_it()

    @property
    def palette(self) -> palette.Palette:
        """The styles of the theme in use."""
        if self._palette is None or self._palette[0] != self.theme:
            styles = palette.palette(
                self.theme_variables, ansi=self.native_ansi_color, no_color=self.no_color
            )
            self._palette = (self.theme, styles)
        return self._palette[1]

    def make(self, name: str, **params: Any) -> Screen[Any]:
        """A new screen by its name. Raises KeyError for a name that does not exist."""
        module, _, kind = self.SCREENS_BY_NAME[name].partition(":")
        made: Screen[Any] = getattr(import_module(module), kind)(**params)
        return made

    def open(self, name: str, **params: Any) -> None:
        """Puts a screen on top."""
        self.push_screen(self.make(name, **params))

    def over_dialogs(self) -> Iterator[Widget]:
        """What stands over every dialog too."""
        return iter(())

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
        """Gives the terminal to another program. Nothing is drawn meanwhile: no timer meets a stopped terminal.

        What goes wrong meanwhile is raised once the screen has its terminal back.
        """
        failure: BaseException | None = None
        with self.batch_update(), self.suspend():
            try:
                yield
            except BaseException as error:
                failure = error
        self.refresh(repaint=True, layout=True)
        if failure is not None:
            raise failure

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


def log_to(path: Path) -> None:
    """Warnings go to a small file: a screen has no other place for them than itself."""
    with suppress(OSError):
        handler = RotatingFileHandler(path, maxBytes=512 * 1024, backupCount=1, delay=True)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger("ccp_tui").addHandler(handler)
