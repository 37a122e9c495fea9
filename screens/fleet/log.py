"""The logs of a deployment: the gateway's, the control service's, and what the system said when it started."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.strip import Strip

from ccp_tui.incus import FleetError
from ccp_tui.screens.fleet import words
from ccp_tui.screens.palette.finder import marked
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.basescreen import BaseScreen
from ccp_tui.screens.widgets.dialogs import ask_words
from ccp_tui.screens.widgets.lines import Piece, fit
from ccp_tui.screens.widgets.lineview import LineView
from ccp_tui.screens.widgets.pace import Painter
from ccp_tui.text import clean

if TYPE_CHECKING:
    from ccp_tui.fleet_app import FleetApp
    from ccp_tui.incus import Fleet

WHICH = ("gateway", "service", "boot")
KEPT = 5_000
FIRST = 300
AGAIN_S = 3.0  # before a log that ended is asked for anew
LONGEST = 2_000  # characters of a line that are kept


class LogLines(LineView):
    """Lines, bounded; it follows the end until the person goes up."""

    def __init__(self) -> None:
        super().__init__(id="log")
        self.lines: deque[str] = deque(maxlen=KEPT)
        self.follow = True
        self.left = 0  # columns scrolled to the right
        self.sought = ""
        self.at = -1  # the line that was found
        self._painter = Painter(self, self._paint)

    def replace(self, lines: Iterable[str]) -> None:
        self.lines = deque((plain(line) for line in lines), maxlen=KEPT)
        self.at = -1
        self._paint()

    def add(self, line: str) -> None:
        if len(self.lines) == KEPT:
            self.at -= 1
            if not self.follow:
                self.top = max(0, self.top - 1)
        self.lines.append(plain(line))
        self._painter.soon()

    def _paint(self) -> None:
        if self.follow:
            self.top = self.last_top
        self.refresh()
        self._painter.spend(self.size.width * self.rows, self.rows)

    def line_count(self) -> int:
        return len(self.lines)

    def draw_line(self, line: int, width: int) -> Strip:
        palette = self.palette
        text = self.lines[line][self.left :]
        pieces: list[Piece] = [(" ", palette.text)]
        at = text.lower().find(self.sought) if self.sought else -1
        if at >= 0:
            pieces += marked(text, range(at, at + len(self.sought)), palette.text, palette.match)
        else:
            pieces.append((text, palette.text))
        if line == self.at:
            pieces = [(each, palette.on_cursor(style)) for each, style in pieces]
        return Strip(fit(pieces, width, palette.text), width)

    def scroll(self, by: int) -> None:
        self.go_to(self.top + by)
        self.follow = self.at_end

    def sideways(self, by: int) -> None:
        self.left = max(0, self.left + by)
        self.refresh()

    def find(self, text: str, by: int) -> bool:
        """The next line with the words, going round at the ends; False when there is none."""
        self.sought = text.lower()
        total = len(self.lines)
        start = self.at if self.at >= 0 else (self.top if by > 0 else self.top + self.rows)
        lines = list(self.lines)
        for step in range(1, total + 1):
            index = (start + by * step) % total
            if self.sought in lines[index].lower():
                self.at, self.follow = index, False
                self.show_line(index, 2)
                self.refresh()
                return True
        self.refresh()
        return False

    def on_resize(self) -> None:
        if self.follow:
            self.top = self.last_top


def plain(line: str) -> str:
    """A line of a log as it may stand on a screen."""
    return " ".join(clean(line[:LONGEST]).expandtabs(8).splitlines())


class LogScreen(BaseScreen):
    """Follows one log; tab goes to the next."""

    TITLE = "Log"
    DEFAULT_CSS = "LogScreen #log { height: 1fr; }"

    def __init__(self, ref: str, which: str = "gateway", kept: Sequence[str] = ()) -> None:
        """``kept`` are the last lines of one that is gone: there is nothing to follow."""
        super().__init__()
        self.ref, self.which, self.kept = ref, which, kept
        self.view = LogLines()
        self.view.empty = "Reading…"
        self._following: asyncio.Task[None] | None = None

    def body(self) -> ComposeResult:
        yield self.view

    def actions(self) -> Iterator[Action]:
        yield Action("log.find", "/", "find", "Log", self.find)
        yield Action("log.next_log", "tab", "next log", "Log", partial(self.turn, 1), self.is_live)
        yield Action("log.follow", "f", "follow", "Log", self.follow, lambda: not self.view.follow)
        yield Action("log.next", "n", "next match", "Log", partial(self.again, 1), self.is_sought)
        yield Action(
            "log.before", "N", "match before", "Log", partial(self.again, -1), self.is_sought, hint=False
        )
        moves = (
            ("j down", "down", 1),
            ("k up", "up", -1),
            ("g home", "start", -(10**9)),
            ("G end", "end", 10**9),
        )
        for keys, label, by in moves:
            yield Action(f"log.{label}", keys, label, "Log", partial(self.scroll_by, by), hint=False)
        yield Action(
            "log.page_down", "pagedown ctrl+d space", "page down", "Log", lambda: self.page(1), hint=False
        )
        yield Action("log.page_up", "pageup ctrl+u", "page up", "Log", lambda: self.page(-1), hint=False)
        yield Action("log.right", "l right", "right", "Log", lambda: self.view.sideways(20), hint=False)
        yield Action("log.left", "h left", "left", "Log", lambda: self.view.sideways(-20), hint=False)
        for index, which in enumerate(WHICH, 1):
            yield Action(
                f"log.{which}", str(index), f"{which} log", "Log", partial(self.show, which), self.is_live, hint=False
            )  # fmt: skip

    @property
    def fleet(self) -> Fleet:
        return cast("FleetApp", self.app).fleet

    def is_live(self) -> bool:
        return not self.kept

    def is_sought(self) -> bool:
        return bool(self.view.sought)

    def title_pieces(self) -> Iterable[Piece]:
        palette = self.shell.palette
        if self.kept:
            yield f" The last words of {self.ref} ", palette.on_bar(palette.bold)
            yield " it was removed", palette.bar_dim
            return
        yield f" Logs of {self.ref} ", palette.on_bar(palette.bold)
        for each in WHICH:
            yield f" {each} ", palette.key if each == self.which else palette.bar_dim
        if not self.view.follow:
            yield "  not following: f", palette.on_bar(palette.warn)

    def on_mount(self) -> None:
        self.view.focus()
        if self.kept:
            self.view.replace(self.kept)
            self._refresh()
        else:
            self.show(self.which)

    def on_unmount(self) -> None:
        if self._following:
            self._following.cancel()

    def turn(self, by: int) -> None:
        self.show(WHICH[(WHICH.index(self.which) + by) % len(WHICH)])

    def show(self, which: str) -> None:
        """Reads another log and follows it."""
        if self._following:
            self._following.cancel()
        self.which, self.view.empty, self.view.follow = which, "Reading…", True
        self.view.replace(())
        self._following = asyncio.create_task(self._follow(which))
        self._refresh()

    async def _follow(self, which: str) -> None:
        """The last lines, then every new one; when the log ends (a restart, say) it is asked for again."""
        while True:
            try:
                async with aclosing(await self.fleet.follow_logs(self.ref, which, FIRST)) as lines:
                    self.view.empty = "Nothing was logged yet."
                    self.view.replace(())
                    self.say("")
                    async for line in lines:
                        self.view.add(line)
                said = "It ended; waiting for it to go on."
            except FleetError as error:
                said = words.failure(error)
                if error.code == "REFUSED" and not self.view.lines:
                    await self._last(which)
                if error.code in ("NOT_FOUND", "NOT_ALLOWED", "USAGE"):
                    self._instead(said)
                    return
            self._instead(said)
            await asyncio.sleep(AGAIN_S)

    async def _last(self, which: str) -> None:
        """What is there of the log of one that does not run."""
        with suppress(FleetError):
            self.view.replace(await self.fleet.log_tail(self.ref, which, FIRST))

    def _instead(self, said: str) -> None:
        """Why nothing comes: where the lines would stand, or below those that do."""
        if self.view.lines:
            if self.notice_line.notice != said:
                self.say(said, "warn")
        elif self.view.empty != said:
            self.view.empty = said
            self.view.refresh()

    def _refresh(self) -> None:
        self.refresh_title()
        self.refresh_hints()

    def scroll_by(self, by: int) -> None:
        self.view.scroll(by)
        self._refresh()

    def page(self, by: int) -> None:
        self.scroll_by(by * max(1, self.view.rows - 1))

    def follow(self) -> None:
        self.scroll_by(10**9)

    async def find(self) -> None:
        text = await ask_words(self.app, "Find in the log", text=self.view.sought, required=False)
        if text:
            self.view.at = -1
            self._find(text, -1)

    def again(self, by: int) -> None:
        self._find(self.view.sought, by)

    def _find(self, text: str, by: int) -> None:
        if not self.view.lines or not self.view.find(text, by):
            self.say(f"“{text}” is not in these {len(self.view.lines)} lines.", "warn")
        self._refresh()
