"""Reading across everything: snapshot, status, feed, search, backup."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from tests.service.board import IDLE, Board, Client, spec, until


async def test_search_finds_every_kind_and_marks_the_hit(board: Board) -> None:
    ref = await board.dispatched(
        spec("!say A walrus speaks.", "!exec true", IDLE, title="About the walrus"),
        title="Paint a walrus",
        description="big",
    )
    await until(lambda: said(board, ref))
    await board.report(ref, "progress", text="the walrus has tusks")
    hits = (await board.call("search", text="walr"))["hits"]
    assert {hit["kind"] for hit in hits} == {"task", "spec", "message", "event"}
    assert {hit["ref"] for hit in hits} == {ref}
    assert all("\x02" in hit["snippet"] and "\x03" in hit["snippet"] for hit in hits)
    (message,) = [hit for hit in hits if hit["kind"] == "message" and "speaks" in hit["snippet"]]
    assert message["session_key"] == (await board.card(ref))["session_key"]
    assert message["message_id"]
    event = next(hit for hit in hits if hit["kind"] == "event" and "tusks" in hit["snippet"])
    assert event["event_id"]
    assert len((await board.call("search", text="walrus", limit=2))["hits"]) == 2
    for odd in ('"', "walrus AND NOT", "a*b", "NEAR(", "-", "🦭", "' OR 1"):
        await board.call("search", text=odd)
    await board.fails("search", "USAGE", text=" ")
    await board.call("task.edit", ref=ref, title="Paint a seal")
    again = (await board.call("search", text="seal"))["hits"]
    assert "task" in {hit["kind"] for hit in again}


async def said(board: Board, ref: str) -> bool:
    return any("speaks" in row["text"] for row in await board.transcript(ref) if row["role"] == "assistant")


async def test_events_come_in_pages_and_by_what_they_are_about(board: Board) -> None:
    first, second = await board.in_review(), await board.add(title="Other")
    everything = (await board.call("events.list"))["events"]
    assert [row["id"] for row in everything] == sorted(row["id"] for row in everything)
    latest = (await board.call("events.list", limit=3))["events"]
    assert latest == everything[-3:]
    assert (await board.call("events.list", before=latest[0]["id"], limit=2))["events"] == everything[-5:-3]
    assert (await board.call("events.list", after=everything[0]["id"], limit=2))["events"] == everything[1:3]
    assert {row["task"] for row in (await board.call("events.list", task=second.lower()))["events"]} == {
        second
    }
    assert [row["task"] for row in (await board.call("events.list", kind="submitted"))["events"]] == [first]
    assert all(row["mission"] == "main" for row in everything if row["task"])
    moves = {row["kind"]: row for row in everything if row["task"] == first}
    assert (moves["submitted"]["actor_kind"], moves["submitted"]["reason"]) == ("worker", "made it")
    assert (moves["dispatched"]["actor_kind"], moves["dispatched"]["attempt"]) == ("service", 1)
    assert moves["captured"]["actor_kind"] == "person"
    assert (await board.call("events.list", mission="nowhere"))["events"] == []


async def test_status_tells_the_truth(board: Board) -> None:
    await board.in_review()
    status = await board.call("status")
    assert status["service"]["home"] == str(board.home.root)
    assert status["service"]["uptime_s"] >= 0
    assert status["gateway"]["state"] == "connected"
    assert status["gateway"]["version"]
    assert status["tasks"]["review"] == 1
    assert set(status["tasks"]) == {
        "planning", "inbox", "assigned", "in_progress", "testing", "review", "done", "cancelled"
    }  # fmt: skip
    async with Client(board.home) as watcher:
        await watcher.keep()
        await board.away()
        await until(lambda: watcher.named("health"))
        gone = watcher.named("health")[-1]["health"]["gateway"]
        await until(
            lambda: [one for one in watcher.named("agent.changed") if one["agent"]["live"] == "offline"]
        )
    assert gone["state"] != "connected"
    assert gone["detail"]
    assert gone["retry_at"]


async def test_what_a_client_heard_adds_up_to_a_fresh_snapshot(board: Board) -> None:
    """One subscribed from the start and one that comes at the end have the same board."""
    async with Client(board.home) as early:
        snapshot = await early.keep()
        cards = {card["ref"]: card for card in snapshot["tasks"]}
        first = await board.in_review()
        second = await board.add(title="Other")
        await board.call("task.approve", ref=first, attempt=1, round=1)
        await board.call("task.cancel", ref=second)
        async with Client(board.home) as late:
            fresh = await late.subscribe()
            await until(lambda: early.feed("cancelled"))
            cards |= {one["task"]["ref"]: one["task"] for one in early.named("task.changed")}
            assert cards == {card["ref"]: card for card in fresh["tasks"]}
            agents = {one["agent"]["id"]: one["agent"] for one in early.named("agent.changed")}
            assert agents[board.agent]["working_on"] is None
            assert [event.seq for event in early.got] == sorted(event.seq or 0 for event in early.got)


async def test_two_clients_hear_the_same_in_the_same_order(board: Board) -> None:
    async with Client(board.home, "one") as one, Client(board.home, "two") as two:
        await one.keep()
        await two.keep()
        ref = await board.in_review()
        await board.call("task.approve", ref=ref, attempt=1, round=1)
        for client in (one, two):
            await until(lambda client=client: client.feed("approved"))  # type: ignore[misc]
        assert [row["id"] for row in one.feed()] == [row["id"] for row in two.feed()]
        stored = (await board.call("events.list", after=one.feed()[0]["id"] - 1))["events"]
        assert one.feed() == stored[: len(one.feed())]


async def test_a_backup_is_a_whole_database(board: Board, tmp_path: Path) -> None:
    ref = await board.add()
    for params, folder in (({}, board.home.backups), ({"path": str(tmp_path)}, tmp_path)):
        made = await board.call("backup", **params)
        path = Path(made["path"])
        assert path.parent == folder
        status = os.stat(path)
        assert (status.st_size, status.st_mode & 0o777) == (made["bytes"], 0o600)
        with sqlite3.connect(path) as copy:
            assert copy.execute("SELECT ref FROM tasks").fetchall() == [(ref,)]
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    await board.fails("backup", "USAGE", path="/no/such/folder/x.db")
    await board.fails("backup", "USAGE", path=str(board.home.database))


async def test_without_a_gateway_everything_of_ours_works(board: Board) -> None:
    await board.away()
    ref = await board.add()
    await board.call("task.approve_spec", ref=ref, version=1)
    await board.call("task.assign", ref=ref, agent=board.agent)
    assert (await board.call("search", text="hello"))["hits"]
    assert (await board.show(ref))["state"] == "assigned"
    assert (await board.client.subscribe())["health"]["gateway"]["state"] != "connected"
