"""What neither gateway does on command: no challenge, refusals, hanging up during a call, storms."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from ccp_tui.gateway import (
    Deadlines,
    GatewayState,
    GatewayTimeout,
    GatewayUnavailable,
)
from ccp_tui.gateway.status import GatewayError
from tests.support.fakegateway import Peer, fake, stay
from tests.support.line import Line, line

HASTY = Deadlines(open=1, challenge=0.3, hello=0.3, subscribe=0.3, stop=2)


async def test_a_challenge_that_never_comes(tmp_path: Path) -> None:
    async with fake(stay) as gateway, line(gateway.url, "t", tmp_path, deadlines=HASTY) as on:
        status = await on.state(GatewayState.UNREACHABLE)
        assert "no challenge" in status.detail
        await on.until(lambda: gateway.seen >= 2)


async def test_a_greeting_that_is_never_answered(tmp_path: Path) -> None:
    async def mute(peer: Peer) -> None:
        await peer.event("connect.challenge", {"nonce": "n", "ts": 1})
        await stay(peer)

    async with fake(mute) as gateway, line(gateway.url, "t", tmp_path, deadlines=HASTY) as on:
        status = await on.state(GatewayState.UNREACHABLE)
        assert "did not answer our greeting" in status.detail


async def test_nobody_listens(tmp_path: Path) -> None:
    async with fake(stay) as gateway:
        url = gateway.url
    async with line(url, "t", tmp_path) as on:
        status = await on.state(GatewayState.UNREACHABLE)
        assert status.detail == f"No gateway runs at {url}."
        assert "openclaw gateway run" in status.fix
        assert status.retry_at is not None


async def test_something_else_listens(tmp_path: Path) -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(http, "127.0.0.1", 0)
    async with server, line(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", "t", tmp_path) as on:
        status = await on.state(GatewayState.UNREACHABLE)
        assert "no OpenClaw gateway" in status.detail


async def test_an_address_that_is_none(tmp_path: Path) -> None:
    async with line("http://nonsense", "t", tmp_path) as on:
        status = await on.state(GatewayState.REFUSED)
        assert "CCP_GATEWAY_URL" in status.fix


async def test_http_503_means_starting(tmp_path: Path) -> None:
    async with fake(welcome, busy=2) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.state(GatewayState.STARTING)
        await on.connected(seconds=20)
        assert GatewayState.UNREACHABLE not in {status.state for status in on.statuses}


async def welcome(peer: Peer) -> None:
    await peer.welcome()
    await stay(peer)


async def test_unavailable_means_starting_and_its_wish_is_honoured(tmp_path: Path) -> None:
    knocks: list[float] = []

    async def first_unavailable(peer: Peer) -> None:
        knocks.append(time.monotonic())
        if len(knocks) > 1:
            return await welcome(peer)
        await peer.event("connect.challenge", {"nonce": "n", "ts": 1})
        error = {
            "code": "UNAVAILABLE",
            "message": "gateway starting; retry shortly",
            "retryable": True,
            "retryAfterMs": 1500,
            "details": {"reason": "startup-sidecars"},
        }
        await peer.answer(await peer.request(), error=error)
        await peer.socket.close(1013, "gateway starting")

    async with fake(first_unavailable) as gateway, line(gateway.url, "t", tmp_path) as on:
        status = await on.state(GatewayState.STARTING)
        assert "gateway starting" in status.detail
        await on.connected()
        assert knocks[1] - knocks[0] >= 1.4


@pytest.mark.parametrize(("code", "word"), [(1012, "restarting"), (1013, "starting")])
async def test_closing_codes_of_a_restart(tmp_path: Path, code: int, word: str) -> None:
    async def once(peer: Peer) -> None:
        await peer.welcome()
        if gateway.seen == 1:
            await peer.socket.close(code, "service restart")
        await stay(peer)

    async with fake(once) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected(times=2)
        shown = [status for status in on.statuses if status.state is GatewayState.STARTING]
        assert word in shown[0].detail


async def test_a_line_that_is_closed_for_a_reason_shows_it_and_is_no_refusal(tmp_path: Path) -> None:
    async def once(peer: Peer) -> None:
        await peer.welcome()
        if gateway.seen == 1:
            await peer.socket.close(1008, "slow consumer")
        await stay(peer)

    async with fake(once) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected(times=2)
        lost = [status for status in on.statuses if status.state is GatewayState.UNREACHABLE]
        assert "slow consumer" in lost[0].detail
        assert GatewayState.REFUSED not in {status.state for status in on.statuses}


async def test_scopes_that_were_taken_away_are_a_refusal(tmp_path: Path) -> None:
    async def bare(peer: Peer) -> None:
        await peer.welcome(auth={"role": "operator", "scopes": ["operator.read", "operator.write"]})
        await stay(peer)

    async with fake(bare) as gateway, line(gateway.url, "t", tmp_path) as on:
        status = await on.state(GatewayState.REFUSED)
        assert "operator.admin" in status.detail
        assert "operator.read" not in status.detail
        assert not on.hellos


async def test_a_call_on_a_line_that_closes(tmp_path: Path) -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.welcome()
        if gateway.seen == 1:
            await peer.request()
            peer.socket.transport.abort()
        await stay(peer)

    async with fake(hang_up) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected()
        with pytest.raises(GatewayUnavailable) as lost:
            await on.client.call("chat.send", {})
        assert lost.value.sent
        await on.connected(times=2)


async def test_a_call_that_is_never_answered(tmp_path: Path) -> None:
    async with fake(welcome) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected()
        with pytest.raises(GatewayTimeout) as late:
            await on.client.call("chat.send", {}, timeout=0.2)
        assert late.value.sent
        assert on.client.status.connected, "a slow answer is no reason to hang up"


async def test_a_request_that_is_too_large_is_not_sent(tmp_path: Path) -> None:
    async with fake(welcome) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected()
        with pytest.raises(GatewayError) as large:
            await on.client.call("chat.send", {"message": "x" * 1_000_000})
        assert large.value.code == "TOO_LARGE"
        assert on.client.status.connected


async def test_calls_before_and_after(tmp_path: Path) -> None:
    made = Line("ws://127.0.0.1:1", "t", tmp_path)
    for _ in range(2):
        with pytest.raises(GatewayUnavailable) as away:
            await made.calls.agents_list()
        assert not away.value.sent
        await made.client.start()
        await made.client.stop()
        assert made.client.status.state is GatewayState.STOPPED


async def test_stopping_fails_the_calls_under_way(tmp_path: Path) -> None:
    async with fake(welcome) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected()
        calling = asyncio.create_task(on.client.call("chat.send", {}))
        await asyncio.sleep(0.1)
        await on.client.stop()
        with pytest.raises(GatewayUnavailable):
            await calling


async def test_no_storm_when_every_connection_is_dropped_at_once(tmp_path: Path) -> None:
    async def drop(peer: Peer) -> None:
        await peer.welcome()
        peer.socket.transport.abort()

    async with fake(drop) as gateway, line(gateway.url, "t", tmp_path) as on:
        await asyncio.sleep(3)
        assert gateway.seen <= 13
        await on.until(lambda: gateway.seen >= 2)


async def test_the_first_frame_is_a_signed_connect(tmp_path: Path) -> None:
    heard: list[dict[str, object]] = []

    async def listen(peer: Peer) -> None:
        await peer.raw(
            json.dumps({"type": "event", "event": "connect.challenge", "payload": {"nonce": "N", "ts": 42}})
        )
        heard.append(await peer.request())
        await stay(peer)

    async with fake(listen) as gateway, line(gateway.url, "secret", tmp_path) as on:
        await on.until(lambda: heard)
    params = heard[0]["params"]
    assert isinstance(params, dict)
    assert heard[0]["method"] == "connect"
    assert (params["minProtocol"], params["maxProtocol"]) == (4, 4)
    assert params["client"]["id"] == "openclaw-tui"
    assert params["auth"] == {"token": "secret"}
    assert (params["device"]["signedAt"], params["device"]["nonce"]) == (42, "N")
