"""Questions to the person, whoever asked them and however, and the answers: stored before anybody hears them."""

from __future__ import annotations

import json
from typing import Any

from ccp_tui import clock
from ccp_tui.store.part import Part, Row

_SELECT = "SELECT q.*, t.ref FROM questions q LEFT JOIN tasks t ON t.id = q.task_id "


class Questions(Part):
    table = "questions"

    def ask(self, kind: str, source_key: str, session_key: str, agent: str, text: str, **columns: Any) -> int:
        """A question, once: the same ``source_key`` again is the same. Options: ``{id, label, description}``."""
        known = self._value("SELECT id FROM questions WHERE source_key = ?", (source_key,))
        if known is not None:
            return int(known)
        if "options" in columns:
            columns["options"] = json.dumps(columns["options"], ensure_ascii=False)
        base = {"kind": kind, "source_key": source_key, "session_key": session_key, "agent_id": agent}
        question = self._insert({**base, "text": text, "asked_at": clock.now(), **columns})
        self._touch(question)
        return question

    def answer(self, question: int, answer: Row | None, by: str) -> None:
        """Stores an answer ``{options: [{id, label}], text}``, or, with none, that the question was waived."""
        self._update(
            question,
            state="waived" if answer is None else "answered",
            answer=None if answer is None else json.dumps(answer, ensure_ascii=False),
            answered_by=by,
            answered_at=clock.now(),
        )
        self._touch(question)

    def gone(self, question: int) -> None:
        """Nobody waits for an answer any more; one that was given and not delivered stays to be read."""
        self._update(question, state="gone", answered_at=None)
        self._touch(question)

    def delivered(self, question: int) -> None:
        self._update(question, delivered_at=clock.now())
        self._touch(question)

    def get(self, question: int) -> Row:
        return _question(self._one(f"{_SELECT} WHERE q.id = ?", (question,), "there is no such question"))

    def known(self, source_key: str) -> Row | None:
        """The question that was asked by this, if it was."""
        return next(iter(self._rows("q.source_key = ?", source_key)), None)

    def of_request(self, request: str) -> list[Row]:
        """The questions of one request of the gateway, in the order in which it put them."""
        start = f"{request}:"
        return self._rows(
            "q.kind = 'gateway' AND substr(q.source_key, 1, length(?1)) = ?1 ORDER BY q.id", start
        )

    def select(self, *, task: int | None, state: str | None, limit: int) -> list[Row]:
        """The latest questions, of one task or of all, in one state or in any; the oldest of them first."""
        rows = self._rows(
            "(?1 IS NULL OR q.task_id = ?1) AND (?2 IS NULL OR q.state = ?2) ORDER BY q.id DESC LIMIT ?3",
            task,
            state,
            limit,
        )
        return rows[::-1]

    def open(self) -> list[Row]:
        return self._rows("q.state = 'open' ORDER BY q.id")

    def open_of_task(self, task: int) -> list[Row]:
        return self._rows("q.task_id = ? AND q.state = 'open' ORDER BY q.id", task)

    def of_task(self, task: int) -> list[Row]:
        return self._rows("q.task_id = ? ORDER BY q.id", task)

    def of_planning(self, planning: int) -> list[Row]:
        return self._rows("q.planning_id = ? ORDER BY q.id", planning)

    def of_session(self, session_key: str) -> list[Row]:
        return self._rows("q.session_key = ? ORDER BY q.id", session_key)

    def undelivered(self) -> list[Row]:
        """Answered or waived, and whoever asked has not heard it yet."""
        return self._rows("q.state IN ('answered', 'waived') AND q.delivered_at IS NULL ORDER BY q.id")

    def _rows(self, where: str, *values: object) -> list[Row]:
        return [_question(row) for row in self._all(f"{_SELECT} WHERE {where}", values)]

    def _touch(self, question: int) -> None:
        row = self._one("SELECT task_id, agent_id FROM questions WHERE id = ?", (question,), "no question")
        if row["task_id"]:
            self._touched.tasks.add(row["task_id"])
        if self._value("SELECT 1 FROM agents WHERE id = ?", (row["agent_id"],)):
            self._touched.agents.add(row["agent_id"])


def _question(row: Row) -> Row:
    decoded = {
        "options": json.loads(row["options"]),
        "answer": json.loads(row["answer"]) if row["answer"] else None,
    }
    return {**row, **decoded, "multiple": bool(row["multiple"]), "free": bool(row["free"])}
