"""The shapes of what the gateway tells of sessions and messages; field names and nesting are OpenClaw's."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from ccp_tui.gateway.demo.protocol import Json
from ccp_tui.gateway.demo.store import DEFAULT_AGENT, Agent, Session

PROVIDER = "demo"
MODELS: tuple[Json, ...] = (
    {"id": "scripted-1", "name": "Scripted 1", "provider": PROVIDER, "contextWindow": 200_000},
    {"id": "scripted-mini", "name": "Scripted Mini", "provider": PROVIDER, "contextWindow": 64_000},
)
DEFAULT_MODEL = f"{PROVIDER}/scripted-1"
# What the scripted models pretend to cost, in USD per token.
INPUT_PRICE, OUTPUT_PRICE = 1e-6, 5e-6


def now_ms() -> int:
    return int(time.time() * 1000)


def agent_row(agent: Agent) -> Json:
    """An agent as ``agents.list`` tells of it."""
    row: Json = {
        "id": agent.id,
        "name": agent.name,
        "workspace": agent.workspace,
        "workspaceGit": False,
        "model": {"primary": agent.model or DEFAULT_MODEL},
        "defaultPermissionMode": "full",
    }
    identity = {"name": agent.name, **({"emoji": agent.emoji} if agent.emoji else {})}
    return {**row, "identity": identity, "createdAt": agent.created_at_ms}


def session_row(session: Session, active_runs: Sequence[str]) -> Json:
    """A session as ``sessions.describe`` and ``sessions.changed`` tell of it."""
    kind = session.key.split(":", 2)[2]
    row: Json = {
        "key": session.key,
        "agentId": session.agent_id,
        "sessionId": session.session_id,
        "status": "running" if active_runs else session.status,
        "hasActiveRun": bool(active_runs),
        "activeRunIds": list(active_runs),
        "lastRunId": session.last_run_id,
        "lastRunError": session.last_run_error,
        "abortedLastRun": session.aborted_last_run,
        "startedAt": session.started_at_ms,
        "endedAt": session.ended_at_ms,
        "inputTokens": session.input_tokens,
        "outputTokens": session.output_tokens,
        "totalTokens": session.input_tokens + session.output_tokens,
        "estimatedCostUsd": round(session.cost, 8),
        "contextTokens": 200_000,
        "spawnedBy": session.spawned_by,
        "parentSessionKey": session.spawned_by,
        "subagentRole": "orchestrator" if session.spawned_by else None,
        "spawnDepth": 1 if session.spawned_by else 0,
        "classification": "subagent"
        if session.spawned_by
        else "main"
        if kind == DEFAULT_AGENT
        else "dashboard"
        if kind.startswith("dashboard:")
        else "custom",
        "modelProvider": PROVIDER,
        "model": DEFAULT_MODEL.split("/")[1],
        "createdAt": session.created_at_ms,
        "updatedAt": session.updated_at_ms,
        **session.settings,
    }
    return {name: value for name, value in row.items() if value is not None}


def _message(
    session: Session, role: str, content: Any, run_id: str | None, marks: Json, **fields: Any
) -> Json:
    where: Json = {"id": uuid.uuid4().hex[:12], "seq": len(session.rows) + 1}
    if run_id:
        where["runId"] = run_id
    return {
        "role": role,
        "content": content,
        "timestamp": now_ms(),
        **fields,
        "__openclaw": {**where, **marks},
    }


def user_message(
    session: Session, text: str, run_id: str | None, key: str | None, media: Sequence[Json] = ()
) -> Json:
    """What somebody wrote; ``key`` is the idempotency key of the call that brought it."""
    marks: Json = {"idempotencyKey": f"{key}:user"} if key else {}
    if media:
        marks["media"] = list(media)
    return _message(session, "user", text, run_id, marks)


def assistant_message(
    session: Session, text: str, run_id: str, *, usage: Json, stop_reason: str, call: Json | None = None
) -> Json:
    """What the agent said in one answer of its model, with the tool call that ends it, if one does."""
    parts: list[Json] = [{"type": "text", "text": text}] if text else []
    if call:
        parts.append({"type": "toolCall", **call})
    fields = {
        "usage": usage,
        "stopReason": stop_reason,
        "provider": PROVIDER,
        "model": DEFAULT_MODEL.split("/")[1],
    }
    return _message(session, "assistant", parts, run_id, {}, **fields)


def injected_message(session: Session, text: str, run_id: str | None, **fields: Any) -> Json:
    """An assistant row that the gateway itself wrote: the words of an aborted run, the answer to a command."""
    parts = [{"type": "text", "text": text}]
    return _message(
        session, "assistant", parts, run_id, {}, model="gateway-injected", stopReason="stop", **fields
    )


def tool_message(
    session: Session, run_id: str, call: Json, text: str, details: Json, *, is_error: bool
) -> Json:
    return _message(
        session,
        "toolResult",
        [{"type": "text", "text": text}],
        run_id,
        {},
        toolCallId=call["id"],
        toolName=call["name"],
        details=details,
        isError=is_error,
    )


def usage(prompt_characters: int, words: int) -> Json:
    """What an answer pretends to have used: about a token per four characters read and per word written."""
    read, written = max(1, prompt_characters // 4), max(1, words)
    cost = {"input": read * INPUT_PRICE, "output": written * OUTPUT_PRICE}
    return {
        "input": read,
        "output": written,
        "cacheRead": 0,
        "cacheWrite": 0,
        "totalTokens": read + written,
        "cost": {**cost, "total": round(cost["input"] + cost["output"], 8)},
    }
