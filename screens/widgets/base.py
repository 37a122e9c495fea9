"""The base of every screen: a title line with the connection's truth, the body, a notice line, the hint bar.

While the connection is broken, what mends it stands above the notice line.

A screen overrides :meth:`actions`, :meth:`body` and, where it shows live state, :meth:`mirror_changed`::

    class FeedScreen(CcpScreen):
        TITLE = "Feed"

        def actions(self) -> Iterator[Action]:
            yield Action("feed.follow", "f", "follow", "Feed", self.follow)

        def body(self) -> ComposeResult:
            yield FeedLines()
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.binding import BindingsMap
from textual.screen import Screen

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.mirror import Change, Mirror
from ccp_tui.screens.widgets import alerts, emergency
from ccp_tui.screens.widgets.actions import Action, Actions
from ccp_tui.screens.widgets.connection import TitleLine, TroubleLines, connection_trouble
from ccp_tui.screens.widgets.lines import HintBar, NoticeLine, Piece
from ccp_tui.screens.widgets.thrift import thrifty
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp
    from ccp_tui.client import LiveClient

log = logging.getLogger(__name__)

Json = dict[str, Any]
DEADLINE_S = 20.0


class CcpScreen(Screen[Any]):
    """A full screen of the application. See the module's text for how to write one."""

    TITLE = ""
    DEFAULT_CSS = "CcpScreen { layout: vertical; } CcpScreen > #body { height: 1fr; }"
    AUTO_FOCUS = ""  # a screen focuses what it wants in on_mount; nothing else moves the focus
    # Whether escape and q leave this screen; the board says what q does itself.
    CLOSES = True

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        thrifty(self)
        self.action_list = Actions([*self.actions(), *self._shared_actions()])
        self._bindings = BindingsMap.merge([BindingsMap(self.action_list.bindings()), self._bindings])
        self.title_line = TitleLine()
        self.stop_line = emergency.StopLine()
        self.trouble_lines = TroubleLines()
        self.notice_line = NoticeLine()
        self.hint_bar = HintBar()
        self._unsubscribe: Callable[[], None] | None = None

    # -- what a screen says of itself

    def actions(self) -> Iterator[Action]:
        """Everything this screen can do, most wanted first (the hint bar keeps that order)."""
        return iter(())

    def body(self) -> ComposeResult:
        """The widgets between the title line and the notice line."""
        return iter(())

    def title_pieces(self) -> Iterable[Piece]:
        """The left part of the title line."""
        return [(f" {self.TITLE} ", self.ccp.palette.on_bar(self.ccp.palette.bold))]

    def mirror_changed(self, change: Change) -> None:
        """Something in the mirror changed: repaint what shows it. ``change.full`` means: read everything again."""

    def restyle(self) -> None:
        """The theme changed: hand everything that holds styles its new ones. Drawn widgets repaint by themselves."""
        self.refresh_title()
        self.refresh_hints()

    # -- what a screen finds here

    @property
    def ccp(self) -> CcpApp:
        return cast("CcpApp", self.app)

    @property
    def live(self) -> LiveClient:
        return self.ccp.live

    @property
    def mirror(self) -> Mirror:
        return self.ccp.mirror

    def say(self, text: str, kind: str = "info") -> None:
        """One line for the person, until the next action: kind refusal, warn, good or info.

        An outage is a refusal that lasts no longer than the connection that it tells of.
        """
        self.notice_line.say(one_line(text), kind)

    def refresh_hints(self) -> None:
        """Call when what applies may have changed (the cursor moved, a state changed)."""
        self.hint_bar.show(self.action_list.hints())

    def refresh_title(self) -> None:
        """Call when the title's words may have changed."""
        self.title_line.show_title(list(self.title_pieces()))

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

    def do(self, work: Coroutine[Any, Any, Any]) -> None:
        """Runs a coroutine beside the keys. A mistake in it is logged and shown; it never takes the screen down."""
        self.run_worker(self._guard(work), group="actions", exit_on_error=False)

    async def _guard(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception as error:
            log.exception("an action of %s failed", type(self).__name__)
            if self.is_attached:
                self.say(f"That failed: {error}", "refusal")

    # -- Textual's side

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield self.stop_line
        yield from self.body()
        yield self.trouble_lines
        yield self.notice_line
        yield self.hint_bar

    # Textual runs these handlers beside those of the same name in a screen that inherits from this one.

    def on_mount(self) -> None:
        self._unsubscribe = self.mirror.subscribe(self._on_mirror)
        self.app.theme_changed_signal.subscribe(self, lambda _: self.restyle())
        self._show_connection()
        self.refresh_title()
        self.refresh_hints()

    def on_unmount(self) -> None:
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None

    def on_screen_resume(self) -> None:
        self._show_connection()
        self.stop_line.update_stop()
        self.refresh_title()
        self.refresh_hints()

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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key whose action does not apply, and has no words for it, is free for the next that wants it."""
        if action == "run_action":
            return self.action_list.takes_key(str(parameters[0]))
        return super().check_action(action, parameters)

    def action_run_action(self, action_id: str) -> None:
        """Runs an action by its id, as its key does; when it does not apply, says why if there are words for it."""
        action = self.action_list[action_id]
        if action.priority and self.focused is not None:
            # Behind what was typed before it: a key that wins over the field must not overtake the field's letters.
            self.focused.call_later(self.run_listed, action)
        else:
            self.run_listed(action)

    def run_listed(self, action: Action) -> None:
        """Runs an action of this screen: what keys, the help and the palette all come down to."""
        self.notice_line.say("")
        if not action.applies:
            if words := action.refusal:
                self.say(words, "refusal")
            return
        work = action.run()
        if work is not None:
            self.do(work)

    def _shared_actions(self) -> Iterator[Action]:
        def opens(name: str) -> Callable[[], None]:
            return lambda: self.ccp.open(name)

        own = {action.id for action in self.actions()}
        shared = (
            Action("app.help", "?", "help", "Everywhere", opens("help")),
            Action("app.palette", ": ctrl+p", "palette", "Everywhere", opens("palette")),
            Action("app.queue", "!", "needs you", "Everywhere", opens("queue"), hint=False),
            Action("app.search", "ctrl+f", "search", "Everywhere", opens("search"), hint=False),
            Action("app.agents", "", "agents", "Everywhere", opens("agents"), hint=False),
            Action("app.feed", "", "feed", "Everywhere", opens("feed"), hint=False),
            Action("app.missions", "", "missions", "Everywhere", opens("missions"), hint=False),
            Action("app.theme", "", "theme", "Everywhere", self.choose_theme, hint=False),
            Action("app.bell", "", "bell on or off", "Everywhere", self.toggle_bell, hint=False),
            Action(
                "app.emergency",
                emergency.KEYS,
                "emergency stop, resume",
                "Everywhere",
                lambda: self.ccp.stop.press(),
                hint=False,
            ),
            Action(
                "app.close", "escape q", "back", "Everywhere", self.close_screen, when=lambda: self.CLOSES
            ),
        )
        return (action for action in shared if action.id not in own)

    def close_screen(self) -> None:
        """Leaves this screen for the one under it."""
        self.dismiss(None)

    def toggle_bell(self) -> None:
        """Rings and notifies from now on when something needs the person, or no longer; kept for the next time."""
        if alerts.silenced():
            self.say("CCP_BELL silences the bell here: unset it to hear it.", "refusal")
            return
        self.ccp.kept.put(alerts.KEPT, "off" if self.ccp.rings else None)
        self.say("It rings when something new needs you." if self.ccp.rings else "The bell is off.", "good")

    async def choose_theme(self) -> None:
        """Asks for a theme and keeps the choice."""
        from ccp_tui.screens.widgets.dialogs import Choice, pick

        names = self.ccp.theme_names()
        chosen = await pick(self.ccp, "Theme", [Choice(name, name) for name in names], current=self.ccp.theme)
        if chosen is not None:
            self.ccp.keep_theme(chosen)


def failure_words(failure: ServiceFailure) -> str:
    """A refusal names its gate in one line; every other failure is its own words and, when there is one, the fix."""
    details = failure.details
    if failure.code == "REFUSED":
        gate, reason = str(details.get("gate") or ""), str(details.get("reason") or failure.message)
        return f"Refused by {gate}: {reason}" if gate else f"Refused: {reason}"
    fix = details.get("fix")
    return f"{failure.message} {fix}" if fix else failure.message
