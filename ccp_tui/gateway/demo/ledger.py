"""The ledger of background work: the sub-agents that runs spawned, each told by ``task`` events as it changes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from ccp_tui.gateway.demo.connection import Connection
from ccp_tui.gateway.demo.protocol import READ, Json, Method
from ccp_tui.gateway.demo.rows import now_ms

if TYPE_CHECKING:
    from ccp_tui.gateway.demo.run import Run
    from ccp_tui.gateway.demo.world import World

LONGEST_TITLE = 120


class Ledger:
    """The entries of this life of the gateway, by the session of the sub-agent."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.entries: dict[str, Json] = {}

    def began(self, run: Run, task: str) -> None:
        """A sub-agent was spawned, or its turn was taken up again after a crash."""
        session, now, entry_id = run.session, now_ms(), str(uuid.uuid4())
        self.entries[session.key] = {
            "id": entry_id,
            "taskId": entry_id,
            "kind": "subagent",
            "runtime": "subagent",
            "title": " ".join(task.split())[:LONGEST_TITLE],
            "agentId": session.agent_id,
            "sessionKey": session.spawned_by,
            "ownerKey": session.spawned_by,
            "childSessionKey": session.key,
            "createdAt": now,
            "startedAt": now,
        }
        self._upsert(run, "running", "running", "pending")

    def ended(self, run: Run, status: str) -> None:
        """``status``: completed, failed or cancelled."""
        if entry := self.entries.get(run.session.key):
            entry |= {"endedAt": now_ms(), "progressSummary": run.text}
            self._upsert(run, status, "finished", "pending")

    def announced(self, run: Run) -> None:
        """The one who spawned it was told of its end."""
        if entry := self.entries.get(run.session.key):
            self._upsert(run, entry["status"], "finished", "delivered")

    def _upsert(self, run: Run, status: str, state: str, delivery: str) -> None:
        entry = self.entries[run.session.key]
        entry |= {
            "runId": run.id,
            "status": status,
            "execution": {"state": state},
            "deliveryStatus": delivery,
            "updatedAt": now_ms(),
        }
        self._world.broadcast("task", {"action": "upserted", "task": dict(entry)})


async def _list(world: World, connection: Connection, params: Json) -> Json:
    wanted = {"sessionKey": params.get("sessionKey"), "agentId": params.get("agentId")}
    rows = [
        entry
        for entry in world.ledger.entries.values()
        if all(value in (None, entry[name]) for name, value in wanted.items())
    ]
    return {"tasks": rows[: params.get("limit", 100)]}


METHODS = {
    "tasks.list": Method(
        READ,
        _list,
        {},
        {"status": (str, list), "agentId": str, "sessionKey": str, "limit": int, "cursor": str},
    ),
}
