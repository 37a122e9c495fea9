"""Rounds of an attempt: what was delivered, what the checks said, and the verdict, each bound to its round."""

from __future__ import annotations

from typing import Any

from ccp_tui import clock
from ccp_tui.model import Verdict
from ccp_tui.store.part import Part, Row


class Rounds(Part):
    table = "rounds"

    def start(self, attempt: int, task: int) -> int:
        """The next round of an attempt; its number."""
        number = int(
            self._value("SELECT coalesce(max(number), 0) + 1 FROM rounds WHERE attempt_id = ?", (attempt,))
        )
        self._insert({"attempt_id": attempt, "number": number, "started_at": clock.now()})
        self._touched.tasks.add(task)
        return number

    def current(self, attempt: int) -> Row:
        sql = "SELECT * FROM rounds WHERE attempt_id = ? ORDER BY number DESC LIMIT 1"
        return self._one(sql, (attempt,), "the attempt has no round")

    def task_of(self, round_id: int) -> int:
        """The task that a round belongs to."""
        sql = "SELECT a.task_id FROM rounds r JOIN attempts a ON a.id = r.attempt_id WHERE r.id = ?"
        return int(self._one(sql, (round_id,), "there is no such round")["task_id"])

    def of_attempt(self, attempt: int) -> list[Row]:
        return self._all("SELECT * FROM rounds WHERE attempt_id = ? ORDER BY number", (attempt,))

    def rejection(self, round_id: int) -> Row | None:
        """The verdict that sent a round back, if one did."""
        sql = "SELECT * FROM reviews WHERE round_id = ? AND verdict = 'reject' ORDER BY id DESC LIMIT 1"
        return self._first(sql, (round_id,))

    def submitted(self, round_id: int, summary: str) -> None:
        self._update(round_id, summary=summary, submitted_at=clock.now())

    def finish(self, round_id: int, result: str) -> None:
        self._update(round_id, result=result)

    def deliver(self, round_id: int, path: str, description: str, size: int, sha256: str) -> None:
        """A deliverable as it was found; reported again, it replaces what was known of it in this round."""
        row = {"round_id": round_id, "path": path, "description": description, "present": 1, "size": size}
        self._db.table("deliverables").upsert(
            {**row, "sha256": sha256, "reported_at": clock.now()}, pk=("round_id", "path")
        )

    def delivered(self, round_id: int) -> list[Row]:
        return self._all("SELECT * FROM deliverables WHERE round_id = ? ORDER BY id", (round_id,))

    def checked(self, round_id: int, position: int, result: dict[str, Any]) -> None:
        """The result of one check; run again (after a crash), it replaces the earlier one of this round."""
        row = {"round_id": round_id, "position": position, **result}
        self._db.table("check_results").upsert(row, pk=("round_id", "position"))

    def checks(self, round_id: int) -> list[Row]:
        return self._all("SELECT * FROM check_results WHERE round_id = ? ORDER BY position", (round_id,))

    def review(self, round_id: int, verdict: Verdict, actor_kind: str, actor: str, reason: str) -> None:
        row = {"round_id": round_id, "verdict": verdict.value, "actor_kind": actor_kind, "actor": actor}
        self._db.table("reviews").insert({**row, "reason": reason, "at": clock.now()})

    def reviews(self, attempt: int) -> list[Row]:
        """Every verdict on the rounds of an attempt, the first first, each with the number of its round."""
        return self._all(
            "SELECT v.*, r.number AS round FROM reviews v JOIN rounds r ON r.id = v.round_id "
            "WHERE r.attempt_id = ? ORDER BY v.id",
            (attempt,),
        )

    def reviewed_by(self, round_id: int, actor_kind: str) -> Row | None:
        """The verdict of this kind of judge on a round."""
        return self._first(
            "SELECT * FROM reviews WHERE round_id = ? AND actor_kind = ?", (round_id, actor_kind)
        )
