"""Chat with any agent, and with an attempt's session: stored before it is sent, read from the gateway's history."""

from __future__ import annotations

import uuid
from pathlib import Path

from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.model import HoldKind
from ccp_tui.service.board.moves import record
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.store import Store
from ccp_tui.text import clean
from ccp_tui.wire import Json

MODES = ("steer", "followup", "interrupt")
LARGEST_ATTACHMENT = 19 * 2**20
PAGE = 50


class Chat:
    """The methods ``chat.*``."""

    def __init__(self, context: Context, runs: Runs, deliveries: Deliveries) -> None:
        self._c = context
        self._runs = runs
        self._deliveries = deliveries

    def methods(self) -> dict[str, Method]:
        return {
            "chat.sessions": self.sessions,
            "chat.open": self.open,
            "chat.history": self.history,
            "chat.send": self.send,
            "chat.abort": self.abort,
            "chat.read": self.read,
            "chat.totals": self.totals,
        }

    async def sessions(self, _: Json) -> Json:
        return {"sessions": await self._c.db(lambda store: store.sessions.all())}

    async def open(self, params: Json) -> Json:
        """A session with its latest messages; without a session named, the agent's chat with the person."""
        named = p.maybe_text(params, "session_key")
        agent = p.text(params, "agent") if not named else p.maybe_text(params, "agent") or ""

        def find(store: Store) -> tuple[str, str]:
            if named:
                return named, str(store.sessions.get(named)["agent_id"])
            chosen = store.agents.find(agent)
            session_key = f"agent:{chosen}:ccp-chat-{self._c.home_id}"
            store.sessions.note(session_key, chosen, title=f"Chat with {store.agents.row(chosen)['name']}")
            return session_key, chosen

        session_key, owner = await self._c.db(find)
        self._runs.follow(session_key, owner)
        if self._c.connected:
            try:
                await self._runs.sync(session_key)
            except GatewayUnavailable:
                pass  # what is stored is shown; the line says that the gateway is away
            except GatewayError:
                pass  # a session that the gateway has not seen yet has no history
        messages, more = await self._c.db(lambda store: store.messages.page(session_key, limit=PAGE))
        run = self._c.live.run_of(session_key)
        return {
            "session_key": session_key,
            "agent": owner,
            "messages": messages,
            "has_more": more,
            "live": {"run_id": run.run_id, "text": run.text} if run else None,
        }

    async def history(self, params: Json) -> Json:
        session_key, before = p.text(params, "session_key"), p.maybe_int(params, "before")
        limit = p.limit(params, PAGE, 500)

        def work(store: Store) -> Json:
            store.sessions.get(session_key)
            messages, more = store.messages.page(session_key, before=before, limit=limit)
            return {"messages": messages, "has_more": more}

        return await self._c.db(work)

    async def send(self, params: Json) -> Json:
        """Stores a message and sends it as soon as the gateway can take it."""
        session_key = p.text(params, "session_key")
        text = clean(p.maybe_text(params, "text") or "").strip()
        mode = p.maybe_text(params, "mode")
        if mode is not None and mode not in MODES:
            raise usage(f"there is no mode {mode!r}; modes: {', '.join(MODES)}", field="mode")
        paths = [_attachment(path, self._c.home.root) for path in p.texts(params, "attachments")]
        if not text and not paths:
            raise usage("write something first", field="text")
        key = f"{session_key}:chat-{uuid.uuid4()}"

        def work(store: Store) -> Json:
            session = store.sessions.get(session_key)
            attempt = store.attempts.get(session["attempt_id"]) if session["attempt_id"] else None
            names = [Path(path).name for path in paths]
            message = store.messages.add_ours(session_key, text, key, names)
            if attempt and attempt["ended_at"]:
                attempt = None
            store.outbox.put(
                key,
                session_key,
                session["agent_id"],
                text,
                attempt=attempt["id"] if attempt else None,
                mode=mode,
                attachments=paths,
            )
            if attempt:
                _release(store, attempt, text)
            return store.messages.row(message)

        message = await self._c.db(work)
        self._deliveries.wake()
        return {"message": message}

    async def abort(self, params: Json) -> Json:
        session_key = p.text(params, "session_key")
        await self._c.db(lambda store: store.sessions.get(session_key))
        return {"aborted": bool(await self._c.gateway.calls.chat_abort(session_key))}

    async def read(self, params: Json) -> Json:
        session_key = p.text(params, "session_key")
        await self._c.db(lambda store: store.sessions.read(session_key))
        return {}

    async def totals(self, params: Json) -> Json:
        session_key = p.text(params, "session_key")
        return await self._c.db(lambda store: store.messages.totals(session_key))


def _release(store: Store, attempt: Json, text: str) -> None:
    """A worker that waited for words goes on; one whose rounds are used up can't, whatever it is told."""
    task = store.tasks.get(attempt["task_id"])
    waits = task["hold_kind"] in (HoldKind.QUESTION, HoldKind.STALLED)
    if not _answers(store, attempt, text):
        return
    if waits and store.rounds.current(attempt["id"])["result"] is None:
        store.tasks.hold(task["id"], None)
        record(store, task, person(), "released", "was answered and goes on", reason=text)


def _answers(store: Store, attempt: Json, text: str) -> bool:
    """Words to a worker that asked one question are its answer, and reach it as they are.

    False when it asked several: they are answered one by one.
    """
    asked = [
        row for row in store.questions.open_of_task(attempt["task_id"]) if row["attempt_id"] == attempt["id"]
    ]
    if len(asked) == 1 and asked[0]["kind"] == "report":
        store.questions.answer(asked[0]["id"], {"options": [], "text": text}, person().name)
        store.questions.delivered(asked[0]["id"])
    return len(asked) < 2


def _attachment(path: str, home: Path) -> str:
    """The path of a file that can be sent, made absolute. Raises a usage error in words.

    Nothing of the service's own home: what is in it (database, identity, sockets) is for no agent to see.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise usage(f"{path} is no file", field="attachments")
    if file.resolve().is_relative_to(home.resolve()):
        raise usage(f"{path} is a file of the board's own, which no agent gets", field="attachments")
    if file.stat().st_size > LARGEST_ATTACHMENT:
        raise usage(f"{path} is larger than {LARGEST_ATTACHMENT // 2**20} MiB", field="attachments")
    return str(file.absolute())
