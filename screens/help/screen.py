"""The ``?`` help: derived from the actions of the screen it was called on, so it can't say what is not so."""

from __future__ import annotations

from typing import Any

from ccp_tui.screens.palette.finder import Finder, beneath, marked
from ccp_tui.screens.palette.fuzzy import match
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.basescreen import BaseScreen
from ccp_tui.screens.widgets.rowlist import Row

KEYS_WIDTH = 16


class HelpScreen(Finder):
    """Lists what applies now; ``subject`` is the screen it tells of, by default the one it was opened over."""

    DEFAULT_CSS = "HelpScreen > .box { height: 92%; }"
    PLACEHOLDER = "type to filter"
    HINT = "enter runs it · esc leaves"

    def __init__(self, subject: BaseScreen | None = None) -> None:
        super().__init__("What works here")
        self.subject = subject
        self.offered: dict[str, list[Action]] = {}

    def on_mount(self) -> None:
        self.subject = self.subject or beneath(self)
        if self.subject is not None:
            self.offered = self.subject.action_list.groups()
            title = f"What works here: {self.subject.TITLE}" if self.subject.TITLE else "What works here"
            self.query_one(".box").border_title = title.replace("[", r"\[")

    def narrow(self, text: str) -> None:
        palette, rows = self.shell.palette, list[Row]()
        plain = self.shell.glyphs.ascii
        for group, actions in self.offered.items():
            listed = []
            for action in actions:
                found = match(text, f"{action.label} {group} {action.shown_keys(plain)}")
                if found is None:
                    continue
                keys = f"  {action.shown_keys(plain):<{KEYS_WIDTH}}"
                label = marked(action.label, found.at, palette.text, palette.match)
                listed.append(Row.of(action.id, [(keys, palette.accent), (" ", palette.text), *label]))
            if listed:
                rows += [Row.of(None, [("", palette.text)])] if rows else []
                rows += [Row.of(None, [(f" {group}", palette.bold)]), *listed]
        self.found.empty = f"Nothing here is called “{text}”." if text else "Nothing works here."
        self.show_rows(rows)

    def take(self, key: Any) -> None:
        subject = self.subject
        self.dismiss(None)
        if subject is not None and key in subject.action_list:
            self.app.call_later(subject.run_listed, subject.action_list[key])
