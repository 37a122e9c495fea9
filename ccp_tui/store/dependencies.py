"""Dependencies between tasks: a task starts when every task it needs is done."""

from __future__ import annotations

from ccp_tui.store.errors import Conflict
from ccp_tui.store.part import Part, Row


class Dependencies(Part):
    table = "dependencies"

    def add(self, task: int, needs: int) -> bool:
        """``task`` waits for ``needs`` from here on; False when it did. Raises Conflict for a circle."""
        if circle := self.path(needs, task):
            raise Conflict(f"that would be a circle: {' needs '.join([*circle, circle[0]])}")
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO dependencies (task_id, needs_id) VALUES (?, ?)", (task, needs)
        )
        self._touched.tasks.add(task)
        return cursor.rowcount > 0

    def remove(self, task: int, needs: int) -> bool:
        cursor = self._db.execute(
            "DELETE FROM dependencies WHERE task_id = ? AND needs_id = ?", (task, needs)
        )
        self._touched.tasks.add(task)
        return cursor.rowcount > 0

    def of(self, task: int) -> list[Row]:
        """What a task needs: id, ref, title and state of each."""
        return self._all(
            "SELECT t.id, t.ref, t.title, t.state FROM dependencies d JOIN tasks t ON t.id = d.needs_id "
            "WHERE d.task_id = ? ORDER BY t.id",
            (task,),
        )

    def unmet(self, task: int) -> list[Row]:
        """Of what a task needs, all that is not done."""
        return [row for row in self.of(task) if row["state"] != "done"]

    def unmet_of_queued(self) -> dict[int, tuple[str, ...]]:
        """Of all tasks whose dispatch was asked for: by task, the refs of what it needs that is not done."""
        found: dict[int, tuple[str, ...]] = {}
        for row in self._all(
            "SELECT d.task_id AS id, n.ref FROM tasks t CROSS JOIN dependencies d ON d.task_id = t.id "
            "JOIN tasks n ON n.id = d.needs_id WHERE t.queued_at IS NOT NULL AND +n.state <> 'done' ORDER BY n.id"
        ):
            found[row["id"]] = (*found.get(row["id"], ()), row["ref"])
        return found

    def dependants(self, task: int) -> list[Row]:
        """The tasks that need this one, as whole rows."""
        return self._all(
            "SELECT t.* FROM dependencies d JOIN tasks t ON t.id = d.task_id WHERE d.needs_id = ? ORDER BY t.id",
            (task,),
        )

    def of_dependants(self, task: int) -> list[Row]:
        """The tasks that need this one: id, ref, title and state of each."""
        return [{key: row[key] for key in ("id", "ref", "title", "state")} for row in self.dependants(task)]

    def at_stake(self) -> list[Row]:
        """The tasks, as whole rows, for which something may follow from what they need.

        Those that are held for it, that need a cancelled task, that are worked on or reviewed while something is not
        done, and that are worked on while something was done anew.
        """
        return self._all(
            "SELECT t.* FROM tasks t WHERE t.hold_kind = 'dependency' AND t.state NOT IN ('done', 'cancelled') UNION "
            "SELECT t.* FROM tasks n JOIN dependencies d ON d.needs_id = n.id JOIN tasks t ON t.id = d.task_id "
            "WHERE n.state = 'cancelled' AND +t.state NOT IN ('done', 'cancelled') UNION "
            "SELECT t.* FROM tasks t JOIN dependencies d ON d.task_id = t.id JOIN tasks n ON n.id = d.needs_id "
            "WHERE t.state IN ('in_progress', 'testing', 'review') AND +n.state <> 'done' UNION "
            "SELECT t.* FROM tasks t JOIN attempts a ON a.task_id = t.id AND a.ended_at IS NULL "
            "JOIN dependencies d ON d.task_id = t.id JOIN attempts m ON m.task_id = d.needs_id "
            "WHERE t.state = 'in_progress' AND m.outcome = 'done' AND m.ended_at > a.started_at ORDER BY 1"
        )

    def path(self, task: int, target: int) -> list[str]:
        """The refs from ``task`` to ``target`` along what each needs; empty when there is no such way."""
        row = self._first(
            "WITH RECURSIVE way (id, refs) AS (SELECT id, ref FROM tasks WHERE id = ?1 UNION "
            "SELECT t.id, way.refs || char(10) || t.ref FROM way JOIN dependencies d ON d.task_id = way.id "
            "JOIN tasks t ON t.id = d.needs_id WHERE length(way.refs) < 20000) "
            "SELECT refs FROM way WHERE id = ?2 LIMIT 1",
            (task, target),
        )
        return str(row["refs"]).split("\n") if row else []
