"""What comes over a line and should not: garbage, gaps, floods, silence, and a listener that fails."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from ccp_tui.gateway import (
    Deadlines,
    GatewayEvent,
    GatewayState,
    GatewayTimeout,
    Hello,
    RunDelta,
    RunFinal,
)
from ccp_tui.gateway.client import MAX_FRAME
from tests.support.fakegateway import Peer, fake, stay
from tests.support.line import Line, line

HASTY = Deadlines(open=1, challenge=0.3, hello=0.3, subscribe=0.3, stop=2)


GARBAGE: list[str | bytes] = [
    "not JSON",
    "[]",
    '"text"',
    "{}",
    b"\xff\xfe\x00",
    '{"type":"event"}',
    '{"type":"event","event":7}',
    '{"type":"event","event":"chat","payload":[]}',
    '{"type":"res","id":"invalid","ok":false,"error":{"code":"INVALID_REQUEST"}}',
    '{"type":"res","id":"999","ok":true,"payload":null}',
    '{"type":"req","id":"1","method":"node.invoke"}',
    '{"type":"brand-new","seq":1}',
    '{"type":"event","event":"brand.new","payload":{"a":1}}',
    '{"type":"event","event":"chat","payload":{"state":"delta","message":{"content":[1,null,{"text":7}]}}}',
    '{"type":"event","event":"chat","payload":{"state":7,"runId":{},"sessionKey":[]}}',
    '{"type":"event","event":"agent","payload":{"stream":"tool","data":{"phase":"result","toolCallId":"x"}}}',
    '{"type":"event","event":"agent","payload":{"stream":"tool","data":7}}',
    '{"type":"event","event":"session.message","payload":{"message":{"role":"user","content":{"a":{}}}}}',
    '{"type":"event","event":"session.message","payload":{"message":{"role":"user","timestamp":1e300}}}',
    '{"type":"event","event":"exec.approval.requested","payload":{"request":[],"expiresAtMs":"soon"}}',
    '{"type":"event","event":"question.requested","payload":{"questions":{"a":1}}}',
    '{"type":"event","event":"sessions.changed","payload":{"sessionKey":null}}',
    '{"type":"event","event":"task","payload":{"task":{"kind":"subagent","childSessionKey":{},"status":7}}}',
    "[" * 100_000,
    '{"type":"event","event":"chat","payload":{"state":"final","runId":"' + "x" * 100_000 + '"}}',
]


async def test_garbage_breaks_nothing(tmp_path: Path) -> None:
    async def talk_nonsense(peer: Peer) -> None:
        await peer.welcome()
        for data in GARBAGE:
            await peer.raw(data)
        await peer.delta("run", "still here")
        request = await peer.request()
        await peer.answer(request, {"alive": True})
        await stay(peer)

    async with fake(talk_nonsense) as gateway, line(gateway.url, "t", tmp_path) as on:
        assert (await on.event(RunDelta, run="run")).text == "still here"
        assert await on.client.call("health", {}) == {"alive": True}
        assert gateway.seen == 1
        assert on.client.counters["bad_frames"] >= 8


async def test_a_list_as_an_answer(tmp_path: Path) -> None:
    async def lists(peer: Peer) -> None:
        await peer.welcome()
        await peer.answer(await peer.request(), [{"id": "a1"}])
        await stay(peer)

    async with fake(lists) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected()
        assert await on.calls.approvals_list() == [{"id": "a1"}]


async def test_a_frame_larger_than_we_take_ends_the_line_and_not_the_client(tmp_path: Path) -> None:
    async def oversized(peer: Peer) -> None:
        await peer.welcome()
        if gateway.seen == 1:
            await peer.raw("x" * (MAX_FRAME + 1))
        await stay(peer)

    async with fake(oversized) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected(times=2)
        assert on.client.status.connected


async def test_a_gap_in_the_numbering_asks_for_a_comparison(tmp_path: Path) -> None:
    async def skips(peer: Peer) -> None:
        await peer.welcome()
        await peer.delta("run", "a")
        await peer.delta("run", "ab")
        await peer.request()
        await peer.event("tick", {}, seq=9)
        await peer.delta("run", "abc")
        await peer.event("tick", {}, seq=3)
        await peer.delta("run", "abcd")
        await stay(peer)

    async with fake(skips) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected()
        await on.until(lambda: len(on.of(RunDelta)) >= 1)
        with pytest.raises(GatewayTimeout):
            await on.client.call("go", {}, timeout=0.3)
        await on.connected(times=2)
        await on.until(lambda: on.of(RunDelta)[-1].text == "abcd")
        assert gateway.seen == 1, "a gap is no reason to hang up"
        assert on.client.counters["gaps"] == 1
        assert len({id(hello) for hello in on.hellos}) == 1


async def test_a_silent_line_is_given_up(tmp_path: Path) -> None:
    async def falls_silent(peer: Peer) -> None:
        await peer.welcome(policy={"tickIntervalMs": 100 if gateway.seen == 1 else 30_000})
        await stay(peer)

    async with fake(falls_silent) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected(times=2)
        assert on.client.counters["silences"] == 1
        lost = [status for status in on.statuses if status.state is GatewayState.UNREACHABLE]
        assert "silent" in lost[0].detail


async def test_ticks_keep_a_quiet_line(tmp_path: Path) -> None:
    async def ticks(peer: Peer) -> None:
        await peer.welcome(policy={"tickIntervalMs": 200})
        for _ in range(12):
            await asyncio.sleep(0.1)
            await peer.event("tick", {})
        await peer.delta("run", "end")
        await stay(peer)

    async with fake(ticks) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.event(RunDelta)
        assert gateway.seen == 1


async def test_a_flood_of_words_is_folded_and_its_end_arrives(tmp_path: Path) -> None:
    frames = 8_000

    async def flood(peer: Peer) -> None:
        await peer.welcome()
        text = ""
        for number in range(frames):
            text = f"word {number}"
            await peer.delta(f"run-{number % 5}", text)
        for run in range(5):
            payload = {
                "runId": f"run-{run}",
                "sessionKey": "agent:a:s",
                "state": "final",
                "stopReason": "stop",
            }
            await peer.event("chat", payload)
        await stay(peer)

    longest = 0

    class Slow(Line):
        def _event(self, event: GatewayEvent) -> None:
            nonlocal longest
            longest = max(longest, len(self.client._inbox))
            if isinstance(event, RunDelta):
                time.sleep(0.002)
            super()._event(event)

    async with fake(flood) as gateway:
        on = Slow(gateway.url, "t", tmp_path)
        await on.client.start()
        try:
            await on.until(lambda: len(on.of(RunFinal)) == 5, 60)
        finally:
            await on.client.stop()
    assert len(on.of(RunDelta)) < frames / 2
    assert longest <= 20
    for run in range(5):
        last = on.of(RunDelta, run=f"run-{run}")[-1].text
        assert last == f"word {frames - 5 + run}", "the newest words of each run arrive"
    assert on.client.counters["overflows"] == 0


async def test_a_flood_that_cannot_be_folded_is_dropped_and_compared(tmp_path: Path) -> None:
    async def flood(peer: Peer) -> None:
        await peer.welcome()
        await peer.request()
        for number in range(3000):
            row = {"role": "user", "content": "x", "__openclaw": {"id": str(number)}}
            await peer.event("session.message", {"sessionKey": "agent:a:s", "message": row})
        await peer.delta("run", "end")
        await stay(peer)

    class Slow(Line):
        def _event(self, event: GatewayEvent) -> None:
            time.sleep(0.001)
            super()._event(event)

    async with fake(flood) as gateway:
        on = Slow(gateway.url, "t", tmp_path, inbox_capacity=100)
        await on.client.start()
        try:
            await on.connected()
            with pytest.raises(GatewayTimeout):
                await on.client.call("go", {}, timeout=0.1)
            await on.connected(times=2)  # whatever was dropped is asked for anew
            assert on.client.counters["overflows"] > 0
        finally:
            await on.client.stop()


async def test_a_listener_that_fails_does_not_stop_the_rest(tmp_path: Path) -> None:
    async def two(peer: Peer) -> None:
        await peer.welcome()
        await peer.delta("run", "one")
        await peer.event("chat", {"runId": "run", "sessionKey": "k", "state": "final"})
        await stay(peer)

    class Clumsy(Line):
        def _event(self, event: GatewayEvent) -> None:
            super()._event(event)
            raise RuntimeError("clumsy")

        async def _connected(self, hello: Hello) -> None:
            await super()._connected(hello)
            raise RuntimeError("clumsy")

    async with fake(two) as gateway:
        on = Clumsy(gateway.url, "t", tmp_path)
        await on.client.start()
        try:
            await on.event(RunFinal)
            assert on.client.status.connected
        finally:
            await on.client.stop()


async def test_a_catalog_that_is_not_ready_is_asked_for_again(tmp_path: Path) -> None:
    """What the gateway says for a while after it started, or read its configuration again."""
    early = {
        "code": "UNAVAILABLE",
        "message": "Error: Model catalog is not ready. Retry after Gateway startup.",
    }

    async def twice(peer: Peer) -> None:
        await peer.welcome()
        await peer.answer(await peer.request(), error=early)
        row = {"id": "a/one", "name": "One", "provider": "a"}
        await peer.answer(await peer.request(), {"models": [row]})
        await stay(peer)

    async with fake(twice) as gateway, line(gateway.url, "t", tmp_path) as on:
        await on.connected()
        assert [model.name for model in await on.calls.models_list()] == ["One"]
