"""A form of labelled fields: what is wrong stands under the field it is about, and nothing that was written is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input

from ccp_tui.screens.board.capture import Cycle
from ccp_tui.screens.widgets.dialogs import Choice, Dialog, Words, pick, wrap
from ccp_tui.screens.widgets.lines import Piece

LABEL_CELLS = 24


@dataclass(frozen=True)
class Problem:
    """Why the values were not taken; ``field`` names the one to blame, empty when none is."""

    words: str
    field: str = ""


Values = dict[str, Any]
Submit = Callable[[Values], Awaitable[Problem | None]]


class Few(Cycle):
    """A field with a few values; its label stands beside it."""

    DEFAULT_CSS = "Few { width: 1fr; margin-top: 0; }"

    def __init__(self, values: Sequence[tuple[Any, str]], value: Any) -> None:
        at = next((index for index, (each, _) in enumerate(values) if each == value), 0)
        super().__init__("", values, at)

    def pieces(self, width: int) -> Iterable[Piece]:
        palette, glyphs, words = self.palette, self.glyphs, self.values[self.at][1]
        if self.has_focus:
            yield f"{glyphs.more_left} {words} {glyphs.more_right}", palette.accent
        else:
            yield f"  {words}", palette.text


class Text(Input):
    """A field of one line; with choices, down lists them."""

    def __init__(self, value: str = "", placeholder: str = "", choices: Sequence[Choice[str]] = ()) -> None:
        super().__init__(value, placeholder=placeholder)
        self.choices = list(choices)
        self.cursor_blink = False

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "down" and self.choices:
            event.stop()
            event.prevent_default()
            self.screen.run_worker(self._choose())
        else:
            await super()._on_key(event)

    async def _choose(self) -> None:
        chosen = await pick(self.app, "Choose", self.choices, current=self.value)
        if chosen is not None:
            self.value = chosen


@dataclass(frozen=True)
class Field:
    """One line of the form: its name among the values, its label, and what is typed or chosen in."""

    name: str
    label: str
    control: Text | Few


class FieldsForm(Dialog):
    """Answers True once ``submit`` took the values; until then it stays, with every word."""

    DEFAULT_CSS = """
    FieldsForm > .box { width: 76; }
    FieldsForm VerticalScroll { height: auto; max-height: 16; scrollbar-size-vertical: 1; }
    FieldsForm Horizontal { height: 1; }
    FieldsForm Horizontal > Words { width: 26; }
    FieldsForm Input { width: 1fr; }
    FieldsForm .wrong { display: none; padding-left: 26; }
    """
    BINDINGS = [  # noqa: RUF012
        Binding("enter,ctrl+o,f2", "submit", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]
    KEYS = "tab next field · enter takes it · esc leaves"

    def __init__(
        self, title: str, fields: Sequence[Field], submit: Submit, *, keys: str = KEYS, about: str = ""
    ) -> None:
        super().__init__(title)
        self.rows = list(fields)
        self.about = about
        self.submit, self.keys = submit, keys
        self.wrong = {field.name: Words("", "bad") for field in fields}
        self.hint = Words(keys, "dim")
        self.hint.add_class("hint")
        self._before = self.values
        self._sending = self._warned = False

    @property
    def values(self) -> Values:
        """What stands in the fields now, by name."""
        return {field.name: field.control.value for field in self.rows}

    @property
    def changed(self) -> Values:
        """The values that are not what they were when the form was opened."""
        return {name: value for name, value in self.values.items() if value != self._before[name]}

    def fields(self) -> ComposeResult:
        for line in wrap(self.about, 68):
            yield Words(line)
        lines: list[Widget] = []
        for field in self.rows:
            wrong = self.wrong[field.name]
            wrong.add_class("wrong")
            lines += [Horizontal(Words(field.label, "dim"), field.control), wrong]
        yield VerticalScroll(*lines, can_focus=False)
        yield self.hint

    def on_mount(self) -> None:
        self.rows[0].control.focus()

    def on_input_submitted(self) -> None:
        self.action_submit()

    def action_submit(self) -> None:
        if not self._sending:
            self.run_worker(self._submit())

    def action_leave(self) -> None:
        if self.changed and not self._warned:
            self._warned = True
            self.hint.set("What you wrote is not saved: esc again leaves, enter takes it.", "warn")
        else:
            self.dismiss(False)

    async def _submit(self) -> None:
        self._sending, self._warned = True, False
        self._blame(None)
        self.hint.set("sending…", "dim")
        try:
            problem = await self.submit(self.values)
        finally:
            self._sending = False
        if not self.is_attached:
            return
        if problem is None:
            self.dismiss(True)
        else:
            self._blame(problem)

    def _blame(self, problem: Problem | None) -> None:
        """Shows a problem under its field, which gets the cursor; without a field, in the last line."""
        for name, line in self.wrong.items():
            blamed = problem is not None and problem.field == name
            line.display = blamed
            line.set(problem.words if problem and blamed else "")
        if problem is None or problem.field not in self.wrong:
            self.hint.set(problem.words if problem else self.keys, "bad" if problem else "dim")
            return
        self.hint.set(self.keys, "dim")
        next(field for field in self.rows if field.name == problem.field).control.focus()


async def fill(app: Any, form: FieldsForm) -> bool:
    """Shows the form until its values were taken (True) or it was left."""
    return bool(await app.push_screen_wait(form))
