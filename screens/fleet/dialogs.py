"""The fleet's questions: a name to type before something is lost, the snapshots of a deployment, its limits, a name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input

from ccp_tui.incus import Deployment, FleetError, Limits, Snapshot, check_name
from ccp_tui.screens.fleet import words
from ccp_tui.screens.widgets.dialogs import Dialog, Words, wrap
from ccp_tui.screens.widgets.fields import Field, FieldsForm, Problem, Text, Values
from ccp_tui.screens.widgets.rowlist import Row, RowList
from ccp_tui.text import one_line

LIMITS = ("cpu", "memory", "disk", "processes")


class TypedDialog(Dialog):
    """Yes only for whoever types the very words: what follows can't be undone."""

    def __init__(self, title: str, about: Sequence[str], typed: str, yes: str) -> None:
        super().__init__(title)
        self.about, self.typed, self.yes = about, typed, yes
        self.field = Input()
        self.field.cursor_blink = False
        self.hint = Words(f"type {typed} and enter to {yes} · esc leaves", "dim")
        self.hint.add_class("hint")

    def fields(self) -> ComposeResult:
        for paragraph in self.about:
            for line in wrap(paragraph, 58):
                yield Words(line)
        yield Words("")
        yield self.field
        yield self.hint

    def on_mount(self) -> None:
        self.field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip() == self.typed:
            self.dismiss(True)
        else:
            self.hint.set(f"That is not {self.typed}: nothing was done.", "warn")


class SnapshotsDialog(Dialog):
    """The snapshots of a deployment. Answers (take | restore | delete, its name), or None."""

    DEFAULT_CSS = "SnapshotsDialog RowList { height: 12; }"
    BINDINGS = [  # noqa: RUF012
        Binding("n", "answer('take')", show=False),
        Binding("enter,r", "answer('restore')", show=False),
        Binding("D", "answer('delete')", show=False),
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("q", "leave", show=False),
    ]

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(f"Snapshots of {deployment.name}")
        self.snapshots = sorted(deployment.snapshots, key=lambda one: one.created_at, reverse=True)
        self.list = RowList()
        self.list.empty = (
            "None yet: n takes the first. A snapshot keeps everything, the board's data included."
        )

    def fields(self) -> ComposeResult:
        yield self.list
        keys = "n take one now"
        if self.snapshots:
            keys += " · enter go back to it · D delete it"
        hint = Words(f"{keys} · esc leave", "dim")
        hint.add_class("hint")
        yield hint

    def on_mount(self) -> None:
        self.list.focus()
        self.list.show([self._row(one) for one in self.snapshots])

    def _row(self, one: Snapshot) -> Row:
        palette = self.shell.palette
        size = f"{words.size(one.size, fine=True):>6}" if one.size else ""
        return Row.of(
            one.name,
            [(f" {one_line(one.name, 32):<34}", palette.text), (words.when(one.created_at), palette.dim),
             (f"  {size}", palette.dim)],
        )  # fmt: skip

    def action_move(self, by: int) -> None:
        self.list.move(by)

    def on_row_list_taken(self) -> None:
        self.action_answer("restore")

    def action_answer(self, what: str) -> None:
        name = self.list.key
        if what == "take":
            self.dismiss((what, ""))
        elif isinstance(name, str):
            self.dismiss((what, name))


def limits_form(
    title: str, limits: Limits, many: int, call: Callable[[dict[str, str | int]], Awaitable[Any]]
) -> FieldsForm:
    """New limits; what is left as it was is not touched."""
    values = {
        "cpu": limits.cpu,
        "memory": limits.memory,
        "disk": limits.disk,
        "processes": str(limits.processes),
    }
    labels = {
        "cpu": "CPU, whole cores",
        "memory": "Memory",
        "disk": "Disk, grows only",
        "processes": "Processes",
    }

    async def submit(_: Values) -> Problem | None:
        changes: dict[str, str | int] = {}
        for name, value in form.changed.items():
            try:
                changes[name] = int(value) if name == "processes" else value.strip()
                Limits().changed({name: changes[name]})
            except ValueError:
                return Problem("Write a whole number.", name)
            except FleetError as error:
                return Problem(words.failure(error), name)
        if changes:
            await call(changes)
        return None

    about = "They take effect at once."
    if many > 1:
        about += f" What you change holds for all {many}; what you leave stays as each has it."
    fields = [Field(name, labels[name], Text(values[name])) for name in LIMITS]
    form = FieldsForm(title, fields, submit, about=about)
    return form


def name_form(
    title: str,
    label: str,
    value: str,
    taken: Collection[str],
    call: Callable[[str], Awaitable[Any]],
    about: str,
) -> FieldsForm:
    """A name for a deployment, checked before anything is asked of Incus."""

    async def submit(values: Values) -> Problem | None:
        name = str(values["name"]).strip()
        if problem := name_problem(name, taken):
            return Problem(problem, "name")
        await call(name)
        return None

    return FieldsForm(title, [Field("name", label, Text(value))], submit, about=about)


def name_problem(name: str, taken: Collection[str]) -> str:
    """Why a deployment can't be called so; empty when it can."""
    try:
        check_name(name)
    except FleetError as error:
        return words.failure(error)
    return f"There is a {name} already." if name in taken else ""
