"""The form for an agent: asked in one box, sent from it, and still there with every word when it is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input, TextArea

from ccp_tui.screens.widgets.dialogs import Choice, Dialog, Words, pick

Values = dict[str, str]
# Sends the values; answers with why it was refused, or None.
Submit = Callable[[Values], Awaitable[str | None]]

LABELS = {
    "name": ("Name", "how you call it, and its id on the gateway"),
    "role": ("Role", "coder, writer, reviewer…"),
    "emoji": ("Emoji", "one sign that stands for it"),
    "model": ("Model", "↓ lists the gateway's models; empty: its default"),
}


class ModelField(Input):
    """The model's id; down opens the list of those that the gateway has."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "down":
            event.stop()
            event.prevent_default()
            self.screen.run_worker(self._choose())
        else:
            await super()._on_key(event)

    async def _choose(self) -> None:
        form = self.screen
        if isinstance(form, AgentForm):
            chosen = await pick(
                self.app, "Model", form.models, current=self.value, empty="The gateway lists no models."
            )
            if chosen is not None:
                self.value = chosen


class AgentForm(Dialog):
    """Fields in a box; answers True once the values were taken."""

    DEFAULT_CSS = """
    AgentForm > .box { width: 76; }
    AgentForm .label { margin-top: 1; }
    AgentForm TextArea { height: 6; }
    """
    BINDINGS = [Binding("ctrl+o,f2", "submit", show=False, priority=True)]  # noqa: RUF012

    def __init__(
        self,
        title: str,
        values: Mapping[str, str],
        models: Sequence[Choice[str]],
        submit: Submit,
        *,
        soul: bool,
    ) -> None:
        super().__init__(title)
        self.models, self.submit = models, submit
        self.inputs: dict[str, Input] = {}
        for name, (_, placeholder) in LABELS.items():
            kind = ModelField if name == "model" else Input
            self.inputs[name] = kind(values.get(name, ""), placeholder=placeholder)
            self.inputs[name].cursor_blink = False
        self.soul = TextArea(soft_wrap=True, show_line_numbers=False) if soul else None
        if self.soul is not None:
            self.soul.cursor_blink = False
        self.keys = (
            "tab next field · enter takes it" + (" (in SOUL.md: ^o)" if soul else "") + " · esc leaves"
        )
        self.hint = Words(self.keys, "dim")
        self.hint.add_class("hint")
        self._sending = False

    def fields(self) -> ComposeResult:
        for name, field in self.inputs.items():
            yield Words(LABELS[name][0], "dim", id=f"label-{name}")
            yield field
        if self.soul is not None:
            yield Words("SOUL.md: who it is and how it works (may stay empty)", "dim")
            yield self.soul
        yield self.hint

    def on_mount(self) -> None:
        self.inputs["name"].focus()

    def on_input_submitted(self) -> None:
        self.action_submit()

    def action_submit(self) -> None:
        if not self._sending:
            self.run_worker(self._submit())

    async def _submit(self) -> None:
        values = {name: field.value.strip() for name, field in self.inputs.items()}
        if self.soul is not None:
            values["soul"] = self.soul.text
        if not values["name"]:
            self.hint.set("It needs a name.", "warn")
            self.inputs["name"].focus()
            return
        self._sending = True
        self.hint.set("sending…", "dim")
        try:
            problem = await self.submit(values)
        finally:
            self._sending = False
        if not self.is_attached:
            return
        if problem is None:
            self.dismiss(True)
        else:
            self.hint.set(problem, "bad")


async def fill(app: Any, form: AgentForm) -> bool:
    """Shows the form until it was taken (True) or left."""
    return bool(await app.push_screen_wait(form))
