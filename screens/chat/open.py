"""One open chat: loading it, keeping it live, telling how it stands. What the person does is in ``screen.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from ccp_tui.mirror import Change
from ccp_tui.rows import LinkState
from ccp_tui.screens.chat.blocks import count, money
from ccp_tui.screens.chat.composer import Composer
from ccp_tui.screens.chat.sessions import Session, SessionList
from ccp_tui.screens.chat.status import ChatStatus
from ccp_tui.screens.chat.transcript import Transcript
from ccp_tui.screens.widgets.lines import Piece
from ccp_tui.screens.widgets.watching import Watching
from ccp_tui.text import one_line
from ccp_tui.wire import Event

Json = dict[str, Any]

PAGE = 50  # older messages fetched at once
QUIET_S = 0.6  # how long changes are gathered before unread marks and totals are asked for again


class OpenChat(Watching):
    """A chat with ``agent``: its own, or the session of an attempt. ``message_id`` is shown and marked when given."""

    TITLE = "Chat"
    CSS_PATH = "chat.tcss"

    def __init__(
        self, agent: str = "", session_key: str | None = None, message_id: int | None = None
    ) -> None:
        super().__init__()
        self.agent, self.session_key, self.wanted = agent, session_key, message_id
        self.transcript = Transcript(id="transcript")
        self.composer = Composer()
        self.status = ChatStatus()
        self.session_list = SessionList()
        self.sessions: list[Session] = []
        self.totals: Json = {}
        self.attached: list[Path] = []
        self._drafts: dict[str, tuple[str, list[Path]]] = {}
        self._run_id: str | None = None
        self._tools: dict[str, str] = {}
        self._gathering = False
        self._opening = asyncio.Lock()

    def body(self) -> ComposeResult:
        with Horizontal(id="chat"):
            yield self.session_list
            with Vertical(id="talk"):
                yield self.transcript
                yield self.status
                yield self.composer

    def writing(self) -> bool:
        return not self.is_attached or self.composer.has_focus

    def reading(self) -> bool:
        return not self.writing()

    def running(self) -> bool | str:
        return self._run_id is not None or "Nothing is running here."

    def has_task(self) -> bool | str:
        if self.writing():
            return False
        return self.task_ref is not None or "This chat belongs to no task."

    @property
    def task_ref(self) -> str | None:
        return next((session.task for session in self.sessions if session.key == self.session_key), None)

    # -- opening

    async def open_chat(self, agent: str, session_key: str | None) -> None:
        """Shows a conversation from its end, or at the wanted message."""
        async with self._opening:
            if not agent and not session_key:
                agent = next(iter(self.mirror.agents), "")
                if not agent:
                    self.transcript.show([], has_more=False, name="")
                    self.transcript.empty = (
                        "No agents yet: press ctrl+p and choose agents to create or import one."
                    )
                    self.transcript.refresh()
                    return
            params: Json = {"agent": agent, **({"session_key": session_key} if session_key else {})}
            opened = await self.ask("chat.open", params)
            if opened is None:
                return
            if self.session_key is not None and opened["session_key"] != self.session_key:
                self._drafts[self.session_key] = (self.composer.text, self.attached)
            switched = opened["session_key"] != self.followed
            self.agent, self.session_key = opened.get("agent") or agent, opened["session_key"]
            live = opened.get("live") or {}
            self._run_id, self._tools = live.get("run_id"), {}
            await self.follow(self.session_key)
            self.transcript.show(
                opened.get("messages") or [], has_more=bool(opened.get("has_more")), name=self.agent_name,
                live=str(live.get("text") or ""),
            )  # fmt: skip
            name = row.name if (row := self.mirror.agents.get(self.agent)) else self.agent
            self.composer.placeholder = f"Message {name}"
            if switched:
                text, self.attached = self._drafts.pop(self.session_key, ("", []))
                self.composer.put(text)
            self.refresh_words()
            await self._find_wanted()
        self._gather()

    async def _find_wanted(self) -> None:
        wanted, self.wanted = self.wanted, None
        if wanted is None or self.transcript.find_message(wanted) or self.session_key is None:
            return
        older = await self.ask(
            "chat.history", {"session_key": self.session_key, "before": wanted + 1, "limit": PAGE}
        )
        if older and older.get("messages"):
            self.transcript.show(
                older["messages"], has_more=bool(older.get("has_more")), name=self.agent_name
            )
            self.transcript.detached = True
            self.transcript.find_message(wanted)

    # -- live

    def mirror_changed(self, change: Change) -> None:
        if change.full:
            self.do(self.open_chat(self.agent, self.session_key))
            return
        for event in change.events:
            if event.payload.get("session_key", self.session_key) == self.session_key:
                self._take(event)
        if change.agents:
            self.refresh_words()
            self._gather()

    def _take(self, event: Event) -> None:
        payload = event.payload
        match event.name:
            case "message":
                message = payload.get("message") or {}
                if message.get("session_key") == self.session_key and "id" in message:
                    self.transcript.upsert(message)
                    self._gather()
            case "run.delta":
                self._started(payload)
                self.transcript.set_live(str(payload.get("text") or ""))
            case "run.tool":
                self._started(payload)
                self._take_tool(payload)
            case "run.state":
                if payload.get("state") == "started":
                    self._started(payload)
                else:
                    self._ended(payload)

    def _started(self, payload: Json) -> None:
        run_id = str(payload.get("run_id") or "run")
        if self._run_id != run_id:
            self._run_id, self._tools, self.status.trouble = run_id, {}, ""
            self.refresh_words()

    def _take_tool(self, payload: Json) -> None:
        call_id, name = str(payload.get("call_id")), one_line(str(payload.get("name") or "tool"), 20)
        if payload.get("phase") == "result":
            self._tools.pop(call_id, None)
            self.transcript.set_running(call_id, None)
        elif call_id not in self._tools or payload.get("args"):
            self._tools[call_id] = name
            self.transcript.set_running(call_id, {"name": name, "args": payload.get("args")})
        self.refresh_words()

    def _ended(self, payload: Json) -> None:
        self._run_id, self._tools = None, {}
        self.transcript.end_run()
        if payload.get("state") == "error":
            self.status.trouble = one_line(str(payload.get("detail") or "The run ended with an error."), 200)
        self.refresh_words()
        self._gather()

    def _gather(self) -> None:
        """Unread marks, the other chats and the totals, a moment from now, however many changes ask for it."""
        if not self._gathering:
            self._gathering = True
            self.set_timer(QUIET_S, lambda: self.do(self._load_marks()))

    async def _load_marks(self) -> None:
        self._gathering = False
        key = self.session_key
        if key is None or self.mirror.link.state is not LinkState.CONNECTED:
            return
        if self.is_current:
            await self.ask("chat.read", {"session_key": key})
        totals = await self.ask("chat.totals", {"session_key": key})
        listed = await self.ask("chat.sessions")
        if key != self.session_key:
            return
        self.totals = totals or self.totals
        if listed is not None:
            self.sessions = [
                Session.from_json(row) for row in listed.get("sessions") or [] if row.get("session_key")
            ]
            self.session_list.show(self.sessions, key)
        self.refresh_words()

    # -- words

    @property
    def agent_name(self) -> str:
        row = self.mirror.agents.get(self.agent)
        if row is None:
            return self.agent or "Agent"
        return f"{self.ccp.glyphs.emoji(row.emoji)} {row.name}".strip()

    def title_pieces(self) -> Iterable[Piece]:
        palette = self.ccp.palette
        dim, row = palette.bar_dim, self.mirror.agents.get(self.agent)
        yield f" {self.agent_name} ", palette.on_bar(palette.bold)
        if self.task_ref:
            yield f"on {self.task_ref} ", palette.on_bar(palette.accent)
        tokens, cost = int(self.totals.get("tokens") or 0), float(self.totals.get("cost_usd") or 0)
        if tokens:
            yield f" {count(tokens)} tokens", dim
            if cost:
                yield f" · {money(cost)}", dim
        if row is not None and self.app.size.width >= 100:
            doing = (
                f"{row.live} on {row.working_on}" if row.working_on and row.live == "working" else row.live
            )
            yield f"  {doing}", dim
        if row is not None and not row.on_gateway:
            yield "  not on the gateway", palette.on_bar(palette.warn)
        unread = sum(session.unread for session in self.sessions if session.key != self.session_key)
        if unread:
            yield f"  {self.ccp.glyphs.unread} {unread} elsewhere", palette.on_bar(palette.accent)

    def refresh_words(self) -> None:
        """The title, the status line and the hints, after anything they tell of changed."""
        status = self.status
        status.running, status.tool = self._run_id is not None, next(iter(self._tools.values()), "")
        status.below, status.reading = self.transcript.news, self.reading()
        status.attached = [path.name for path in self.attached]
        status.redraw()
        self.refresh_title()
        self.refresh_hints()
