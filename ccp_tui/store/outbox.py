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

    def open_in(self, session_key: str) -> list[Row]:
        """What the gateway has not surely heard yet in a session, the oldest first."""
        where = "session_key = ? AND state IN ('pending', 'sending')"
        return self._all(f"SELECT * FROM outbox WHERE {where} ORDER BY id", (session_key,))

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

    def void_session(self, session_key: str) -> list[str]:
        """Takes back what a session has not been sent yet; the keys of these messages."""
        where = "WHERE session_key = ? AND state = 'pending'"
        rows = self._all(f"SELECT idempotency_key FROM outbox {where}", (session_key,))
        self._db.execute(f"UPDATE outbox SET state = 'void' {where}", (session_key,))
        return [row["idempotency_key"] for row in rows]

    def has(self, key: str) -> bool:
        """Whether a message with this idempotency key was put."""
        return self._value("SELECT 1 FROM outbox WHERE idempotency_key = ?", (key,)) is not None

    def unsent_in(self, session_key: str) -> bool:
        """Whether a message of this session is still on its way."""
        sql = "SELECT 1 FROM outbox WHERE session_key = ? AND state IN ('pending', 'sending') LIMIT 1"
        return self._value(sql, (session_key,)) is not None

    def count_in(self, session_key: str, kind: str) -> int:
        """How many messages of a kind (``go-on``, for ``go-on-1`` and so on) were put for a session."""
        sql = "SELECT count(*) FROM outbox WHERE idempotency_key > ? AND idempotency_key < ?"
        return int(self._value(sql, (f"{session_key}:{kind}-", f"{session_key}:{kind}.")))

    def latest_in(self, session_key: str) -> Row | None:
        """The last message that was put for a session."""
        return self._first(
            "SELECT * FROM outbox WHERE session_key = ? ORDER BY id DESC LIMIT 1", (session_key,)
        )

    def sent_before(self, session_key: str, moment: str) -> list[Row]:
        """What the gateway acknowledged in a session before a moment, the oldest first."""
        return self._all(
            "SELECT * FROM outbox WHERE session_key = ? AND state = 'sent' AND sent_at < ? ORDER BY id",
            (session_key, moment),
        )

    def latest_but(self, session_key: str, kind: str) -> Row | None:
        """The last message that was put for a session, of those that are not of a kind (see :meth:`count_in`)."""
        return self._first(
            "SELECT * FROM outbox WHERE session_key = ?1 AND substr(idempotency_key, 1, length(?2)) <> ?2 "
            "ORDER BY id DESC LIMIT 1",
            (session_key, f"{session_key}:{kind}-"),
        )

    def latest_of(self, attempt: int) -> Row | None:
        """The last message that was put for this attempt."""
        return self._first("SELECT * FROM outbox WHERE attempt_id = ? ORDER BY id DESC LIMIT 1", (attempt,))

    def unsent_of(self, attempt: int) -> bool:
        """Whether a message of this attempt is still on its way."""
        sql = "SELECT 1 FROM outbox WHERE attempt_id = ? AND state IN ('pending', 'sending') LIMIT 1"
        return self._value(sql, (attempt,)) is not None
