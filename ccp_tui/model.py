"""The nouns of the product that have a closed set of values. Pure; the tables are in ``schema.sql``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    URGENT = "urgent"


class HoldKind(StrEnum):
    """Why a task cannot move although its state says it should."""

    QUESTION = "question"
    APPROVAL = "approval"
    ERROR = "error"
    STALLED = "stalled"
    GATEWAY = "gateway"
    BUDGET = "budget"
    DEPENDENCY = "dependency"


@dataclass(frozen=True)
class Hold:
    """A task that cannot move: the kind, the reason in words, and what would release it."""

    kind: HoldKind
    reason: str
    release: str


class Outcome(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    REOPENED = "reopened"


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


class Delivery(StrEnum):
    """The life of a row of the outbox: what we know about whether the gateway has it."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    VOID = "void"


class MessageStatus(StrEnum):
    """What became of a message: ours on its way to the gateway, or the agent's as it came."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    STEERED = "steered"
    FINAL = "final"
    PARTIAL = "partial"
    ERROR = "error"


AGENT_FILES = ("SOUL.md", "USER.md", "AGENTS.md")
