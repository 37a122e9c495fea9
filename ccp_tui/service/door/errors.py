"""The errors that a method of the service answers with; anything else it raises becomes FAILED and is logged."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """The error codes of the service's protocol."""

    USAGE = "USAGE"  # bad parameters or a bad spec; details: line, field (when known)
    NOT_FOUND = "NOT_FOUND"
    REFUSED = "REFUSED"  # by a gate; details: gate, state, trigger, reason
    UNAVAILABLE = "UNAVAILABLE"  # gateway or service; details: fix
    NOT_ALLOWED = "NOT_ALLOWED"
    FAILED = "FAILED"


class ServiceError(Exception):
    """What the client gets instead of a payload. The message is for people."""

    def __init__(self, code: Code, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or {}


def usage(message: str, **details: Any) -> ServiceError:
    """Bad parameters, or a spec that can't be read (``line``, ``field``)."""
    return ServiceError(Code.USAGE, message, details)


def not_found(message: str) -> ServiceError:
    """The thing that was named does not exist."""
    return ServiceError(Code.NOT_FOUND, message)


def refused(gate: str, reason: str, *, state: str, trigger: str) -> ServiceError:
    """A gate of the lifecycle does not hold; the reason says how to go on."""
    return ServiceError(
        Code.REFUSED, reason, {"gate": gate, "state": state, "trigger": trigger, "reason": reason}
    )


def unavailable(message: str, fix: str) -> ServiceError:
    """Something the call needs is away, and what the person can do about it."""
    return ServiceError(Code.UNAVAILABLE, message, {"fix": fix})


def not_allowed(message: str) -> ServiceError:
    """The caller may not do this, whatever the state."""
    return ServiceError(Code.NOT_ALLOWED, message)
