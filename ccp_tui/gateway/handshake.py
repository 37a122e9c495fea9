"""From a fresh WebSocket to a session with the gateway: challenge, signed ``connect``, ``hello-ok``.

Each step has a deadline: a gateway that is busy or no gateway at all may never send the challenge.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ccp_tui import __version__, wire
from ccp_tui.gateway import refusals
from ccp_tui.gateway.identity import Device

PROTOCOL = 4
CLIENT_ID = "openclaw-tui"
CLIENT_MODE = "ui"
ROLE = "operator"
# admin: agents.create, agents.update and agents.files.set ask for it.
SCOPES = ("operator.read", "operator.write", "operator.admin", "operator.approvals", "operator.questions")
CAPS = ("tool-events", "approvals")
# Part of the pairing: another value would need a new approval by a person, so it never varies.
PLATFORM = "darwin" if sys.platform == "darwin" else "linux"
CHALLENGE_DEADLINE_S = 10.0
HELLO_DEADLINE_S = 20.0
DEFAULT_TICK_S = 30.0
DEFAULT_MAX_PAYLOAD = 25 * 1024 * 1024


@dataclass(frozen=True)
class Hello:
    """What the gateway said of itself and of us. ``restarted``: its boot id differs from the connection before."""

    version: str
    boot_id: str
    connection_id: str
    scopes: tuple[str, ...]
    methods: frozenset[str]
    tick_s: float
    max_payload: int
    restarted: bool = False


@dataclass(frozen=True)
class Claim:
    """What we say of ourselves; tests claim other things to be refused."""

    token: str | None
    token_source: str
    scopes: tuple[str, ...] = SCOPES
    client_id: str = CLIENT_ID
    mode: str = CLIENT_MODE
    platform: str = PLATFORM
    min_protocol: int = PROTOCOL
    max_protocol: int = PROTOCOL
    signed_at_shift_ms: int = 0


async def shake_hands(
    socket: ClientConnection, device: Device | None, claim: Claim, *, challenge_s: float, hello_s: float
) -> Hello:
    """The gateway's hello. Raises refusals.Refusal with the words for people."""
    try:
        challenge = await _await_challenge(socket, challenge_s)
        if challenge is None:
            raise refusals.unreachable(
                f"Something answers at this address, but sent no challenge within {challenge_s:.0f} s.",
                "If the gateway is just busy this mends itself; otherwise check CCP_GATEWAY_URL.",
                "NO_CHALLENGE",
            )
        answer = await _greet(socket, _params(challenge, device, claim), hello_s)
    except ConnectionClosed as closed:
        frame = closed.rcvd
        raise refusals.of_close(frame.code if frame else None, frame.reason if frame else "") from None
    if answer is None:
        raise refusals.unreachable(
            f"The gateway did not answer our greeting within {hello_s:.0f} s.",
            "It may be busy; we try again.",
            "NO_HELLO",
        )
    if answer.error is not None:
        raise refusals.of_error(answer.error, claim.token_source)
    hello = _hello(answer.payload or {})
    # The admin scope satisfies every other one.
    missing = (
        []
        if "operator.admin" in hello.scopes
        else [scope for scope in claim.scopes if scope not in hello.scopes]
    )
    if missing:
        raise refusals.missing_scopes(missing)
    return hello


async def _await_challenge(socket: ClientConnection, seconds: float) -> wire.Json | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                frame = await _next(socket)
                if isinstance(frame, wire.Event) and frame.name == "connect.challenge":
                    return frame.payload
    return None


async def _greet(socket: ClientConnection, params: wire.Json, seconds: float) -> wire.Response | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await socket.send(wire.encode(wire.Request("connect", "connect", params)))
            while True:
                frame = await _next(socket)
                if isinstance(frame, wire.Response) and frame.id == "connect":
                    return frame
    return None


async def _next(socket: ClientConnection) -> wire.Frame | None:
    """The next frame, or None for a message that is none: it is passed over."""
    try:
        return wire.decode(await socket.recv())
    except wire.BadFrame:
        return None


def _params(challenge: wire.Json, device: Device | None, claim: Claim) -> wire.Json:
    params: wire.Json = {
        "minProtocol": claim.min_protocol,
        "maxProtocol": claim.max_protocol,
        "client": {
            "id": claim.client_id,
            "version": __version__,
            "platform": claim.platform,
            "mode": claim.mode,
        },
        "role": ROLE,
        "scopes": list(claim.scopes),
        "caps": list(CAPS),
    }
    if claim.token:
        params["auth"] = {"token": claim.token}
    if device is not None:
        nonce, given = str(challenge.get("nonce", "")), challenge.get("ts")
        # The gateway's own time is signed, so that two clocks that differ do no harm.
        moment = given if isinstance(given, int) else int(time.time() * 1000)
        signed_at = moment + claim.signed_at_shift_ms
        signature = device.sign(
            client_id=claim.client_id,
            mode=claim.mode,
            role=ROLE,
            scopes=claim.scopes,
            signed_at=signed_at,
            token=claim.token or "",
            nonce=nonce,
            platform=claim.platform,
        )
        params["device"] = {
            "id": device.id,
            "publicKey": device.public_key,
            "signature": signature,
            "signedAt": signed_at,
            "nonce": nonce,
        }
    return params


def _hello(body: wire.Json) -> Hello:
    """The hello, read leniently: only what we use, each with a default."""
    server, auth, policy, features = (
        _dict(body.get(key)) for key in ("server", "auth", "policy", "features")
    )
    tick, payload = policy.get("tickIntervalMs"), policy.get("maxPayload")
    return Hello(
        version=str(server.get("version") or ""),
        boot_id=str(server.get("bootId") or ""),
        connection_id=str(server.get("connId") or ""),
        scopes=tuple(str(scope) for scope in _list(auth.get("scopes"))),
        methods=frozenset(str(method) for method in _list(features.get("methods"))),
        tick_s=tick / 1000 if isinstance(tick, int | float) and tick > 0 else DEFAULT_TICK_S,
        max_payload=payload if isinstance(payload, int) and payload > 0 else DEFAULT_MAX_PAYLOAD,
    )


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
