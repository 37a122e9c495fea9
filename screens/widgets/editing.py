"""Editing a text: in the person's ``$EDITOR``, or in a plain editor of our own, until it is saved or given up.

The text is never lost to an error: a save that is refused opens our editor with the text, the words and the line.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult, SuspendNotSupported
from textual.widgets import TextArea

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import CcpScreen, failure_words
from ccp_tui.screens.widgets.dialogs import confirm
from ccp_tui.screens.widgets.lines import Piece
from ccp_tui.text import clean

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp


@dataclass(frozen=True)
class Problem:
    """Why a text was not saved; ``line`` counts from 1, 0 when no line is to blame."""

    words: str
    line: int = 0


Save = Callable[[str], Awaitable[Problem | None]]


async def edit_text(app: CcpApp, text: str, *, title: str, filename: str, save: Save) -> bool:
    """Lets the person edit ``text`` and saves it; True when it was saved. ``save`` answers with a problem or None.

    With ``$VISUAL`` or ``$EDITOR`` the screen steps aside for it; leaving the editor without a change saves nothing.
    """
    command = editor_command()
    if command is not None:
        edited = await edit_outside(app, text, filename, command)
        if edited is not None:
            if edited == text:
                return False
            problem = await save(edited)
            if problem is None:
                return True
            return bool(await app.push_screen_wait(EditScreen(title, filename, text, edited, save, problem)))
    return bool(await app.push_screen_wait(EditScreen(title, filename, text, text, save, None)))


def saver(call: Callable[[str], Awaitable[Any]]) -> Save:
    """Makes a save of a call to the service: what it raises becomes the problem, with its line."""

    async def save(text: str) -> Problem | None:
        try:
            await call(text)
        except (ServiceFailure, ServiceUnavailable) as error:
            return problem_of(error)
        return None

    return save


def problem_of(error: ServiceFailure | ServiceUnavailable) -> Problem:
    """Why the service did not take a text, with the line to blame."""
    if isinstance(error, ServiceUnavailable):
        return Problem(f"{error.message} {error.fix}".strip())
    line = error.details.get("line")
    return Problem(failure_words(error), line if isinstance(line, int) else 0)


def editor_command(env: Mapping[str, str] = os.environ) -> list[str] | None:
    """The person's editor as a command, or None when none is named."""
    named = env.get("VISUAL") or env.get("EDITOR") or ""
    try:
        return shlex.split(named) or None
    except ValueError:
        return None


async def edit_outside(app: CcpApp, text: str, filename: str, command: list[str]) -> str | None:
    """The text after the editor; None when it could not run. Nothing is drawn meanwhile, events still arrive."""
    with tempfile.TemporaryDirectory(prefix="ccp-") as folder:
        path = Path(folder) / filename
        path.write_text(text)
        try:
            async with app.stepped_aside():
                process = await asyncio.create_subprocess_exec(*command, str(path))
                code = await process.wait()
        except (OSError, SuspendNotSupported):
            return None
        if code != 0:
            return text
        return clean(path.read_text(errors="replace"))


class EditScreen(CcpScreen):
    """A plain editor: ctrl+o saves, ctrl+e opens the text in ``$EDITOR``, escape leaves. Answers True when saved."""

    DEFAULT_CSS = """
    EditScreen TextArea, EditScreen TextArea:focus {
        height: 1fr; border: none; padding: 0 1; background: $background; }
    """
    CLOSES = False

    def __init__(
        self, title: str, filename: str, original: str, text: str, save: Save, problem: Problem | None
    ) -> None:
        super().__init__()
        self.heading = title
        self.filename, self.original, self.save, self.problem = filename, original, save, problem
        self.area = TextArea(text, soft_wrap=False, show_line_numbers=True, tab_behavior="indent")
        self.area.indent_width = 2
        self.area.cursor_blink = False

    def actions(self) -> Iterator[Action]:
        yield Action("edit.save", "ctrl+o f2", "save", "Edit", self.save_text, priority=True)
        yield Action(
            "edit.outside",
            "ctrl+e",
            "open in $EDITOR",
            "Edit",
            self.outside,
            when=self.has_editor,
            priority=True,
        )
        yield Action("edit.leave", "escape", "leave", "Edit", self.leave, priority=True)

        # Letters are text here, so what they do elsewhere has other keys.
        shared = partial(Action, group="Everywhere", priority=True)
        yield shared("app.help", "f1", "help", run=lambda: self.ccp.open("help"))
        yield shared("app.palette", "ctrl+p", "palette", run=lambda: self.ccp.open("palette"), hint=False)

    def body(self) -> ComposeResult:
        yield self.area

    def on_mount(self) -> None:
        self.area.focus()
        if self.problem:
            self.show(self.problem)

    def title_pieces(self) -> Iterable[Piece]:
        yield f" {self.heading} ", self.ccp.palette.on_bar(self.ccp.palette.bold)

    def has_editor(self) -> bool | str:
        return editor_command() is not None or "Set $EDITOR to use your own editor."

    def show(self, problem: Problem) -> None:
        """Says what is wrong and puts the cursor on its line."""
        at = f"line {problem.line}: " if problem.line and f"line {problem.line}" not in problem.words else ""
        self.say(f"Not saved. {at}{problem.words}", "refusal")
        if problem.line:
            self.area.move_cursor((min(problem.line, self.area.document.line_count) - 1, 0), center=True)

    async def save_text(self) -> None:
        problem = await self.save(self.area.text)
        if problem is None:
            self.dismiss(True)
        else:
            self.show(problem)

    async def outside(self) -> None:
        command = editor_command()
        edited = await edit_outside(self.ccp, self.area.text, self.filename, command) if command else None
        if edited is None:
            self.say("Your editor could not be started: check $EDITOR.", "refusal")
        elif edited != self.area.text:
            self.area.load_text(edited)
            await self.save_text()

    async def leave(self) -> None:
        if self.area.text == self.original or await confirm(
            self.ccp,
            "Leave without saving?",
            detail="What you wrote here will be lost.",
            yes="leave",
            no="stay",
        ):
            self.dismiss(False)
