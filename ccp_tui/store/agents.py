"""Agents the board knows, and every version of their SOUL.md, USER.md and AGENTS.md."""

from __future__ import annotations

from ccp_tui import clock
from ccp_tui.model import AGENT_FILES
from ccp_tui.store.errors import Conflict, NotFound
from ccp_tui.store.part import Part, Row

# With what the agent does now, and the answers in its chats that the person has not read.
_SELECT = """
SELECT a.*,
  (SELECT t.ref FROM attempts p JOIN tasks t ON t.id = p.task_id WHERE p.agent_id = a.id AND p.ended_at IS NULL
     AND t.state IN ('in_progress', 'testing') ORDER BY t.hold_kind IS NOT NULL, p.id LIMIT 1) AS working_on,
  (SELECT t.hold_kind FROM attempts p JOIN tasks t ON t.id = p.task_id WHERE p.agent_id = a.id AND p.ended_at IS NULL
     AND t.state IN ('in_progress', 'testing') ORDER BY t.hold_kind IS NOT NULL, p.id LIMIT 1) AS held,
  (SELECT count(*) FROM sessions s JOIN messages m ON m.session_key = s.session_key
     WHERE s.agent_id = a.id AND s.purpose = 'chat' AND m.id > s.read_up_to AND m.role = 'assistant') AS unread
FROM agents a
"""


class Agents(Part):
    table = "agents"

    def add(
        self,
        agent: str,
        name: str,
        *,
        role: str,
        emoji: str,
        model: str | None,
        workspace: str | None,
        duty: str | None = None,
    ) -> None:
        """A gateway agent joins the board. Raises Conflict when it is there already."""
        known = self._first("SELECT deleted_at FROM agents WHERE id = ?", (agent,))
        if known and known["deleted_at"]:
            return self._join_again(agent, name, role=role, emoji=emoji, model=model, workspace=workspace)
        if known:
            raise Conflict(f"the board has an agent {agent} already")
        now = clock.now()
        row = {
            "id": agent,
            "name": name,
            "role": role,
            "emoji": emoji,
            "model": model,
            "workspace": workspace,
            "duty": duty,
        }
        self._insert({**row, "created_at": now, "updated_at": now})
        self._touched.agents.add(agent)

    def update(self, agent: str, **changes: object) -> None:
        """Sets columns of one agent; a change that changes nothing writes nothing."""
        row = self.row(agent)
        if all(row.get(key) == value for key, value in changes.items()):
            return
        self._update(agent, **changes, updated_at=clock.now())
        self._touched.agents.add(agent)

    def on_duty(self, duty: str) -> Row | None:
        """The agent that the service made for this duty."""
        row = self._first(f"{_SELECT} WHERE a.duty = ? AND a.deleted_at IS NULL", (duty,))
        return _agent(row) if row else None

    def delete(self, agent: str) -> None:
        """The agent leaves the board; its row stays for what it did."""
        self._update(agent, deleted_at=clock.now(), on_gateway=0, duty=None)
        self._touched.agents.add(agent)

    def _join_again(self, agent: str, name: str, **columns: object) -> None:
        """An agent of an id that was deleted before: the gateway makes ids from names."""
        self._update(agent, name=name, **columns, deleted_at=None, on_gateway=1, updated_at=clock.now())
        self._touched.agents.add(agent)

    def find(self, named: str) -> str:
        """The id of the agent with this id or, when only one has it, this display name. Raises NotFound."""
        sql = (
            "SELECT id FROM agents WHERE deleted_at IS NULL AND id = ?1 UNION "
            "SELECT id FROM agents WHERE deleted_at IS NULL AND lower(name) = lower(?1)"
        )
        rows = self._all(sql, (named,))
        exact = [row["id"] for row in rows if row["id"] == named]
        if exact or len(rows) == 1:
            return str(exact[0] if exact else rows[0]["id"])
        if rows:
            raise NotFound(
                f"several agents are called {named!r}: use the id ({', '.join(r['id'] for r in rows)})"
            )
        raise NotFound(f"there is no agent {named!r}: create or import it first")

    def row(self, agent: str) -> Row:
        return _agent(self._one(f"{_SELECT} WHERE a.id = ?", (agent,), f"there is no agent {agent!r}"))

    def all(self) -> list[Row]:
        return [
            _agent(row)
            for row in self._all(f"{_SELECT} WHERE a.deleted_at IS NULL ORDER BY a.created_at, a.id")
        ]

    def known_files(self, agent: str) -> list[str]:
        """The files of an agent that the board has a version of."""
        sql = "SELECT DISTINCT name FROM agent_files WHERE agent_id = ? ORDER BY name"
        return [row["name"] for row in self._all(sql, (agent,))]

    def unapproved(self, agent: str) -> list[Row]:
        """What the agent delivered for tasks that are not done: path, and the task's ref."""
        return self._all(
            "SELECT DISTINCT d.path, t.ref FROM deliverables d JOIN rounds r ON r.id = d.round_id "
            "JOIN attempts a ON a.id = r.attempt_id JOIN tasks t ON t.id = a.task_id "
            "WHERE a.agent_id = ? AND t.state <> 'done' ORDER BY t.id, d.path",
            (agent,),
        )

    def forget_choice(self, agent: str) -> None:
        """Tasks on which the agent does not work any more have it chosen no more, by the person or by a plan."""
        cursor = self._db.execute(
            "UPDATE tasks SET agent_id = NULL, wanted_agent = NULL, updated_at = ? WHERE agent_id = ? "
            "AND state IN ('planning', 'inbox', 'cancelled') RETURNING id",
            (clock.now(), agent),
        )
        self._touched.tasks.update(row[0] for row in cursor.fetchall())

    def save_file(self, agent: str, name: str, content: str, author: str) -> int:
        """A new version of one file; the version's number. The same content again makes no new version."""
        newest = self._newest(agent, name)
        if newest and newest["content"] == content:
            return int(newest["version"])
        version = newest["version"] + 1 if newest else 1
        row = {"agent_id": agent, "name": name, "version": version, "content": content, "author": author}
        self._db.table("agent_files").insert({**row, "created_at": clock.now()})
        self._touched.agents.add(agent)
        return int(version)

    def file(self, agent: str, name: str, version: int | None = None) -> Row:
        """One version (the newest when not named) with the list of all. Raises NotFound."""
        if name not in AGENT_FILES:
            raise NotFound(f"agents have {', '.join(AGENT_FILES)}; there is no {name!r}")
        self.row(agent)
        versions = self._all(
            "SELECT version, created_at, author FROM agent_files WHERE agent_id = ? AND name = ? ORDER BY version DESC",
            (agent, name),
        )
        found = self._newest(agent, name) if version is None else self._version(agent, name, version)
        blank: Row = {"content": "", "version": 0, "created_at": None, "author": None}
        if found is None and version is not None:
            raise NotFound(f"{name} of {agent} has no version {version}")
        row = found or blank
        wire = ("content", "version", "created_at", "author")
        return {"name": name, **{key: row[key] for key in wire}, "versions": versions}

    def _newest(self, agent: str, name: str) -> Row | None:
        sql = "SELECT * FROM agent_files WHERE agent_id = ? AND name = ? ORDER BY version DESC LIMIT 1"
        return self._first(sql, (agent, name))

    def _version(self, agent: str, name: str, version: int) -> Row | None:
        sql = "SELECT * FROM agent_files WHERE agent_id = ? AND name = ? AND version = ?"
        return self._first(sql, (agent, name, version))


def _agent(row: Row) -> Row:
    return {**row, "on_gateway": bool(row["on_gateway"]), "files": list(AGENT_FILES)}
