"""The open chats, at the side of a wide screen: who, unread marks, the last words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from ccp_tui.rows import AgentRow, safe
from ccp_tui.screens.chat.markdown import plain_words
from ccp_tui.screens.widgets.lines import cut, fit
from ccp_tui.screens.widgets.lineview import LineView

LINES_EACH = 3


@dataclass(frozen=True)
class Session:
    """One conversation: an agent's own chat, or that of an attempt at a task."""

    key: str
    agent: str
    title: str
    task: str | None
    unread: int
    last_at: str
    last_text: str

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Session:
        """The session of a row of ``chat.sessions``. Raises KeyError when it has no key."""
        return cls(
            row["session_key"],
            str(row.get("agent") or ""),
            safe(row.get("title")),
            row.get("task"),
            int(row.get("unread") or 0),
            row.get("last_at") or "",
            plain_words(str(row.get("last_text") or "")),
        )

    def name(self, agents: dict[str, AgentRow]) -> str:
        """How it is called: the agent, and the task when it belongs to one."""
        agent = agents.get(self.agent)
        name = agent.name if agent else self.agent or self.title or self.key
        return f"{name} {self.task}" if self.task else name


class SessionList(LineView, can_focus=False):
    """Three lines for each chat. A click opens one; keys switch them without coming here."""

    class Chosen(Message):
        """A chat was clicked."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    def __init__(self) -> None:
        super().__init__(id="sessions")
        self.sessions: list[Session] = []
        self.current = ""

    def show(self, sessions: list[Session], current: str) -> None:
        """The chats, and which of them is open."""
        if sessions == self.sessions and current == self.current:
            return
        self.sessions, self.current = sessions, current
        for index, session in enumerate(sessions):
            if session.key == current and self.rows:
                self.show_line(index * LINES_EACH + 1, margin=1)
        self.refresh()

    def line_count(self) -> int:
        return len(self.sessions) * LINES_EACH

    def draw_line(self, line: int, width: int) -> Strip:
        palette, glyphs = self.palette, self.glyphs
        session = self.sessions[line // LINES_EACH]
        current = session.key == self.current
        edge = (f" {glyphs.split}", palette.dim)
        room = width - 2
        if line % LINES_EACH == 0:
            agent = self.ccp.mirror.agents.get(session.agent)
            emoji = glyphs.emoji(agent.emoji) if agent else ""
            unread = f" {glyphs.unread} {session.unread}" if session.unread and not current else ""
            mark = glyphs.bar if current else " "
            name = cut(
                f"{emoji} {session.name(self.ccp.mirror.agents)}".strip(),
                room - 2 - len(unread),
                glyphs.ellipsis,
            )
            style = palette.bold if current or unread else palette.text
            left = fit([(mark, palette.accent), (f" {name}", style)], room - len(unread), palette.text)
            return Strip([*left, Segment(unread, palette.accent), Segment(*edge)])
        if line % LINES_EACH == 1:
            mark = glyphs.bar if current else " "
            words = cut(session.last_text or "no words yet", room - 5, glyphs.ellipsis)
            return Strip(
                [
                    *fit([(mark, palette.accent), (f"   {words}", palette.dim)], room, palette.text),
                    Segment(*edge),
                ]
            )
        return Strip([Segment(" " * room, palette.text), Segment(*edge)])

    def on_click(self, event: events.Click) -> None:
        index = (self.top + event.y) // LINES_EACH
        if 0 <= index < len(self.sessions):
            self.post_message(self.Chosen(self.sessions[index]))

    def render_line(self, y: int) -> Strip:
        if self.top + y >= self.line_count():
            width = self.size.width
            return Strip(
                [
                    Segment(" " * (width - 2), self.palette.text),
                    Segment(f" {self.glyphs.split}", self.palette.dim),
                ]
            )
        return super().render_line(y)
