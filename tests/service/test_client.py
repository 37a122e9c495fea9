"""The client: what it says when the service is away, goes away, or answers too late; and how it comes back."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from websockets.asyncio.server import ServerConnection, unix_serve

from ccp_tui import client as client_module
from ccp_tui import wire
from ccp_tui.client import LiveClient, ServiceClient, ServiceFailure, ServiceUnavailable
from ccp_tui.mirror import Change, Mirror
from ccp_tui.paths import Home
from ccp_tui.rows import LinkState
from ccp_tui.service.door.hub import MAX_EVENTS, Hub
from ccp_tui.service.door.sockets import Caller
from ccp_tui.wire import Event, Json
from tests.service.wired import board, card, control, echo, feed, take, until


async def test_no_service(home: Home) -> None:
    with pytest.raises(ServiceUnavailable, match="not running") as away:
        await ServiceClient(home).connect()
    assert "ccp serve" in away.value.fix
    with pytest.raises(ServiceUnavailable, match="Not connected"):
        await ServiceClient(home).call("status")


@pytest.mark.parametrize(("patience", "words"), [(60.0, "does not answer"), (0.0, "hung up")])
async def test_a_service_that_says_nothing(home: Home, patience: float, words: str) -> None:
    gone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(), patience)
        writer.close()
        gone.set()

    async with await asyncio.start_unix_server(silent, home.control_socket):
        with pytest.raises(ServiceUnavailable, match=words):
            await ServiceClient(home).connect(timeout=0.2)
        await asyncio.wait_for(gone.wait(), 10)
        await asyncio.sleep(0)


async def test_an_answer_that_comes_too_late(home: Home) -> None:
    async def slow(params: Json, _: Caller) -> Json:
        await asyncio.sleep(0.2)
        return {}

    async with control(home, Hub(), {"slow": slow, "echo": echo}), ServiceClient(home) as client:
        with pytest.raises(ServiceUnavailable, match="did not answer slow"):
            await client.call("slow", timeout=0.05)
        await asyncio.sleep(0.25)
        assert await client.call("echo", {"a": 1}) == {"a": 1}


async def test_answers_find_their_calls(home: Home) -> None:
    async def later(params: Json, _: Caller) -> Json:
        await asyncio.sleep(0.02 / params["n"])
        return params

    async with control(home, Hub(), {"later": later}), ServiceClient(home) as client:
        answers = await asyncio.gather(*(client.call("later", {"n": n}) for n in range(1, 200)))
        assert [answer["n"] for answer in answers] == list(range(1, 200))


async def test_the_service_goes_while_a_call_waits(home: Home) -> None:
    async def hang_up(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type":"res","id":"1","ok":true,"payload":{}}')
        await connection.recv()
        connection.transport.abort()

    async with unix_serve(hang_up, str(home.control_socket)):
        client = ServiceClient(home)
        await client.connect()
        listening = asyncio.create_task(client.next_events())
        with pytest.raises(ServiceUnavailable, match="lost"):
            await asyncio.wait_for(client.call("task.approve"), 10)
        with pytest.raises(ServiceUnavailable, match="lost"):
            await asyncio.wait_for(listening, 10)
        with pytest.raises(ServiceUnavailable, match="lost"):
            await client.call("status")
        await client.close()


async def test_closing_ends_the_events(home: Home) -> None:
    async with control(home, Hub()):
        client = ServiceClient(home)
        await client.connect()
        listening = asyncio.create_task(client.next_events())
        await asyncio.sleep(0)
        await client.close()
        assert await asyncio.wait_for(listening, 10) == []


async def test_what_is_no_frame_ends_the_connection(home: Home) -> None:
    async def babble(connection: ServerConnection) -> None:
        await connection.send("babble")
        await connection.wait_closed()

    async with unix_serve(babble, str(home.control_socket)):
        with pytest.raises(ServiceUnavailable, match="no frame"):
            await ServiceClient(home).connect()


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 2, 2)])
async def test_a_gap_in_the_numbers_asks_for_a_new_snapshot(home: Home, numbers: tuple[int, ...]) -> None:
    async def gap(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send('{"type":"res","id":"1","ok":true,"payload":{}}')
        for number in numbers:
            await connection.send(wire.encode(Event("feed", {}, number)))
        await connection.wait_closed()

    async with unix_serve(gap, str(home.control_socket)), ServiceClient(home) as client:
        found: list[str] = []
        async with asyncio.timeout(10):
            while "resync" not in found:
                found += [event.name for event in await client.next_events()]
        assert found[-1] == "resync"


async def test_a_client_that_does_not_look_does_not_grow(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_EVENTS", 10)
    hub = Hub()
    async with control(home, hub), ServiceClient(home) as client:
        await client.subscribe()
        for number in range(15):
            hub.publish("feed", feed(number))
        await client.call("echo")
        names = [event.name for event in await client.next_events()]
        assert names == ["resync", "feed", "feed", "feed", "feed"]


async def test_a_snapshot_makes_the_events_before_it_pointless(home: Home) -> None:
    hub = Hub()
    async with control(home, hub), ServiceClient(home) as client:
        await client.subscribe()
        hub.publish("feed", feed(1))
        await client.call("echo")
        await client.subscribe()
        hub.publish("feed", feed(2))
        assert [event.payload for event in await take(client, 1)] == [feed(2)]


class Watched:
    """A live client, its mirror, and the changes that the mirror told of."""

    def __init__(self, home: Home) -> None:
        self.mirror = Mirror()
        self.changes: list[Change] = []
        self.links: list[LinkState] = []
        self.mirror.subscribe(self._note)
        self.live = LiveClient(home, self.mirror)

    def _note(self, change: Change) -> None:
        self.changes.append(change)
        if change.link:
            self.links.append(self.mirror.link.state)

    def __call__(self, state: LinkState) -> bool:
        return self.live.link.state == state

    @property
    def happenings(self) -> list[Json]:
        return [event.payload for change in self.changes for event in change.events]


@pytest.fixture
def watched(home: Home, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(client_module, "FIRST_RETRY", 0.02)
    return Watched(home)


async def test_the_board_follows_the_service(home: Home, watched: Watched) -> None:
    hub = Hub()
    async with control(home, hub, snapshot=lambda: board(card(1))):
        watched.live.start()
        assert watched(LinkState.CONNECTING)
        await until(lambda: watched(LinkState.CONNECTED))
        assert watched.mirror.column("web", "inbox") == ("WEB-1",)
        hub.publish("task.changed", {"task": card(1, state="assigned")})
        hub.publish("task.changed", {"task": card(2)})
        await until(lambda: watched.mirror.column("web", "inbox") == ("WEB-2",))
        assert watched.mirror.column("web", "assigned") == ("WEB-1",)
        assert await watched.live.call("echo", {"a": 1}) == {"a": 1}
        await watched.live.stop()
        await until(lambda: len(hub) == 0)


async def test_the_board_waits_for_the_service_and_comes_back_to_it(home: Home, watched: Watched) -> None:
    watched.live.start()
    await until(lambda: watched(LinkState.LOST))
    assert watched.live.link.detail == "The control service is not running."
    assert "ccp serve" in watched.live.link.fix
    with pytest.raises(ServiceUnavailable, match="not running"):
        await watched.live.call("echo")
    await watched.live.watch("s")
    async with control(home, Hub(), snapshot=lambda: board(card(1))):
        await until(lambda: watched(LinkState.CONNECTED))
    await until(lambda: watched(LinkState.LOST))
    assert watched.live.link.detail == "The control service was stopped."
    hub = Hub()
    async with control(home, hub, snapshot=lambda: board(card(2))):
        await until(lambda: watched(LinkState.CONNECTED) and "WEB-2" in watched.mirror.tasks)
        assert "WEB-1" not in watched.mirror.tasks
        hub.publish("message", {"message": {"id": 1}}, session="s")
        await until(lambda: watched.happenings == [{"message": {"id": 1}}])
        await watched.live.stop()
    assert watched.links == [
        LinkState.CONNECTING,
        LinkState.LOST,
        LinkState.CONNECTED,
        LinkState.LOST,
        LinkState.CONNECTED,
    ]


async def test_the_board_takes_a_new_snapshot_after_an_overflow(home: Home, watched: Watched) -> None:
    hub = Hub()
    tasks = [card(1)]
    async with control(home, hub, snapshot=lambda: board(*tasks)):
        await watched.live.watch("s")
        watched.live.start()
        await until(lambda: watched(LinkState.CONNECTED))
        tasks.append(card(2))
        for number in range(MAX_EVENTS + 1):
            hub.publish("feed", feed(number))
        await until(lambda: "WEB-2" in watched.mirror.tasks)
        assert not watched.happenings
        hub.publish("message", {"message": {"id": 1}}, session="s")
        await until(lambda: watched.happenings == [{"message": {"id": 1}}])
        assert watched.links == [LinkState.CONNECTING, LinkState.CONNECTED]
        await watched.live.stop()


async def test_watches_are_counted(home: Home, watched: Watched) -> None:
    hub = Hub()
    async with control(home, hub):
        watched.live.start()
        await until(lambda: watched(LinkState.CONNECTED))
        await watched.live.watch("s")
        await watched.live.watch("s")
        await watched.live.unwatch("s")
        assert hub.watched("s")
        await watched.live.unwatch("s")
        assert not hub.watched("s")
        await watched.live.unwatch("s")
        await watched.live.stop()


async def test_a_service_without_a_snapshot_is_asked_again(home: Home, watched: Watched) -> None:
    asked = 0

    def snapshot() -> Json:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise RuntimeError("the database is locked")
        return board(card(1))

    async with control(home, Hub(), snapshot=snapshot):
        watched.live.start()
        await until(lambda: watched(LinkState.LOST))
        assert "the database is locked" in watched.live.link.detail
        await until(lambda: watched(LinkState.CONNECTED))
        await watched.live.stop()


async def test_a_call_that_is_refused_leaves_the_link_alone(home: Home, watched: Watched) -> None:
    async with control(home, Hub()):
        watched.live.start()
        await until(lambda: watched(LinkState.CONNECTED))
        with pytest.raises(ServiceFailure):
            await watched.live.call("nonsense")
        assert watched(LinkState.CONNECTED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await until(lambda: not watched(LinkState.CONNECTED))
        assert watched(LinkState.CONNECTED)
        await watched.live.stop()
