"""Putting words for a worker into the outbox and into its transcript, in the caller's transaction."""

from __future__ import annotations

from typing import Any

from ccp_tui.service.tokens import PLACEHOLDER
from ccp_tui.store import Store

Row = dict[str, Any]


def send_back(store: Store, attempt: Row, purpose: str, text: str) -> None:
    """A message to the attempt's session. ``purpose`` makes its key: the same purpose twice is the same message."""
    key = f"{attempt['session_key']}:{purpose}"
    store.outbox.put(key, attempt["session_key"], attempt["agent_id"], text, attempt=attempt["id"])
    store.messages.add_ours(attempt["session_key"], text.replace(PLACEHOLDER, "ccp_…"), key)
