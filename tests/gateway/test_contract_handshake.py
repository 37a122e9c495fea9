"""The contract, part one, on both gateways: letting us in, and every refusal with its words."""

from __future__ import annotations

import asyncio
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from ccp_tui.gateway import Claim, Device, GatewayError, GatewayState, Refusal, shake_hands
from tests.gateway.conftest import Gateway
from tests.support.line import Line, line


async def knock(gateway: Gateway, device: Device | None, **claimed: Any) -> Refusal | None:
    """One attempt with this claim: the refusal, or None when we were let in."""
    claim = Claim(**{"token": gateway.token, "token_source": "the test", **claimed})
    async with connect(gateway.url, proxy=None, compression=None) as socket:
        try:
            await shake_hands(socket, device, claim, challenge_s=10, hello_s=20)
        except Refusal as refusal:
            return refusal
    return None


async def test_hello(on: Line, folder: Path) -> None:
    hello = on.hellos[0]
    status = on.client.status
    assert hello.version
    assert status.version == hello.version
    assert status.boot_id == hello.boot_id == on.client.boot_id
    assert hello.tick_s == 30
    assert "operator.admin" in hello.scopes
    assert not hello.restarted
    used = {
        "agents.list",
        "agents.create",
        "agents.update",
        "agents.delete",
        "agents.files.get",
        "agents.files.set",
    }
    used |= {
        "chat.send",
        "chat.abort",
        "chat.history",
        "sessions.create",
        "sessions.describe",
        "sessions.subscribe",
    }
    used |= {
        "models.list",
        "exec.approval.list",
        "exec.approval.resolve",
        "question.list",
        "question.resolve",
    }
    assert used <= hello.methods
    assert stat.S_IMODE((folder / "device.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("claimed", "code", "words"),
    [
        ({"token": "wrong"}, "AUTH_TOKEN_MISMATCH", "does not accept our token (from the test)"),
        ({"token": None}, "AUTH_TOKEN_MISSING", "wants a token"),
        ({"min_protocol": 3, "max_protocol": 3}, "PROTOCOL_MISMATCH", "another version of the protocol"),
        ({"signed_at_shift_ms": -3_600_000}, "DEVICE_AUTH_SIGNATURE_EXPIRED", "the clocks differ"),
        ({"signed_at_shift_ms": 3_600_000}, "DEVICE_AUTH_SIGNATURE_EXPIRED", "the clocks differ"),
        ({"platform": "windows"}, "PAIRING_REQUIRED", "the machine's description changed"),
        ({"client_id": "openclaw-control-ui"}, "CONTROL_UI_ORIGIN_NOT_ALLOWED", "origin"),
    ],
    ids=["wrong token", "no token", "protocol", "stale", "future", "other platform", "origin"],
)
async def test_refusals(
    gateway: Gateway, on: Line, folder: Path, claimed: dict[str, Any], code: str, words: str
) -> None:
    refusal = await knock(gateway, Device.load(folder / "device.json"), **claimed)
    assert refusal is not None
    assert (refusal.state, refusal.code) == (GatewayState.REFUSED, code)
    assert words in refusal.detail
    assert refusal.fix


@pytest.mark.parametrize(
    ("claimed", "code"),
    [
        ({}, "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"),
        ({"client_id": "cli", "mode": "cli", "token": None}, "DEVICE_IDENTITY_REQUIRED"),
        # Let in, and every right silently taken away: it must not look like success.
        ({"client_id": "gateway-client"}, "MISSING_SCOPE"),
    ],
    ids=["no device", "nothing at all", "no rights"],
)
async def test_refusals_without_a_device(gateway: Gateway, claimed: dict[str, Any], code: str) -> None:
    refusal = await knock(gateway, None, **claimed)
    assert refusal is not None
    assert (refusal.state, refusal.code) == (GatewayState.REFUSED, code)
    assert refusal.fix


async def test_a_missing_scope_is_named(gateway: Gateway, folder: Path) -> None:
    def reader(claim: Claim) -> Claim:
        return replace(claim, scopes=("operator.read",))

    async with line(gateway.url, gateway.token, folder, claim=reader) as on:
        await on.connected()
        await on.calls.agents_list()
        with pytest.raises(GatewayError) as refused:
            await on.calls.agent_create("Nobody")
        assert refused.value.code == "FORBIDDEN"
        assert refused.value.reason == "MISSING_SCOPE"
        assert refused.value.details["missingScope"] == "operator.admin"


async def test_the_scopes_we_ask_for_are_needed(gateway: Gateway, folder: Path) -> None:
    """Without admin an agent can't be created, changed or given files; with it nothing else is missing."""
    less = ("operator.read", "operator.write", "operator.approvals", "operator.questions")
    async with line(
        gateway.url, gateway.token, folder, claim=lambda claim: replace(claim, scopes=less)
    ) as on:
        await on.connected()
        for method, params in (
            ("agents.create", {"name": "Nobody"}),
            ("agents.update", {"agentId": "main", "name": "Nobody"}),
            ("agents.files.set", {"agentId": "main", "name": "SOUL.md", "content": "x"}),
        ):
            with pytest.raises(GatewayError) as refused:
                await on.client.call(method, params)
            assert refused.value.details["missingScope"] == "operator.admin", method
        await on.calls.models_list()
        await on.calls.approvals_list()
        await on.calls.questions_list()


async def test_a_mended_token_is_used_at_once(gateway: Gateway, folder: Path) -> None:
    async with line(gateway.url, "wrong", folder) as on:
        status = await on.state(GatewayState.REFUSED)
        assert "token" in status.detail
        assert "CCP_GATEWAY_TOKEN" in status.fix
        assert status.retry_at is not None
        with pytest.raises(GatewayError) as away:
            await on.calls.agents_list()
        assert away.value.code == "GATEWAY_UNAVAILABLE"
        on.settings = replace(on.settings, token=gateway.token)
        on.client.retry_now()
        async with asyncio.timeout(15):
            await on.connected()


async def test_unknown_methods_and_bad_parameters(on: Line) -> None:
    async def refusal(method: str, params: dict[str, Any]) -> str:
        with pytest.raises(GatewayError) as refused:
            await on.client.call(method, params)
        assert refused.value.code == "INVALID_REQUEST"
        return refused.value.message

    assert await refusal("no.such", {}) == "unknown method: no.such"
    words = await refusal("chat.send", {"sessionKey": "agent:main:x"})
    assert words == "invalid chat.send params: must have required property 'message'"
    params = {"sessionKey": "agent:main:x", "message": "m", "idempotencyKey": "k", "bogus": 1}
    words = await refusal("chat.send", params)
    assert words == "invalid chat.send params: at root: unexpected property 'bogus'"
    words = await refusal(
        "chat.send", {"sessionKey": "agent:nobody:x", "message": "m", "idempotencyKey": "k"}
    )
    assert words == 'Agent "nobody" no longer exists in configuration'
