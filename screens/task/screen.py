"""The task screen: seven pages about one task, kept current while it is open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from textual.app import ComposeResult

from ccp_tui import clock
from ccp_tui.mirror import Change
from ccp_tui.rows import Card
from ccp_tui.screens.chat.transcript import Transcript
from ccp_tui.screens.task import pages, planpage, specpage
from ccp_tui.screens.task.decisions import TaskDecisions, latest_round
from ccp_tui.screens.task.head import TABS, StateLine, TabLine
from ccp_tui.screens.task.page import Document, Page
from ccp_tui.screens.task.relations import questions_of
from ccp_tui.screens.task.values import rows
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import Json
from ccp_tui.screens.widgets.lines import Piece
from ccp_tui.wire import Event

QUIET_S = 0.15  # how long changes are gathered before the task is read again
AGES_EVERY_S = 60.0
# The page that a task begins with, by its state; elsewhere the overview.
BEGINS = {"review": "review", "planning": "plan"}


class TaskScreen(TaskDecisions):
    """One task. ``tab`` names the page to begin with; without it, one in Planning or Review begins with that page."""

    TITLE = "Task"
    CSS_PATH = "task.tcss"

    def __init__(self, ref: str, tab: str | None = None) -> None:
        super().__init__(ref)
        card = self.current()
        self.tab = tab or BEGINS.get(card.state if card else "", "overview")
        self.events: list[Json] | None = None
        self.unfolded = False
        self.state_line = StateLine()
        self.tab_line = TabLine()
        self.page = Document(id="page")
        self.work = Transcript(id="work")
        self._seen: Card | None = None
        self._gathering = False
        self._loaded: str | None = None  # the session whose words the live page shows

    # -- what it can do

    def actions(self) -> Iterator[Action]:
        review = self.in_state("review")
        yield Action(
            "task.newer", ".", "read the new round", "Review", self.read_newer, when=lambda: bool(self.newer)
        )
        yield Action("task.approve", "A", "approve", "Task", self.approve, when=self.can_approve)
        yield Action("task.reject", "R", "reject", "Task", self.reject, when=review)
        yield Action("task.go", "enter", "open", "Page", self.open_link, when=self.has_link)
        yield Action(
            "task.next_link", "n", "next line", "Page", lambda: self.page.choose(1), when=self.has_links
        )
        yield Action("task.previous_link", "N", "line before", "Page", lambda: self.page.choose(-1),
                     when=self.has_links, hint=False)  # fmt: skip
        yield from self.version_actions()
        yield from self.task_actions()
        yield Action("task.output", "o", "show all", "Page", self.toggle_output,
                     when=lambda: self.tab in ("plan", "spec", "review", "attempts", "live"))  # fmt: skip
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
        self.show(keep=False)
        self.do(self._load())
        self.set_interval(AGES_EVERY_S, lambda: self.state_line.show(self.current(), clock.now()))

    def mirror_changed(self, change: Change) -> None:
        card = self.current()
        for event in change.events:
            self._take(event)
        if change.full:
            self._loaded = None
            self.soon()
        elif self.ref in change.tasks and card is not None:
            self.state_line.show(card, clock.now())
            settled = card._replace(activity=None)
            if settled != self._seen:
                self._seen = settled
                self.soon()
            if self.tab == "overview":
                self.show(keep=True)
            self.refresh_hints()
        elif change.health:
            self.soon()

    def restyle(self) -> None:
        self.work.restyle()
        self.show(keep=True)

    def soon(self) -> None:
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
        self.show(keep=True)

    def _take_round(self) -> None:
        """A round that came in while another is being read does not replace it: the person asks for it."""
        latest, shown = latest_round(self.detail), latest_round(self.read)
        reading = self.tab == "review" and shown is not None and self.is_current
        if reading and latest is not None and shown is not None and latest > shown:
            self.newer = latest
        else:
            self.read, self.newer = self.detail, None

    async def _load_history(self) -> None:
        answer = await self.ask("task.history", {"ref": self.ref, "limit": 500})
        if answer is not None:
            events = rows(answer, "events")
            self.events = sorted(events, key=lambda event: event.get("id") or 0, reverse=True)

    async def _load_work(self) -> None:
        """The words and tool calls of the latest attempt, and from now on those that come."""
        card = self.current()
        listed = rows(self.detail, "attempts")
        session = (card.session_key if card else None) or (listed[-1].get("session_key") if listed else None)
        if not session or session == self._loaded:
            return
        self._loaded = str(session)
        await self.follow(self._loaded)
        answer = await self.ask("task.transcript", {"ref": self.ref, "limit": 300})
        if answer is not None:
            name = card.agent_name or card.agent or "Agent" if card else "Agent"
            self.work.show(rows(answer, "messages"), has_more=False, name=name)

    def _take(self, event: Event) -> None:
        """A word, a tool call or the end of the run that the live page shows."""
        payload = event.payload
        message: Json = payload.get("message") or {}
        if (
            self.followed is None
            or (payload.get("session_key") or message.get("session_key")) != self.followed
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

    def show(self, *, keep: bool) -> None:
        card = self.current()
        self.refresh_title()
        self.state_line.show(card, clock.now())
        names = [tab.name for tab in TABS]
        marked = frozenset({"live"} if card and card.state == "in_progress" and not card.hold else ())
        marked |= {"review"} if card and card.state == "review" else frozenset()
        marked |= {"plan"} if card and card.planning in ("person", "raw") else frozenset()
        marked |= {"spec"} if card and card.planning == "proposed" else frozenset()
        self.tab_line.show(names.index(self.tab), marked)
        live = self.tab == "live"
        if self.work.display != live:
            self.work.display, self.page.display = live, not live
            (self.work if live else self.page).focus()
        if not live:
            self.page.show(self._write, self._write_panel, keep=keep)
        self.call_after_refresh(self.refresh_hints)  # what leads somewhere is known once the page is laid out

    def _write(self, page: Page) -> None:
        card = self.current()
        if card is None:
            page.gap()
            page.line((f"There is no task {self.ref} here (any more). esc goes back.", page.palette.dim))
            return
        match self.tab:
            case "overview":
                pages.overview(page, card, self.detail, with_facts=not self.page.has_panel)
            case "plan":
                planpage.plan(page, card, self.detail, unfolded=self.unfolded)
            case "spec" if self.compared:
                specpage.comparison(page, *self.compared)
            case "spec":
                specpage.spec(page, self.detail, unfolded=self.unfolded)
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
        self.tab, self.compared = tab, None
        if tab == "review":
            self.read, self.newer = self.detail, None
        self.show(keep=False)
        if tab == "history":
            self.do(self._then_history())
        elif tab == "live":
            self.do(self._load_work())

    async def _then_history(self) -> None:
        await self._load_history()
        self.show(keep=True)

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
        self.show(keep=True)

    def read_newer(self) -> None:
        self.read, self.newer = self.detail, None
        self.show(keep=False)
        self.say("This is the newest round.", "info")

    # -- lines that lead somewhere

    def has_links(self) -> bool:
        return self.is_attached and self.tab != "live" and self.page.has_links

    def has_link(self) -> bool | str:
        return self.has_links() and (self.page.chosen is not None or "n chooses a line, enter opens it.")

    async def open_link(self) -> None:
        """Opens what the chosen line leads to: a task, a session, a question."""
        match self.page.chosen:
            case ("task", ref):
                self.ccp.open("task", ref=ref)
            case ("chat", agent, session):
                self.ccp.open("chat", agent=agent, session_key=session)
            case ("question", number):
                questions = (each for each in questions_of(self.detail) if str(each.id) == number)
                if (question := next(questions, None)) and await self.answer_question(question):
                    self.soon()
