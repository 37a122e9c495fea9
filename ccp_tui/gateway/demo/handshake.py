"""The ``connect`` request: who is it, may it in, and with which scopes.

The rules and their order are OpenClaw's for a gateway on loopback with a shared token: a signed device is paired
silently on first sight, a few client ids may come without one, and a device keeps the platform it was paired with.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ccp_tui.gateway.demo.protocol import CLIENT_IDS, CLIENT_MODES, PROTOCOL, Json, Refusal

SIGNATURE_SKEW_MS = 120_000
_ROOT = {
    "minProtocol", "maxProtocol", "client", "caps", "commands", "permissions", "role", "scopes", "auth", "device",
    "locale", "userAgent", "pathEnv", "modelCatalog", "computerUse", "workerRuns",
}  # fmt: skip
_CLIENT = {
    "id", "displayName", "version", "buildId", "platform", "deviceFamily", "modelIdentifier", "timeZone", "mode",
    "instanceId",
}  # fmt: skip
_DEVICE = {"id", "publicKey", "signature", "signedAt", "nonce"}
_SIGNED = ("id", "publicKey", "signature")
_AUTH = {"token", "password", "deviceToken", "bootstrapToken", "approvalRuntimeToken"}


@dataclass(frozen=True)
class Grant:
    """What a connection was let in with."""

    client_id: str
    role: str
    scopes: frozenset[str]
    caps: frozenset[str]
    method: str
    device_token: str | None


def admit(
    params: Json,
    *,
    token: str,
    nonce: str,
    devices: dict[str, Json],
    origin: str | None,
    anyone: bool = False,
) -> Grant:
    """The grant for a ``connect``, or Refusal. A device seen for the first time is added to ``devices``.

    ``anyone``: every token serves, and none; then no web page gets in, for a browser reaches loopback too.
    """
    client = _shape(params)
    if not params["minProtocol"] <= PROTOCOL <= params["maxProtocol"]:
        raise Refusal(
            "protocol mismatch",
            details={
                "code": "PROTOCOL_MISMATCH",
                "clientMinProtocol": params["minProtocol"],
                "clientMaxProtocol": params["maxProtocol"],
                "expectedProtocol": PROTOCOL,
            },
            close=1002,
        )
    role = params.get("role", "operator")
    if role != "operator":
        raise Refusal("invalid role")
    scopes = frozenset(params.get("scopes", []))
    if (anyone and origin is not None) or (client["id"] == "openclaw-control-ui" and origin is None):
        raise _coded("origin not allowed", "CONTROL_UI_ORIGIN_NOT_ALLOWED")
    device: Json | None = params.get("device")
    auth: Json = params.get("auth") or {}
    given = str(auth.get("token") or auth.get("password") or auth.get("deviceToken") or "")
    shared = anyone or hmac.compare_digest(given.encode(), token.encode())
    if device is None:
        granted = _without_device(client, scopes, given, shared)
        return Grant(client["id"], role, granted, frozenset(params.get("caps", [])), "token", None)
    _verify(device, params, client, role, given, nonce)
    known = devices.get(device["id"])
    if not shared:
        _device_token(known, given, scopes)
    if known is not None and known["platform"] != client["platform"]:
        raise Refusal(
            "pairing required: device identity changed and must be re-approved",
            "NOT_PAIRED",
            details={
                "code": "PAIRING_REQUIRED",
                "reason": "metadata-upgrade",
                "requestId": secrets.token_hex(8),
            },
        )
    if known is None:
        known = {"token": secrets.token_urlsafe(32), "scopes": [], "platform": client["platform"]}
        devices[device["id"]] = known
    known["scopes"] = sorted({*known["scopes"], *scopes})
    method = "token" if shared else "device-token"
    return Grant(client["id"], role, scopes, frozenset(params.get("caps", [])), method, known["token"])


def _coded(message: str, code: str, **details: Any) -> Refusal:
    return Refusal(message, details={"code": code, **details})


def _shape(params: Json) -> Json:
    """The ``client`` block of parameters that have the right shape; Refusal otherwise."""
    for problem in _problems(params):
        raise Refusal(f"invalid connect params: {problem}")
    client: Json = params["client"]
    return client


def _problems(params: Json) -> Iterator[str]:
    """What is wrong with the parameters, the worst first; what follows a problem may not be asked for."""
    for name in ("minProtocol", "maxProtocol"):
        if not isinstance(params.get(name), int):
            yield f"must have required property '{name}'"
    for where, known in (("client", _CLIENT), ("device", _DEVICE), ("auth", _AUTH)):
        block = params.get(where, {})
        if not isinstance(block, dict):
            yield f"at /{where}: must be object"
        for name in sorted(set(block) - known):
            yield f"at /{where}: unexpected property '{name}'"
    for name in sorted(set(params) - _ROOT):
        yield f"at root: unexpected property '{name}'"
    for where, names in (("client", ("id", "version", "platform", "mode")), ("device", _SIGNED)):
        for name in names if where in params or where == "client" else ():
            if not isinstance(params.get(where, {}).get(name), str):
                yield f"at /{where}: must have required property '{name}'"
    for name, values in (("id", CLIENT_IDS), ("mode", CLIENT_MODES)):
        if params["client"][name] not in values:
            yield f"at /client/{name}: must be equal to one of the allowed values"
    for name in ("scopes", "caps"):
        entries = params.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, str) and entry for entry in entries):
            yield f"at /{name}: must be array of strings"


def _without_device(client: Json, scopes: frozenset[str], given: str, shared: bool) -> frozenset[str]:
    if not (given or shared):
        raise Refusal("device identity required", "NOT_PAIRED", details={"code": "DEVICE_IDENTITY_REQUIRED"})
    if not shared:
        raise _unauthorized("mismatch")
    kind = (client["id"], client["mode"])
    if client["id"] in ("openclaw-tui", "openclaw-control-ui"):
        raise _coded(
            "control ui requires device identity (use HTTPS or localhost secure context)",
            "CONTROL_UI_DEVICE_IDENTITY_REQUIRED",
        )
    # Everybody else gets in and may do nothing: the trap that a client must show as "missing scope".
    return scopes if kind in (("cli", "cli"), ("gateway-client", "backend")) else frozenset()


def _unauthorized(reason: str) -> Refusal:
    words = {
        "mismatch": "unauthorized: gateway token mismatch (provide gateway auth token)",
        "missing": "unauthorized: gateway token missing (provide gateway auth token)",
    }
    return _coded(
        words[reason],
        f"AUTH_TOKEN_{reason.upper()}",
        authReason=f"token_{reason}",
        canRetryWithDeviceToken=False,
        recommendedNextStep="update_auth_credentials"
        if reason == "mismatch"
        else "update_auth_configuration",
    )


def _device_token(known: Json | None, given: str, scopes: frozenset[str]) -> None:
    if not given:
        raise _unauthorized("missing")
    if known is None or not hmac.compare_digest(given.encode(), known["token"].encode()):
        raise _unauthorized("mismatch")
    if not scopes <= set(known["scopes"]):
        raise _coded(
            "unauthorized: device token does not cover the requested scopes",
            "AUTH_SCOPE_MISMATCH",
            authReason="scope_mismatch",
        )


def _verify(device: Json, params: Json, client: Json, role: str, given: str, nonce: str) -> None:
    """Checks the device's signature over the challenge; Refusal with the step that failed."""

    def invalid(reason: str, message: str, code: str) -> Refusal:
        return _coded(message, f"DEVICE_AUTH_{code}", reason=reason)

    try:
        raw = _unpadded(device["publicKey"])
        key = Ed25519PublicKey.from_public_bytes(raw)
    except (ValueError, TypeError):
        raise invalid("device-public-key", "device public key invalid", "PUBLIC_KEY_INVALID") from None
    if hashlib.sha256(raw).hexdigest() != device["id"]:
        raise invalid("device-id-mismatch", "device identity mismatch", "DEVICE_ID_MISMATCH")
    signed_at = device.get("signedAt")
    if not isinstance(signed_at, int) or abs(time.time() * 1000 - signed_at) > SIGNATURE_SKEW_MS:
        raise invalid("device-signature-stale", "device signature expired", "SIGNATURE_EXPIRED")
    if not device.get("nonce"):
        raise invalid("device-nonce-missing", "device nonce required", "NONCE_REQUIRED")
    if device["nonce"] != nonce:
        raise invalid("device-nonce-mismatch", "device nonce mismatch", "NONCE_MISMATCH")
    scopes = ",".join(params.get("scopes", []))
    common = f"{device['id']}|{client['id']}|{client['mode']}|{role}|{scopes}|{signed_at}|{given}|{nonce}"
    family = str(client.get("deviceFamily") or "").lower()
    try:
        signature = _unpadded(device["signature"])
    except (ValueError, TypeError):
        signature = b""
    for payload in (f"v3|{common}|{client['platform'].lower()}|{family}", f"v2|{common}"):
        try:
            key.verify(signature, payload.encode())
        except InvalidSignature:
            continue
        return
    raise invalid("device-signature", "device signature invalid", "SIGNATURE_INVALID")


def _unpadded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
