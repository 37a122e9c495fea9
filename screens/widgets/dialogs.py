"""Small questions over a screen: pick one, write some words, say yes. Await them from an action (a coroutine)::

agent = await pick(self.ccp, "Assign WEB-12 to", choices)
reason = await ask_words(self.ccp, "Why is it rejected?", multiline=True)
if await confirm(self.ccp, "Cancel WEB-12 Fix the login?"): …
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from rich.cells import cell_len
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input, TextArea

from ccp_tui.screens.widgets.lines import Drawn, Line, Piece, cut, fit
from ccp_tui.screens.widgets.thrift import thrifty
from ccp_tui.text import clean, one_line

if TYPE_CHECKING:
    from ccp_tui.screens.widgets.shell import Shell

T = TypeVar("T")


@dataclass(frozen=True)
class Choice(Generic[T]):
    """One line of a picker. ``detail`` stands dim after the label; ``mark`` before it (an emoji, a sign)."""

    value: T
    label: str
    detail: str = ""
    mark: str = ""


async def pick(
    app: App[Any],
    title: str,
    choices: Sequence[Choice[T]],
    *,
    current: T | None = None,
    empty: str = "Nothing here.",
) -> T | None:
    """The value of the choice the person takes; None when they leave. Typing filters."""
    found: T | None = await app.push_screen_wait(PickDialog(title, choices, current, empty))
    return found


async def ask_words(
    app: App[Any],
    title: str,
    *,
    text: str = "",
    placeholder: str = "",
    required: bool = True,
    multiline: bool = False,
    context: str = "",
) -> str | None:
    """What the person writes; None when they leave. ``context`` stands dim above the field."""
    words: str | None = await app.push_screen_wait(
        WordsDialog(title, text, placeholder, required, multiline, context)
    )
    return words


async def confirm(
    app: App[Any], question: str, *, detail: str = "", yes: str = "yes", no: str = "no"
) -> bool:
    """Whether the person says yes: y or enter; n or escape is no. The question names what it is about."""
    return bool(await app.push_screen_wait(ConfirmDialog(question, detail, yes, no)))


class Words(Line):
    """One fixed line of a dialog."""

    def __init__(self, text: str, style: str = "text", *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text, self.style_name = text, style

    def set(self, text: str, style: str | None = None) -> None:
        self.text, self.style_name = text, style or self.style_name
        self.redraw()

    def pieces(self, width: int) -> Iterable[Piece]:
        yield cut(self.text, width, self.glyphs.ellipsis), getattr(self.palette, self.style_name)


class Dialog(ModalScreen[Any]):
    """The frame that all questions share: a titled box in the middle; escape leaves.

    How its fields look is in ``app.tcss``: a default of ours would lose to the fields' own.
    """

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 55%; }
    Dialog > .box { width: 66; max-width: 94%; height: auto; max-height: 90%; padding: 1 2; background: $background;
        border: round $primary; border-title-color: $foreground; border-title-style: bold; }
    Dialog .hint { margin-top: 1; }
    Dialog > StopLine { dock: top; offset: 0 1; }
    """
    BINDINGS = [Binding("escape", "leave", "cancel", show=False)]  # noqa: RUF012

    def __init__(self, title: str) -> None:
        super().__init__()
        thrifty(self)
        self.box_title = one_line(title)

    @property
    def shell(self) -> Shell:
        return cast("Shell", self.app)

    def fields(self) -> ComposeResult:
        """The widgets in the box."""
        return iter(())

    def compose(self) -> ComposeResult:
        box = Vertical(*self.fields(), classes="box")
        box.border_title = clean(self.box_title).replace("[", r"\[")
        yield from self.shell.over_dialogs()
        yield box

    def action_leave(self) -> None:
        self.dismiss(None)


class PickLines(Drawn):
    """The choices of a picker, drawn line by line, the chosen one under the cursor."""

    DEFAULT_CSS = "PickLines { height: auto; max-height: 14; margin-top: 1; }"

    def __init__(self, choices: Sequence[Choice[Any]], at: int, empty: str) -> None:
        super().__init__()
        self.all = list(choices)
        self.shown = list(choices)
        self.at, self.top, self.empty = at, 0, empty

    def get_content_height(self, container: Any, viewport: Any, width: int) -> int:
        return min(14, max(1, len(self.all)))

    def narrow(self, text: str) -> None:
        words = text.lower().split()
        self.shown = [c for c in self.all if all(word in f"{c.label} {c.detail}".lower() for word in words)]
        self.at = self.top = 0
        self.refresh()

    def move(self, by: int) -> None:
        if self.shown:
            self.at = max(0, min(len(self.shown) - 1, self.at + by))
            self.refresh()

    @property
    def chosen(self) -> Choice[Any] | None:
        return self.shown[self.at] if self.shown else None

    def render_line(self, y: int) -> Strip:
        width, height, palette = self.size.width, max(1, self.size.height), self.palette
        self.top = max(min(self.top, self.at), self.at - height + 1)
        index = self.top + y
        if not self.shown:
            return Strip(fit([(self.empty if not self.all and y == 0 else "No match." if y == 0 else "", palette.dim)],
                             width, palette.text), width)  # fmt: skip
        if index >= len(self.shown):
            return Strip(fit([], width, palette.text), width)
        choice, here = self.shown[index], index == self.at
        mark = f"{choice.mark} " if choice.mark else ""
        room = width - 2 - cell_len(mark)
        label = cut(choice.label, room, self.glyphs.ellipsis)
        detail = cut(
            f"  {choice.detail}" if choice.detail else "", room - cell_len(label), self.glyphs.ellipsis
        )
        pieces: list[Piece] = [
            (self.glyphs.bar + " " if here else "  ", palette.accent),
            (mark + label, palette.bold if here else palette.text),
            (detail, palette.dim),
        ]
        filler = palette.text
        if here:
            pieces = [(text, palette.on_cursor(style)) for text, style in pieces]
            filler = palette.on_cursor(filler)
        return Strip(fit(pieces, width, filler), width)


class PickDialog(Dialog):
    """Pick one of many: type to filter, arrows (or ^n ^p) move, enter takes."""

    BINDINGS = [  # noqa: RUF012
        Binding("down,ctrl+n,tab", "move(1)", show=False, priority=True),
        Binding("up,ctrl+p,shift+tab", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
    ]

    def __init__(self, title: str, choices: Sequence[Choice[Any]], current: Any, empty: str) -> None:
        super().__init__(title)
        at = next((index for index, choice in enumerate(choices) if choice.value == current), 0)
        self.lines = PickLines(choices, at, empty)
        self.field = Input(placeholder="type to filter")
        self.field.cursor_blink = False

    def fields(self) -> ComposeResult:
        yield self.field
        yield self.lines
        hint = Words("enter takes it · esc leaves", "dim")
        hint.add_class("hint")
        yield hint

    def on_mount(self) -> None:
        self.field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.lines.narrow(event.value)

    def on_input_submitted(self) -> None:
        if chosen := self.lines.chosen:
            self.dismiss(chosen.value)

    def action_move(self, by: int) -> None:
        self.lines.move(by)


class WordsArea(TextArea):
    """A field of several lines: enter sends, ctrl+j or alt+enter makes a new line; pasted lines stay lines."""

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            screen = self.screen
            if isinstance(screen, WordsDialog):
                screen.take(self.text)
        elif event.key in ("ctrl+j", "alt+enter", "shift+enter"):
            event.stop()
            event.prevent_default()
            self.insert("\n")


class WordsDialog(Dialog):
    """Some words from the person, on one line or several."""

    DEFAULT_CSS = "WordsDialog WordsArea { height: 7; }"

    def __init__(
        self, title: str, text: str, placeholder: str, required: bool, multiline: bool, context: str
    ) -> None:
        super().__init__(title)
        self.required = required
        self.context = context
        self.field: Input | WordsArea
        if multiline:
            self.field = WordsArea(text, soft_wrap=True, show_line_numbers=False, placeholder=placeholder)
        else:
            self.field = Input(text, placeholder=placeholder)
        self.field.cursor_blink = False
        keys = "enter sends · ^j new line · esc leaves" if multiline else "enter takes it · esc leaves"
        self.hint = Words(keys, "dim", id="hint")

    def fields(self) -> ComposeResult:
        for line in self.context.splitlines():
            yield Words(line, "dim")
        yield self.field
        self.hint.add_class("hint")
        yield self.hint

    def on_mount(self) -> None:
        self.field.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.take(event.value)

    def take(self, text: str) -> None:
        """The words are there; empty ones are sent back when they are needed."""
        if self.required and not text.strip():
            self.hint.set("Write a few words first, or press esc.", "warn")
            return
        self.dismiss(text.strip())


class ConfirmDialog(Dialog):
    """Yes or no."""

    BINDINGS = [  # noqa: RUF012
        Binding("y,enter", "answer(True)", show=False),
        Binding("n,q", "answer(False)", show=False),
    ]

    def __init__(self, question: str, detail: str, yes: str, no: str) -> None:
        super().__init__("Sure?")
        self.question, self.detail = question, detail
        self.words = f"y {yes} · n {no}"

    def fields(self) -> ComposeResult:
        for line in wrap(self.question, 58):
            yield Words(line, "bold")
        for line in wrap(self.detail, 58):
            yield Words(line, "dim")
        hint = Words(self.words, "key")
        hint.add_class("hint")
        yield hint

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


def wrap(text: str, width: int) -> Iterator[str]:
    """Text as lines of at most ``width`` cells, broken between words where possible. Blank lines stay."""
    for line in clean(text).expandtabs(4).splitlines():
        rest = line.rstrip()
        if not rest:
            yield ""
        while rest:
            if cell_len(rest) <= width:
                yield rest
                break
            end, size, space = 0, 0, 0
            while end < len(rest) and size + cell_len(rest[end]) <= width:
                size += cell_len(rest[end])
                end += 1
                if end < len(rest) and rest[end] == " ":
                    space = end
            split = space if space > width // 3 else max(1, end)
            yield rest[:split].rstrip()
            rest = rest[split:].lstrip()
