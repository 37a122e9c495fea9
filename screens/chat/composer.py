"""The input of a chat: enter sends, ctrl+j begins a new line, tab completes a path after ``/attach``."""

from __future__ import annotations

import os
from pathlib import Path

from textual import events
from textual.message import Message
from textual.widgets import TextArea

ATTACH = "/attach "
DETACH = "/detach"
# Enter with shift or alt reaches us only from terminals that can tell it apart; ctrl+j works in all of them.
NEW_LINE_KEYS = ("ctrl+j", "shift+enter", "alt+enter", "newline")


class Composer(TextArea):
    """Grows with its text up to a third of the screen. The text stays until it has been stored."""

    class Submitted(Message):
        """Enter was pressed; ``queue`` means: after the running answer, not into it."""

        def __init__(self, queue: bool = False) -> None:
            super().__init__()
            self.queue = queue

    class Emptied(Message):
        """Backspace in an empty input: takes the last attachment away."""

    def __init__(self) -> None:
        super().__init__(id="composer", compact=True, highlight_cursor_line=False, show_line_numbers=False)
        self.cursor_blink = False  # a blinking cursor would write bytes for ever

    async def _on_key(self, event: events.Key) -> None:
        key = event.key
        if key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Submitted())
        elif key in NEW_LINE_KEYS:
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif key == "tab":
            event.stop()
            event.prevent_default()
            if self.text.startswith(ATTACH):
                self._complete()
            else:
                self.post_message(self.Submitted(queue=True))
        elif key == "backspace" and not self.text:
            event.stop()
            event.prevent_default()
            self.post_message(self.Emptied())
        else:
            await super()._on_key(event)

    def put(self, text: str) -> None:
        """Replaces the text, the cursor at its end."""
        self.text = text
        self.move_cursor(self.document.end)

    def _complete(self) -> None:
        completed = complete_path(self.text[len(ATTACH) :])
        if completed:
            self.put(ATTACH + completed)


def complete_path(begun: str) -> str:
    """The path continued as far as it is certain; a folder ends in ``/``. Empty when nothing matches."""
    typed = os.path.expanduser(begun.strip())
    folder, _, name = typed.rpartition("/")
    try:
        with os.scandir(folder + "/" if folder or typed.startswith("/") else ".") as entries:
            names = sorted(
                entry.name + ("/" if entry.is_dir() else "")
                for entry in entries
                if entry.name.startswith(name) and (name.startswith(".") or not entry.name.startswith("."))
            )
    except OSError:
        return ""
    if not names:
        return ""
    shared = names[0]
    while not all(each.startswith(shared) for each in names):
        shared = shared[:-1]
    return typed[: len(typed) - len(name)] + shared


def readable_file(typed: str) -> Path | str:
    """The absolute path of a file that can be read, or the words that say why there is none."""
    path = Path(typed.strip().strip("'\"")).expanduser()
    if not path.is_absolute():
        path = Path.cwd() / path
    try:
        if not path.exists():
            return f"There is no file {path}."
        if not path.is_file():
            return f"{path} is no file: attach files one by one."
        with path.open("rb"):
            return path
    except OSError as error:
        return f"{path} can't be read: {error.strerror}."
