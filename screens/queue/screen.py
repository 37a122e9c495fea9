"""The needs-you queue: a row for each thing, below it all there is to know for answering it right here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from textual.app import ComposeResult
from textual.strip import Strip

from ccp_tui import clock
from ccp_tui.mirror import Change
from ccp_tui.rows import Attention, Card, Question
from ccp_tui.screens.queue.approval import SETTLED, Approval, ApprovalDialog
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.dialogs import confirm, wrap
from ccp_tui.screens.widgets.lines import Piece, cut, fit
from ccp_tui.screens.widgets.lineview import LineView
from ccp_tui.screens.widgets.question import left, split
from ccp_tui.screens.widgets.rowlist import Row, RowList
from ccp_tui.screens.widgets.task_commands import TaskCommands

# How each kind reads, and what enter does with it.
KINDS = {
    "question": ("question", "enter answers or opens it"),
    "plan": ("plan", "enter reads it: A approves it there"),
    "approval": ("approval", "enter decides"),
    "error": ("error", "enter opens the task"),
    "stalled": ("stalled", "enter opens the task"),
    "gateway": ("gateway", "enter opens the task"),
    "budget": ("budget", "enter opens the task"),
    "dependency": ("waits", "enter opens the task"),
    "review": ("review", "enter opens it: approve or reject there"),
}
# The ways on for held work, as everywhere.
WAYS_ON = ("task.retry", "task.replan", "task.assign", "task.drop_plan", "task.cancel")


EMPTY = """Nothing needs you.

Questions, approvals, reviews and stopped work will stand here. q goes back."""


class Context(LineView, can_focus=False):
    """The whole of one item: its words, a command in full, what settles it."""

    def __init__(self) -> None:
        super().__init__(id="context")
        self._pieces: list[list[Piece]] = []

    def show(self, lines: list[list[Piece]]) -> None:
        if lines != self._pieces:
            self._pieces = lines
            self.top = 0
            self.refresh()

    def line_count(self) -> int:
        return len(self._pieces)

    def draw_line(self, line: int, width: int) -> Strip:
        return Strip(fit(self._pieces[line], width, self.palette.text), width)


class QueueScreen(TaskCommands):
    """Attention items from the mirror; the cursor stays on its item while others come and go."""

    TITLE = "Needs you"
    CSS_PATH = "queue.tcss"

    def __init__(self, key: str | None = None) -> None:
        super().__init__()
        self.rows = RowList(id="rows")
        self.rows.empty = EMPTY
        self.context = Context()
        self._wanted = key

    def body(self) -> ComposeResult:
        yield self.rows
        yield self.context

    def actions(self) -> Iterator[Action]:
        yield Action("queue.settle", "enter", "answer or open", "Needs you", self.settle, self.has_item)
        yield Action("queue.next", "n", "next", "Needs you", self.next_item, self.has_item)
        yield Action("queue.open", "o", "open task", "Needs you", self.open_task, self.has_task)
        yield Action("queue.copy", "y", "copy", "Needs you", self.copy, self.has_item, False)
        yield from (action for action in self.task_actions() if action.id in WAYS_ON)
        yield Action("queue.chat", "c", "chat", "Needs you", self.chat, self.has_agent)
        yield Action(
            "queue.down", "j down", "next", "Needs you", lambda: self.rows.move(1), self.has_item, False
        )
        yield Action(
            "queue.up", "k up", "before", "Needs you", lambda: self.rows.move(-1), self.has_item, False
        )
        yield Action("app.queue", "!", "next one", "Needs you", self.next_item, self.has_item, False)

    # -- the item

    @property
    def item(self) -> Attention | None:
        return next((item for item in self.mirror.attention if item.key == self.rows.key), None)

    def current(self) -> Card | None:
        return self.mirror.tasks.get(self.item.ref or "") if self.item else None

    @property
    def _session(self) -> str | None:
        """The session of the item's open attempt: where its agent waits for an answer."""
        card = self.current()
        return card.session_key if card and card.agent else None

    def has_item(self) -> bool:
        return bool(self.rows.entries)

    def has_agent(self) -> bool | str:
        return bool(self.item and self.item.agent) or "No agent is behind this."

    def can_answer(self) -> bool:
        item = self.item
        return item is not None and bool(Approval.of(item) or item.question)

    def has_task(self) -> bool | str:
        return bool(self.item and self.item.ref) or "No task is behind this."

    # -- showing

    def on_mount(self) -> None:
        self.rows.focus()
        self.show_items()
        if self._wanted:
            self.rows.select(self._wanted)

    def mirror_changed(self, change: Change) -> None:
        if change.full or change.attention or change.tasks:
            self.show_items()

    def show_items(self) -> None:
        self.rows.show([self._row(item) for item in self.mirror.attention])
        self._show_context()

    def _row(self, item: Attention) -> Row:
        palette, glyphs = self.ccp.palette, self.ccp.glyphs
        kind, _ = KINDS.get(item.kind, (item.kind, ""))
        style = palette.bad if item.urgency <= 1 else palette.warn if item.urgency <= 3 else palette.accent
        card = self.mirror.tasks.get(item.ref or "")
        agent = self.mirror.agents.get(item.agent or "")
        who = item.ref or (agent.name if agent else item.agent or "")
        pieces: list[Piece] = [
            (f" {glyphs.held} ", style),
            (f"{kind:<9}", style),
            (f" {who:<9} ", palette.bold),
            (f"{clock.age(item.since, clock.now()) if item.since else '':>4}  ", palette.dim),
        ]
        if card:
            pieces.append((f"{cut(card.title, 48, glyphs.ellipsis)}  ", palette.text))
        pieces.append((item.text, palette.dim))
        return Row.of(item.key, pieces)

    def on_row_list_moved(self) -> None:
        self._show_context()
        self.refresh_hints()

    def on_row_list_taken(self) -> None:
        self.action_run_action("queue.settle")

    def on_resize(self) -> None:
        self._show_context()

    def _show_context(self) -> None:
        item, palette = self.item, self.ccp.palette
        if item is None:
            self.context.show([])
            return
        width = max(20, self.app.size.width - 4)
        lines: list[list[Piece]] = [[(self.ccp.glyphs.rule * self.app.size.width, palette.dim)]]
        card = self.mirror.tasks.get(item.ref or "")
        agent = self.mirror.agents.get(item.agent or "")
        head = " · ".join(
            filter(None, (item.ref, card.title if card else None, agent.name if agent else item.agent))
        )
        lines.append([(f"  {head}", palette.bold)])
        approval, question = Approval.of(item), item.question
        if approval:
            lines += [[(f"  {line}", palette.accent)] for line in wrap(approval.command, width)]
            lines += [[(f"  {words}", getattr(palette, style))] for words, style in approval.about()]
            lines.append([("  enter decides: allow it or deny it", palette.dim)])
        elif question:
            lines += self._question_lines(question, width)
        else:
            lines += [[(f"  {line}", palette.text)] for line in wrap(item.text, width)]
            if card and card.hold and card.hold.release:
                lines.append([(f"  what releases it: {card.hold.release}", palette.dim)])
            way = KINDS.get(item.kind, ("", "enter opens it"))[1]
            if item.kind == "question" and self._session and not self.can_answer():
                way = "enter opens its chat: answer there"
            ways = [way, *self._ways_on()] if item.kind != "review" else [way]
            lines.append([(f"  {' · '.join(ways)}", palette.dim)])
        self.context.show(lines)

    def _question_lines(self, question: Question, width: int) -> Iterator[list[Piece]]:
        palette = self.ccp.palette
        asked, why = split(question.text)
        for line in wrap(asked, width):
            yield [(f"  {line}", palette.accent)]
        yield from ([(f"  {line}", palette.dim)] for line in wrap(why, width))
        if question.why:
            yield from ([(f"  {line}", palette.dim)] for line in wrap(f"Why: {question.why}", width))
        for index, option in enumerate(question.options):
            about = f"  {option.description}" if option.description else ""
            yield [
                (f"   {index + 1} ", palette.key_on_card),
                (option.label, palette.text),
                (about, palette.dim),
            ]
        if question.expires_at and (until := left(question.expires_at)):
            yield [(f"  waits {until}", palette.warn)]
        words = "enter answers it: an option, own words, or both" if question.free else "enter answers it"
        yield [(f"  {words if question.options else 'enter answers it in your words'}", palette.dim)]

    def _ways_on(self) -> Iterator[str]:
        """The keys that set held work going again, where they do."""
        card = self.current()
        if (
            card is not None
            and card.hold is not None
            and (self.goes_on_from_here() or card.state == "planning")
        ):
            plain = self.ccp.glyphs.ascii
            for each in WAYS_ON:
                action = self.action_list[each]
                if action.applies:
                    yield f"{action.shown_key(plain)} {action.label}"

    def title_pieces(self) -> Iterable[Piece]:
        palette = self.ccp.palette
        yield " Needs you ", palette.on_bar(palette.bold)

    # -- doing

    def next_item(self) -> None:
        """To the next item, and from the last to the first."""
        keys = [row.key for row in self.rows.entries]
        if keys:
            at = keys.index(self.rows.key) if self.rows.key in keys else -1
            self.rows.select(keys[(at + 1) % len(keys)])

    def settle(self) -> None:
        item = self.item
        if item is None:
            return
        if self.can_answer():
            self.do(self.answer())
        elif item.kind == "question" and self._session:
            self.chat()
        elif item.ref:
            self.ccp.open("task", ref=item.ref, tab=self._tab(item))
        elif item.agent:
            self.ccp.open("chat", agent=item.agent)
        else:
            self.say(item.text)

    def _tab(self, item: Attention) -> str | None:
        """The page of the task on which the item is settled."""
        card = self.mirror.tasks.get(item.ref or "")
        if item.kind == "plan" or (card and card.planning == "proposed"):
            return "spec"
        if card and card.state == "planning":
            return "plan"
        return "review" if item.kind == "review" else None

    def open_task(self) -> None:
        if self.item and self.item.ref:
            self.ccp.open("task", ref=self.item.ref)

    def copy(self) -> None:
        if self.item:
            approval, question = Approval.of(self.item), self.item.question
            words = approval.command if approval else question.text if question else self.item.text
            copied = self.ccp.copy(words)
            self.say(
                "Copied." if copied else "Too long for a terminal's clipboard.", "good" if copied else "warn"
            )

    def chat(self) -> None:
        if self.item and self.item.agent:
            self.ccp.open("chat", agent=self.item.agent, session_key=self._session)

    async def answer(self) -> None:
        """Answers what is under the cursor, and goes on to the next item."""
        item = self.item
        if item is None:
            return
        approval, question = Approval.of(item), item.question
        if approval:
            settled = await self._answer_approval(item, approval)
        else:
            settled = question is not None and await self.answer_question(question) is not None
        if settled and self.item is not None and self.item.key == item.key:
            self.next_item()

    async def _answer_approval(self, item: Attention, approval: Approval) -> bool:
        """The answer is bound to the request that was on screen, whatever the cursor does meanwhile."""
        row = self.mirror.agents.get(approval.agent)
        decision = await self.app.push_screen_wait(
            ApprovalDialog(approval, row.name if row else approval.agent, item.key)
        )
        if decision == SETTLED:
            self.say("It was decided elsewhere, or its time was over.")
        if decision in (None, SETTLED):
            return False
        if decision == "allow-always" and not await confirm(
            self.ccp, "Allow this command from now on, without asking?", detail=approval.command
        ):
            return False
        if await self.ask("approval.resolve", {"id": approval.id, "decision": decision}) is None:
            return False
        self.say("Denied." if decision == "deny" else "Allowed.", "good")
        return True
