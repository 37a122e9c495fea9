"""Agents' files when others write them too: changes are seen, and nothing is overwritten that nobody has read."""

from __future__ import annotations

import pytest

from ccp_tui.gateway import GatewayError, RemoteFile
from ccp_tui.wire import Json
from tests.service.board import Board, Client, until

SOUL = "SOUL.md"


async def stored(board: Board, content: str, **more: object) -> Json:
    return await board.call("agent.set_file", id=board.agent, name=SOUL, content=content, **more)


async def file(board: Board) -> Json:
    return await board.call("agent.file", id=board.agent, name=SOUL)


async def test_a_change_on_the_gateways_side_is_a_conflict_with_theirs_in_it(board: Board) -> None:
    before = await file(board)
    (board.workspace / SOUL).write_text("The agent rewrote itself.")
    failure = await board.fails(
        "agent.set_file",
        "REFUSED",
        id=board.agent,
        name=SOUL,
        content="Mine.",
        base_version=before["version"],
    )
    assert failure.details["gate"] == "file_changed"
    theirs = failure.details["theirs"]
    assert (theirs["content"], theirs["version"]) == ("The agent rewrote itself.", before["version"] + 1)
    assert (board.workspace / SOUL).read_text() == "The agent rewrote itself."
    versions = (await file(board))["versions"]
    assert [row["author"] for row in versions][:1] == ["gateway"]


async def test_without_a_base_the_newest_that_the_board_knows_is_meant(board: Board) -> None:
    await stored(board, "Second.")
    (board.workspace / SOUL).write_text("Theirs.")
    failure = await board.fails("agent.set_file", "REFUSED", id=board.agent, name=SOUL, content="Mine.")
    assert failure.details["theirs"]["content"] == "Theirs."
    await stored(board, "Mine.")  # it was shown theirs: the newest is what it starts from now
    assert (board.workspace / SOUL).read_text() == "Mine."


async def test_the_person_may_take_theirs_or_force_their_own(board: Board) -> None:
    base = (await file(board))["version"]
    (board.workspace / SOUL).write_text("Theirs.")
    assert (await stored(board, "Theirs.", base_version=base))["content"] == "Theirs."
    (board.workspace / SOUL).write_text("Theirs again.")
    forced = await stored(board, "Mine.", base_version=base, force=True)
    assert forced["content"] == "Mine."
    assert (board.workspace / SOUL).read_text() == "Mine."
    told = {row["version"]: row["author"] for row in forced["versions"]}
    assert [told[number] == "gateway" for number in sorted(told)] == [False, True, True, False]


async def test_two_edits_from_the_same_version_are_a_conflict_too(board: Board) -> None:
    base = (await file(board))["version"]
    await stored(board, "From one terminal.", base_version=base)
    failure = await board.fails(
        "agent.set_file",
        "REFUSED",
        id=board.agent,
        name=SOUL,
        content="From another.",
        base_version=base,
    )
    assert failure.details["theirs"]["content"] == "From one terminal."


async def test_a_change_between_the_look_and_the_writing_is_not_lost(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = (await file(board))["version"]
    calls = board.service.gateway.calls
    look = calls.file_get
    looks: list[str] = []

    async def slow(agent: str, name: str) -> RemoteFile:
        found = await look(agent, name)
        if not looks:
            (board.workspace / SOUL).write_text("Just in between.")
        looks.append(name)
        return found

    monkeypatch.setattr(calls, "file_get", slow)
    for force in (False, True):
        looks.clear()
        failure = await board.fails(
            "agent.set_file",
            "REFUSED",
            id=board.agent,
            name=SOUL,
            content=f"Mine {force}.",
            base_version=base,
            force=force,
        )
        assert failure.details["theirs"]["content"] == "Just in between."
        (board.workspace / SOUL).write_text("You are ADA.")
    assert len(looks) == 2


async def test_any_other_refusal_of_the_gateway_is_told_and_keeps_no_version(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no(*_: object) -> RemoteFile:
        raise GatewayError("INVALID_REQUEST", "the disk is full")

    monkeypatch.setattr(board.service.gateway.calls, "file_set", no)
    failure = await board.fails("agent.set_file", "FAILED", id=board.agent, name=SOUL, content="x")
    assert "the disk is full" in failure.message
    assert (await file(board))["version"] == 1


async def test_a_change_is_seen_when_the_gateway_tells_and_shown_as_such(board: Board) -> None:
    async with Client(board.home) as watcher:
        await watcher.keep()
        (board.workspace / SOUL).write_text("Rewritten at night.")
        await board.service.gateway.calls.agent_update(
            board.agent, emoji="🦊"
        )  # the gateway tells of a change
        await until(lambda: watcher.feed("agent_file"))
        (event,) = watcher.feed("agent_file")
        assert (event["actor"], event["agent"]) == ("gateway", board.agent)
        assert "changed on the gateway: version 2" in event["text"]
        assert [one for one in watcher.named("agent.changed") if one["agent"]["id"] == board.agent]


async def test_a_change_while_the_line_was_down_is_seen_at_the_next_connect(board: Board) -> None:
    await board.away()
    (board.workspace / SOUL).write_text("Rewritten in between.")
    await board.back()
    await until(lambda: seen(board))


async def seen(board: Board) -> bool:
    events = (await board.call("events.list", kind="agent_file"))["events"]
    return any(event["actor"] == "gateway" for event in events)


async def test_our_own_writing_is_nobody_elses_change(board: Board) -> None:
    await stored(board, "Mine.")
    for agent_file in (await file(board), await file(board)):
        assert agent_file["author"] != "gateway"
    assert not await seen(board)


async def test_a_model_can_be_taken_away_again(board: Board) -> None:
    first, second = (one["id"] for one in (await board.call("model.list"))["models"][:2])
    await board.call("agent.update", id=board.agent, model=second)
    agent = (await board.call("agent.update", id=board.agent, model=None))["agent"]
    world = board.gateway._world
    assert world is not None
    assert world.store.agents[board.agent].model is None
    assert agent["model"] == first  # the gateway's default, which is what it goes by now
