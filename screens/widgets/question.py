"""Answering a question: one dialog, wherever the question is met (the queue, a task's page, the board)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import TextArea

from ccp_tui import clock
from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.mirror import Change
from ccp_tui.rows import Option, Question
from ccp_tui.screens.widgets.base import Json, failure_words
from ccp_tui.screens.widgets.dialogs import Dialog, Words, wrap
from ccp_tui.screens.widgets.lines import Line, Piece, cut
from ccp_tui.screens.widgets.rowlist import Row, RowList

if TYPE_CHECKING:
    from ccp_tui.app import CcpApp

WIDTH = 82  # of the box
DEADLINE_S = 20.0
ANSWERED, WAIVED = "answered", "waived"
DIGITS = "123456789"
NEW_LINE = ("ctrl+j", "alt+enter", "shift+enter")


class Preview(Line):
    """What enter sends, in words, before it is sent."""

    def __init__(self, words: Callable[[], str]) -> None:
        super().__init__()
        self._words = words

    def pieces(self, width: int) -> Iterable[Piece]:
        words = self._words()
        if words:
            yield "enter sends  ", self.palette.dim
            yield cut(words, width - 13, self.glyphs.ellipsis), self.palette.good
        else:
            yield "Choose an answer or write one.", self.palette.dim


class OwnWords(TextArea):
    """The answer in words of one's own: enter sends, ctrl+j makes a new line.

    It has the focus all the time, also while keys are for the list of options: so that what is typed in one burst
    arrives in one place and in its order.
    """

    def on_key(self, event: events.Key) -> None:
        dialog = self.screen
        if isinstance(dialog, QuestionDialog) and self._taken(dialog, event):
            event.stop()
            event.prevent_default()

    def _taken(self, dialog: QuestionDialog, event: events.Key) -> bool:
        """Whether the key was not for the text."""
        key = event.key
        if key == "enter":
            dialog.action_send()
        elif dialog.listing and key in ("up", "down"):
            dialog.action_move(1 if key == "down" else -1)
        elif dialog.listing and (key == "space" or key in DIGITS):
            dialog.action_choose(0 if key == "space" else int(key))
        elif key == "up" and self.cursor_location[0] == 0:
            dialog.turn_to_list(True)
        else:
            dialog.turn_to_list(dialog.listing and not event.is_printable and key not in NEW_LINE)
            if key not in NEW_LINE:
                return False
            self.insert("\n")
        return True

    def on_paste(self) -> None:
        dialog = self.screen
        if isinstance(dialog, QuestionDialog):
            dialog.turn_to_list(False)


class QuestionDialog(Dialog):
    """One question. Answers ``answered`` or ``waived`` when the service took it, None when the person left.

    Nothing is lost to a refusal: its words are shown here, what was chosen and written stays.
    """

    DEFAULT_CSS = f"""
    QuestionDialog > .box {{ width: {WIDTH}; }}
    QuestionDialog OwnWords {{ height: 4; margin-top: 1; }}
    """
    BINDINGS = [  # noqa: RUF012
        *(Binding(digit, f"choose({digit})", show=False) for digit in DIGITS),
        Binding("space", "choose(0)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("enter", "send", show=False),
        Binding("tab,shift+tab", "other", show=False, priority=True),
        Binding("ctrl+g", "waive", show=False, priority=True),
    ]

    def __init__(self, question: Question, who: str) -> None:
        about = f" about {question.ref}" if question.ref else ""
        super().__init__(f"{who or 'An agent'} asks{about}")
        self.question = question
        self.marked: list[str] = []  # ids of options, in the order of the question
        self.listing = bool(question.options)  # whether digits, space and arrows are for the options
        self.list = RowList(focusable=not question.free)
        self.words = OwnWords(placeholder="in your own words", soft_wrap=True, show_line_numbers=False)
        self.words.cursor_blink = False
        self.preview = Preview(self._preview)
        self.hint = Words(self._keys(), "dim")
        self._sending = False
        self._listed = False  # the queue held this question while it was open here
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def ccp(self) -> CcpApp:
        return cast("CcpApp", self.app)

    @property
    def waivable(self) -> bool:
        """OpenClaw's own questions know no waiver: whoever asked waits for an answer."""
        return self.question.kind in ("planning", "report")

    def fields(self) -> ComposeResult:
        yield self.list
        if self.question.free:
            yield self.words
        self.preview.add_class("hint")
        yield self.preview
        yield self.hint

    def on_mount(self) -> None:
        self._unsubscribe = self.ccp.mirror.subscribe(self._changed)
        self._listed = self._is_listed()
        (self.words if self.question.free else self.list).focus()
        self._show()
        self._fit_list()
        self.call_after_refresh(self._from_the_top)

    def on_unmount(self) -> None:
        if self._unsubscribe:
            self._unsubscribe()

    # -- showing

    def _show(self) -> None:
        self.list.show([*self._head(), *self._options()])
        self.preview.redraw()

    def on_resize(self) -> None:
        self._show()
        self._fit_list()

    def _fit_list(self) -> None:
        """As high as its lines, as far as the terminal has room beside the fields."""
        room = int(self.app.size.height * 0.9) - (12 if self.question.free else 7)
        self.list.styles.height = max(3, min(self.list.line_count(), room))

    def _from_the_top(self) -> None:
        """A long question begins with its first line, even when its options are not in sight then."""
        self.list.go_to(0)

    def _head(self) -> Iterable[Row]:
        question, palette = self.question, self.ccp.palette
        width = self._width
        if question.header:
            yield from (Row.of(None, [(line, palette.dim)]) for line in wrap(question.header, width))
        asked, why = split(question.text)
        yield from (Row.of(None, [(line, palette.bold)]) for line in wrap(asked, width))
        yield from (Row.of(None, [(line, palette.dim)]) for line in wrap(why, width))
        if question.why:
            yield from (Row.of(None, [(line, palette.dim)]) for line in wrap(f"Why: {question.why}", width))
        if question.expires_at:
            words = f"It waits {left(question.expires_at)}."
            yield Row.of(None, [(words, palette.warn)])
        if question.options:
            yield Row.of(None, [("", palette.text)])

    def _options(self) -> Iterable[Row]:
        palette, glyphs = self.ccp.palette, self.ccp.glyphs
        for index, option in enumerate(self.question.options):
            on = option.id in self.marked
            key = f"{index + 1}" if index < 9 else " "
            mark = (glyphs.tick if self.question.multiple else glyphs.dot) if on else glyphs.ring
            lines: list[list[Piece]] = []
            style = palette.good if on else palette.text
            for at, line in enumerate(wrap(option.label or option.id, self._width - 6)):
                head: list[Piece] = [(f" {key} ", palette.key_on_card), (f"{mark} ", style)]
                lines.append([*(head if at == 0 else [("     ", style)]), (line, style)])
            for line in wrap(option.description, self._width - 6):
                lines.append([("     ", palette.dim), (line, palette.dim)])
            yield Row.of(option.id, *lines)

    @property
    def _width(self) -> int:
        return max(20, min(WIDTH, int(self.app.size.width * 0.94)) - 7)

    def _keys(self) -> str:
        question = self.question
        keys = []
        if question.options:
            last = min(9, len(question.options))
            keys.append(f"1-{last} or space {'marks each' if question.multiple else 'chooses'}")
        if question.free:
            keys.append("tab own words" if question.options else "^j new line")
        if self.waivable:
            keys.append("^g you decide")
        return " · ".join([*keys, "esc later"])

    def _preview(self) -> str:
        chosen, words = self._answer()
        said = [", ".join(option.label for option in chosen)] if chosen else []
        if words:
            said.append(f"“{' '.join(words.split())}”")
        return " and ".join(said)

    def _answer(self) -> tuple[list[Option], str]:
        """What enter sends now: what is marked, or, with the cursor in a list of one answer, what it stands on."""
        marked = [option for option in self.question.options if option.id in self.marked]
        if not marked and not self.question.multiple and self.listing:
            marked = [option for option in self.question.options if option.id == self.list.key]
        return marked, self.words.text.strip() if self.question.free else ""

    # -- keys

    def turn_to_list(self, listing: bool) -> None:
        """Says for what the keys are that both the options and the text could take."""
        self.listing = listing and bool(self.question.options)
        self.preview.redraw()

    def on_row_list_moved(self) -> None:
        self.preview.redraw()

    def on_row_list_taken(self) -> None:
        self.action_choose(0)

    def on_text_area_changed(self) -> None:
        self.preview.redraw()

    def action_move(self, by: int) -> None:
        before = self.list.at
        self.list.move(by)
        if by > 0 and self.list.at == before and self.question.free:
            self.turn_to_list(False)

    def action_page(self, pages: int) -> None:
        self.list.go_to(self.list.top + pages * max(1, self.list.rows - 1))

    def action_other(self) -> None:
        self.turn_to_list(not self.listing or not self.question.free)

    def action_choose(self, number: int) -> None:
        """Marks an option by its number; 0 is the one under the cursor. A second time takes the mark off."""
        options = self.question.options
        if number > len(options):
            return
        chosen = options[number - 1].id if number else str(self.list.key)
        self.list.select(chosen)
        if chosen in self.marked:
            self.marked.remove(chosen)
        else:
            self.marked = [*self.marked, chosen] if self.question.multiple else [chosen]
        self._show()

    # -- sending

    def action_send(self) -> None:
        chosen, words = self._answer()
        if not chosen and not words:
            self.hint.set("Nothing is chosen yet: 1-9 or space chooses, or write a few words.", "warn")
            return
        params: Json = {"id": self.question.id}
        if chosen:
            params["options"] = [option.id for option in chosen]
        if words:
            params["text"] = words
        self.run_worker(self._send("question.answer", params, ANSWERED), exit_on_error=False)

    def action_waive(self) -> None:
        if self.waivable:
            work = self._send("question.waive", {"id": self.question.id}, WAIVED)
            self.run_worker(work, exit_on_error=False)

    async def _send(self, method: str, params: Json, outcome: str) -> None:
        """Sends it once; the dialog stays, with everything in it, until the service has taken it."""
        if self._sending:
            return
        self._sending = True
        self.hint.set("Sending…", "dim")
        try:
            await self.ccp.live.call(method, params, timeout=DEADLINE_S)
        except ServiceFailure as failure:
            self.hint.set(failure_words(failure), "bad")
        except ServiceUnavailable as away:
            self.hint.set(f"Not sent. {away.message} {away.fix}".strip(), "bad")
        except TimeoutError:
            self.hint.set("The control service does not answer: enter tries again.", "bad")
        else:
            self.dismiss(outcome)
        finally:
            self._sending = False

    # -- what happens meanwhile

    def _changed(self, change: Change) -> None:
        if not (change.attention or change.full) or self._sending:
            return
        listed = self._is_listed()
        if self._listed and not listed:
            self.hint.set("It was settled elsewhere: no answer is needed any more. esc leaves.", "warn")
        self._listed = self._listed or listed

    def _is_listed(self) -> bool:
        items = (item.question for item in self.ccp.mirror.attention)
        return any(each is not None and each.id == self.question.id for each in items)


def split(text: str) -> tuple[str, str]:
    """The question itself, and what is said of it in further paragraphs."""
    asked, _, why = text.strip().partition("\n\n")
    return asked, why.strip()


def left(until: str) -> str:
    """How long something still waits, and until when, as it is now: the words do not tick."""
    try:
        end = clock.parse(until)
        seconds = (end - clock.parse(clock.now())).total_seconds()
    except ValueError:
        return ""
    if seconds <= 0:
        return "no longer: its time is over"
    minutes = int(seconds // 60)
    span = (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min"
        if minutes
        else "under a minute"
    )
    return f"until {end.astimezone():%H:%M}, {span} from now"
