"""Keeping transcripts: the gateway's history as rows of ours, each once, without any token in them."""

from __future__ import annotations

from typing import Any

from ccp_tui.gateway import RemoteMessage
from ccp_tui.model import MessageStatus
from ccp_tui.service.reports.tokens import hide
from ccp_tui.store import Store
from ccp_tui.text import clean

# A tool's output is kept up to this many characters: its beginning and its end.
LONGEST_OUTPUT = 16_000
_ROLES = {"user", "assistant", "tool", "system"}


def store_messages(store: Store, session_key: str, messages: list[RemoteMessage]) -> None:
    """Keeps what the history says of a session; what is kept already stays as it is."""
    for message in messages:
        if message.role == "tool" and message.tool_call_id:
            _store_result(store, session_key, message)
        elif message.role in _ROLES:
            _store_words(store, session_key, message)
    if any(message.usage for message in messages):
        # The session's own row counts the last run only; the answers tell all that was spent.
        spent = store.messages.totals(session_key)
        store.attempts.spent(session_key, spent["tokens"], spent["cost_usd"])
        store.sessions.spent(session_key, spent["tokens"], spent["cost_usd"])


def _store_words(store: Store, session_key: str, message: RemoteMessage) -> None:
    text = hide(clean(message.text)).strip()
    usage = None
    if message.usage:
        usage = dict(zip(("input", "output", "cost_usd"), message.usage, strict=True))
    if text or (usage and not message.tool_calls):
        store.messages.from_gateway(
            session_key,
            message.id or f"at:{message.at}:{message.role}",
            message.role,
            text,
            idempotency_key=message.idempotency_key,
            run_id=message.run_id,
            status=MessageStatus.PARTIAL if message.stop_reason == "aborted" else MessageStatus.FINAL,
            usage=usage,
            at=message.at or None,
        )
        usage = None
    for call_id, name, args in message.tool_calls:
        tool = {"call_id": call_id, "name": name, "args": _hidden(args), "output": None, "is_error": False}
        _store_tool(store, session_key, call_id, tool, message, usage)
        usage = None


def _store_result(store: Store, session_key: str, message: RemoteMessage) -> None:
    call_id = message.tool_call_id or ""
    output = shortened(hide(clean(message.text)))
    known = store.messages.tool_call(session_key, call_id) or {
        "call_id": call_id,
        "name": message.tool_name,
        "args": {},
    }
    tool = {**known, "output": output, "is_error": message.is_error}
    _store_tool(store, session_key, call_id, tool, message, None)


def _store_tool(
    store: Store,
    session_key: str,
    call_id: str,
    tool: dict[str, Any],
    message: RemoteMessage,
    usage: dict[str, Any] | None,
) -> None:
    known = store.messages.tool_call(session_key, call_id)
    if known and known["output"] is not None and tool["output"] is None:
        tool = {**tool, "output": known["output"], "is_error": known["is_error"]}
    store.messages.from_gateway(
        session_key,
        f"call:{call_id}",
        "tool",
        "",
        tool=tool,
        run_id=message.run_id,
        usage=usage,
        at=message.at or None,
    )


def shortened(text: str, most: int = LONGEST_OUTPUT) -> str:
    """The beginning and the end of a long text, with a word on what is left out."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return hide(clean(value))
    if isinstance(value, dict):
        return {str(key): _hidden(item) for key, item in value.items()}
    return [_hidden(item) for item in value] if isinstance(value, list) else value
