"""The base of every full screen: a title line, the body, a notice line, the hint bar, and the actions behind the keys.

A screen overrides :meth:`BaseScreen.actions` and :meth:`BaseScreen.body`::

    class LogScreen(BaseScreen):
        TITLE = "Log"

        def actions(self) -> Iterator[Action]:
            yield Action("log.follow", "f", "follow", "Log", self.follow)

        def body(self) -> ComposeResult:
            yield LogLines()
"""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.binding import BindingsMap
from textual.screen import Screen
from textual.widget import Widget

from ccp_tui.screens.widgets.actions import Action, Actions
from ccp_tui.screens.widgets.lines import HeadLine, HintBar, NoticeLine, Piece
from ccp_tui.screens.widgets.thrift import thrifty
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.screens.widgets.shell import Shell

log = logging.getLogger(__name__)


class BaseScreen(Screen[Any]):
    """A full screen of an application. See the module's text for how to write one."""

    TITLE = ""
    DEFAULT_CSS = "BaseScreen { layout: vertical; } BaseScreen > #body { height: 1fr; }"
    AUTO_FOCUS = ""  # a screen focuses what it wants in on_mount; nothing else moves the focus
    # Whether escape and q leave this screen; the one at the bottom says what q does itself.
    CLOSES = True

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)
        thrifty(self)
        self.action_list = Actions([*self.actions(), *self._shared_actions()])
        self._bindings = BindingsMap.merge([BindingsMap(self.action_list.bindings()), self._bindings])
        self.title_line = self.make_title()
        self.notice_line = NoticeLine()
        self.hint_bar = HintBar()

    # -- what a screen says of itself

    def actions(self) -> Iterator[Action]:
        """Everything this screen can do, most wanted first (the hint bar keeps that order)."""
        return iter(())

    def body(self) -> ComposeResult:
        """The widgets between the title line and the notice line."""
        return iter(())

    def title_pieces(self) -> Iterable[Piece]:
        """The left part of the title line."""
        return [(f" {self.TITLE} ", self.shell.palette.on_bar(self.shell.palette.bold))]

    def restyle(self) -> None:
        """The theme changed: hand everything that holds styles its new ones. Drawn widgets repaint by themselves."""
        self.refresh_title()
        self.refresh_hints()

    # -- what a screen finds here

    @property
    def shell(self) -> Shell:
        return cast("Shell", self.app)

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

    # -- the parts that a kind of screen may have of its own

    def make_title(self) -> HeadLine:
        """The title line."""
        return HeadLine()

    def above_body(self) -> Iterator[Widget]:
        """Lines between the title and the body."""
        return iter(())

    def below_body(self) -> Iterator[Widget]:
        """Lines between the body and the notice line."""
        return iter(())

    def shared_actions(self) -> Iterator[Action]:
        """What all screens of an application can do; a screen's own action of the same id wins."""
        yield Action("app.help", "?", "help", "Everywhere", lambda: self.shell.open("help"))
        yield Action("app.theme", "", "theme", "Everywhere", self.choose_theme, hint=False)
        yield Action(
            "app.close", "escape q", "back", "Everywhere", self.close_screen, when=lambda: self.CLOSES
        )

    def _shared_actions(self) -> Iterator[Action]:
        own = {action.id for action in self.actions()}
        return (action for action in self.shared_actions() if action.id not in own)

    # -- Textual's side

    def compose(self) -> ComposeResult:
        yield self.title_line
        yield from self.above_body()
        yield from self.body()
        yield from self.below_body()
        yield self.notice_line
        yield self.hint_bar

    # Textual runs these handlers beside those of the same name in a screen that inherits from this one.

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self.restyle())
        self.refresh_title()
        self.refresh_hints()

    def on_screen_resume(self) -> None:
        self.refresh_title()
        self.refresh_hints()

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

    def close_screen(self) -> None:
        """Leaves this screen for the one under it."""
        self.dismiss(None)

    async def choose_theme(self) -> None:
        """Asks for a theme and keeps the choice."""
        from ccp_tui.screens.widgets.dialogs import Choice, pick

        names = self.shell.theme_names()
        chosen = await pick(
            self.shell, "Theme", [Choice(name, name) for name in names], current=self.shell.theme
        )
        if chosen is not None:
            self.shell.keep_theme(chosen)
