"""What the connection to the gateway is doing, in words for people, and the errors of calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ccp_tui import clock


class GatewayState(StrEnum):
    CONNECTING = "connecting"
    STARTING = "starting"  # it answers, and says that it is not ready yet
    CONNECTED = "connected"
    REFUSED = "refused"  # it answers, and does not want us: a person must mend something
    UNREACHABLE = "unreachable"  # nobody answers, or the connection was lost; retried without end
    STOPPED = "stopped"


@dataclass(frozen=True)
class GatewayStatus:
    """The state with its reason (``detail``) and what a person can do about it (``fix``; empty when nothing).

    ``since`` is when this state began; ``retry_at`` when the next attempt is due. Both in the product's time format.
    """

    state: GatewayState
    url: str
    detail: str = ""
    fix: str = ""
    version: str | None = None
    boot_id: str | None = None
    since: str = field(default_factory=clock.now)
    retry_at: str | None = None

    @property
    def connected(self) -> bool:
        return self.state is GatewayState.CONNECTED


class GatewayError(Exception):
    """The gateway answered a call with an error. ``retryable`` and ``retry_after_s`` are the gateway's own advice."""

    def __init__(
        self,
        code: str,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = details or {}
        self.retryable = retryable
        self.retry_after_s = retry_after_s

    @property
    def reason(self) -> str:
        """The finer reason in the details, e.g. ``chat-request-conflict``; empty when there is none."""
        found = self.details.get("code") or self.details.get("reason")
        return found if isinstance(found, str) else ""


class GatewayUnavailable(GatewayError):
    """The call could not be made, or the connection was lost during it.

    ``sent`` is True when the request may have reached the gateway: delivery is unknown, so ask (history, rows)
    before doing it again. False means that the gateway certainly did nothing.
    """

    def __init__(
        self,
        message: str,
        *,
        sent: bool,
        code: str = "GATEWAY_UNAVAILABLE",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code, message, retryable=True, retry_after_s=retry_after_s)
        self.sent = sent


class GatewayTimeout(GatewayUnavailable):
    """No answer within the deadline of the call: delivery is unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True, code="GATEWAY_TIMEOUT")


# Reasons in an UNAVAILABLE answer that mean: nothing was done, the gateway is on its way up or down.
NOT_READY_REASONS = frozenset(
    {"startup-sidecars", "gateway-restarting", "gateway-starting", "gateway-stopping"}
)


def error_from(body: dict[str, Any]) -> GatewayError:
    """The exception for the ``error`` object of a response frame."""
    code = str(body.get("code") or "UNKNOWN")
    message = str(body.get("message") or "failed without a reason")
    raw = body.get("details")
    details = raw if isinstance(raw, dict) else {}
    after = body.get("retryAfterMs")
    retry_after = (
        after / 1000
        if isinstance(after, int | float) and not isinstance(after, bool) and after >= 0
        else None
    )
    if code == "UNAVAILABLE" and details.get("reason") in NOT_READY_REASONS:
        return GatewayUnavailable(message, sent=False, code=code, retry_after_s=retry_after)
    return GatewayError(
        code, message, details, retryable=body.get("retryable") is True, retry_after_s=retry_after
    )
