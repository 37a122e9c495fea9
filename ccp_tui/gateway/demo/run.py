"""A run, and how its words get to whoever listens and into the history."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ccp_tui.gateway.demo.protocol import Json
from ccp_tui.gateway.demo.rows import assistant_message, now_ms, usage
from ccp_tui.gateway.demo.store import Session

if TYPE_CHECKING:
    from ccp_tui.gateway.demo.world import World


@dataclass
class Run:
    """A run and what it said so far; ``segment`` is the part of ``text`` that the history does not have yet."""

    id: str
    session: Session
    starter: str
    prompt: str = ""
    text: str = ""
    segment: str = ""
    words: int = 0
    seq: int = 0
    started_at_ms: int = field(default_factory=now_ms)
    steered: list[Json] = field(default_factory=list)
    abort_reason: str = "rpc"
    keep_partial: bool = True
    called: int = 0  # tool calls of this prompt that were made before a restart; they are not made again
    outcome: Json = field(default_factory=lambda: {"status": "pending"})
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def message(self) -> Json:
        return {"role": "assistant", "content": [{"type": "text", "text": self.text}], "timestamp": now_ms()}

    def chat(self, world: World, state: str, body: Json) -> None:
        """Tells a ``chat`` event of this run."""
        payload = {**self._where(), "state": state, **body}
        world.tell("chat", payload, lambda connection: connection.hears_run(self.session.key))

    def agent(self, world: World, stream: str, data: Json) -> None:
        """Tells an ``agent`` event of this run; one of the tool stream also as ``session.tool``."""
        key = self.session.key
        payload = {**self._where(), "ts": now_ms(), "stream": stream, "data": data}
        if stream == "tool":
            world.tell("agent", payload, lambda connection: connection.hears_tool(key, self.starter))
            world.tell("session.tool", payload, lambda connection: connection.hears_session_tool(key))
        else:
            world.tell("agent", payload, lambda connection: connection.hears_run(key))

    def _where(self) -> Json:
        self.seq += 1
        key, agent_id = self.session.key, self.session.agent_id
        where: Json = {"runId": self.id, "sessionKey": key, "agentId": agent_id, "seq": self.seq}
        return {**where, "spawnedBy": self.session.spawned_by} if self.session.spawned_by else where


def write(world: World, run: Run, stop_reason: str, call: Json | None = None) -> None:
    """Writes what was said since the last row into the history, and its price onto the session."""
    if not run.segment and not call:
        return
    session = run.session
    used = usage(len(run.prompt) + len(run.text), len(run.segment.split()))
    session.input_tokens, session.output_tokens = used["input"], session.output_tokens + used["output"]
    session.cost += used["cost"]["total"]
    row = assistant_message(session, run.segment, run.id, usage=used, stop_reason=stop_reason, call=call)
    run.segment = ""
    world.add_row(session, row)
