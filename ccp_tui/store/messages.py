"""Transcripts: what was said and which tools ran, as the gateway's history tells it, a row each."""

from __future__ import annotations

import json
from typing import Any

from ccp_tui import clock
from ccp_tui.model import MessageStatus
from ccp_tui.store.part import Part, Row

_SELECT = "SELECT m.*, s.agent_id FROM messages m JOIN sessions s ON s.session_key = m.session_key "

# Words come before the tool calls of the same message, which carry the same time.
_ORDER = "m.at, m.role = 'tool', m.id"


class Messages(Part):
    table = "messages"

    def add_ours(
        self, session_key: str, text: str, key: str, attachments: list[str] | None = None, role: str = "user"
    ) -> int:
        """A message of ours, stored before it is sent; its idempotency key finds it again in the history."""
        known = self._value("SELECT id FROM messages WHERE idempotency_key = ?", (key,))
        if known is not None:
            return int(known)
        return self._put(
            session_key,
            {
                "idempotency_key": key,
                "role": role,
                "text": text,
                "status": MessageStatus.SENDING.value,
                "attachments": json.dumps(attachments or [], ensure_ascii=False),
                "at": clock.now(),
            },
        )

    def from_gateway(
        self,
        session_key: str,
        gateway_key: str,
        role: str,
        text: str,
        *,
        idempotency_key: str | None = None,
        tool: dict[str, Any] | None = None,
        run_id: str | None = None,
        status: MessageStatus = MessageStatus.FINAL,
        usage: dict[str, Any] | None = None,
        at: str | None = None,
    ) -> int:
        """A row of the gateway's history, kept once however often it is told; ours is recognised by its key.

        Ours keeps our words: the gateway's have its own marks in them.
        """
        told = self._first(
            "SELECT * FROM messages WHERE session_key = ? AND gateway_key = ?", (session_key, gateway_key)
        )
        known = self._first("SELECT * FROM messages WHERE idempotency_key = ?", (idempotency_key,)) or told
        if known and told and told["id"] != known["id"]:
            self._forget(told["id"])  # it was told without our key before, and is ours
        fields: Row = {
            "gateway_key": gateway_key,
            "tool": _json(tool),
            "usage": _json(usage),
            "run_id": run_id,
        }
        if known is None:
            fields |= {"role": role, "text": text, "status": status.value, "at": at or clock.now()}
            return self._put(session_key, fields)
        changes = {key: value for key, value in fields.items() if value is not None and known[key] != value}
        ours = known["idempotency_key"] is not None
        if not ours and text and known["text"] != text:
            changes["text"] = text
        if ours and known["status"] in ("sending", "queued"):
            changes["status"] = MessageStatus.SENT.value
        if changes:
            self._change(known["id"], changes)
        return int(known["id"])

    def tool_call(self, session_key: str, call_id: str) -> Row | None:
        """What is kept of a tool call: its name, arguments and output."""
        sql = "SELECT tool FROM messages WHERE session_key = ? AND gateway_key = ?"
        tool = self._value(sql, (session_key, f"call:{call_id}"))
        return None if tool is None else dict(json.loads(tool))

    def set_status(self, key: str, status: MessageStatus) -> None:
        """What became of a message of ours."""
        row = self._first("SELECT id, status FROM messages WHERE idempotency_key = ?", (key,))
        if row and row["status"] != status.value:
            self._change(row["id"], {"status": status.value})

    def add_note(self, session_key: str, text: str, status: MessageStatus = MessageStatus.ERROR) -> int:
        """A line of the service itself in a transcript: a run that failed, a run that was aborted."""
        return self._put(
            session_key, {"role": "system", "text": text, "status": status.value, "at": clock.now()}
        )

    def page(self, session_key: str, *, before: int | None = None, limit: int = 50) -> tuple[list[Row], bool]:
        """The latest messages before one of them, oldest first, and whether there are more before them.

        In the order in which they were said, which is not always the order in which the gateway told of them.
        """
        until = ""
        values: list[str | int] = [session_key]
        if before is not None:
            until = f"AND ({_ORDER}) < (SELECT {_ORDER} FROM messages m WHERE m.id = ?) "
            values.append(before)
        descending = ", ".join(f"{term} DESC" for term in _ORDER.split(", "))
        rows = self._all(
            f"{_SELECT} WHERE m.session_key = ? {until} ORDER BY {descending} LIMIT ?", (*values, limit + 1)
        )
        return [_message(row) for row in reversed(rows[:limit])], len(rows) > limit

    def row(self, message: int) -> Row:
        return _message(self._one(_SELECT + "WHERE m.id = ?", (message,), "there is no such message"))

    def since_ours(self, session_key: str) -> list[Row]:
        """What came into a session after the last message of ours, in the order in which it was kept."""
        return self._all(
            "SELECT id, gateway_key, role, text, status FROM messages WHERE session_key = ?1 AND id > coalesce(("
            "SELECT max(id) FROM messages WHERE session_key = ?1 AND role = 'user' "
            "AND idempotency_key IS NOT NULL), 0) ORDER BY id",
            (session_key,),
        )

    def runs_in(self, session_key: str) -> list[str]:
        """The runs that said something in a session."""
        sql = "SELECT DISTINCT run_id FROM messages WHERE session_key = ? AND run_id IS NOT NULL"
        return [row["run_id"] for row in self._all(sql, (session_key,))]

    def totals(self, session_key: str) -> Row:
        """Tokens and dollars of a session, summed over its answers."""
        sql = (
            "SELECT coalesce(sum(json_extract(usage, '$.input') + json_extract(usage, '$.output')), 0) AS tokens, "
            "coalesce(sum(json_extract(usage, '$.cost_usd')), 0.0) AS cost_usd FROM messages "
            "WHERE session_key = ? AND usage IS NOT NULL"
        )
        return self._all(sql, (session_key,))[0]

    def _put(self, session_key: str, fields: Row) -> int:
        columns = ("session_key", *fields)
        marks = ", ".join("?" * len(columns))
        cursor = self._db.execute(
            f"INSERT INTO messages ({', '.join(columns)}) VALUES ({marks})", (session_key, *fields.values())
        )
        message = int(cursor.lastrowid or 0)
        self._touch(message, session_key)
        return message

    def _change(self, message: int, changes: Row) -> None:
        self._update(message, **changes)
        self._touched.messages.add(message)

    def _forget(self, message: int) -> None:
        self._db.execute("DELETE FROM messages WHERE id = ?", (message,))
        self._touched.messages.discard(message)

    def _touch(self, message: int, session_key: str) -> None:
        self._touched.messages.add(message)
        agent = self._value(
            "SELECT agent_id FROM sessions WHERE session_key = ? AND purpose = 'chat'", (session_key,)
        )
        if agent and self._value("SELECT 1 FROM agents WHERE id = ?", (agent,)):
            self._touched.agents.add(agent)


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _message(row: Row) -> Row:
    wire = ("id", "session_key", "role", "text", "run_id", "status", "at")
    decoded = {key: json.loads(row[key]) if row[key] else None for key in ("tool", "usage", "attachments")}
    return {**{key: row[key] for key in wire}, "agent": row["agent_id"], **decoded}
