"""Event frames of the gateway as small typed events, with what comes twice taken out.

The gateway tells a run twice (``chat`` for readers, ``agent`` for the machinery); words and ends are taken from
``chat``, tools and the waiting for approvals from ``agent`` or ``session.tool``. ``payload.seq`` skips numbers by
design and is not used.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any

from ccp_tui import wire
from ccp_tui.gateway.nouns import Json, RemoteMessage, content_text, mapping, sequence, text, whole

# The kinds and causes of a failed run that pass by themselves.
_TEMPORARY = ("timeout", "rate_limit", "overloaded", "server_error", "empty_response")

# Remembered tool calls and ended runs; the oldest are forgotten, so a flood can't grow them.
REMEMBERED = 4096


@dataclass(frozen=True)
class GatewayEvent:
    """What all events carry; empty where the gateway does not say."""

    session_key: str
    run_id: str
    agent_id: str


@dataclass(frozen=True)
class RunDelta(GatewayEvent):
    """The whole text of the run so far: each delta replaces the one before."""

    text: str


@dataclass(frozen=True)
class RunStatus(GatewayEvent):
    """``phase``: preparing_workspace, preparing_context, starting_model, start, waiting-approval and the like."""

    phase: str


@dataclass(frozen=True)
class RunFinal(GatewayEvent):
    """The run ended. ``text`` is None when it said nothing of its own: it was steered into another run, or queued."""

    text: str | None
    stop_reason: str | None


@dataclass(frozen=True)
class RunAborted(GatewayEvent):
    stop_reason: str | None
    text: str | None


@dataclass(frozen=True)
class RunFailed(GatewayEvent):
    """``message`` is the gateway's own, sanitised: the provider's words are not in it.

    ``kind`` is one of refusal, timeout, rate_limit, context_length, unknown, or nothing: most failures have none.
    ``cause`` is finer, where the provider was asked at all: server_error, overloaded, auth, billing, format and so on
    (``errorKind`` and ``errorDetail.failoverReason`` in gateway/protocol/rpc-bootstrap-and-events.md).
    """

    message: str
    kind: str | None
    cause: str = ""

    @property
    def temporary(self) -> bool:
        """Whether the same again may do: the provider is busy or broken, and not at odds with what it was asked."""
        return self.kind in _TEMPORARY or (self.kind in (None, "unknown") and self.cause in _TEMPORARY)

    @property
    def superseded(self) -> bool:
        """The gateway took up a changed configuration just then; the model was not asked, the same again will do."""
        return "was superseded" in self.message


@dataclass(frozen=True)
class ToolEvent(GatewayEvent):
    """One step of a tool call. ``output`` is everything so far (update) or at the end (result)."""

    call_id: str
    name: str
    phase: str
    args: Json | None
    output: str | None
    is_error: bool
    parent_call_id: str | None = None


@dataclass(frozen=True)
class MessageAdded(GatewayEvent):
    """A row was added to a session's history."""

    message: RemoteMessage


@dataclass(frozen=True)
class SessionChanged(GatewayEvent):
    """``row`` has the session's fields at its top, as the gateway sends them."""

    row: Json
    reason: str


@dataclass(frozen=True)
class SubagentChanged(GatewayEvent):
    """A sub-agent that a run of ``session_key`` spawned came into being, went on or ended (event ``task``).

    ``key`` is its own session, ``run_id`` its run, ``label`` how its prompt begins, ``words`` what it said last.
    ``status`` is the gateway's: queued, running, completed, failed, cancelled and the like.
    """

    key: str
    label: str
    status: str
    words: str

    @property
    def over(self) -> bool:
        """Whether it ended, well or not."""
        return self.status not in ("queued", "running")


@dataclass(frozen=True)
class ApprovalRequested(GatewayEvent):
    id: str
    request: Json
    expires_at_ms: int


@dataclass(frozen=True)
class ApprovalResolved(GatewayEvent):
    id: str
    decision: str


@dataclass(frozen=True)
class QuestionRequested(GatewayEvent):
    id: str
    questions: list[Json]
    expires_at_ms: int


@dataclass(frozen=True)
class QuestionResolved(GatewayEvent):
    id: str


@dataclass(frozen=True)
class AgentsChanged(GatewayEvent):
    """Something of the agents may have changed: ask for the list."""


@dataclass(frozen=True)
class GatewayShutdown(GatewayEvent):
    reason: str


class Reader:
    """Turns frames into events; remembers just enough to leave out repetitions."""

    def __init__(self, counters: Counter[str] | None = None) -> None:
        self.counters: Counter[str] = counters if counters is not None else Counter()
        self._tools: OrderedDict[tuple[str, str], str | None] = OrderedDict()
        self._ended: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._texts: OrderedDict[str, str] = OrderedDict()

    def read(self, frame: wire.Event) -> list[GatewayEvent]:
        """The events in a frame: none for what is unknown, uninteresting or malformed. Never raises."""
        try:
            return self._read(frame.name, frame.payload)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            self.counters["bad_events"] += 1
            return []

    def _read(self, name: str, payload: Json) -> list[GatewayEvent]:
        match name:
            case "chat":
                return self._chat(payload)
            case "agent":
                return self._agent(payload)
            case "session.tool":
                return self._tool(payload)
            case "session.message":
                message = RemoteMessage.parse(mapping(payload.get("message")))
                return (
                    [MessageAdded(**_where(payload, message.run_id), message=message)] if message.role else []
                )
            case "sessions.changed":
                reason = text(payload.get("reason")) or text(payload.get("phase"))
                return [SessionChanged(**_where(payload), row=payload, reason=reason)]
            case "task":
                return self._task(mapping(payload.get("task")))
            case "exec.approval.requested":
                request = mapping(payload.get("request"))
                where, expires = _where(request), whole(payload.get("expiresAtMs"))
                return [
                    ApprovalRequested(
                        **where, id=text(payload.get("id")), request=request, expires_at_ms=expires
                    )
                ]
            case "exec.approval.resolved":
                where = _where(mapping(payload.get("request")) or payload)
                return [
                    ApprovalResolved(
                        **where, id=text(payload.get("id")), decision=text(payload.get("decision"))
                    )
                ]
            case "question.requested":
                questions = [mapping(question) for question in sequence(payload.get("questions"))]
                where, expires = _where(payload), whole(payload.get("expiresAtMs"))
                return [
                    QuestionRequested(
                        **where, id=text(payload.get("id")), questions=questions, expires_at_ms=expires
                    )
                ]
            case "question.resolved":
                return [QuestionResolved(**_where(payload), id=text(payload.get("id")))]
            case "config.changed" | "chat.metadata.changed":
                return [AgentsChanged(**_where(payload))]
            case "shutdown":
                return [GatewayShutdown(**_where({}), reason=text(payload.get("reason")))]
        self.counters[f"unused:{name[:60]}" if len(self.counters) < 500 else "unused"] += 1
        return []

    def _task(self, task: Json) -> list[GatewayEvent]:
        """An entry of the gateway's ledger of background work; only sub-agents are of interest."""
        child = text(task.get("childSessionKey"))
        if text(task.get("kind")) != "subagent" or not child:
            return []
        return [
            SubagentChanged(
                **_where(task),
                key=child,
                label=text(task.get("label")) or text(task.get("title")),
                status=text(task.get("status")),
                words=text(task.get("progressSummary")) or text(task.get("lastActivity")),
            )
        ]

    def _chat(self, payload: Json) -> list[GatewayEvent]:
        where = _where(payload)
        state, message = text(payload.get("state")), payload.get("message")
        words = content_text(mapping(message).get("content")) if isinstance(message, dict) else None
        stop = text(payload.get("stopReason")) or None
        run = where["run_id"]
        if state == "status":
            return [RunStatus(**where, phase=text(payload.get("phase")))]
        if state == "delta":
            return [RunDelta(**where, text=self._text_so_far(run, words, payload))]
        self._texts.pop(run, None)
        if state in ("final", "aborted", "error") and not self._first_end(run, state):
            return []
        match state:
            case "final":
                return [RunFinal(**where, text=words or None, stop_reason=stop)]
            case "aborted":
                return [RunAborted(**where, stop_reason=stop, text=words or None)]
            case "error":
                reason = text(payload.get("errorMessage")) or "the run failed without a reason"
                kind = text(payload.get("errorKind")) or None
                cause = text(mapping(payload.get("errorDetail")).get("failoverReason"))
                return [RunFailed(**where, message=reason, kind=kind, cause=cause)]
        self.counters["unknown_chat_states"] += 1
        return []

    def _text_so_far(self, run: str, words: str | None, payload: Json) -> str:
        """The cumulative text of a delta; put together here for a gateway that sends only the new words."""
        if words is not None:
            return words
        delta = text(payload.get("deltaText"))
        so_far = delta if payload.get("replace") is True else self._texts.pop(run, "") + delta
        _remember(self._texts, run, so_far)
        return so_far

    def _first_end(self, run: str, state: str) -> bool:
        """False for the second report of the same end (a failure is told twice)."""
        if (run, state) in self._ended:
            self.counters["repeated_ends"] += 1
            return False
        _remember(self._ended, (run, state), None)
        return True

    def _agent(self, payload: Json) -> list[GatewayEvent]:
        data = mapping(payload.get("data"))
        match text(payload.get("stream")):
            case "tool":
                return self._tool(payload)
            case "lifecycle" if data.get("phase") in (
                "start",
                "waiting-approval",
                "approval-resolved",
                "fallback_step",
            ):
                return [RunStatus(**_where(payload), phase=text(data.get("phase")))]
        return []

    def _tool(self, payload: Json) -> list[GatewayEvent]:
        data = mapping(payload.get("data")) or payload
        call, phase = text(data.get("toolCallId")), text(data.get("phase"))
        if not call or phase not in ("start", "update", "result"):
            self.counters["bad_events"] += 1
            return []
        result = data.get("result") if phase == "result" else data.get("partialResult")
        output = _output(result) if result is not None else None
        # The same step comes as `agent` to the one who started the run and as `session.tool` to subscribers.
        if (call, phase) in self._tools and (phase != "update" or self._tools[call, phase] == output):
            self.counters["repeated_tools"] += 1
            return []
        if phase == "update" and (call, "result") in self._tools:
            return []
        _remember(self._tools, (call, phase), output if phase == "update" else None)
        args = data.get("args")
        return [
            ToolEvent(
                **_where(payload),
                call_id=call,
                name=text(data.get("name")),
                phase=phase,
                args=args if isinstance(args, dict) else None,
                output=output,
                is_error=data.get("isError") is True,
                parent_call_id=text(data.get("parentToolCallId")) or None,
            )
        ]


def _output(result: object) -> str:
    """The words of a tool's result; a result without words as JSON."""
    words = content_text(result)
    if not words:
        words = text(mapping(mapping(result).get("details")).get("aggregated"))
    if not words and result and not sequence(mapping(result).get("content")):
        words = json.dumps(result, ensure_ascii=False)
    return words


def _where(payload: Json, run_id: str | None = None) -> dict[str, Any]:
    key = text(payload.get("sessionKey")) or text(payload.get("key"))
    agent = text(payload.get("agentId"))
    if not agent and key.startswith("agent:"):
        agent = key.split(":", 2)[1]
    return {"session_key": key, "run_id": text(payload.get("runId")) or run_id or "", "agent_id": agent}


def _remember(memory: OrderedDict[Any, Any], key: object, value: object) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
