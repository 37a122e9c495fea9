"""The service's nouns as it sends them, for the fakes of every room: what they do not say is as plain as it can be."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def card(id: int, ref: str, at: str, **more: Any) -> Json:
    """A task in the inbox, captured at a time and not touched since."""
    row: Json = {
        "id": id, "ref": ref, "title": "A task", "state": "inbox", "priority": "normal", "position": float(id),
        "due": None, "agent": None, "agent_name": None, "agent_emoji": None, "mission": "web", "hold": None,
        "attempt": None, "round": None, "queued": False, "waiting": None, "spec_version": None, "spec_approved": False,
        "session_key": None, "activity": None, "auto": False, "parent": None, "planning": None, "waits_for": [],
        "subtasks": 0, "subtasks_done": 0, "questions": 0, "reviewer": None, "tokens": 0, "cost_usd": 0.0,
        "budget_tokens": None, "budget_usd": None, "created_at": at, "updated_at": at, "state_since": at,
    }  # fmt: skip
    return row | more


def health(at: str, **gateway: Any) -> Json:
    """A service that has run since a time, with the gateway connected; ``gateway`` changes the latter."""
    link: Json = {"state": "connected", "url": "ws://127.0.0.1:18789", "detail": "", "fix": "", "version": "2026.11.1",
                  "since": at, "retry_at": None}  # fmt: skip
    service = {"pid": 7, "version": "0.1.0", "home": "/home/ccp", "started_at": at, "demo": False}
    return {"service": service, "gateway": link | gateway, "emergency": None}
