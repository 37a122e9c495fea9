"""Gateway sessions that the board knows, and up to where the person has read each."""

from __future__ import annotations

from ccp_tui import clock
from ccp_tui.store.errors import NotFound
from ccp_tui.store.part import Part, Row


class Sessions(Part):
    table = "sessions"

    def note(self, session_key: str, agent: str, *, title: str = "", attempt: int | None = None) -> None:
        """A session joins the board; known already, it stays as it is."""
        self._db.execute(
            "INSERT OR IGNORE INTO sessions (session_key, agent_id, title, attempt_id, created_at) "
            "VALUES (?, ?, ?, ?, ?)",
            (session_key, agent, title, attempt, clock.now()),
        )

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
            "SELECT s.session_key, s.agent_id AS agent, s.title, t.ref AS task, "
            "(SELECT count(*) FROM messages m WHERE m.session_key = s.session_key AND m.id > s.read_up_to "
            "   AND m.role = 'assistant' AND s.attempt_id IS NULL) AS unread, "
            "coalesce(l.at, s.created_at) AS last_at, substr(coalesce(l.text, ''), 1, 200) AS last_text "
            "FROM sessions s LEFT JOIN attempts a ON a.id = s.attempt_id LEFT JOIN tasks t ON t.id = a.task_id "
            "LEFT JOIN messages l ON l.id = (SELECT max(id) FROM messages WHERE session_key = s.session_key) "
            "ORDER BY last_at DESC"
        )
