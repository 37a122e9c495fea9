"""Events: what happened, in order, for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ccp_tui import clock
from ccp_tui.lifecycle import Actor
from ccp_tui.store.part import Part, Row

_SELECT = (
    "SELECT e.*, t.ref AS task, m.slug AS mission FROM events e "
    "LEFT JOIN tasks t ON t.id = e.task_id LEFT JOIN missions m ON m.id = e.mission_id "
)
_FILTERS = {"mission": "m.slug", "task": "t.ref", "agent": "e.agent_id", "kind": "e.kind"}


class Events(Part):
    table = "events"

    def add(
        self,
        actor: Actor,
        kind: str,
        text: str,
        *,
        task: int | None = None,
        mission: int | None = None,
        agent: str | None = None,
        attempt: int | None = None,
        round: int | None = None,
        reason: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        """Records one event; ``text`` is a line for people, ``attempt`` and ``round`` are numbers, not ids."""
        if task is not None and mission is None:
            mission = self._value("SELECT mission_id FROM tasks WHERE id = ?", (task,))
        cursor = self._db.execute(
            "INSERT INTO events (at, actor_kind, actor, kind, task_id, mission_id, agent_id, attempt, round, text, "
            "reason, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(
                    clock.now(),
                    actor.kind.value,
                    actor.name,
                    kind,
                    task,
                    mission,
                    agent,
                    attempt,
                    round,
                    text,
                    reason,
                ),
                json.dumps(dict(data or {}), ensure_ascii=False),
            ),
        )
        event = int(cursor.lastrowid or 0)
        self._touched.events.add(event)
        return event

    def page(
        self,
        filters: Mapping[str, str] | None = None,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 200,
    ) -> list[Row]:
        """Events, oldest first: the latest before an id, or the first after one.

        Filters: mission, task, agent, kind.
        """
        clauses = ["e.id > ?", "e.id < ?"]
        values: list[int | str] = [after or 0, before if before is not None else 2**62]
        for name, wanted in (filters or {}).items():
            clauses.append(f"{_FILTERS[name]} = ?")
            values.append(wanted.upper() if name == "task" else wanted)
        order = "ASC" if after is not None else "DESC"
        sql = f"{_SELECT} WHERE {' AND '.join(clauses)} ORDER BY e.id {order} LIMIT ?"
        rows = [_event(row) for row in self._all(sql, (*values, limit))]
        return rows if after is not None else rows[::-1]

    def row(self, event: int) -> Row:
        return _event(self._one(_SELECT + " WHERE e.id = ?", (event,), "there is no such event"))


def _event(row: Row) -> Row:
    wire = (
        "id",
        "at",
        "actor",
        "actor_kind",
        "kind",
        "task",
        "mission",
        "attempt",
        "round",
        "text",
        "reason",
    )
    return {**{key: row[key] for key in wire}, "agent": row["agent_id"], "data": json.loads(row["data"])}
