"""What all parts of the embedded gateway share: its state, who is connected, and who hears which event."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from ccp_tui.gateway.demo.approvals import Desk
from ccp_tui.gateway.demo.connection import Connection
from ccp_tui.gateway.demo.ledger import Ledger
from ccp_tui.gateway.demo.protocol import Json, Refusal
from ccp_tui.gateway.demo.rows import now_ms, session_row
from ccp_tui.gateway.demo.runs import Runs
from ccp_tui.gateway.demo.store import DEFAULT_AGENT, Agent, Session, Store

# A new agent is in the list, and takes messages, only some moments after its creation was acknowledged.
AGENT_APPEARS_MS = 300


class World:
    """One life of the gateway. ``speed`` divides the waiting times of scripted agents, ``think`` is how many seconds
    they take before each command."""

    def __init__(self, store: Store, *, speed: float = 1.0, think: float = 0.0) -> None:
        self.store = store
        self.speed = speed
        self.think = think
        self.boot_id = str(uuid.uuid4())
        self.started_at_ms = now_ms()
        self.port = 0
        self.connections: set[Connection] = set()
        # What each idempotency key of this life was used for: the same key for something else is a conflict.
        self.identities: dict[str, str] = {}
        self.desk = Desk(self)
        self.ledger = Ledger(self)
        self.runs = Runs(self)

    @property
    def path_prepend(self) -> list[str]:
        """The folders that the configuration puts first on the PATH of commands."""
        exec_ = self.store.config.get("tools", {}).get("exec", {})
        return [folder for folder in exec_.get("pathPrepend", []) if isinstance(folder, str)]

    async def wait(self, seconds: float) -> None:
        """A pause of an agent, at this gateway's speed."""
        await asyncio.sleep(seconds / self.speed)

    # -- nouns ------------------------------------------------------------------------------------------------

    def agent(self, agent_id: str) -> Agent:
        """The agent of that id; Refusal when there is none, or none yet."""
        agent = self.store.agents.get(agent_id)
        if agent is None or not self.appeared(agent):
            raise Refusal(f'unknown agent id "{agent_id}"')
        return agent

    def appeared(self, agent: Agent) -> bool:
        return agent.created_at_ms + AGENT_APPEARS_MS <= now_ms()

    def full_key(self, key: str, agent_id: str | None = None) -> str:
        """The whole session key that a short one stands for; Refusal for one that can't be."""
        if key.startswith("agent:"):
            parts = key.split(":", 2)
            if len(parts) < 3 or not parts[1] or not parts[2]:
                raise Refusal(f'invalid session key "{key}"')
            return key
        return f"agent:{agent_id or DEFAULT_AGENT}:{key}"

    def session(self, key: str) -> Session | None:
        return self.store.sessions.get(self.full_key(key))

    def make_session(self, key: str, spawned_by: str | None = None) -> Session:
        """The session of a full key, made if it is not there; ``spawned_by`` is the session whose sub-agent it is."""
        session = self.store.sessions.get(key)
        if session is None:
            agent_id = key.split(":", 2)[1]
            agent = self.store.agents.get(agent_id)
            if agent is None or not self.appeared(agent):
                raise Refusal(f'Agent "{agent_id}" no longer exists in configuration')
            session = Session(key, agent.id, str(uuid.uuid4()), now_ms(), now_ms(), spawned_by=spawned_by)
            self.store.sessions[key] = session
            self.store.save()
            self.session_changed(session, "create")
        return session

    def row(self, session: Session) -> Json:
        return session_row(session, self.runs.active_ids(session))

    # -- events -----------------------------------------------------------------------------------------------

    def tell(self, name: str, payload: Json, hears: Callable[[Connection], bool]) -> None:
        """Sends an event to every connection that hears it."""
        for connection in self.connections:
            if hears(connection):
                connection.event(name, payload)

    def broadcast(self, name: str, payload: Json) -> None:
        """Sends an event to everybody who may read."""
        self.tell(name, payload, lambda connection: connection.may_read)

    def add_row(self, session: Session, message: Json) -> None:
        """Writes a message into a session's history and tells those who subscribed to it."""
        self.store.append(session, message)
        session.updated_at_ms = now_ms()
        marks = message["__openclaw"]
        row = self.row(session)
        payload = {
            **row,
            "sessionKey": session.key,
            "message": message,
            "messageId": marks["id"],
            "messageSeq": marks["seq"],
            "session": row,
            **({"runId": marks["runId"]} if "runId" in marks else {}),
        }
        # What a tool said is told by its own events; OpenClaw sends no session.message for that row.
        if message["role"] != "toolResult":
            self.tell("session.message", payload, lambda connection: connection.hears_rows(session.key))

    def session_changed(self, session: Session, reason: str) -> None:
        row = self.row(session)
        payload = {**row, "sessionKey": session.key, "reason": reason, "ts": now_ms(), "session": row}
        self.tell(
            "sessions.changed", payload, lambda connection: connection.may_read and connection.all_sessions
        )
