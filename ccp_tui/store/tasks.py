"""Tasks: capture, edit, order, hold. The state is written by :meth:`Tasks.move`, and by nothing else."""

from __future__ import annotations

from typing import Any

from ccp_tui import clock
from ccp_tui.lifecycle import State
from ccp_tui.model import Hold
from ccp_tui.store.errors import NotFound
from ccp_tui.store.part import Part, Row


class Tasks(Part):
    table = "tasks"

    def capture(self, state: State, mission: int, ref: str, title: str, **columns: Any) -> int:
        """A new task in the state that the lifecycle gave it."""
        now = clock.now()
        base = {"mission_id": mission, "ref": ref, "title": title, "state": state.value, "state_since": now}
        times = {"position": self._bottom(mission, state), "created_at": now, "updated_at": now}
        task = self._insert({**base, **columns, **times})
        self._touch(task, mission)
        return task

    def move(self, task: int, target: State) -> None:
        """Writes the state that the lifecycle decided; the card goes to the bottom of its new column."""
        row = self.get(task)
        if row["state"] == target:
            return
        now = clock.now()
        bottom = self._bottom(row["mission_id"], target)
        self._db.execute(
            "UPDATE tasks SET state = ?, state_since = ?, position = ?, updated_at = ? WHERE id = ?",
            (target.value, now, bottom, now, task),
        )
        self._touch(task, row["mission_id"])
        self._touch_agent(task)

    def edit(self, task: int, **columns: Any) -> None:
        """Sets columns other than the state."""
        if "state" in columns:
            raise ValueError("the state is moved through the lifecycle, not edited")
        self._update(task, **columns, updated_at=clock.now())
        self._touched.tasks.add(task)
        self._touch_agent(task)

    def hold(self, task: int, hold: Hold | None) -> bool:
        """Sets or releases the hold; False when nothing changed, so that nobody is told twice."""
        row = self.get(task)
        if hold is None:
            if row["hold_kind"] is None:
                return False
            self.edit(task, hold_kind=None, hold_reason=None, hold_release=None, hold_since=None)
            return True
        if (row["hold_kind"], row["hold_reason"]) == (hold.kind.value, hold.reason):
            return False
        self.edit(
            task,
            hold_kind=hold.kind.value,
            hold_reason=hold.reason,
            hold_release=hold.release,
            hold_since=clock.now(),
        )
        return True

    def place(self, task: int, *, before: int | None, after: int | None) -> None:
        """Puts a card before or after another of its column. Raises NotFound when they share no column."""
        row = self.get(task)
        other = self.get(before if before is not None else after or 0)
        if (row["mission_id"], row["state"]) != (other["mission_id"], other["state"]):
            raise NotFound(f"{other['ref']} is not in the column of {row['ref']}")
        sign, order = ("<", "DESC") if before is not None else (">", "ASC")
        sql = (
            f"SELECT position FROM tasks WHERE mission_id = ? AND state = ? AND position {sign} ? AND id <> ? "
            f"ORDER BY position {order} LIMIT 1"
        )
        edge = self._value(sql, (row["mission_id"], row["state"], other["position"], task))
        step = -1.0 if before is not None else 1.0
        position = (other["position"] + edge) / 2 if edge is not None else other["position"] + step
        if position in (edge, other["position"]):
            self._spread(row["mission_id"], row["state"])
            return self.place(task, before=before, after=after)
        self.edit(task, position=position)

    def get(self, task: int) -> Row:
        return self._one("SELECT * FROM tasks WHERE id = ?", (task,), "there is no such task")

    def by_ref(self, ref: str) -> Row:
        """The task with this ref, in any case. Raises NotFound."""
        return self._one("SELECT * FROM tasks WHERE ref = upper(?)", (ref,), f"there is no task {ref}")

    def queued(self) -> list[Row]:
        """Assigned tasks whose dispatch was asked for, the most pressing first: priority, due date, order asked."""
        # "+": through the index of the few that are queued, not of the many that are assigned.
        return self._all(
            "SELECT * FROM tasks WHERE queued_at IS NOT NULL AND +state = 'assigned' AND hold_kind IS NULL ORDER BY "
            "CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END, "
            "due IS NULL, due, queued_at"
        )

    def in_states(self, *states: State) -> list[Row]:
        marks = ", ".join("?" * len(states))
        return self._all(
            f"SELECT * FROM tasks WHERE state IN ({marks}) ORDER BY id", [s.value for s in states]
        )

    def counts(self) -> dict[str, int]:
        """Tasks by state, over the missions that are not archived; every state is there."""
        rows = self._all(
            "SELECT state, count(*) AS n FROM tasks JOIN missions m ON m.id = mission_id WHERE NOT m.archived "
            "GROUP BY state"
        )
        return {state.value: 0 for state in State} | {row["state"]: row["n"] for row in rows}

    def _bottom(self, mission: int, state: State) -> float:
        sql = "SELECT max(position) FROM tasks WHERE mission_id = ? AND state = ?"
        return float(self._value(sql, (mission, state.value)) or 0.0) + 1.0

    def _spread(self, mission: int, state: str) -> None:
        """Renumbers a column when halving positions has used up the precision of a double."""
        sql = "SELECT id FROM tasks WHERE mission_id = ? AND state = ? ORDER BY position, id"
        for position, row in enumerate(self._all(sql, (mission, state)), start=1):
            self.edit(row["id"], position=float(position))

    def _touch(self, task: int, mission: int) -> None:
        self._touched.tasks.add(task)
        self._touched.missions.add(mission)

    def _touch_agent(self, task: int) -> None:
        agent = self._value("SELECT agent_id FROM tasks WHERE id = ?", (task,))
        if agent:
            self._touched.agents.add(agent)
