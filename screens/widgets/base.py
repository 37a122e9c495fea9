"""The base of the board's screens: the title line tells the connection's truth, and what mends it stands below.

A screen overrides what :class:`BaseScreen` says and, where it shows live state, :meth:`CcpScreen.mirror_changed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from textual.widget import Widget

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.mirror import Change, Mirror
from ccp_tui.screens.widgets import alerts, emergency
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.basescreen import BaseScreen
from ccp_tui.screens.widgets.connection import TitleLine, TroubleLines, connection_trouble

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp
    from ccp_tui.client import LiveClient

Json = dict[str, Any]
DEADLINE_S = 20.0


class CcpScreen(BaseScreen):
    """A full screen of the board. See the module's text for how to write one."""

    title_line: TitleLine

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.stop_line = emergency.StopLine()
        self.trouble_lines = TroubleLines()
        self._unsubscribe: Callable[[], None] | None = None

    def mirror_changed(self, change: Change) -> None:
        """Something in the mirror changed: repaint what shows it. ``change.full`` means: read everything again."""

    @property
    def ccp(self) -> CcpApp:
        return cast("CcpApp", self.app)

    @property
    def live(self) -> LiveClient:
        return self.ccp.live

    @property
    def mirror(self) -> Mirror:
        return self.ccp.mirror

    async def ask(
        self, method: str, params: Json | None = None, *, deadline_s: float = DEADLINE_S
    ) -> Json | None:
        """Calls the service. A refusal or failure is shown as a notice and answered with None; nothing is raised."""
        try:
            return await self.live.call(method, params or {}, timeout=deadline_s)
        except ServiceFailure as failure:
            self.say_failure(failure)
        except ServiceUnavailable as away:
            self._say_outage(away.message, away.fix)
        except TimeoutError:
            self.say("The control service does not answer; see its log, logs/serve.log.", "refusal")
        return None

    def say_failure(self, failure: ServiceFailure) -> None:
        """A refusal or a failure of the service, as the notice that it is."""
        if failure.code == "UNAVAILABLE":
            self._say_outage(failure.message, str(failure.details.get("fix") or ""))
        else:
            self.say(failure_words(failure), "refusal")

    def _say_outage(self, what: str, fix: str) -> None:
        """Why a call could not be made; what mends it, unless that stands above already."""
        self.say(what if self.trouble_lines.trouble.fix else f"{what} {fix}".strip(), "outage")

    # -- its parts

    def make_title(self) -> TitleLine:
        return TitleLine()

    def above_body(self) -> Iterator[Widget]:
        yield self.stop_line

    def below_body(self) -> Iterator[Widget]:
        yield self.trouble_lines

    # -- Textual's side

    def on_mount(self) -> None:
        self._unsubscribe = self.mirror.subscribe(self._on_mirror)
        self._show_connection()

    def on_unmount(self) -> None:
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None

    def on_screen_resume(self) -> None:
        self._show_connection()
        self.stop_line.update_stop()

    def _on_mirror(self, change: Change) -> None:
        if not self.is_attached:
            return
        if change.full or change.health or change.link:
            self.notice_line.end_outage()
        if change.full or change.health or change.link or change.attention:
            self._show_connection()
        self.mirror_changed(change)

    def _show_connection(self) -> None:
        health, link = self.mirror.health, self.mirror.link
        self.title_line.show_connection(health, link, len(self.mirror.attention))
        self.trouble_lines.show(connection_trouble(health, link))

    def shared_actions(self) -> Iterator[Action]:
        def opens(name: str) -> Callable[[], None]:
            return lambda: self.ccp.open(name)

        help, *others = super().shared_actions()
        yield help
        yield Action("app.palette", ": ctrl+p", "palette", "Everywhere", opens("palette"))
        yield Action("app.queue", "!", "needs you", "Everywhere", opens("queue"), hint=False)
        yield Action("app.search", "ctrl+f", "search", "Everywhere", opens("search"), hint=False)
        for name in ("agents", "feed", "missions"):
            yield Action(f"app.{name}", "", name, "Everywhere", opens(name), hint=False)
        yield Action("app.bell", "", "bell on or off", "Everywhere", self.toggle_bell, hint=False)
        yield Action("app.emergency", emergency.KEYS, "emergency stop, resume", "Everywhere",
                     lambda: self.ccp.stop.press(), hint=False)  # fmt: skip
        yield from others

    def toggle_bell(self) -> None:
        """Rings and notifies from now on when something needs the person, or no longer; kept for the next time."""
        if alerts.silenced():
            self.say("CCP_BELL silences the bell here: unset it to hear it.", "refusal")
            return
        self.ccp.kept.put(alerts.KEPT, "off" if self.ccp.rings else None)
        self.say("It rings when something new needs you." if self.ccp.rings else "The bell is off.", "good")


def failure_words(failure: ServiceFailure) -> str:
    """A refusal names its gate in one line; every other failure is its own words and, when there is one, the fix."""
    details = failure.details
    if failure.code == "REFUSED":
        gate, reason = str(details.get("gate") or ""), str(details.get("reason") or failure.message)
        return f"Refused by {gate}: {reason}" if gate else f"Refused: {reason}"
    fix = details.get("fix")
    return f"{failure.message} {fix}" if fix else failure.message
