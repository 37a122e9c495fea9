"""Versions of a task's spec. The newest counts; it must be approved before work starts."""

from __future__ import annotations

import json
from dataclasses import asdict

from ccp_tui import clock
from ccp_tui.spec import Spec
from ccp_tui.store.part import Part, Row

_LISTS = ("deliverables", "success_criteria", "checks", "constraints", "agents", "tasks", "assumptions")


class Specs(Part):
    table = "specs"

    def add(self, task: int, spec: Spec, author: str) -> int:
        """A new version, unapproved; its number. The same text again makes no new version."""
        newest = self.newest(task)
        if newest and newest["text"] == spec.text:
            return int(newest["version"])
        fields = asdict(spec)
        row: Row = {key: json.dumps(fields[key], ensure_ascii=False) for key in _LISTS}
        row |= {key: fields[key] for key in ("text", "title", "summary", "agent")}
        version = newest["version"] + 1 if newest else 1
        self._insert(
            {"task_id": task, "version": version, "author": author, "created_at": clock.now(), **row}
        )
        self._touched.tasks.add(task)
        return int(version)

    def approve(self, spec: int, task: int, actor: str) -> None:
        self._update(spec, approved_at=clock.now(), approved_by=actor)
        self._touched.tasks.add(task)

    def newest(self, task: int) -> Row | None:
        row = self._first("SELECT * FROM specs WHERE task_id = ? ORDER BY version DESC LIMIT 1", (task,))
        return _spec(row) if row else None

    def version(self, task: int, version: int) -> Row:
        row = self._one(
            "SELECT * FROM specs WHERE task_id = ? AND version = ?",
            (task, version),
            f"there is no spec version {version}",
        )
        return _spec(row)

    def approved(self, task: int) -> Row | None:
        """The newest approved version: what the running attempt works to."""
        sql = (
            "SELECT * FROM specs WHERE task_id = ? AND approved_at IS NOT NULL ORDER BY version DESC LIMIT 1"
        )
        row = self._first(sql, (task,))
        return _spec(row) if row else None

    def get(self, spec: int) -> Row:
        return _spec(self._one("SELECT * FROM specs WHERE id = ?", (spec,), "there is no such spec"))

    def versions(self, task: int) -> list[Row]:
        return self._all(
            "SELECT version, created_at, author, approved_at, approved_by FROM specs "
            "WHERE task_id = ? ORDER BY version",
            (task,),
        )


def _spec(row: Row) -> Row:
    return {**row, **{key: json.loads(row[key]) for key in _LISTS}}
