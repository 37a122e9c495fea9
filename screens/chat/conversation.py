"""The conversation as lines: messages, folded tool calls, and the answer as it is being written."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from rich.segment import Segment
from textual.geometry import Region
from textual.message import Message as TextualMessage
from textual.strip import Strip

from ccp_tui.screens.chat.blocks import MARGIN, Message, author, block_lines, local_time, running_tool_lines
from ccp_tui.screens.chat.ink import Ink
from ccp_tui.screens.chat.livetext import LiveText
from ccp_tui.screens.widgets.lineview import LineView
from ccp_tui.screens.widgets.pace import Painter
from ccp_tui.screens.widgets.palette import Palette

# Messages held at once: the far end is let go, and loaded again when the person goes there.
WINDOW = 400
# Messages drawn at once when a chat opens; the others follow.
FIRST = 12
# Texts longer than this become Markdown in a thread, and stand as plain lines until then.
SLOW_MARKDOWN = 3_000


@dataclass
class Item:
    """One message and its lines at the present width; ``stale`` lines are to be drawn anew."""

    message: Message
    lines: list[Strip] = field(default_factory=list)
    stale: bool = True
    unfolded: bool = False
    rich: bool = True
    shape: tuple[bool, bool] = (True, False)

    @property
    def is_tool(self) -> bool:
        return self.message.get("role") == "tool"

    @property
    def folds(self) -> bool:
        """Whether there is more to it than is shown when it is folded."""
        if self.message.get("role") != "user":
            return self.is_tool
        marks = ("▸", "▾")
        return any(line.text.strip().startswith(marks) for line in self.lines[-3:])


class Conversation(LineView):
    """Scrolls over a bounded window of messages and follows the end unless the person went up."""

    class OlderWanted(TextualMessage, namespace="transcript"):
        """The first line came into view and the conversation has more above it."""

    class LatestWanted(TextualMessage, namespace="transcript"):
        """The person asks for the end, which is no longer held."""

    class Moved(TextualMessage, namespace="transcript"):
        """The window, the cursor or what lies below it changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.items: list[Item] = []
        self.agent_name = "Agent"
        self.has_more = False
        self.detached = False  # the newest messages were let go
        self.unfold_all = False
        self.cursor: int | None = None
        self.news = 0  # what arrived below the window while the person reads above
        self._rest: list[Message] = []  # loaded, not yet among the items
        self._ends: list[int] = []
        self._calls: dict[str, dict[str, Any]] = {}
        self._live = LiveText(MARGIN)
        self._tail: list[Strip] = []
        self._slack = 0
        self._follow = True
        self._asked_older = False
        self._ink: Ink | None = None
        self._inked_for: Palette | None = None
        self._width = 0
        self._painter = Painter(self, self._paint_tail)

    # -- what is shown

    def show(self, messages: list[Message], *, has_more: bool, name: str, live: str = "") -> None:
        """A whole conversation anew, at its end."""
        held = messages[-WINDOW:]
        self.items = [Item(message) for message in held[-FIRST:]]
        self._rest = held[:-FIRST]
        self.agent_name, self.has_more, self.detached = name, has_more or len(messages) > WINDOW, False
        self.cursor, self.news, self._follow, self._asked_older = None, 0, True, False
        self._calls.clear()
        self._live.set(live)
        self._layout()
        self.top, self._slack = 0, 0
        self.top = self.last_top
        self.refresh()
        self.call_after_refresh(self._show_rest)

    def _show_rest(self) -> None:
        """What is above the window comes a few messages at a time, so that the keys are heard in between."""
        if self._rest:
            part, self._rest = self._rest[-FIRST:], self._rest[:-FIRST]
            self._put_above(part)
            self.call_later(self._show_rest)
        else:
            self._want_older()

    def prepend(self, messages: list[Message], *, has_more: bool) -> None:
        """Older messages above; what the person looks at stays where it is."""
        held = {item.message["id"] for item in self.items}
        fresh = [message for message in messages if message["id"] not in held]
        self.has_more, self._asked_older = has_more and bool(fresh), False
        self._put_above(fresh)
        if len(self.items) > WINDOW:
            del self.items[WINDOW:]
            self.detached, self._follow = True, False
            self._calls.clear()
            self._live.set("")
            if self.cursor is not None:
                self.cursor = min(self.cursor, WINDOW - 1)
            self._layout()
            self.refresh()

    def _put_above(self, messages: list[Message]) -> None:
        before, from_end = self._window_lines(), self.line_count() - self.top
        self.items = [Item(message) for message in messages] + self.items
        if self.cursor is not None:
            self.cursor += len(messages)
        self._layout()
        self.top = max(0, min(self.line_count() - from_end, self.last_top))
        self._repaint_changes(before)

    def upsert(self, message: Message) -> None:
        """A message that is new, or changed under the same id."""
        if self.detached:
            self.news += 1
            self.post_message(self.Moved())
            return
        before = self._window_lines()
        tool = message.get("tool") or {}
        self._calls.pop(str(tool.get("call_id")), None)
        if message.get("role") == "assistant":
            self._live.set("")
        for item in reversed(self.items):
            if item.message["id"] == message["id"]:
                if item.message != message:
                    item.message, item.stale, item.rich = message, True, True
                    self._settle(before)
                return
        self.items.append(Item(message, unfolded=False))
        if message.get("role") == "user":
            self._follow = True
        if len(self.items) > WINDOW and self._follow:
            del self.items[0 : len(self.items) - WINDOW]
            self.has_more = True
            self.cursor = None if self.cursor is None else max(0, self.cursor - 1)
        if not self._follow:
            self.news += 1
        self._settle(before)

    def set_live(self, text: str) -> None:
        """The whole text so far of the answer being written; painted at the pace the line bears."""
        if not self.detached:
            self._live.set(text)
            self._painter.soon()

    def set_running(self, call_id: str, tool: dict[str, Any] | None) -> None:
        """A tool call that runs, or (None) has ended."""
        if self.detached:
            return
        if tool is None:
            self._calls.pop(call_id, None)
        else:
            self._calls[call_id] = tool
        self._painter.soon()

    def end_run(self) -> None:
        """No run goes on: what still stood as running is gone, the words written so far stay until stored."""
        self._calls.clear()
        self._painter.soon()

    @property
    def live_text(self) -> str:
        return self._live.text

    # -- lines

    def line_count(self) -> int:
        return self.content_count() + self._slack

    def content_count(self) -> int:
        return (self._ends[-1] if self._ends else 0) + len(self._tail)

    def draw_line(self, line: int, width: int) -> Strip:
        settled = self._ends[-1] if self._ends else 0
        if line >= settled:
            at = line - settled
            return self._tail[at] if at < len(self._tail) else Strip([])
        index = bisect_right(self._ends, line)
        lines = self.items[index].lines
        strip = lines[line - (self._ends[index] - len(lines))]
        if index == self.cursor and self.has_focus:
            return Strip([Segment(self.glyphs.bar, self.ink.cursor), *strip.crop(1)])
        return strip

    @property
    def ink(self) -> Ink:
        if self._ink is None or self._inked_for is not self.palette:
            self._inked_for = self.palette
            self._ink = Ink.of(self.palette)
        return self._ink

    def restyle(self) -> None:
        """The theme changed: draw everything again."""
        for item in self.items:
            item.stale = item.rich = True
        self._live.set(self._live.text)
        self._layout()
        self.refresh()

    def _layout(self) -> None:
        """Draws what has no lines yet and counts all lines."""
        width = self._width = self.size.width or self._width or 80
        before: Message | None = None
        for item in self.items:
            shape = (before is None or author(before) != author(item.message), _new_day(before, item.message))
            if item.stale or item.shape != shape:
                item.shape = shape
                slow = (
                    item.message.get("role") == "assistant"
                    and len(item.message.get("text") or "") > SLOW_MARKDOWN
                )
                if slow and item.rich:
                    item.rich = False
                    self.run_worker(self._enrich(item, width), group="markdown")
                item.lines, item.stale = self._draw(item, width), False
            before = item.message
        self._ends = list(accumulate(len(item.lines) for item in self.items))
        self._tail = self._draw_tail(width)

    def _draw(self, item: Item, width: int, rich: bool | None = None) -> list[Strip]:
        head, dated = item.shape
        return block_lines(
            item.message, name=self.agent_name, width=width, ink=self.ink, head=head, dated=dated,
            unfolded=item.unfolded != (self.unfold_all and item.is_tool), rich=item.rich if rich is None else rich,
        )  # fmt: skip

    async def _enrich(self, item: Item, width: int) -> None:
        """A long answer as Markdown, made in a thread."""
        lines = await asyncio.to_thread(self._draw, item, width, True)
        if width == self._width and any(held is item for held in self.items):
            before = self._window_lines()
            item.lines = lines
            self._settle(before)

    def _draw_tail(self, width: int) -> list[Strip]:
        last = self.items[-1].message if self.items else None
        tail: list[Strip] = []
        if self._live.text.strip():
            tail.append(Strip([]))
            if last is None or author(last) != "assistant":
                tail.append(Strip([Segment(" "), Segment(self.agent_name, self.ink.agent)]))
            tail += self._live.lines(max(8, width - MARGIN - 1), self.ink.text)
        for tool in self._calls.values():
            tail += running_tool_lines(tool, width=width, ink=self.ink)
        return tail

    # -- repainting

    def _settle(self, before: list[Strip]) -> None:
        """The messages changed: count again and repaint the cells that differ from what the window showed before."""
        self._layout()
        if self._follow:
            self._slack = self._slack if self._live.text or self._calls else 0
            self.top = max(self.last_top, 0) if not self._slack else min(self.top, self.last_top)
            self._keep_end_visible()
        self.top = max(0, min(self.top, self.last_top))
        self._repaint_changes(before)
        self.post_message(self.Moved())

    def _paint_tail(self) -> None:
        before = self._window_lines()
        self._tail = self._draw_tail(self._width or 80)
        if self._follow:
            self._slack = max(0, self.top + self.rows - self.content_count()) if self.top else 0
            self._keep_end_visible()
        self._repaint_changes(before)

    def _keep_end_visible(self) -> None:
        """While following, words below the window bring it down a third of a page at once, not line by line."""
        if self.content_count() > self.top + self.rows:
            streaming = bool(self._live.text or self._calls)
            self._slack = self.rows // 3 if streaming else 0
            self.top = self.last_top

    def _window_lines(self) -> list[Strip]:
        last = min(self.top + self.rows, self.line_count())
        return [self.draw_line(line, self._width) for line in range(self.top, last)]

    def _repaint_changes(self, before: list[Strip]) -> None:
        """Repaints the cells of the window that differ from what it showed before."""
        after = self._window_lines()
        cells = lines = 0
        width = self.size.width
        regions: list[Region] = []
        for y in range(max(len(before), len(after))):
            old = before[y] if y < len(before) else Strip([])
            new = after[y] if y < len(after) else Strip([])
            if old is new or list(old) == list(new):
                continue
            start, end = _changed_cells(old, new)
            regions.append(Region(start, y, min(width, end) - start, 1))
            cells += min(width, end) - start
            lines += 1
        regions = [region for region in regions if region.width > 0]
        if regions:
            self.refresh(*regions)
            self._painter.spend(cells, lines)

    def window_moved(self) -> None:
        self._follow = self.at_end and not self.detached
        if self._follow:
            self.news = 0
        self._want_older()
        self.post_message(self.Moved())

    def _want_older(self) -> None:
        """Asks for what lies above once the window is near it."""
        near = self.top <= self.rows // 2 and self.rows > 0
        if near and self.has_more and not self._asked_older and not self._rest:
            self._asked_older = True
            self.post_message(self.OlderWanted())

    def older_failed(self) -> None:
        """Older messages could not be had: ask again when the person scrolls again."""
        self._asked_older = False

    def on_resize(self) -> None:
        if self.size.width != self._width:
            for item in self.items:
                item.stale = item.rich = True
            self._layout()
        self._slack = 0
        self.top = self.last_top if self._follow else min(self.top, self.last_top)
        self.refresh()


def _new_day(before: Message | None, message: Message) -> bool:
    day = local_time(str(message.get("at") or ""), with_date=True)[:-6]
    return before is not None and day != local_time(str(before.get("at") or ""), with_date=True)[:-6]


def _changed_cells(old: Strip, new: Strip) -> tuple[int, int]:
    """The first cell that differs and the one after the last that either has."""
    start = 0
    for (old_text, old_style, _), (new_text, new_style, _) in zip(old, new, strict=False):
        if old_style != new_style:
            break
        if old_text != new_text:
            shared = 0
            limit = min(len(old_text), len(new_text))
            while shared < limit and old_text[shared] == new_text[shared]:
                shared += 1
            start += Segment(old_text[:shared]).cell_length
            break
        start += Segment(old_text).cell_length
    return start, max(old.cell_length, new.cell_length)
