"""Attempts and the gateway's runs in them. A task has at most one open attempt."""

from __future__ import annotations

from ccp_tui import clock
from ccp_tui.model import Outcome
from ccp_tui.store.part import Part, Row


class Attempts(Part):
    table = "attempts"

    def open(self, task: int, agent: str, spec: int, session_key: str, token_hash: str) -> int:
        """A new attempt with its first round; the attempt's id."""
        number = int(
            self._value("SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE task_id = ?", (task,))
        )
        row = {
            "task_id": task,
            "number": number,
            "agent_id": agent,
            "spec_id": spec,
            "session_key": session_key,
        }
        self._touched.tasks.add(task)
        self._touched.agents.add(agent)
        return self._insert({**row, "token_hash": token_hash, "started_at": clock.now()})

    def next_number(self, task: int) -> int:
        return int(
            self._value("SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE task_id = ?", (task,))
        )

    def end(self, attempt: int, outcome: Outcome) -> None:
        """Ends an attempt: its token is void from here on."""
        row = self.get(attempt)
        self._update(attempt, outcome=outcome.value, ended_at=clock.now())
        self._touched.tasks.add(row["task_id"])
        self._touched.agents.add(row["agent_id"])

    def get(self, attempt: int) -> Row:
        return self._one("SELECT * FROM attempts WHERE id = ?", (attempt,), "there is no such attempt")

    def of_task(self, task: int) -> Row | None:
        """The open attempt of a task."""
        return self._first("SELECT * FROM attempts WHERE task_id = ? AND ended_at IS NULL", (task,))

    def latest(self, task: int) -> Row | None:
        return self._first("SELECT * FROM attempts WHERE task_id = ? ORDER BY number DESC LIMIT 1", (task,))

    def numbered(self, task: int, number: int) -> Row:
        sql = "SELECT * FROM attempts WHERE task_id = ? AND number = ?"
        return self._one(sql, (task, number), f"there is no attempt {number}")

    def by_session(self, session_key: str) -> Row | None:
        return self._first("SELECT * FROM attempts WHERE session_key = ?", (session_key,))

    def by_token(self, token_hash: str) -> Row | None:
        return self._first("SELECT * FROM attempts WHERE token_hash = ?", (token_hash,))

    def open_ones(self) -> list[Row]:
        return self._all("SELECT * FROM attempts WHERE ended_at IS NULL ORDER BY id")

    def working(self, agent: str) -> list[str]:
        """The refs that an agent works on now: what its limit counts.

        A task that waits for a review does not, nor one that is held and has no run.
        """
        rows = self._all(
            "SELECT t.ref FROM attempts a JOIN tasks t ON t.id = a.task_id WHERE a.agent_id = ? AND a.ended_at IS NULL "
            "AND t.state IN ('in_progress', 'testing') AND (t.hold_kind IS NULL OR EXISTS "
            "(SELECT 1 FROM runs r WHERE r.attempt_id = a.id AND r.state = 'running')) ORDER BY a.id",
            (agent,),
        )
        return [row["ref"] for row in rows]

    def change(self, attempt: int, **columns: object) -> None:
        """Sets columns of an attempt; its task is told."""
        self._update(attempt, **columns)
        self._touched.tasks.add(self.get(attempt)["task_id"])

    def nudged(self, attempt: int, number: int) -> None:
        self._update(attempt, nudged_round=number)

    def spent(self, session_key: str, tokens: int, cost_usd: float) -> None:
        """What the attempt of this session, if it is one's, has used so far."""
        row = self.by_session(session_key)
        if row and (row["tokens"], row["cost_usd"]) != (tokens, cost_usd):
            self._update(row["id"], tokens=tokens, cost_usd=cost_usd)
            self._touched.tasks.add(row["task_id"])

    def run_seen(self, attempt: int, run_id: str) -> bool:
        """Notes a run of the attempt's session; False when it was known."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO runs (attempt_id, run_id, state, started_at) VALUES (?, ?, 'running', ?)",
            (attempt, run_id, clock.now()),
        )
        return cursor.rowcount > 0

    def run_ended(self, attempt: int, run_id: str, state: str, detail: str = "") -> bool:
        """Notes how a run ended; False when that was known (the gateway may say it twice)."""
        self.run_seen(attempt, run_id)
        cursor = self._db.execute(
            "UPDATE runs SET state = ?, detail = ?, ended_at = ? "
            "WHERE attempt_id = ? AND run_id = ? AND state = 'running'",
            (state, detail, clock.now(), attempt, run_id),
        )
        return cursor.rowcount > 0

    def running(self, attempt: int) -> list[str]:
        rows = self._all("SELECT run_id FROM runs WHERE attempt_id = ? AND state = 'running'", (attempt,))
        return [row["run_id"] for row in rows]

    def running_since(self, attempt: int) -> str | None:
        """When the run began, or the earliest of them, whose end was not seen."""
        sql = "SELECT min(started_at) FROM runs WHERE attempt_id = ? AND state = 'running'"
        found: str | None = self._value(sql, (attempt,))
        return found

    def to_retry(self) -> list[Row]:
        """Open attempts whose failed run is to be tried again, the one that is due first first."""
        return self._all(
            "SELECT * FROM attempts WHERE ended_at IS NULL AND retry_at IS NOT NULL ORDER BY retry_at, id"
        )

    def left_running(self) -> list[Row]:
        """Attempts that were stopped or cancelled while nobody saw their runs end."""
        return self._all(
            "SELECT * FROM attempts a WHERE outcome IN ('stopped', 'cancelled') "
            "AND EXISTS (SELECT 1 FROM runs r WHERE r.attempt_id = a.id AND r.state = 'running') ORDER BY id"
        )

    def last_run(self, attempt: int) -> Row | None:
        sql = "SELECT * FROM runs WHERE attempt_id = ? ORDER BY coalesce(ended_at, started_at) DESC LIMIT 1"
        return self._first(sql, (attempt,))
