"""Details: a task with everything that belongs to it, for the screen that shows one task."""

from __future__ import annotations

from ccp_tui.store.part import Reader, Row


class Details(Reader):
    def attempts(self, task: int) -> list[Row]:
        """Every attempt of a task with its runs and rounds, the first first."""
        rows = self._all("SELECT * FROM attempts WHERE task_id = ? ORDER BY number", (task,))
        return [self._attempt(row) for row in rows]

    def plannings(self, task: int) -> list[Row]:
        """Every go at the plan of a task, the first first."""
        return self._all(
            "SELECT number, agent_id AS agent, session_key, auto, state, raw, problem, outcome, started_at, ended_at "
            "FROM plannings WHERE task_id = ? ORDER BY number",
            (task,),
        )

    def subtasks(self, task: int) -> list[Row]:
        return self._all(
            "SELECT ref, title, state, agent_id AS agent FROM tasks WHERE parent_id = ? ORDER BY id", (task,)
        )

    def crew(self, task: int) -> list[Row]:
        """The agents that the task's plan asked for, and what became of it."""
        return self._all(
            "SELECT name, role, emoji, agent_id AS agent, problem FROM crew WHERE task_id = ? ORDER BY id",
            (task,),
        )

    def _attempt(self, row: Row) -> Row:
        runs = self._all("SELECT run_id FROM runs WHERE attempt_id = ? ORDER BY started_at", (row["id"],))
        rounds = self._all("SELECT * FROM rounds WHERE attempt_id = ? ORDER BY number", (row["id"],))
        wire = ("number", "session_key", "outcome", "started_at", "ended_at", "tokens", "cost_usd")
        return {
            **{key: row[key] for key in wire},
            "agent": row["agent_id"],
            "state": "ended" if row["ended_at"] else "open",
            "run_ids": [run["run_id"] for run in runs],
            "rounds": [self._round(one) for one in rounds],
        }

    def _round(self, row: Row) -> Row:
        deliverables = self._all(
            "SELECT path, description, present, size, sha256, reported_at FROM deliverables WHERE round_id = ? "
            "ORDER BY id",
            (row["id"],),
        )
        checks = self._all(
            "SELECT name, command, exit_code, output, duration_ms, timed_out, started_at FROM check_results "
            "WHERE round_id = ? ORDER BY position",
            (row["id"],),
        )
        return {
            **{key: row[key] for key in ("number", "summary", "started_at", "submitted_at", "result")},
            "deliverables": [{**one, "present": bool(one["present"])} for one in deliverables],
            "checks": [
                {**one, "timed_out": bool(one["timed_out"]), "ok": one["exit_code"] == 0} for one in checks
            ],
            "reviews": self._all(
                "SELECT verdict, actor_kind, actor, reason, at FROM reviews WHERE round_id = ? ORDER BY id",
                (row["id"],),
            ),
            "review_requests": self._all(
                "SELECT number, agent_id AS agent, session_key, state, started_at, ended_at FROM review_requests "
                "WHERE round_id = ? ORDER BY number",
                (row["id"],),
            ),
        }
