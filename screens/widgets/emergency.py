"""The emergency stop: one key, pressed twice, on every screen and over every dialog; the same again resumes.

The first press arms it for :data:`ARMED_S` seconds and says so; the second fires; escape disarms. So no slip of the
hand stops a fleet, and none sets a stopped one going.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.style import Style
from textual.timer import Timer

from ccp_tui import clock
from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.healthrows import Emergency
from ccp_tui.screens.widgets.actions import show_key
from ccp_tui.screens.widgets.lines import Line, Piece
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp

# f9 is nobody's letter, and what ends things in process viewers; ctrl+\ is what a terminal has always quit with.
KEYS = "f9 ctrl+backslash"
KEY = KEYS.split()[0]
ARMED_S = 3.0
DEADLINE_S = 20.0


class EmergencyStop:
    """Where the key stands: at rest, armed, calling the service, or failed with a reason."""

    def __init__(self, app: CcpApp) -> None:
        self._app = app
        self.armed = False
        self.words = ""  # what a call is doing, or why it failed
        self._calling = False
        self._timer: Timer | None = None

    @property
    def emergency(self) -> Emergency | None:
        """The stop that holds, as the service says."""
        return self._app.mirror.health.emergency

    @property
    def listens_to_escape(self) -> bool:
        """Whether escape is for the stop now, not for the screen."""
        return self.armed or bool(self.words and not self._calling)

    def press(self) -> None:
        """The key: arms, then fires."""
        if self._calling:
            return
        if self.armed:
            self._rest("resuming…" if self.emergency else "stopping everything…")
            self._calling = True
            self._app.run_worker(self._fire(), group="emergency", exit_on_error=False)
        else:
            self._rest()
            self.armed = True
            self._timer = self._app.set_timer(ARMED_S, self._rest)
        self._show()

    def disarm(self) -> None:
        """Escape: at rest again; a failure that was shown is read."""
        self._rest()

    def changed(self) -> None:
        """The service said how things are: that is the answer to what was asked."""
        if not self._calling:
            self.words = ""
        self._show()

    async def _fire(self) -> None:
        method = "emergency.resume" if self.emergency else "emergency.stop"
        done = "resumed" if self.emergency else "stopped"
        try:
            await self._app.live.call(method, {}, timeout=DEADLINE_S)
            failed = ""
        except ServiceFailure as failure:
            failed = one_line(f"Not {done}: {failure.message} {failure.details.get('fix') or ''}")
        except ServiceUnavailable as away:
            failed = one_line(f"Not {done}: {away.message} {away.fix}")
        except TimeoutError:
            failed = f"Not {done}: the control service does not answer."
        self._calling = False
        self._rest(failed)

    def _rest(self, words: str = "") -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        self.armed, self.words = False, words
        self._show()

    def _show(self) -> None:
        for screen in self._app.screen_stack:
            for line in screen.query(StopLine):
                line.update_stop()


class StopLine(Line):
    """One line under the title while everything is stopped, or about to be; no line else."""

    DEFAULT_CSS = "StopLine { display: none; }"

    def __init__(self) -> None:
        super().__init__(id="stop")

    def on_mount(self) -> None:
        self.update_stop()

    def update_stop(self) -> None:
        """Shows how things stand now."""
        stop = self.ccp.stop
        wanted = bool(stop.armed or stop.words or stop.emergency)
        if wanted != self.display:
            self.display = wanted
        self.redraw()

    def filler(self) -> Style:
        palette = self.palette
        return palette.bad + Style(reverse=True, bold=True)

    def pieces(self, width: int) -> Iterable[Piece]:
        stop, glyphs = self.ccp.stop, self.glyphs
        key, held = show_key(KEY, glyphs.ascii), stop.emergency
        if stop.words:
            words = stop.words
        elif stop.armed:
            what = "let everything go on" if held else "stop every run and all dispatching"
            words = f"{key} again within {ARMED_S:g} s to {what} {glyphs.between} esc: no"
        elif held:
            by = f" by {held.by}" if held.by else ""
            since = since_when(held.at)
            words = f"EVERYTHING IS STOPPED{by}{since}. Nothing starts. {key} {key} resumes."
        else:
            words = ""
        yield f" {glyphs.held} {words}", self.filler()


def since_when(at: str) -> str:
    """A time as the person's clock shows it, with the day when that is not today: an age would be wrong when read."""
    try:
        moment, today = clock.parse(at).astimezone(), clock.parse(clock.now()).astimezone()
    except ValueError:
        return ""
    same = moment.date() == today.date()
    return f" since {moment:%H:%M}" if same else f" since {moment:%Y-%m-%d %H:%M}"
