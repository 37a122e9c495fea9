"""What the hub gives to whom, in which order, and what it drops."""

from __future__ import annotations

import asyncio

from ccp_tui import wire
from ccp_tui.service.door.hub import Hub, Outbox
from ccp_tui.wire import Event, Json
from tests.service.wired import card, feed


def joined(hub: Hub, *sessions: str) -> Outbox:
    outbox = hub.join()
    outbox.subscribed = True
    outbox.watching.update(sessions)
    return outbox


async def drain(outbox: Outbox) -> list[Event]:
    """Everything that waits to be sent, decoded."""
    found = []
    try:
        while True:
            frame = wire.decode(await asyncio.wait_for(outbox.next(), 0.02))
            assert isinstance(frame, Event)
            found.append(frame)
    except TimeoutError:
        return found


def delta(text: str, session: str = "s") -> tuple[str, Json]:
    return "run.delta", {"session_key": session, "run_id": "r", "text": text}


async def test_events_come_in_order_and_are_numbered_from_one() -> None:
    hub = Hub()
    outbox = joined(hub)
    for number in range(5):
        hub.publish("feed", feed(number))
    events = await drain(outbox)
    assert [event.payload["event"]["id"] for event in events] == [0, 1, 2, 3, 4]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert events[0].payload == feed(0)


async def test_numbers_belong_to_the_connection() -> None:
    hub = Hub()
    first = joined(hub)
    hub.publish("feed", feed(1))
    second = joined(hub)
    hub.publish("feed", feed(2))
    assert [event.seq for event in await drain(first)] == [1, 2]
    assert [event.seq for event in await drain(second)] == [1]


async def test_nobody_gets_what_he_did_not_ask_for() -> None:
    hub = Hub()
    silent, watcher, other = hub.join(), joined(hub, "s"), joined(hub, "t")
    hub.publish("message", {"message": {"id": 1}}, session="s")
    assert [event.name for event in await drain(watcher)] == ["message"]
    assert await drain(other) == []
    assert hub.watched("s")
    hub.leave(watcher)
    assert not hub.watched("s")
    hub.publish("feed", feed(1))
    assert await drain(silent) == []
    assert len(hub) == 2


async def test_a_payload_may_change_after_it_was_published() -> None:
    hub = Hub()
    outbox = joined(hub)
    task = card(1, title="as it was")
    hub.publish("task.changed", {"task": task})
    task["title"] = "as it is"
    assert (await drain(outbox))[0].payload["task"]["title"] == "as it was"


async def test_a_newer_state_replaces_an_unsent_older_one_and_is_not_early() -> None:
    hub = Hub()
    outbox = joined(hub)
    hub.publish("task.changed", {"task": card(1, state="inbox")})
    hub.publish("task.changed", {"task": card(2)})
    hub.publish("feed", feed(1))
    hub.publish("task.changed", {"task": card(1, state="assigned")})
    events = await drain(outbox)
    assert [event.name for event in events] == ["task.changed", "feed", "task.changed"]
    assert [event.payload["task"]["ref"] for event in events[::2]] == ["WEB-2", "WEB-1"]
    assert events[-1].payload["task"]["state"] == "assigned"
    assert [event.seq for event in events] == [1, 2, 3]


async def test_whole_lists_and_activities_replace_each_other() -> None:
    hub = Hub()
    outbox = joined(hub)
    for number in range(3):
        hub.publish("health", {"health": {"n": number}})
        hub.publish("attention", {"attention": [number]})
        hub.publish("activity", {"ref": "WEB-1", "activity": {"text": str(number)}})
    events = await drain(outbox)
    assert [event.name for event in events] == ["health", "attention", "activity"]
    assert events[2].payload["activity"]["text"] == "2"


async def test_deltas_of_one_block_replace_each_other_and_blocks_stay_apart() -> None:
    hub = Hub()
    outbox = joined(hub, "s", "t")
    for text in ("I", "I look"):
        hub.publish(*delta(text), session="s")
    hub.publish(*delta("elsewhere", "t"), session="t")
    hub.publish("run.tool", {"session_key": "s", "name": "exec"}, session="s")
    for text in ("D", "Done"):
        hub.publish(*delta(text), session="s")
    events = await drain(outbox)
    assert [event.payload.get("text", event.name) for event in events] == [
        "I look",
        "elsewhere",
        "run.tool",
        "Done",
    ]


async def test_overflow_drops_all_and_says_so_once() -> None:
    hub = Hub()
    outbox = Outbox(max_events=10)
    hub._outboxes[outbox] = None
    outbox.subscribed = True
    outbox.watching.add("s")
    for number in range(50):
        hub.publish("feed", feed(number))
    hub.publish("message", {"message": {}}, session="s")
    events = await drain(outbox)
    assert [(event.name, event.seq) for event in events] == [("resync", 1)]
    assert not outbox.subscribed
    assert not outbox.watching
    outbox.subscribed = True
    hub.publish("feed", feed(51))
    assert [event.seq for event in await drain(outbox)] == [2]


async def test_the_size_is_bounded_too() -> None:
    outbox = Outbox(max_bytes=1000)
    outbox.subscribed = True
    hub = Hub()
    hub._outboxes[outbox] = None
    for number in range(3):
        hub.publish("task.changed", {"task": card(1, title="x" * 200, position=float(number))})
    assert outbox.subscribed, "three states of one task are one state"
    hub.publish("task.changed", {"task": card(2, title="x" * 1000)})
    assert [event.name for event in await drain(outbox)] == ["resync"]


async def test_an_answer_keeps_its_place_among_the_events() -> None:
    hub = Hub()
    outbox = joined(hub)
    hub.publish("feed", feed(1))
    text: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    outbox.answer(text)
    hub.publish("feed", feed(2))
    assert wire.decode(await outbox.next()) == Event("feed", feed(1), 1)
    waiting = asyncio.create_task(outbox.next())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    text.set_result("the answer")
    assert await waiting == "the answer"
    assert wire.decode(await outbox.next()) == Event("feed", feed(2), 2)
