"""What the gateway has, as we use it: agents, files, models, sessions, messages.

Read leniently: results carry more than the protocol's schema, and any field may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ccp_tui import clock

Json = dict[str, Any]


@dataclass(frozen=True)
class RemoteAgent:
    id: str
    name: str
    emoji: str = ""
    model: str | None = None
    workspace: str | None = None

    @classmethod
    def parse(cls, row: Json) -> RemoteAgent:
        identity = mapping(row.get("identity"))
        name = text(row.get("name")) or text(identity.get("name")) or text(row.get("id"))
        return cls(
            id=text(row.get("id")) or text(row.get("agentId")),
            name=name,
            emoji=text(identity.get("emoji")) or text(row.get("emoji")),
            model=model_name(row.get("model")),
            workspace=text(row.get("workspace")) or None,
        )


@dataclass(frozen=True)
class RemoteFile:
    """One of the agent's files. ``hash`` is SHA-256 in hex, for ``expected_hash``; ``missing``: not there yet."""

    name: str
    content: str
    hash: str | None
    missing: bool

    @classmethod
    def parse(cls, row: Json) -> RemoteFile:
        return cls(
            text(row.get("name")),
            text(row.get("content")),
            text(row.get("hash")) or None,
            row.get("missing") is True,
        )


@dataclass(frozen=True)
class RemoteModel:
    """``id`` is what an agent's model is set to: ``provider/model``."""

    id: str
    name: str
    provider: str

    @classmethod
    def parse(cls, row: Json) -> RemoteModel:
        provider, bare = text(row.get("provider")), text(row.get("id"))
        full = f"{provider}/{bare}" if provider and not bare.startswith(f"{provider}/") else bare
        return cls(full, text(row.get("name")) or bare, provider)


@dataclass(frozen=True)
class SessionRow:
    """What the gateway says of a session; ``raw`` is the whole row."""

    key: str
    agent_id: str
    status: str
    active_run_ids: tuple[str, ...]
    last_run_id: str | None
    last_error: str | None
    aborted_last_run: bool
    total_tokens: int
    cost_usd: float
    raw: Json

    @property
    def active(self) -> bool:
        """Whether a run is going on, or about to: the row's status says so before the run ids are there."""
        return bool(self.active_run_ids) or self.raw.get("hasActiveRun") is True or self.status == "running"

    @classmethod
    def parse(cls, row: Json) -> SessionRow:
        error = row.get("lastRunError")
        return cls(
            key=text(row.get("key")),
            agent_id=text(row.get("agentId")),
            status=text(row.get("status")),
            active_run_ids=tuple(text(run) for run in sequence(row.get("activeRunIds")) if text(run)),
            last_run_id=text(row.get("lastRunId")) or None,
            last_error=text(error) or text(mapping(error).get("message")) or None,
            aborted_last_run=row.get("abortedLastRun") is True,
            total_tokens=whole(row.get("totalTokens")),
            cost_usd=number(row.get("estimatedCostUsd")),
            raw=row,
        )


@dataclass(frozen=True)
class RemoteMessage:
    """One message of a session's history. ``usage`` is (input tokens, output tokens, cost in USD)."""

    id: str
    seq: int | None
    role: str
    text: str
    tool_calls: list[tuple[str, str, Json]]
    tool_call_id: str | None = None
    tool_name: str | None = None
    is_error: bool = False
    run_id: str | None = None
    idempotency_key: str | None = None
    usage: tuple[int, int, float] | None = None
    stop_reason: str | None = None
    model: str | None = None
    at: str = ""

    @classmethod
    def parse(cls, row: Json) -> RemoteMessage:
        marks = mapping(row.get("__openclaw"))
        role = text(row.get("role"))
        content = row.get("content")
        seq = marks.get("seq")
        return cls(
            id=text(marks.get("id")) or text(row.get("id")) or text(row.get("messageId")),
            seq=seq if isinstance(seq, int) else None,
            role="tool" if role == "toolResult" else role,
            text=content_text(content),
            tool_calls=_tool_calls(content),
            tool_call_id=text(row.get("toolCallId")) or None,
            tool_name=text(row.get("toolName")) or None,
            is_error=row.get("isError") is True,
            run_id=text(marks.get("runId")) or None,
            idempotency_key=_our_key(row, marks) if role == "user" else None,
            usage=_usage(row.get("usage")),
            stop_reason="aborted" if row.get("openclawAbort") else text(row.get("stopReason")) or None,
            model=model_name(row.get("model")),
            at=moment(row.get("timestamp")),
        )

    def joined(self, other: RemoteMessage) -> RemoteMessage:
        """This row and the next one as the one message that they are: the gateway may split words from tool calls."""
        return replace(
            other,
            text="\n\n".join(part for part in (self.text, other.text) if part),
            tool_calls=self.tool_calls + other.tool_calls,
            usage=other.usage or self.usage,
        )


@dataclass(frozen=True)
class InFlight:
    """The run that is going on in a session, with its words so far."""

    run_id: str
    text: str


@dataclass(frozen=True)
class History:
    """``pending``: input that waits for the running turn to end, as the gateway gives it. ``total``: all messages."""

    messages: list[RemoteMessage]
    pending: list[Json]
    in_flight: InFlight | None
    total: int
    has_more: bool = False

    @classmethod
    def parse(cls, body: Json) -> History:
        run = mapping(body.get("inFlightRun"))
        return cls(
            messages=messages_of(sequence(body.get("messages"))),
            pending=[mapping(item) for item in sequence(mapping(body.get("pendingInputs")).get("items"))],
            in_flight=InFlight(text(run.get("runId")), text(run.get("text")))
            if text(run.get("runId"))
            else None,
            total=whole(body.get("totalMessages")),
            has_more=body.get("hasMore") is True,
        )


@dataclass(frozen=True)
class SendAck:
    """``status``: started, in_flight (the key is running already) or ok (the key has finished before)."""

    run_id: str
    status: str


def messages_of(rows: Iterable[object]) -> list[RemoteMessage]:
    """The rows as messages; neighbours with the same id are one message."""
    messages: list[RemoteMessage] = []
    for row in rows:
        message = RemoteMessage.parse(mapping(row))
        if messages and message.id and messages[-1].id == message.id and messages[-1].role == message.role:
            messages[-1] = messages[-1].joined(message)
        else:
            messages.append(message)
    return messages


def model_name(value: object) -> str | None:
    """A model is given as a name, or as ``{primary, fallbacks}``."""
    return text(value) or text(mapping(value).get("primary")) or None


def content_text(content: object) -> str:
    """The words of a content: a string, or the text parts of a list, or a result that holds one of these."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return content_text(content.get("content") if "content" in content else content.get("text"))
    parts = (mapping(part) for part in sequence(content))
    return "\n\n".join(
        words for part in parts if part.get("type") in ("text", None) and (words := text(part.get("text")))
    )


def mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def whole(value: object) -> int:
    return (
        int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
        else 0
    )


def number(value: object) -> float:
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
        else 0.0
    )


def moment(value: object) -> str:
    """A gateway time (milliseconds, or text) in the product's format; empty when it can't be read."""
    try:
        if isinstance(value, str):
            return clock.stamp(datetime.fromisoformat(value))
        return clock.from_ms(number(value)) if number(value) > 0 else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _our_key(row: Json, marks: Json) -> str | None:
    """The key that we sent a message with: the gateway marks the row of the person with ``<our key>:user``."""
    return (text(row.get("idempotencyKey")) or text(marks.get("idempotencyKey"))).removesuffix(
        ":user"
    ) or None


def _tool_calls(content: object) -> list[tuple[str, str, Json]]:
    parts = (mapping(part) for part in sequence(content))
    return [
        (text(part.get("id")), text(part.get("name")), mapping(part.get("arguments")))
        for part in parts
        if part.get("type") == "toolCall"
    ]


def _usage(value: object) -> tuple[int, int, float] | None:
    usage = mapping(value)
    if not usage:
        return None
    return (
        whole(usage.get("input")),
        whole(usage.get("output")),
        number(mapping(usage.get("cost")).get("total")),
    )
