"""Tasks: capture, edit, order, hold. The state is written by :meth:`Tasks.move`, and by nothing else."""

from __future__ import annotations

from typing import Any

from ccp_tui import clock
from ccp_tui.lifecycle import State
from ccp_tui.model import Hold, HoldKind
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
        self._touch_others(task)

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
        """Assigned tasks whose dispatch was asked for, by priority, due date, and order on the board."""
        # "+": through the index of the few that are queued, not of the many that are assigned.
        return self._all(
            "SELECT * FROM tasks WHERE queued_at IS NOT NULL AND +state = 'assigned' AND hold_kind IS NULL ORDER BY "
            "CASE priority WHEN 'urgent' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END, "
            "due IS NULL, due, position, queued_at, id"
        )

    def in_states(self, *states: State) -> list[Row]:
        marks = ", ".join("?" * len(states))
        return self._all(
            f"SELECT * FROM tasks WHERE state IN ({marks}) ORDER BY id", [s.value for s in states]
        )

    def running(self, mission: int | None = None) -> list[str]:
        """The refs that are worked on or checked now, in one mission or in all: what the limits count.

        One that is held and has no run does not count.
        """
        where = "" if mission is None else "AND t.mission_id = ?"
        rows = self._all(
            "SELECT t.ref FROM tasks t JOIN attempts a ON a.task_id = t.id AND a.ended_at IS NULL "
            "WHERE t.state IN ('in_progress', 'testing') AND (t.hold_kind IS NULL OR EXISTS "
            f"(SELECT 1 FROM runs r WHERE r.attempt_id = a.id AND r.state = 'running')) {where} ORDER BY t.id",
            () if mission is None else (mission,),
        )
        return [row["ref"] for row in rows]

    def spending(self) -> list[Row]:
        """The tasks for which something may run now: a worker, a planner, a reviewer or a sub-agent.

        A task that only waits for the person is none of them, however many there are.
        """
        return self._all(
            "SELECT t.* FROM tasks t WHERE t.state IN ('in_progress', 'testing') UNION "
            "SELECT t.* FROM plannings p JOIN tasks t ON t.id = p.task_id "
            "WHERE p.ended_at IS NULL AND p.state = 'planner' AND +t.state = 'planning' UNION "
            "SELECT t.* FROM review_requests q JOIN rounds r ON r.id = q.round_id "
            "JOIN attempts a ON a.id = r.attempt_id JOIN tasks t ON t.id = a.task_id "
            "WHERE q.ended_at IS NULL AND +t.state = 'review' UNION "
            "SELECT t.* FROM tasks t JOIN attempts a ON a.task_id = t.id JOIN runs r ON r.attempt_id = a.id "
            "WHERE r.state = 'running' AND a.ended_at IS NULL AND t.state = 'review' UNION "
            "SELECT t.* FROM sessions s JOIN tasks t ON t.id = s.task_id WHERE s.purpose = 'subagent' "
            "AND s.state = 'running' AND +t.state IN ('planning', 'review') ORDER BY 1"
        )

    def elsewhere(self) -> list[Row]:
        """Tasks whose state is not what the event of their last move says (``told``)."""
        return self._all(
            "SELECT * FROM (SELECT t.*, (SELECT json_extract(e.data, '$.state') FROM events e WHERE e.task_id = t.id "
            "AND json_extract(e.data, '$.state') IS NOT NULL ORDER BY e.id DESC LIMIT 1) AS told FROM tasks t) "
            "WHERE told IS NOT NULL AND told <> state ORDER BY id"
        )

    def held(self, *kinds: HoldKind) -> list[Row]:
        """The tasks that are held for one of these reasons."""
        marks = ", ".join("?" * len(kinds))
        return self._all(
            f"SELECT * FROM tasks WHERE hold_kind IN ({marks}) ORDER BY id", [kind.value for kind in kinds]
        )

    def wanting_agent(self) -> list[Row]:
        """Tasks whose newest spec is approved and that wait in Inbox for the agent that their plan names."""
        return self._all(
            "SELECT t.* FROM tasks t WHERE t.state = 'inbox' AND t.wanted_agent IS NOT NULL AND t.agent_id IS NULL "
            "AND (SELECT s.approved_at FROM specs s WHERE s.task_id = t.id ORDER BY s.version DESC LIMIT 1) "
            "IS NOT NULL ORDER BY t.id"
        )

    def captured_by(self, parent: int, since: str) -> int:
        """How many sub-tasks of a task were captured since a time: what its worker, and nobody else then, made."""
        sql = "SELECT count(*) FROM tasks WHERE parent_id = ? AND created_at >= ?"
        return int(self._value(sql, (parent, since)))

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

    def _touch_others(self, task: int) -> None:
        """The cards that show this task's state: the one it is a part of, and those that wait for it."""
        sql = (
            "SELECT parent_id AS id FROM tasks WHERE id = ?1 AND parent_id IS NOT NULL "
            "UNION SELECT task_id FROM dependencies WHERE needs_id = ?1"
        )
        self._touched.tasks.update(row["id"] for row in self._all(sql, (task,)))

    def _touch_agent(self, task: int) -> None:
        agent = self._value("SELECT agent_id FROM tasks WHERE id = ?", (task,))
        if agent:
            self._touched.agents.add(agent)
