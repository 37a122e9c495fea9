"""Gateway sessions that the board knows, and up to where the person has read each."""

from __future__ import annotations

from ccp_tui import clock
from ccp_tui.store.errors import NotFound
from ccp_tui.store.part import Part, Row


class Sessions(Part):
    table = "sessions"

    def note(
        self,
        session_key: str,
        agent: str,
        *,
        title: str = "",
        purpose: str = "chat",
        task: int | None = None,
        attempt: int | None = None,
        parent: str | None = None,
    ) -> bool:
        """A session joins the board; known already, it stays as it is, and the answer is False."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO sessions (session_key, agent_id, title, purpose, task_id, attempt_id, parent_key, "
            "created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (session_key, agent, title, purpose, task, attempt, parent, clock.now()),
        )
        return cursor.rowcount > 0

    def spent(self, session_key: str, tokens: int, cost_usd: float) -> None:
        """What a session has used so far; its task is told when that is news."""
        cursor = self._db.execute(
            "UPDATE sessions SET tokens = ?1, cost_usd = ?2 WHERE session_key = ?3 "
            "AND (tokens <> ?1 OR cost_usd <> ?2) RETURNING task_id",
            (tokens, cost_usd, session_key),
        )
        if (row := cursor.fetchone()) and row[0] is not None:
            self._touched.tasks.add(row[0])

    def children(self, task: int) -> list[Row]:
        """The sub-agents' sessions of a task, the first first."""
        return self._all(
            "SELECT session_key, agent_id AS agent, title, parent_key, state, tokens, cost_usd, created_at, "
            "(SELECT substr(text, 1, 300) FROM messages m WHERE m.session_key = s.session_key "
            "   AND m.role = 'assistant' ORDER BY m.id DESC LIMIT 1) AS last_text "
            "FROM sessions s WHERE task_id = ? AND purpose = 'subagent' ORDER BY created_at, session_key",
            (task,),
        )

    def running_children(self) -> list[str]:
        """The sub-agents' sessions in which something goes on, of all tasks."""
        sql = "SELECT session_key FROM sessions WHERE task_id IS NOT NULL AND purpose = 'subagent' AND state = ?"
        return [row["session_key"] for row in self._all(sql, ("running",))]

    def working_children(self) -> list[Row]:
        """The sub-agents that are at work."""
        return self._all("SELECT * FROM sessions WHERE purpose = 'subagent' AND state = 'running'")

    def spawning(self) -> list[Row]:
        """The sessions whose runs may have spawned sub-agents that nobody saw: those of open attempts."""
        return self._all(
            "SELECT s.* FROM sessions s JOIN attempts a ON a.session_key = s.session_key WHERE a.ended_at IS NULL"
        )

    def at_work_below(self, session_key: str) -> list[str]:
        """The sub-agents of a session, and theirs, that are at work."""
        sql = (
            "WITH RECURSIVE below (session_key, state) AS ("
            "SELECT session_key, state FROM sessions WHERE purpose = 'subagent' AND parent_key = ? "
            "UNION SELECT s.session_key, s.state FROM sessions s JOIN below b ON s.parent_key = b.session_key "
            "WHERE s.purpose = 'subagent') SELECT session_key FROM below WHERE state = 'running'"
        )
        return [row["session_key"] for row in self._all(sql, (session_key,))]

    def set_title(self, session_key: str, title: str) -> None:
        cursor = self._db.execute(
            "UPDATE sessions SET title = ?1 WHERE session_key = ?2 AND title <> ?1 RETURNING task_id",
            (title, session_key),
        )
        if (row := cursor.fetchone()) and row[0] is not None:
            self._touched.tasks.add(row[0])

    def set_state(self, session_key: str, state: str) -> None:
        """What became of a sub-agent: running, done or failed."""
        cursor = self._db.execute(
            "UPDATE sessions SET state = ?1 WHERE session_key = ?2 AND state <> ?1 RETURNING task_id",
            (state, session_key),
        )
        if (row := cursor.fetchone()) and row[0] is not None:
            self._touched.tasks.add(row[0])

    def get(self, session_key: str) -> Row:
        """Raises NotFound for a session the board does not know."""
        row = self.find(session_key)
        if row is None:
            raise NotFound(f"there is no session {session_key}")
        return row

    def find(self, session_key: str) -> Row | None:
        return self._first("SELECT * FROM sessions WHERE session_key = ?", (session_key,))

    def keys(self) -> list[str]:
        return [row["session_key"] for row in self._all("SELECT session_key FROM sessions")]

    def read(self, session_key: str) -> bool:
        """The person has seen all of it; False when that was so already."""
        newest = self._value(
            "SELECT coalesce(max(id), 0) FROM messages WHERE session_key = ?", (session_key,)
        )
        cursor = self._db.execute(
            "UPDATE sessions SET read_up_to = ?1 WHERE session_key = ?2 AND read_up_to <> ?1",
            (newest, session_key),
        )
        sql = "SELECT a.id FROM sessions s JOIN agents a ON a.id = s.agent_id WHERE s.session_key = ?"
        if cursor.rowcount and (agent := self._value(sql, (session_key,))):
            self._touched.agents.add(agent)
        return cursor.rowcount > 0

    def all(self) -> list[Row]:
        """Every session with its task, its unread answers and its last words, the latest first."""
        return self._all(
            "SELECT s.session_key, s.agent_id AS agent, s.title, t.ref AS task, s.purpose, s.parent_key, s.state, "
            "(SELECT count(*) FROM messages m WHERE m.session_key = s.session_key AND m.id > s.read_up_to "
            "   AND m.role = 'assistant' AND s.purpose = 'chat') AS unread, "
            "coalesce(l.at, s.created_at) AS last_at, substr(coalesce(l.text, ''), 1, 200) AS last_text "
            "FROM sessions s LEFT JOIN attempts a ON a.id = s.attempt_id "
            "LEFT JOIN tasks t ON t.id = coalesce(a.task_id, s.task_id) "
            "LEFT JOIN messages l ON l.id = (SELECT max(id) FROM messages WHERE session_key = s.session_key) "
            "ORDER BY last_at DESC"
        )
