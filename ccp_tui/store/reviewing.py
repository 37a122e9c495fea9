"""Rounds that were given to a reviewer agent, and what delivered files held when they were."""

from __future__ import annotations

from typing import Any

from ccp_tui import clock
from ccp_tui.store.part import Part, Row


class ReviewRequests(Part):
    table = "review_requests"

    def open(self, round_id: int) -> int:
        """A new request for the verdict of an agent; its id."""
        number = int(
            self._value(
                "SELECT coalesce(max(number), 0) + 1 FROM review_requests WHERE round_id = ?", (round_id,)
            )
        )
        return self._insert({"round_id": round_id, "number": number, "started_at": clock.now()})

    def get(self, request: int) -> Row:
        return self._one(
            "SELECT * FROM review_requests WHERE id = ?", (request,), "there is no such review request"
        )

    def latest(self, round_id: int) -> Row | None:
        sql = "SELECT * FROM review_requests WHERE round_id = ? ORDER BY number DESC LIMIT 1"
        return self._first(sql, (round_id,))

    def of_round(self, round_id: int) -> list[Row]:
        return self._all("SELECT * FROM review_requests WHERE round_id = ? ORDER BY number", (round_id,))

    def by_token(self, token_hash: str) -> Row | None:
        return self._first("SELECT * FROM review_requests WHERE token_hash = ?", (token_hash,))

    def by_session(self, session_key: str) -> Row | None:
        return self._first("SELECT * FROM review_requests WHERE session_key = ?", (session_key,))

    def open_ones(self) -> list[Row]:
        return self._all("SELECT * FROM review_requests WHERE ended_at IS NULL ORDER BY id")

    def open_of(self, attempt: int) -> list[Row]:
        """The open requests of an attempt's rounds."""
        sql = (
            "SELECT q.* FROM review_requests q JOIN rounds r ON r.id = q.round_id "
            "WHERE r.attempt_id = ? AND q.ended_at IS NULL ORDER BY q.id"
        )
        return self._all(sql, (attempt,))

    def open_by(self, agent: str) -> list[Row]:
        """The open requests that an agent has, each with the ref of its task."""
        sql = (
            "SELECT q.*, t.ref FROM review_requests q JOIN rounds r ON r.id = q.round_id "
            "JOIN attempts a ON a.id = r.attempt_id JOIN tasks t ON t.id = a.task_id "
            "WHERE q.agent_id = ? AND q.ended_at IS NULL ORDER BY q.id"
        )
        return self._all(sql, (agent,))

    def void_since(self, since: str) -> list[str]:
        """The sessions of requests that were given up at or after a time."""
        sql = "SELECT session_key FROM review_requests WHERE state = 'void' AND ended_at >= ? AND session_key <> ''"
        return [row["session_key"] for row in self._all(sql, (since,))]

    def context(self, request: int) -> Row:
        """A request with its round, its attempt and its task, as far as a verdict and a prompt need them."""
        return self._one(
            "SELECT q.*, r.number AS round, r.attempt_id, a.number AS attempt, a.agent_id AS worker, a.ended_at AS "
            "attempt_ended, a.task_id, a.spec_id, q.round_id = (SELECT id FROM rounds WHERE attempt_id = a.id "
            "ORDER BY number DESC LIMIT 1) AS stands FROM review_requests q JOIN rounds r ON r.id = q.round_id "
            "JOIN attempts a ON a.id = r.attempt_id WHERE q.id = ?",
            (request,),
            "there is no such review request",
        )

    def change(self, request: int, **columns: Any) -> None:
        self._update(request, **columns)
        self._touch(request)

    def end(self, request: int, state: str) -> None:
        """``given``: there is a verdict; ``silent``: there is none; ``void``: none is wanted any more."""
        self._update(request, state=state, ended_at=clock.now())
        self._touch(request)

    def _touch(self, request: int) -> None:
        self._touched.tasks.add(
            int(
                self._value(
                    "SELECT a.task_id FROM review_requests q JOIN rounds r ON r.id = q.round_id "
                    "JOIN attempts a ON a.id = r.attempt_id WHERE q.id = ?",
                    (request,),
                )
            )
        )


class Contents(Part):
    table = "contents"

    def keep(self, sha256: str, text: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO contents (sha256, text) VALUES (?, ?)", (sha256, text))

    def text(self, sha256: str) -> str | None:
        """What a file of this hash held; None when it was not kept (too large, or no text)."""
        found = self._value("SELECT text FROM contents WHERE sha256 = ?", (sha256,))
        return None if found is None else str(found)
