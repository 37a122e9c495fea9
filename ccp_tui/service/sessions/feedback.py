"""Putting words for an agent into the outbox and into its transcript, in the caller's transaction."""

from __future__ import annotations

from typing import Any

from ccp_tui.service.reports.tokens import blanked
from ccp_tui.store import Store

Row = dict[str, Any]


def say(
    store: Store,
    session_key: str,
    agent: str,
    purpose: str,
    text: str,
    attempt: int | None = None,
    mode: str | None = None,
) -> None:
    """A message to a session of the board. ``purpose`` makes its key: the same purpose twice is the same message.

    ``mode``: what becomes of a run that goes on; it gets the message, unless told otherwise.
    """
    key = f"{session_key}:{purpose}"
    store.outbox.put(key, session_key, agent, text, attempt=attempt, mode=mode)
    store.messages.add_ours(session_key, blanked(text), key)


def send_back(store: Store, attempt: Row, purpose: str, text: str) -> None:
    """A message to the worker of an attempt."""
    say(store, attempt["session_key"], attempt["agent_id"], purpose, text, attempt["id"])
