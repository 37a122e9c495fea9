"""The dialogs that make things: a new task in a few keys, a new mission."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from ccp_tui.rows import AgentRow, MissionRow
from ccp_tui.screens.widgets.dialogs import Dialog, Words
from ccp_tui.screens.widgets.lines import Line, Piece

PRIORITIES = ("low", "normal", "high", "urgent")
PLANS = (("", "later"), ("ask", "now, asks me"), ("auto", "now, by its own assumptions (auto)"))


@dataclass(frozen=True)
class NewTask:
    """What the person wrote down.

    ``plan``: empty for later, ``ask`` to be planned at once with questions, ``auto`` by stated assumptions.
    ``with_spec``: they want to write its spec at once.
    """

    title: str
    mission: str | None
    priority: str
    agent: str | None
    with_spec: bool
    plan: str = ""


class Cycle(Line, can_focus=True):
    """A field with a few values: left and right (or a first letter) change it."""

    DEFAULT_CSS = "Cycle { height: 1; margin-top: 1; }"

    class Changed(Message):
        """Another value was chosen."""

    def __init__(self, label: str, values: Sequence[tuple[Any, str]], at: int = 0) -> None:
        super().__init__()
        self.label, self.values, self.at = label, list(values), at

    @property
    def value(self) -> Any:
        return self.values[self.at][0]

    def pieces(self, width: int) -> Iterable[Piece]:
        palette, glyphs = self.palette, self.glyphs
        yield f"{self.label:<10}", palette.dim
        if self.has_focus:
            yield f"{glyphs.more_left} {self.values[self.at][1]} {glyphs.more_right}", palette.accent
        else:
            yield f"  {self.values[self.at][1]}", palette.text

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def on_key(self, event: events.Key) -> None:
        count = len(self.values)
        if event.key in ("left", "h"):
            self.at = (self.at - 1) % count
        elif event.key in ("right", "l", "space"):
            self.at = (self.at + 1) % count
        elif event.is_printable and event.character:
            letter = event.character.lower()
            order = [*range(self.at + 1, count), *range(self.at + 1)]
            found = next((i for i in order if self.values[i][1].lower().startswith(letter)), None)
            if found is None:
                return
            self.at = found
        else:
            return
        event.stop()
        self.redraw()
        self.post_message(self.Changed())


class TitleInput(Input):
    """The title. Its keys are its own, not the dialog's before it: a line that comes in one burst is taken whole."""

    BINDINGS = [Binding("ctrl+e", "screen.take(True)", show=False)]  # noqa: RUF012


class CaptureDialog(Dialog):
    """A new task: its title, and where it belongs. Enter in any field takes it; ctrl+e writes its spec next."""

    BINDINGS = [  # noqa: RUF012
        Binding("enter", "take(False)", show=False),
        Binding("ctrl+e", "take(True)", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(
        self, missions: Sequence[MissionRow], mission: str | None, agents: Sequence[AgentRow]
    ) -> None:
        super().__init__("New task")
        self.title_field = TitleInput(placeholder="What should be done?")
        self.title_field.cursor_blink = False
        slugs = [row.slug for row in missions]
        at = slugs.index(mission) if mission in slugs else 0
        # Without a mission the first task makes one: nobody has to think of boards before the first line.
        self.mission = Cycle(
            "Mission", [(row.slug, row.title) for row in missions] or [(None, "Main, a new one")], at
        )
        self.priority = Cycle("Priority", [(name, name) for name in PRIORITIES], 1)
        self.agent = Cycle("Agent", [(None, "nobody yet"), *((row.id, row.name) for row in agents)])
        self.plan = Cycle("Plan", PLANS)
        self.hint = Words("enter writes it · ^e its spec too · tab next · esc leaves", "dim")
        self.hint.add_class("hint")

    def fields(self) -> ComposeResult:
        yield self.title_field
        yield self.mission
        yield self.priority
        yield self.agent
        yield self.plan
        yield self.hint

    def on_mount(self) -> None:
        self.title_field.focus()

    def on_input_submitted(self) -> None:
        self.action_take(False)

    def action_take(self, with_spec: bool) -> None:
        title = self.title_field.value.strip()
        if not title:
            self.title_field.focus()
            self.hint.set("Give it a title first, or press esc.", "warn")
            return
        values = (self.mission.value, self.priority.value, self.agent.value)
        self.dismiss(NewTask(title, *values, with_spec, self.plan.value))
