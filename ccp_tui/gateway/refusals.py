"""Why a connection did not come about, in words a person can act on.

The codes are those of OpenClaw's handshake; each was provoked on a real gateway. The gateway's own words are kept where
they say more than ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ccp_tui.gateway.status import NOT_READY_REASONS, GatewayState
from ccp_tui.text import one_line

PAIRING_FIX = (
    "On the gateway's machine: `openclaw devices list`, then `openclaw devices approve <request id>`."
)
TOKEN_FIX = (
    "Give the token of the gateway (gateway.auth.token in its openclaw.json): `ccp serve --token-file FILE`, "
    "or CCP_GATEWAY_TOKEN."
)
START_FIX = "Start it: `openclaw gateway run`; or set CCP_GATEWAY_URL to where it runs."


@dataclass(frozen=True)
class Refusal(Exception):
    """One failed attempt: the state to show, what happened, what to do, and the gateway's wish for the next attempt."""

    state: GatewayState
    code: str
    detail: str
    fix: str = ""
    retry_after_s: float | None = None

    def __str__(self) -> str:
        return self.detail


def starting(detail: str = "The gateway is starting.", retry_after_s: float | None = None) -> Refusal:
    return Refusal(
        GatewayState.STARTING, "STARTING", detail, "Wait: a start takes 15 to 60 seconds.", retry_after_s
    )


def unreachable(detail: str, fix: str = START_FIX, code: str = "UNREACHABLE") -> Refusal:
    return Refusal(GatewayState.UNREACHABLE, code, detail, fix)


def refused(code: str, detail: str, fix: str, retry_after_s: float | None = None) -> Refusal:
    return Refusal(GatewayState.REFUSED, code, detail, fix, retry_after_s)


def missing_scopes(missing: list[str]) -> Refusal:
    """The handshake succeeded, but without rights that our calls need."""
    return refused(
        "MISSING_SCOPE",
        f"The gateway let us in without the rights we need: {', '.join(missing)}.",
        "Approve this device with all scopes it asks for: `openclaw devices list`, `openclaw devices approve`; "
        "or remove it there and connect again.",
    )


def of_upgrade(status: int) -> Refusal:
    """The HTTP status with which the WebSocket was refused."""
    if status == 503:
        return starting("The gateway is starting or stopping (HTTP 503).")
    if status in (401, 403):
        return refused(
            "HTTP_REFUSED", f"A proxy or the gateway refused the connection (HTTP {status}).", TOKEN_FIX
        )
    return unreachable(
        f"What answers at this address is no OpenClaw gateway (HTTP {status}).",
        "Set CCP_GATEWAY_URL to the gateway's address (ws://127.0.0.1:18789 unless changed).",
        "NOT_A_GATEWAY",
    )


def of_close(code: int | None, reason: str) -> Refusal:
    """The connection was closed with this WebSocket code before it was ready."""
    words = f" ({one_line(reason, 120)})" if reason else ""
    if code in (1012, 1013):
        return starting(f"The gateway is {'restarting' if code == 1012 else 'starting'}.")
    if code == 1002:
        return _protocol(words)
    if code == 1008:
        return refused("REFUSED", f"The gateway refused us{words}.", TOKEN_FIX)
    return unreachable(f"The gateway closed the connection{words}.", "", "CLOSED")


def of_error(body: dict[str, Any], token_source: str) -> Refusal:
    """The ``error`` object of the answer to ``connect``. ``token_source`` says where our token came from."""
    raw = body.get("details")
    details: dict[str, Any] = raw if isinstance(raw, dict) else {}
    top = str(body.get("code") or "")
    code = str(details.get("code") or top or "REFUSED")
    message = one_line(str(body.get("message") or ""), 200)
    after = body.get("retryAfterMs")
    wait = (
        after / 1000
        if isinstance(after, int | float) and not isinstance(after, bool) and after >= 0
        else None
    )
    if top == "UNAVAILABLE" or details.get("reason") in NOT_READY_REASONS:
        return starting(f"The gateway is not ready: {message}.", wait)
    known = _known(code, message, details, token_source)
    return Refusal(known.state, known.code, known.detail, known.fix, wait)


def _known(code: str, message: str, details: dict[str, Any], token_source: str) -> Refusal:
    match code:
        case "AUTH_TOKEN_MISMATCH" | "AUTH_PASSWORD_MISMATCH" | "AUTH_DEVICE_TOKEN_MISMATCH":
            return refused(code, f"The gateway does not accept our token (from {token_source}).", TOKEN_FIX)
        case "AUTH_TOKEN_MISSING" | "AUTH_REQUIRED" | "AUTH_PASSWORD_MISSING" | "AUTH_UNAUTHORIZED":
            return refused(code, f"The gateway wants a token and we have none ({token_source}).", TOKEN_FIX)
        case "AUTH_TOKEN_NOT_CONFIGURED" | "AUTH_PASSWORD_NOT_CONFIGURED":
            return refused(
                code, "The gateway has no token of its own.", "Set gateway.auth.token in its openclaw.json."
            )
        case "AUTH_RATE_LIMITED":
            return refused(
                code, "The gateway locked us out after too many wrong tokens.", f"Wait a minute. {TOKEN_FIX}"
            )
        case "AUTH_SCOPE_MISMATCH" | "MISSING_SCOPE" | "SCOPE_MISSING":
            missing = details.get("missingScope") or details.get("requestedScopes")
            return missing_scopes(
                [str(one) for one in missing] if isinstance(missing, list) else [str(missing or message)]
            )
        case "PROTOCOL_MISMATCH":
            return _protocol(f" ({message})" if message else "")
        case "PAIRING_REQUIRED" | "NOT_PAIRED":
            why = {
                "metadata-upgrade": "the machine's description changed",
                "scope-upgrade": "we ask for more rights than before",
                "role-upgrade": "we ask for another role",
            }.get(str(details.get("reason") or ""), "it does not know this device yet")
            return refused(code, f"The gateway wants this device paired: {why}.", PAIRING_FIX)
        case "DEVICE_IDENTITY_REQUIRED" | "CONTROL_UI_DEVICE_IDENTITY_REQUIRED":
            return refused(
                code,
                "The gateway wants a device identity and got none it accepts.",
                "Delete device.json in CCP_HOME; a new identity is made at the next attempt.",
            )
        case "DEVICE_AUTH_SIGNATURE_EXPIRED":
            return refused(
                code,
                "The gateway found our signature out of date: the clocks differ.",
                "Set this machine's and the gateway's clock right (`timedatectl`).",
            )
        case _ if code.startswith("DEVICE_AUTH_"):
            return refused(
                code,
                f"The gateway does not accept our device identity ({message or code}).",
                "Delete device.json in CCP_HOME; a new identity is made at the next attempt.",
            )
        case "CONTROL_UI_ORIGIN_NOT_ALLOWED":
            return refused(
                code,
                "The gateway refuses the origin of this connection.",
                "Remove the proxy between us and the gateway, or allow it in gateway.controlUi.allowedOrigins.",
            )
    return refused(
        code,
        f"The gateway refused us: {message or code}.",
        "See the gateway's log: `openclaw logs --follow`.",
    )


def _protocol(words: str) -> Refusal:
    return refused(
        "PROTOCOL_MISMATCH",
        f"The gateway speaks another version of the protocol; we speak 4{words}.",
        "Update OpenClaw (`npm install -g openclaw@latest`) or ccp, whichever is older.",
    )
