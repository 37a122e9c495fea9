"""The chat screen: writing, reading, and switching between chats."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from textual import events

from ccp_tui.screens.chat.blocks import message_text
from ccp_tui.screens.chat.composer import ATTACH, DETACH, Composer, readable_file
from ccp_tui.screens.chat.open import PAGE, OpenChat
from ccp_tui.screens.chat.sessions import SessionList
from ccp_tui.screens.widgets.actions import Action
from ccp_tui.screens.widgets.dialogs import Choice, pick

Json = dict[str, Any]

WIDE = 112  # columns from which the other chats stand at the side


class ChatScreen(OpenChat):
    """An open chat and all that a person can do in it."""

    def actions(self) -> Iterator[Action]:
        write, read, run = self.writing, self.reading, self.running
        yield Action("chat.send", "enter", "send", "Write", self.send, write)
        yield Action("chat.line", "ctrl+j", "new line", "Write", self.new_line, write)
        yield Action("chat.stop", "ctrl+x", "stop it", "Chat", self.stop, run, priority=True)
        yield Action(
            "chat.queue", "tab", "send after it", "Write", self.queue, lambda: write() and run() is True
        )
        yield Action("chat.write", "i", "write", "Read", self.write, read)
        yield Action("chat.fold", "o space", "open or fold", "Read", self.fold, read)
        yield Action("chat.copy", "y", "copy", "Read", self.copy, read)
        yield Action("chat.next", "]", "next chat", "Read", self.next_chat, read, hint=False)
        yield Action("chat.previous", "[", "chats", "Read", self.previous_chat, read)
        yield Action(
            "chat.down", "j down", "next message", "Read", lambda: self.transcript.move_cursor(1), read, False
        )
        yield Action(
            "chat.up", "k up", "message before", "Read", lambda: self.transcript.move_cursor(-1), read, False
        )
        yield Action("chat.top", "g home", "oldest", "Read", self.transcript_start, read, False)
        yield Action("chat.end", "G end", "newest", "Read", self.to_end, read, False)
        yield Action("chat.leave", "escape", "read", "Write", self.step_back, write)
        yield Action("chat.pick", "ctrl+t", "chats", "Chat", self.pick_chat, priority=True)
        yield Action(
            "chat.tools", "ctrl+o", "all tool calls", "Chat", self.fold_all, hint=False, priority=True
        )
        yield Action("chat.newest", "ctrl+end", "newest", "Chat", self.to_end, hint=False, priority=True)
        yield Action(
            "chat.pageup", "pageup", "page up", "Chat", lambda: self.page(-1), hint=False, priority=True
        )
        yield Action(
            "chat.pagedown", "pagedown", "page down", "Chat", lambda: self.page(1), hint=False, priority=True
        )
        yield Action("chat.attach", "", "attach a file", "Write", self.begin_attach)
        yield Action("chat.recall", "ctrl+r", "bring back my last", "Write", self.recall, write, hint=False)
        yield Action("chat.task", "t", "its task", "Chat", self.open_task, self.has_task)
        yield Action("app.help", "f1 ?", "help", "Everywhere", lambda: self.ccp.open("help"))
        yield Action("app.close", "escape q", "back", "Everywhere", self.close_screen, read)
        yield Action("app.palette", "ctrl+p :", "palette", "Everywhere", lambda: self.ccp.open("palette"))

    def on_mount(self) -> None:
        self.set_class(self.app.size.width >= WIDE, "-wide")
        self.write()
        if self.wanted is not None:
            self.transcript.focus()
        self.do(self.open_chat(self.agent, self.session_key))

    # -- writing

    def write(self) -> None:
        self.composer.focus()

    def new_line(self) -> None:
        self.composer.insert("\n")

    def on_composer_submitted(self, event: Composer.Submitted) -> None:
        self.action_run_action("chat.queue" if event.queue and self._run_id else "chat.send")

    def on_composer_emptied(self) -> None:
        if self.attached:
            self.attached = self.attached[:-1]
            self.refresh_words()

    async def send(self) -> None:
        await self._send(None)

    async def queue(self) -> None:
        await self._send("followup")

    async def _send(self, mode: str | None) -> None:
        text = self.composer.text.strip()
        if text.startswith(ATTACH.strip()) and (text == ATTACH.strip() or text.startswith(ATTACH)):
            await self._attach_file(text[len(ATTACH) :].strip())
            return
        if text == DETACH:
            self.attached = []
            self.composer.put("")
            self.refresh_words()
            return
        if not text and not self.attached:
            self.say("Write something first." if self.agent else "There is no agent to talk with yet.")
            return
        key, attached, written = self.session_key, self.attached, self.composer.text
        if key is None:
            self.say("The chat is not open yet; your text stays here.", "warn")
            return
        self.composer.put("")
        self.attached = []
        params: Json = {"session_key": key, "text": text}
        if attached:
            params["attachments"] = [str(path) for path in attached]
        if mode:
            params["mode"] = mode
        stored = await self.ask("chat.send", params)
        if stored is None:  # the refusal is on the notice line; nothing written is lost
            if self.session_key == key:
                self.composer.put(written if not self.composer.text else f"{written}\n{self.composer.text}")
                self.attached = attached + self.attached
            else:
                self._drafts[key] = (written, attached)
        elif self.session_key == key:
            self.status.trouble = ""
            if self.transcript.detached:
                await self.open_chat(self.agent, key)
            else:
                self.transcript.upsert(stored["message"])
        self.refresh_words()

    async def _attach_file(self, typed: str) -> None:
        if not typed:
            self.say("Write the path after /attach; tab completes it.")
            return
        found = await asyncio.to_thread(readable_file, typed)
        if isinstance(found, str):
            self.say(found, "refusal")
            return
        if found not in self.attached:
            self.attached = [*self.attached, found]
        self.composer.put("")
        self.say(f"{found.name} goes with your next message.", "good")
        self.refresh_words()

    def begin_attach(self) -> None:
        self.write()
        self.composer.put(ATTACH)
        self.say("Write the path; tab completes it, enter attaches.")

    def recall(self) -> None:
        mine = [item.message for item in self.transcript.items if item.message.get("role") == "user"]
        if mine and not self.composer.text:
            self.composer.put(str(mine[-1].get("text") or ""))

    async def stop(self) -> None:
        if self.session_key is None:
            return
        answer = await self.ask("chat.abort", {"session_key": self.session_key})
        if answer is not None:
            self.say("Stopped." if answer.get("aborted") else "It had already ended.")

    # -- reading

    def step_back(self) -> None:
        self.transcript.focus()

    def on_descendant_focus(self) -> None:
        if self.is_attached:
            self.refresh_words()

    def fold(self) -> None:
        if not self.transcript.toggle_fold():
            self.say("Nothing folds here: move to a tool call or a long message with j and k.")

    def fold_all(self) -> None:
        self.transcript.toggle_all()

    def copy(self) -> None:
        at = self.transcript.cursor
        if at is None or at >= len(self.transcript.items):
            self.say("Nothing to copy yet.")
            return
        copied = self.ccp.copy(message_text(self.transcript.items[at].message))
        self.say(
            "Copied." if copied else "Too long for a terminal's clipboard.", "good" if copied else "warn"
        )

    def to_end(self) -> None:
        self.transcript.to_end()

    def transcript_start(self) -> None:
        self.transcript.to_start()

    def page(self, pages: int) -> None:
        self.transcript.go_to(self.transcript.top + pages * max(1, self.transcript.rows - 2))

    def on_transcript_moved(self) -> None:
        self.refresh_words()

    def on_transcript_latest_wanted(self) -> None:
        self.do(self.open_chat(self.agent, self.session_key))

    def on_transcript_older_wanted(self) -> None:
        self.do(self._load_older())

    async def _load_older(self) -> None:
        key, items = self.session_key, self.transcript.items
        if key is None or not items:
            return
        older = await self.ask(
            "chat.history", {"session_key": key, "before": items[0].message["id"], "limit": PAGE}
        )
        if older is None:
            self.transcript.older_failed()
        elif key == self.session_key:
            self.transcript.prepend(older.get("messages") or [], has_more=bool(older.get("has_more")))

    # -- other chats

    def next_chat(self) -> None:
        self._switch(1)

    def previous_chat(self) -> None:
        self._switch(-1)

    def _switch(self, by: int) -> None:
        keys = [session.key for session in self.sessions]
        if len(keys) < 2 and keys == [self.session_key]:
            self.say("No other chat is open: ctrl+t begins one.")
            return
        at = keys.index(self.session_key) if self.session_key in keys else -by
        chosen = self.sessions[(at + by) % len(keys)] if keys else None
        if chosen:
            self.do(self.open_chat(chosen.agent, chosen.key))

    def on_session_list_chosen(self, event: SessionList.Chosen) -> None:
        self.do(self.open_chat(event.session.agent, event.session.key))

    async def pick_chat(self) -> None:
        agents, glyphs = self.mirror.agents, self.ccp.glyphs
        choices: list[Choice[tuple[str, str | None]]] = []
        for session in self.sessions:
            row = agents.get(session.agent)
            unread = f"{glyphs.unread} {session.unread}  " if session.unread else ""
            choices.append(
                Choice((session.agent, session.key), session.name(agents), unread + session.last_text,
                       glyphs.emoji(row.emoji) if row else "")
            )  # fmt: skip
        own = {session.agent for session in self.sessions if session.task is None}
        for agent in agents.values():
            if agent.id not in own:
                choices.append(
                    Choice((agent.id, None), agent.name, "begin a chat", glyphs.emoji(agent.emoji))
                )
        chosen = await pick(
            self.ccp, "Chats", choices, current=(self.agent, self.session_key), empty="No agents yet."
        )
        if chosen is not None:
            await self.open_chat(*chosen)

    def open_task(self) -> None:
        if self.task_ref:
            self.ccp.open("task", ref=self.task_ref)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= WIDE, "-wide")
