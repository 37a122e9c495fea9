"""The sockets: who may open them, what they answer, and that nothing a client does hurts the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
from typing import Any

import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed

from ccp_tui import wire
from ccp_tui.client import ServiceClient, ServiceFailure, ServiceUnavailable
from ccp_tui.paths import Home
from ccp_tui.service.door.errors import refused
from ccp_tui.service.door.hub import MAX_EVENTS, Hub
from ccp_tui.service.door.sockets import Caller, encode_slowly
from ccp_tui.service.door.unixsocket import SocketError
from ccp_tui.wire import Event, Json
from tests.service.wired import board, card, control, echo, feed, raw, said, take, until


async def test_the_socket_is_private_and_a_stale_file_is_replaced(home: Home) -> None:
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(home.control_socket))
    stale.close()
    async with control(home, Hub()):
        mode = home.control_socket.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        async with ServiceClient(home, "a test") as client:
            assert client.hello["protocol"] == 1
            assert client.hello["service"] == "ccp"
    assert not home.control_socket.exists()


async def test_what_is_no_socket_is_left_alone(home: Home) -> None:
    home.control_socket.write_text("mine")
    with pytest.raises(SocketError, match="no socket"):
        async with control(home, Hub()):
            pass
    assert home.control_socket.read_text() == "mine"


async def test_a_handler_learns_who_calls(home: Home) -> None:
    async def who(params: Json, caller: Caller) -> Json:
        return {"name": caller.name, "pid": caller.pid, "uid": caller.uid}

    async with control(home, Hub(), {"who": who}), ServiceClient(home, "a test") as client:
        assert await client.call("who") == {"name": "a test", "pid": os.getpid(), "uid": os.getuid()}


async def test_errors_are_told_apart(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    async def gate(params: Json, _: Caller) -> Json:
        raise refused("has_spec", "approve a spec first", state="inbox", trigger="assign")

    async def broken(params: Json, _: Caller) -> Json:
        raise RuntimeError("the disk is full\nand more")

    async def slow(params: Json, _: Caller) -> Json:
        await asyncio.sleep(60)
        return {}

    async def odd(params: Json, _: Caller) -> Any:
        return {"what": object()}

    methods = {"gate": gate, "broken": broken, "slow": slow, "odd": odd}
    async with control(home, Hub(), methods, deadline=0.1), ServiceClient(home) as client:
        with pytest.raises(ServiceFailure, match="approve a spec first") as failure:
            await client.call("gate")
        assert failure.value.code == "REFUSED"
        assert failure.value.details == {
            "gate": "has_spec",
            "state": "inbox",
            "trigger": "assign",
            "reason": "approve a spec first",
        }
        for method, words in (("broken", "the disk is full$"), ("slow", "took longer"), ("odd", "failed")):
            with pytest.raises(ServiceFailure, match=words) as failure:
                await client.call(method)
            assert failure.value.code == "FAILED"
        with pytest.raises(ServiceFailure, match="no method") as failure:
            await client.call("nonsense")
        assert failure.value.code == "USAGE"
    assert "Traceback" in caplog.text


async def test_bad_frames_are_answered_and_end_nothing(home: Home) -> None:
    async with control(home, Hub()), raw(home.control_socket) as connection:
        for words in ("", "{", "[]", "[" * 100_000, '{"type":"req"}', '{"type":"event","event":"x"}'):
            answer = await said(connection, words)
            assert (answer["ok"], answer["id"], answer["error"]["code"]) == (False, "?", "USAGE")
        answer = await said(connection, '{"type":"req","id":"7","method":"echo","params":[]}')
        assert (answer["id"], answer["error"]["code"]) == ("7", "USAGE")
        answer = await said(connection, '{"type":"req","id":"8","method":"echo","params":{"a":1},"more":2}')
        assert answer["payload"] == {"a": 1}


async def test_an_oversized_frame_costs_only_its_own_connection(home: Home) -> None:
    async with control(home, Hub()), ServiceClient(home) as other:
        connection = await unix_connect(str(home.control_socket), compression=None)
        with contextlib.suppress(ConnectionClosed):
            await connection.send("x" * (9 * 2**20))
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(connection.recv(), 10)
        assert await other.call("echo", {"still": "here"}) == {"still": "here"}


async def test_requests_of_one_connection_do_not_wait_for_each_other(home: Home) -> None:
    free = asyncio.Event()

    async def wait(params: Json, _: Caller) -> Json:
        await free.wait()
        return {}

    async with control(home, Hub(), {"wait": wait, "echo": echo}), ServiceClient(home) as client:
        slow = asyncio.create_task(client.call("wait"))
        await asyncio.sleep(0)
        assert await client.call("echo", {"a": 1}) == {"a": 1}
        assert not slow.done()
        free.set()
        assert await slow == {}


async def test_a_request_outlives_its_client(home: Home) -> None:
    began, free, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(params: Json, _: Caller) -> Json:
        began.set()
        await free.wait()
        done.set()
        return {}

    async with control(home, Hub(), {"work": work}):
        client = ServiceClient(home)
        await client.connect()
        asking = asyncio.create_task(client.call("work"))
        await asyncio.wait_for(began.wait(), 10)
        await client.close()
        with pytest.raises(ServiceUnavailable):
            await asking
        free.set()
        await asyncio.wait_for(done.wait(), 10)


@pytest.mark.parametrize("rows", [0, 1, 199, 200, 201, 1000])
async def test_a_snapshot_is_encoded_as_json_would(rows: int) -> None:
    snapshot = board(*(card(number, title='"ü"\n') for number in range(rows)))
    assert json.loads(await encode_slowly(snapshot)) == snapshot


@pytest.mark.parametrize("slowly", [False, True])
async def test_no_event_is_lost_or_doubled_around_the_snapshot(home: Home, slowly: bool) -> None:
    """Somebody counts all the time; whoever subscribes goes on exactly where his snapshot ends."""
    hub = Hub()
    count = 0

    def snapshot() -> Json:
        return {**board(*(card(number) for number in range(1500))), "count": count}

    async def snapshot_slowly() -> Json:
        found = snapshot()
        await asyncio.sleep(0.02)
        return found

    async def counting() -> None:
        nonlocal count
        while True:
            count += 1
            hub.publish("feed", feed(count))
            await asyncio.sleep(0.0005)

    async with control(home, hub, snapshot=snapshot_slowly if slowly else snapshot):
        counter = asyncio.create_task(counting())
        try:
            for _ in range(3):
                async with ServiceClient(home) as client:
                    last = (await client.subscribe())["count"]
                    for event in await take(client, 50):
                        last += 1
                        assert event.payload["event"]["id"] == last
        finally:
            counter.cancel()


async def test_a_snapshot_that_fails_subscribes_nobody(home: Home) -> None:
    hub = Hub()

    def snapshot() -> Json:
        raise RuntimeError("no database")

    async with control(home, hub, snapshot=snapshot), ServiceClient(home) as client:
        with pytest.raises(ServiceFailure, match="no database"):
            await client.subscribe()
        hub.publish("feed", feed(1))
        assert await client.call("echo", {"a": 1}) == {"a": 1}
        assert not client._events


async def test_watching(home: Home) -> None:
    hub = Hub()
    async with control(home, hub), ServiceClient(home) as client, ServiceClient(home) as other:
        await client.watch("s")
        await other.subscribe()
        hub.publish("message", {"message": {"id": 1}}, session="s")
        hub.publish("feed", feed(1))
        assert [event.name for event in await take(client, 1)] == ["message"]
        assert [event.name for event in await take(other, 1)] == ["feed"]
        await client.unwatch("s")
        hub.publish("message", {"message": {"id": 2}}, session="s")
        await client.subscribe()
        hub.publish("feed", feed(2))
        assert [event.name for event in await take(client, 1)] == ["feed"]
        for bad in ({}, {"session_key": 7}, {"session_key": ""}):
            with pytest.raises(ServiceFailure) as failure:
                await client.call("watch", bad)
            assert failure.value.code == "USAGE"


async def test_a_client_that_reads_nothing_slows_nobody(home: Home) -> None:
    hub = Hub()
    async with control(home, hub), raw(home.control_socket) as slow, ServiceClient(home) as quick:
        await said(slow, '{"type":"req","id":"1","method":"subscribe"}')
        slow.transport.pause_reading()
        await quick.subscribe()
        words = "x" * 2000
        total = MAX_EVENTS * 2
        for number in range(total):
            hub.publish("feed", {"event": {"id": number, "text": words}})
            if number % 100 == 0:
                await asyncio.sleep(0.001)
        assert [event.payload["event"]["id"] for event in await take(quick, total)] == list(range(total))
        slow.transport.resume_reading()
        seq, frame = 0, Event("")
        while frame.name != "resync":
            decoded = wire.decode(await asyncio.wait_for(slow.recv(), 10))
            assert isinstance(decoded, Event)
            frame = decoded
            seq += 1
            assert frame.seq == seq
        assert seq < total
        hub.publish("feed", feed(total))
        answer = await said(slow, '{"type":"req","id":"2","method":"subscribe"}')
        assert answer["id"] == "2", "nothing comes between resync and the next snapshot"
        hub.publish("feed", feed(total + 1))
        assert json.loads(await slow.recv())["seq"] == seq + 1


async def test_two_clients_see_the_same_order(home: Home) -> None:
    hub = Hub()
    async with control(home, hub), ServiceClient(home) as one, ServiceClient(home) as two:
        await one.subscribe()
        await two.subscribe()
        for number in range(300):
            hub.publish("feed", feed(number))
            if number % 7 == 0:
                await asyncio.sleep(0)
        first, second = await take(one, 300), await take(two, 300)
        assert first == second
        assert [event.payload["event"]["id"] for event in first] == list(range(300))


async def test_stopping_lets_requests_end_and_says_why_it_hangs_up(home: Home) -> None:
    began = asyncio.Event()

    async def work(params: Json, _: Caller) -> Json:
        began.set()
        await asyncio.sleep(0.1)
        return {"done": True}

    async def stuck(params: Json, _: Caller) -> Json:
        await asyncio.sleep(60)
        return {}

    async with (
        control(home, Hub(), {"work": work, "stuck": stuck}) as server,
        ServiceClient(home) as client,
        raw(home.control_socket) as slow,
    ):
        slow.transport.pause_reading()
        asking = asyncio.create_task(client.call("work"))
        hanging = asyncio.create_task(client.call("stuck"))
        await asyncio.wait_for(began.wait(), 10)
        await asyncio.wait_for(server.stop(timeout=0.5), 15)
        assert await asking == {"done": True}
        with pytest.raises(ServiceFailure, match="stopped") as failure:
            await hanging
        assert failure.value.code == "UNAVAILABLE"
        with pytest.raises(ServiceUnavailable, match="was stopped"):
            await client.next_events()
        assert not home.control_socket.exists()


async def test_a_client_that_reads_nothing_does_not_hold_up_the_stop(home: Home) -> None:
    hub = Hub()
    async with control(home, hub) as server:
        slow = await unix_connect(str(home.control_socket), compression=None, max_size=None)
        await said(slow, '{"type":"req","id":"1","method":"subscribe"}')
        slow.transport.pause_reading()
        for number in range(500):
            hub.publish("feed", {"event": {"id": number, "text": "x" * 10_000}})
        await asyncio.sleep(0.05)
        await asyncio.wait_for(server.stop(timeout=0.1), 15)
        assert len(hub) == 0
        slow.transport.abort()


async def test_a_big_snapshot_arrives(home: Home) -> None:
    snapshot = board(*(card(number, title=f"Task {number} " + "words " * 10) for number in range(10_000)))
    async with control(home, Hub(), snapshot=lambda: snapshot), ServiceClient(home) as client:
        assert await client.subscribe() == snapshot


async def test_the_loop_has_its_turns_while_a_snapshot_is_encoded() -> None:
    snapshot = board(*(card(number) for number in range(5000)))
    turns = 0

    async def ticking() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(ticking())
    await encode_slowly(snapshot)
    ticker.cancel()
    assert turns >= 20


async def test_connections_that_end_are_forgotten(home: Home) -> None:
    hub = Hub()
    async with control(home, hub):
        for _ in range(20):
            async with ServiceClient(home) as client:
                await client.subscribe()
        await until(lambda: len(hub) == 0)
