"""Cards: a task as one row, with all that the board shows of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ccp_tui.store.errors import NotFound
from ccp_tui.store.part import Reader, Row

_SELECT = """
SELECT t.id, t.ref, t.title, t.state, t.priority, t.position, t.due, t.agent_id AS agent, a.name AS agent_name,
       a.emoji AS agent_emoji, m.slug AS mission, t.hold_kind, t.hold_reason, t.hold_since, t.hold_release,
       at.number AS attempt, t.queued_at, s.version AS spec_version, s.approved_at AS spec_approved_at,
       (SELECT max(number) FROM rounds r WHERE r.attempt_id = at.id) AS round,
       CASE WHEN at.ended_at IS NULL THEN at.session_key END AS session_key,
       t.auto, t.budget_tokens, t.budget_usd, p.ref AS parent, pl.state AS planning,
       (SELECT group_concat(n.ref, ' ') FROM dependencies d JOIN tasks n ON n.id = d.needs_id
          WHERE d.task_id = t.id AND n.state <> 'done') AS waits_for,
       (SELECT count(*) FROM tasks c WHERE c.parent_id = t.id AND c.state <> 'cancelled') AS subtasks,
       (SELECT count(*) FROM tasks c WHERE c.parent_id = t.id AND c.state = 'done') AS subtasks_done,
       (SELECT count(*) FROM questions q WHERE q.task_id = t.id AND q.state = 'open') AS questions,
       (SELECT q.agent_id FROM review_requests q JOIN rounds r ON r.id = q.round_id WHERE r.attempt_id = at.id
          AND q.ended_at IS NULL LIMIT 1) AS reviewer,
       (SELECT q.state FROM review_requests q JOIN rounds r ON r.id = q.round_id WHERE r.attempt_id = at.id
          AND r.number = (SELECT max(number) FROM rounds WHERE attempt_id = at.id)
          ORDER BY q.number DESC LIMIT 1) AS review,
       (SELECT coalesce(sum(x.tokens), 0) FROM sessions x WHERE x.task_id = t.id) AS tokens,
       (SELECT coalesce(sum(x.cost_usd), 0.0) FROM sessions x WHERE x.task_id = t.id) AS cost_usd,
       t.created_at, t.updated_at, t.state_since
FROM tasks t
JOIN missions m ON m.id = t.mission_id
LEFT JOIN agents a ON a.id = t.agent_id
LEFT JOIN tasks p ON p.id = t.parent_id
LEFT JOIN plannings pl ON pl.task_id = t.id AND pl.ended_at IS NULL
LEFT JOIN attempts at ON at.task_id = t.id AND at.number = (SELECT max(number) FROM attempts WHERE task_id = t.id)
LEFT JOIN specs s ON s.task_id = t.id AND s.version = (SELECT max(version) FROM specs WHERE task_id = t.id)
"""
_FILTERS = {"mission": "m.slug = ?", "state": "t.state = ?", "agent": "t.agent_id = ?"}


class Cards(Reader):
    def of(self, tasks: Collection[int]) -> list[Row]:
        marks = ", ".join("?" * len(tasks))
        return [
            _card(row) for row in self._all(f"{_SELECT} WHERE t.id IN ({marks}) ORDER BY t.id", list(tasks))
        ]

    def one(self, ref: str) -> Row:
        """The card of a ref, in any case. Raises NotFound."""
        row = self._first(f"{_SELECT} WHERE t.ref = upper(?)", (ref,))
        if row is None:
            raise NotFound(f"there is no task {ref}")
        return _card(row)

    def board(self) -> list[Row]:
        """Every card of the missions that are not archived."""
        return [_card(row) for row in self._all(f"{_SELECT} WHERE NOT m.archived ORDER BY t.position, t.id")]

    def select(
        self, filters: Mapping[str, str], *, held: bool | None = None, text: str = "", limit: int = 100_000
    ) -> list[Row]:
        """Cards by mission, state and agent; held or not; with a text in ref or title.

        Archived missions only by name.
        """
        clauses = [_FILTERS[name] for name in filters]
        values: list[Any] = list(filters.values())
        if "mission" not in filters:
            clauses.append("NOT m.archived")
        if held is not None:
            clauses.append("t.hold_kind IS " + ("NOT NULL" if held else "NULL"))
        if text:
            clauses.append("instr(lower(t.ref || ' ' || t.title), lower(?))")
            values.append(text)
        where = " AND ".join(clauses) or "1"
        sql = f"{_SELECT} WHERE {where} ORDER BY m.id, t.position, t.id LIMIT ?"
        return [_card(row) for row in self._all(sql, (*values, limit))]


def _card(row: Row) -> Row:
    hold = {key: row.pop(f"hold_{key}") for key in ("kind", "reason", "since", "release")}
    row["hold"] = hold if hold["kind"] else None
    row["queued"] = row.pop("queued_at") is not None
    row["spec_approved"] = row.pop("spec_approved_at") is not None
    row["auto"] = bool(row["auto"])
    row["waits_for"] = row["waits_for"].split(" ") if row["waits_for"] else []
    row["waiting"] = None
    row["activity"] = None
    return row
