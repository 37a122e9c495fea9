"""The feed screen: live, filtered, searched; enter goes to the task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from textual.app import ComposeResult

from ccp_tui.mirror import Change
from ccp_tui.rows import safe
from ccp_tui.screens.feed.log import FeedLog, line_text
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.base import CcpScreen
from ccp_tui.screens.widgets.dialogs import Choice, ask_words, pick
from ccp_tui.screens.widgets.lines import Piece

Json = dict[str, Any]
Filter = dict[str, str]

PAGE = 300
EMPTY = """Nothing has happened yet.

Capture a task on the board (q, then n): all that becomes of it is told here."""


class FeedScreen(CcpScreen):
    """Events of everything, of one mission or of one task; with ``event_id`` around that event."""

    TITLE = "Feed"
    DEFAULT_CSS = "FeedScreen #log { height: 1fr; }"

    def __init__(
        self, mission: str | None = None, task: str | None = None, event_id: int | None = None
    ) -> None:
        super().__init__()
        self.only: Filter = {key: value for key, value in (("mission", mission), ("task", task)) if value}
        self.lines = FeedLog()
        self.kinds: set[str] = set()
        self.failed = False
        self._wanted = event_id
        self._loading = 0

    def body(self) -> ComposeResult:
        yield self.lines

    def actions(self) -> Iterator[Action]:
        some = self.has_events
        yield Action("feed.open", "enter o", "open", "Feed", self.open_event, some)
        yield Action("feed.search", "/", "search", "Feed", self.search, some)
        yield Action("feed.next", "n", "next hit", "Feed", lambda: self.find(1), self.searching)
        yield Action("feed.previous", "N", "hit before", "Feed", lambda: self.find(-1), self.searching, False)
        yield Action("feed.filter", "f", "filter", "Feed", self.choose_filter)
        yield Action("feed.task", "t", "only this task", "Feed", self.only_task, self.can_narrow)
        yield Action("feed.everything", "x", "everything", "Feed", self.everything, lambda: bool(self.only))
        yield Action("feed.follow", "G end", "follow", "Feed", self.follow, self.can_follow)
        yield Action("feed.copy", "y", "copy line", "Feed", self.copy, some, False)
        for keys, label, by in (("j down", "down", 1), ("k up", "up", -1)):
            yield Action(f"feed.{label}", keys, label, "Cursor", partial(self.move, by), some, False)
        for keys, label, pages in (("pagedown ctrl+d", "page down", 1), ("pageup ctrl+u", "page up", -1)):
            yield Action(f"feed.{label}", keys, label, "Cursor", partial(self.page, pages), some, False)
        yield Action("feed.first", "g home", "oldest", "Cursor", lambda: self.lines.move_to(0), some, False)
        yield Action("feed.clear", "escape", "end the search", "Feed", self.end_search, self.searching, False)

    def has_events(self) -> bool:
        return bool(self.lines.rows_held)

    def searching(self) -> bool:
        return bool(self.lines.words)

    def can_follow(self) -> bool | str:
        return not self.lines.follow or "It follows already."

    def can_narrow(self) -> bool | str:
        event = self.lines.event
        if event is None:
            return False
        return bool(event.get("task")) or "This event belongs to no task."

    # -- loading

    def on_mount(self) -> None:
        self.lines.focus()
        self.do(self.load())

    async def load(self) -> None:
        """The latest events that the filter lets through."""
        self._loading += 1
        mine = self._loading
        params: Json = {**self.only, "limit": PAGE}
        if self._wanted is not None:
            params["before"] = self._wanted + PAGE // 2
        answer = await self.ask("events.list", params)
        if mine != self._loading or not self.is_attached:
            return
        self.failed = answer is None
        rows = list((answer or {}).get("events") or [])
        self.lines.empty = self._empty_words()
        self.lines.show(rows, has_more=len(rows) >= PAGE)
        self.kinds.update(safe(row.get("kind")) for row in rows)
        wanted, self._wanted = self._wanted, None
        if wanted is not None and not self.lines.select(wanted):
            self.say("That event is not in the feed any more.", "warn")
        self.lines.window_moved()

    def _empty_words(self) -> str:
        if self.failed:
            return "The feed could not be read: see the line below."
        if self.only:
            return "Nothing happened that this filter lets through.\n\nx shows everything, f chooses another filter."
        return EMPTY

    def mirror_changed(self, change: Change) -> None:
        if change.full:
            self.do(self.load())
            return
        for event in change.events:
            row = event.payload.get("event")
            if event.name == "feed" and isinstance(row, dict):
                self.kinds.add(safe(row.get("kind")))
                if all(row.get(key) == value for key, value in self.only.items()):
                    self.lines.add(row)

    def on_feed_log_older_wanted(self) -> None:
        self.do(self._load_older())

    async def _load_older(self) -> None:
        if not self.lines.rows_held:
            return
        before = self.lines.rows_held[0].get("id")
        answer = await self.ask("events.list", {**self.only, "before": before, "limit": PAGE})
        rows = list((answer or {}).get("events") or [])
        if self.lines.rows_held and self.lines.rows_held[0].get("id") == before:
            self.lines.prepend(rows, has_more=len(rows) >= PAGE)

    # -- words

    def title_pieces(self) -> Iterable[Piece]:
        palette = self.ccp.palette
        yield " Feed ", palette.on_bar(palette.bold)
        for key, value in self.only.items():
            yield f" {key} {value} ", palette.on_bar(palette.accent)
        if self.lines.follow:
            yield " following ", palette.on_bar(palette.good)
        elif self.lines.rows_held:
            yield (
                f" {len(self.lines.rows_held) - 1 - self.lines.at} below, G follows ",
                palette.on_bar(palette.warn),
            )
        if self.lines.words:
            yield f" /{safe(self.lines.words)} ", palette.on_bar(palette.accent)

    def on_feed_log_moved(self) -> None:
        event = self.lines.event
        palette = self.ccp.palette
        self.notice_line.rest([(f" {line_text(event)}", palette.dim)] if event else [])
        self.refresh_title()
        self.refresh_hints()

    # -- doing

    def move(self, by: int) -> None:
        self.lines.move_to(self.lines.at + by)

    def page(self, pages: int) -> None:
        self.lines.move_to(self.lines.at + pages * max(1, self.lines.rows - 2))

    def follow(self) -> None:
        self.lines.move_to(len(self.lines.rows_held) - 1)

    def open_event(self) -> None:
        event = self.lines.event or {}
        if event.get("task"):
            self.ccp.open("task", ref=event["task"])
        elif event.get("agent"):
            self.ccp.open("chat", agent=event["agent"])
        else:
            self.say(line_text(event))

    def copy(self) -> None:
        if self.lines.event:
            copied = self.ccp.copy(line_text(self.lines.event))
            self.say(
                "Copied." if copied else "Too long for a terminal's clipboard.", "good" if copied else "warn"
            )

    async def search(self) -> None:
        words = await ask_words(
            self.ccp, "Search the feed", text=self.lines.words, placeholder="a word", required=False
        )
        if words is None:
            return
        if not words:
            self.end_search()
        elif not self.lines.find(words, -1, stay=True):
            self.say(f"No event here holds “{words}”. ctrl+f searches everything.", "warn")
        self.on_feed_log_moved()

    def find(self, by: int) -> None:
        if not self.lines.find(self.lines.words, by):
            self.say(f"No event here holds “{self.lines.words}”.", "warn")

    def end_search(self) -> None:
        self.lines.words = ""
        self.lines.refresh()
        self.on_feed_log_moved()

    def only_task(self) -> None:
        event = self.lines.event
        if event and event.get("task"):
            self._narrow({"task": str(event["task"])})

    def everything(self) -> None:
        self._narrow({})

    def _narrow(self, only: Filter) -> None:
        self.only = only
        self.refresh_title()
        self.refresh_hints()
        self.do(self.load())

    async def choose_filter(self) -> None:
        glyphs = self.ccp.glyphs
        choices: list[Choice[tuple[str, str]]] = [Choice(("", ""), "everything")]
        for mission in self.mirror.open_missions():
            choices.append(
                Choice(("mission", mission.slug), f"mission {mission.title}", mark=glyphs.emoji(mission.icon))
            )
        for agent in self.mirror.agents.values():
            choices.append(Choice(("agent", agent.id), f"agent {agent.name}", mark=glyphs.emoji(agent.emoji)))
        choices += [Choice(("kind", kind), f"kind {kind}") for kind in sorted(self.kinds) if kind]
        current = next(iter(self.only.items()), ("", ""))
        chosen = await pick(self.ccp, "Show only", choices, current=current)
        if chosen is not None:
            self._narrow({chosen[0]: chosen[1]} if chosen[0] else {})
