"""The outbox: what the gateway must hear, committed before it does, with a key that stays the same over resends."""

from __future__ import annotations

import json

from ccp_tui import clock
from ccp_tui.model import Delivery
from ccp_tui.store.part import Part, Row


class Outbox(Part):
    table = "outbox"

    def put(
        self,
        key: str,
        session_key: str,
        agent: str,
        text: str,
        *,
        attempt: int | None = None,
        mode: str | None = None,
        attachments: list[str] | None = None,
    ) -> int:
        """A message to send. The same key again changes nothing: it is the same message."""
        known = self._value("SELECT id FROM outbox WHERE idempotency_key = ?", (key,))
        if known is not None:
            return int(known)
        row = {
            "idempotency_key": key,
            "session_key": session_key,
            "agent_id": agent,
            "text": text,
            "mode": mode,
        }
        paths = json.dumps(attachments or [], ensure_ascii=False)
        return self._insert({**row, "attempt_id": attempt, "attachments": paths, "created_at": clock.now()})

    def open(self) -> list[Row]:
        """What the gateway has not surely heard yet, the oldest first."""
        return self._all("SELECT * FROM outbox WHERE state IN ('pending', 'sending') ORDER BY id")

    def get(self, row: int) -> Row:
        return self._one("SELECT * FROM outbox WHERE id = ?", (row,), "there is no such outbox row")

    def mark(self, row: int, state: Delivery, *, run_id: str | None = None, error: str = "") -> None:
        changes: Row = {"state": state.value, "error": error}
        if run_id:
            changes["run_id"] = run_id
        if state is Delivery.SENT:
            changes["sent_at"] = clock.now()
        self._update(row, **changes)

    def void(self, attempt: int) -> list[str]:
        """Takes back what an ended attempt has not sent yet; the keys of these messages."""
        where = "WHERE attempt_id = ? AND state = 'pending'"
        rows = self._all(f"SELECT idempotency_key FROM outbox {where}", (attempt,))
        self._db.execute(f"UPDATE outbox SET state = 'void' {where}", (attempt,))
        return [row["idempotency_key"] for row in rows]

    def latest_of(self, attempt: int) -> Row | None:
        """The last message that was put for this attempt."""
        return self._first("SELECT * FROM outbox WHERE attempt_id = ? ORDER BY id DESC LIMIT 1", (attempt,))

    def unsent_of(self, attempt: int) -> bool:
        """Whether a message of this attempt is still on its way."""
        sql = "SELECT 1 FROM outbox WHERE attempt_id = ? AND state IN ('pending', 'sending') LIMIT 1"
        return self._value(sql, (attempt,)) is not None
