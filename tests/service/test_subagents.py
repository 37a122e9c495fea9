"""Sub-agents: under the task that they work for, with their words and outcome, and waited for."""

from __future__ import annotations

from typing import Any

from tests.service.board import IDLE, Board, Client, spec, until

Row = dict[str, Any]


async def children(board: Board, ref: str) -> list[Row]:
    rows: list[Row] = (await board.show(ref))["subagents"]
    return rows


async def one_child(board: Board, ref: str, *states: str) -> Row | None:
    rows = await children(board, ref)
    return rows[0] if rows and rows[0]["state"] in states else None


async def test_a_sub_agent_is_seen_live_under_its_task_and_ends_with_its_words(board: Board) -> None:
    ref = await board.dispatched(spec("!spawn !say I looked at the coast", IDLE))
    child = await until(lambda: one_child(board, ref, "running", "done"))
    async with Client(board.home) as watcher:
        await watcher.keep()
        done = await until(lambda: one_child(board, ref, "done"))
    assert done["session_key"] == child["session_key"]
    assert done["parent_key"] == (await board.card(ref))["session_key"]
    assert "I looked at the coast" in done["last_text"]
    assert done["tokens"] > 0
    rows = (await board.call("chat.sessions"))["sessions"]
    (row,) = [one for one in rows if one["session_key"] == child["session_key"]]
    assert (row["task"], row["purpose"], row["state"], row["unread"]) == (ref, "subagent", "done", 0)
    opened = await board.call("chat.open", session_key=child["session_key"])
    assert any("I looked at the coast" in one["text"] for one in opened["messages"])
    kinds = [event["kind"] for event in await board.history(ref)]
    assert (kinds.count("spawned"), kinds.count("subagent_done")) == (1, 1)


async def test_its_words_and_tools_are_told_to_who_watches(board: Board) -> None:
    ref = await board.dispatched(spec("!spawn !pause 40\\n!exec echo deep\\n!stream 30 40", IDLE))
    child = await until(lambda: one_child(board, ref, "running"))
    async with Client(board.home) as watcher:
        await watcher.keep()
        await watcher.watch(child["session_key"])
        await until(lambda: one_child(board, ref, "done"))
        assert [one for one in watcher.named("run.delta") if one["session_key"] == child["session_key"]]


async def test_one_that_fails_says_so(board: Board) -> None:
    ref = await board.dispatched(spec("!spawn !fail 400", IDLE))
    await until(lambda: one_child(board, ref, "failed"))
    assert len(await board.history(ref, "subagent_failed")) == 1


async def test_an_attempt_is_not_over_while_its_sub_agent_works(board: Board) -> None:
    """The worker's run ends, its sub-agent goes on: the worker is told of a missing submission only after that."""
    ref = await board.dispatched(spec("!spawn !pause 60", "!say I wait for it"))
    key = (await board.card(ref))["session_key"]
    await until(lambda: one_child(board, ref, "running"))
    await until(lambda: board.running(key) is None)
    await board.service._runs.settle(key)
    assert await board.history(ref, "nudged") == []
    assert (await board.card(ref))["hold"] is None
    await until(lambda: one_child(board, ref, "done"))
    await until(lambda: nudged(board, ref))
    kinds = [event["kind"] for event in await board.history(ref)]
    assert kinds.index("subagent_done") < kinds.index("nudged")


async def nudged(board: Board, ref: str) -> bool:
    return bool(await board.history(ref, "nudged"))


async def test_it_is_found_again_after_a_restart_and_its_end_is_not_missed(board: Board) -> None:
    ref = await board.dispatched(spec("!spawn !pause 60\\n!say back", IDLE))
    before = await until(lambda: one_child(board, ref, "running"))
    await board.restart_service()
    assert [one["session_key"] for one in await children(board, ref)] == [before["session_key"]]
    await until(lambda: one_child(board, ref, "done"))
    assert len(await board.history(ref, "subagent_done")) == 1


async def test_one_that_began_and_ended_while_the_service_was_away_is_found(board: Board) -> None:
    ref = await board.dispatched(spec("!pause 20", "!spawn !say unseen", IDLE))
    key = (await board.card(ref))["session_key"]
    await board.stop_service()

    def over() -> bool:
        world = board.gateway._world
        assert world is not None
        keys = [one for one in world.store.sessions if ":subagent:" in one]
        return bool(keys) and all(board.running(one) is None for one in keys)

    await until(over)
    await board.start_service()
    await board.connected()
    found = await until(lambda: one_child(board, ref, "done"))
    assert found["parent_key"] == key
    assert "unseen" in (await until(lambda: one_child(board, ref, "done")))["last_text"]


async def test_a_stop_ends_the_sub_agents_too(board: Board) -> None:
    ref = await board.dispatched(spec("!spawn !pause 4000", IDLE))
    child = await until(lambda: one_child(board, ref, "running"))
    await board.call("task.stop", ref=ref)
    await until(lambda: board.running(child["session_key"]) is None)
    await until(lambda: one_child(board, ref, "failed"))


async def test_sub_agents_of_sessions_that_nobody_knows_are_none_of_our_business(board: Board) -> None:
    ref = await board.dispatched()
    world = board.gateway._world
    assert world is not None
    row = {"key": "agent:x:subagent:1", "sessionKey": "agent:x:subagent:1", "spawnedBy": "agent:x:main"}
    world.broadcast("sessions.changed", {**row, "reason": "create"})
    await board.report(ref, "progress", text="here")
    assert await children(board, ref) == []
    rows = (await board.call("chat.sessions"))["sessions"]
    assert "agent:x:subagent:1" not in [one["session_key"] for one in rows]
