"""The task screen: six pages about one task, and the verdict, bound to the round that is on the screen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from textual.app import ComposeResult

from ccp_tui import clock
from ccp_tui.mirror import Change
from ccp_tui.rows import Card
from ccp_tui.screens.chat.transcript import Transcript
from ccp_tui.screens.task import pages
from ccp_tui.screens.task.head import TABS, StateLine, TabLine
from ccp_tui.screens.task.page import Document, Page
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import Json
from ccp_tui.screens.widgets.dialogs import ask_words
from ccp_tui.screens.widgets.lines import Piece
from ccp_tui.screens.widgets.task_commands import TaskCommands
from ccp_tui.wire import Event

QUIET_S = 0.15  # how long changes are gathered before the task is read again
AGES_EVERY_S = 60.0
Round = tuple[int, int]  # attempt, round


class TaskScreen(TaskCommands):
    """One task. ``tab`` names the page to begin with; a task in review begins with its review."""

    TITLE = "Task"
    CSS_PATH = "task.tcss"

    def __init__(self, ref: str, tab: str | None = None) -> None:
        super().__init__()
        self.ref = ref
        card = self.current()
        self.tab = tab or ("review" if card is not None and card.state == "review" else "overview")
        self.detail: Json = {}
        self.read: Json = {}  # the detail that the review page shows: it stays while the person reads it
        self.newer: Round | None = None  # a round that came in after it
        self.events: list[Json] | None = None
        self.unfolded = False
        self.state_line = StateLine()
        self.tab_line = TabLine()
        self.page = Document(id="page")
        self.work = Transcript(id="work")
        self._seen: Card | None = None
        self._gathering = False
        self._session: str | None = None  # whose words the live page shows

    def current(self) -> Card | None:
        return self.mirror.tasks.get(self.ref)

    # -- what it can do

    def actions(self) -> Iterator[Action]:
        review = self.in_state("review")
        yield Action(
            "task.newer", ".", "read the new round", "Review", self.read_newer, when=lambda: bool(self.newer)
        )
        yield Action("task.approve", "A", "approve", "Task", self.approve, when=self.can_approve)
        yield Action("task.reject", "R", "reject", "Task", self.reject, when=review)
        yield from self.task_actions()
        yield Action("task.output", "o", "all output", "Page", self.toggle_output,
                     when=lambda: self.tab in ("review", "attempts", "live"))  # fmt: skip
        yield Action("task.next_tab", "l right tab", "next page", "Page", lambda: self.turn(1))
        yield Action(
            "task.previous_tab", "h left shift+tab", "page before", "Page", lambda: self.turn(-1), hint=False
        )
        for index, tab in enumerate(TABS):
            yield Action(f"task.tab_{tab.name}", str(index + 1), tab.label.lower(), "Page",
                         partial(self.go, tab.name), hint=False)  # fmt: skip
        for keys, label, lines in (
            ("j down", "down", 1), ("k up", "up", -1), ("pagedown ctrl+d space", "page down", 0),
            ("pageup ctrl+u", "page up", -0.5), ("g home", "top", -1e9), ("G end", "end", 1e9),
        ):  # fmt: skip
            yield Action(f"task.{label.replace(' ', '_')}", keys, label, "Page",
                         partial(self.scroll, lines), hint=False)  # fmt: skip
        yield Action(
            "task.feed", "f", "feed", "Task", lambda: self.ccp.open("feed", task=self.ref), hint=False
        )

    # -- Textual's side

    def body(self) -> ComposeResult:
        yield self.state_line
        yield self.tab_line
        yield self.page
        yield self.work

    def on_mount(self) -> None:
        self.work.display = False
        self.work.empty = "Nothing was said yet. Words and tool calls of the run appear here as they come."
        self.page.focus()
        self._show(keep=False)
        self.do(self._load())
        self.set_interval(AGES_EVERY_S, lambda: self.state_line.show(self.current(), clock.now()))

    def close_screen(self) -> None:
        self.do(self._leave())

    async def _leave(self) -> None:
        await self._watch(None)
        self.dismiss(None)

    def mirror_changed(self, change: Change) -> None:
        card = self.current()
        for event in change.events:
            self._take(event)
        if change.full:
            self._session = None
            self._soon()
        elif self.ref in change.tasks and card is not None:
            self.state_line.show(card, clock.now())
            settled = card._replace(activity=None)
            if settled != self._seen:
                self._seen = settled
                self._soon()
            if self.tab == "overview":
                self._show(keep=True)
            self.refresh_hints()
        elif change.health:
            self._soon()

    def restyle(self) -> None:
        self.work.restyle()
        self._show(keep=True)

    def _soon(self) -> None:
        """Reads the task again a moment from now, however many changes ask for it."""
        if not self._gathering and self.is_attached:
            self._gathering = True
            self.set_timer(QUIET_S, lambda: self.do(self._load()))

    async def _load(self) -> None:
        self._gathering = False
        answer = await self.ask("task.show", {"ref": self.ref})
        if answer is None:
            return
        self.detail = answer.get("task") or {}
        card = self.current()
        self._seen = card._replace(activity=None) if card else None
        self._take_round()
        if self.tab == "history" or self.events is not None:
            await self._load_history()
        if self.tab == "live":
            await self._load_work()
        self._show(keep=True)

    def _take_round(self) -> None:
        """A round that came in while another is being read does not replace it: the person asks for it."""
        latest, shown = _latest(self.detail), _latest(self.read)
        reading = self.tab == "review" and shown is not None and self.is_current
        if reading and latest is not None and shown is not None and latest > shown:
            self.newer = latest
        else:
            self.read, self.newer = self.detail, None

    async def _load_history(self) -> None:
        answer = await self.ask("task.history", {"ref": self.ref, "limit": 500})
        if answer is not None:
            events = pages.rows(answer, "events")
            self.events = sorted(events, key=lambda event: event.get("id") or 0, reverse=True)

    async def _load_work(self) -> None:
        """The words and tool calls of the latest attempt, and from now on those that come."""
        card = self.current()
        listed = pages.rows(self.detail, "attempts")
        session = (card.session_key if card else None) or (listed[-1].get("session_key") if listed else None)
        if not session or session == self._session:
            return
        await self._watch(str(session))
        answer = await self.ask("task.transcript", {"ref": self.ref, "limit": 300})
        if answer is not None:
            name = card.agent_name or card.agent or "Agent" if card else "Agent"
            self.work.show(pages.rows(answer, "messages"), has_more=False, name=name)

    async def _watch(self, session: str | None) -> None:
        if session == self._session:
            return
        old, self._session = self._session, session
        if old is not None:
            await self.live.unwatch(old)
        if session is not None:
            await self.live.watch(session)

    def _take(self, event: Event) -> None:
        """A word, a tool call or the end of the run that the live page shows."""
        payload = event.payload
        message: Json = payload.get("message") or {}
        if (
            self._session is None
            or (payload.get("session_key") or message.get("session_key")) != self._session
        ):
            return
        match event.name:
            case "message" if "id" in message:
                self.work.upsert(message)
            case "run.delta":
                self.work.set_live(str(payload.get("text") or ""))
            case "run.tool":
                ended = payload.get("phase") == "result"
                tool = (
                    None
                    if ended
                    else {"name": str(payload.get("name") or "tool"), "args": payload.get("args")}
                )
                self.work.set_running(str(payload.get("call_id")), tool)
            case "run.state" if payload.get("state") != "started":
                self.work.end_run()

    # -- showing

    def title_pieces(self) -> Iterable[Piece]:
        palette, card = self.ccp.palette, self.current()
        yield f" {self.ref} ", palette.on_bar(palette.key_on_card)
        yield card.title if card else "", palette.bar

    def _show(self, *, keep: bool) -> None:
        card = self.current()
        self.refresh_title()
        self.state_line.show(card, clock.now())
        names = [tab.name for tab in TABS]
        marked = frozenset({"live"} if card and card.state == "in_progress" and not card.hold else ())
        marked |= {"review"} if card and card.state == "review" else frozenset()
        self.tab_line.show(names.index(self.tab), marked)
        live = self.tab == "live"
        if self.work.display != live:
            self.work.display, self.page.display = live, not live
            (self.work if live else self.page).focus()
        if not live:
            self.page.show(self._write, self._write_panel, keep=keep)
        self.refresh_hints()

    def _write(self, page: Page) -> None:
        card = self.current()
        if card is None:
            page.gap()
            page.line((f"There is no task {self.ref} here (any more). esc goes back.", page.palette.dim))
            return
        match self.tab:
            case "overview":
                pages.overview(page, card, self.detail, with_facts=not self.page.has_panel)
            case "spec":
                pages.spec(page, self.detail)
            case "review":
                pages.review(page, card, self.read, newer=self.newer, unfolded=self.unfolded)
            case "attempts":
                pages.attempts(page, self.detail, unfolded=self.unfolded)
            case "history":
                pages.history(page, self.events)

    def _write_panel(self, page: Page) -> None:
        if card := self.current():
            pages.panel(page, card, self.detail)

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        self.go(TABS[event.index].name)

    def go(self, tab: str) -> None:
        """Shows a page."""
        if tab == self.tab:
            return
        self.tab = tab
        if tab == "review":
            self.read, self.newer = self.detail, None
        self._show(keep=False)
        if tab == "history":
            self.do(self._then_history())
        elif tab == "live":
            self.do(self._load_work())

    async def _then_history(self) -> None:
        await self._load_history()
        self._show(keep=True)

    def turn(self, by: int) -> None:
        names = [tab.name for tab in TABS]
        self.go(names[(names.index(self.tab) + by) % len(names)])

    def scroll(self, by: float) -> None:
        """``by`` lines; 0 and -0.5 are a page down and up."""
        view = self.work if self.tab == "live" else self.page
        page = max(1, view.rows - 2)
        lines = {0: page, -0.5: -page}.get(by, by)
        view.go_to(int(max(-1e9, min(1e9, view.top + lines))))

    def toggle_output(self) -> None:
        if self.tab == "live":
            self.work.toggle_all()
            return
        self.unfolded = not self.unfolded
        self._show(keep=True)

    def read_newer(self) -> None:
        self.read, self.newer = self.detail, None
        self._show(keep=False)
        self.say("This is the newest round.", "info")

    # -- the verdict

    async def approve(self) -> None:
        card = self.current()
        if card is None:
            return
        if card.state == "review":
            if at := self._verdict_round("approves"):
                done = f"{self.ref} is done."
                await self.change("task.approve", done, ref=self.ref, attempt=at[0], round=at[1])
            return
        shown = (self.detail.get("spec") or {}).get("version")
        if self.tab != "spec" or shown is None:
            self.go("spec")
            self.say("Read it; A again approves it.")
        elif shown != card.spec_version:
            self.say(f"Version {card.spec_version} came in after what you see: look at it first.", "refusal")
            self._soon()
        elif await self.change("task.approve_spec", spec_approved, ref=self.ref, version=shown):
            self._soon()

    async def reject(self) -> None:
        if at := self._verdict_round("rejects"):
            title = f"What must be mended in {self.ref}, round {at[1]}?"
            reason = await ask_words(
                self.ccp, title, placeholder="The worker gets your words as you write them.", multiline=True
            )
            if reason:
                done = f"{self.ref} goes back to its agent with your words."
                await self.change(
                    "task.reject", done, ref=self.ref, attempt=at[0], round=at[1], reason=reason
                )

    def _verdict_round(self, verb: str) -> Round | None:
        """The round on the screen, if a verdict on it can be given now; else says why not."""
        key = "A" if verb == "approves" else "R"
        if self.tab != "review":
            self.go("review")
            self.say(f"Read it; {key} again {verb} it.")
            return None
        card, shown = self.current(), _latest(self.read)
        if shown is None:
            self.say("The round is still being read: a moment.", "refusal")
            return None
        standing = self.newer or (card.attempt or 0, card.round or 0) if card else shown
        if standing != shown:
            self.newer = standing
            self._show(keep=True)
            self.say(f"Round {standing[1]} came in after what you see: . reads it, then decide.", "refusal")
            self._soon()
            return None
        return shown


def _latest(detail: Json) -> Round | None:
    """The newest submitted round of a detail."""
    done = pages.submitted(detail)
    if not done:
        return None
    attempt, each = done[0]
    return int(attempt.get("number") or 0), int(each.get("number") or 0)


def spec_approved(card: Card) -> str:
    """What comes after an approved spec."""
    return f"The spec of {card.ref} is approved. " + (
        "d dispatches it." if card.state == "assigned" else "a assigns an agent."
    )
