"""Plannings: one go each at the plan of a task, and the agents that an approved plan wants."""

from __future__ import annotations

from typing import Any

from ccp_tui import clock
from ccp_tui.store.part import Part, Row


class Plannings(Part):
    table = "plannings"

    def open(self, task: int, *, auto: bool) -> int:
        number = int(
            self._value("SELECT coalesce(max(number), 0) + 1 FROM plannings WHERE task_id = ?", (task,))
        )
        self._touched.tasks.add(task)
        return self._insert({"task_id": task, "number": number, "auto": int(auto), "started_at": clock.now()})

    def get(self, planning: int) -> Row:
        return self._one("SELECT * FROM plannings WHERE id = ?", (planning,), "there is no such planning")

    def of_task(self, task: int) -> Row | None:
        """The open planning of a task."""
        return self._first("SELECT * FROM plannings WHERE task_id = ? AND ended_at IS NULL", (task,))

    def latest(self, task: int) -> Row | None:
        return self._first("SELECT * FROM plannings WHERE task_id = ? ORDER BY number DESC LIMIT 1", (task,))

    def by_session(self, session_key: str) -> Row | None:
        return self._first("SELECT * FROM plannings WHERE session_key = ?", (session_key,))

    def open_ones(self) -> list[Row]:
        return self._all("SELECT * FROM plannings WHERE ended_at IS NULL ORDER BY id")

    def change(self, planning: int, **columns: Any) -> None:
        """Sets columns of an open planning."""
        self._update(planning, **columns)
        self._touched.tasks.add(self.get(planning)["task_id"])

    def end(self, planning: int, outcome: str) -> None:
        self.change(planning, state="ended", outcome=outcome, ended_at=clock.now())


class Crew(Part):
    table = "crew"

    def want(self, task: int, members: list[Row]) -> None:
        """The agents that the plan of ``task`` wants now, in place of those that an earlier version wanted.

        One that was made stays as it is; of one that was not, the plan's newest words count, and it is tried anew.
        """
        names = [member["name"] for member in members]
        for row in self.of(task):
            made = row["agent_id"] is not None and self._there(row["agent_id"])
            if row["name"] in names:
                member = members[names.index(row["name"])]
                self._update(row["id"], **({} if made else member), problem="")
            elif not made:
                self._db.execute("DELETE FROM crew WHERE id = ?", (row["id"],))
        known = {row["name"] for row in self.of(task)}
        for member in members:
            if member["name"] not in known:
                self._insert({"task_id": task, **member})
        self._touched.tasks.add(task)

    def _there(self, agent: str) -> bool:
        """Whether an agent was not deleted since."""
        return bool(self._value("SELECT 1 FROM agents WHERE id = ? AND deleted_at IS NULL", (agent,)))

    def find(self, member: int) -> Row | None:
        """One of them; None when the plan does not want it any more."""
        return self._first("SELECT * FROM crew WHERE id = ?", (member,))

    def of(self, task: int) -> list[Row]:
        return self._all("SELECT * FROM crew WHERE task_id = ? ORDER BY id", (task,))

    def wanted(self) -> list[Row]:
        """Those that do not exist yet, of tasks that still want them."""
        return self._all(
            "SELECT c.* FROM crew c JOIN tasks t ON t.id = c.task_id WHERE c.agent_id IS NULL "
            "AND t.state NOT IN ('done', 'cancelled') ORDER BY c.id"
        )

    def change(self, member: int, **columns: Any) -> None:
        self._update(member, **columns)
        self._touched.tasks.add(int(self._value("SELECT task_id FROM crew WHERE id = ?", (member,))))
