"""Agents: really made, changed and read at the gateway, with every version of their files kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.service.board import Board, Client, until


async def listed(board: Board, agent: str) -> dict[str, Any]:
    rows = (await board.call("agent.list"))["agents"]
    found: dict[str, Any] = next(row for row in rows if row["id"] == agent)
    return found


async def test_an_agent_is_made_at_the_gateway_with_soul_and_model(board: Board) -> None:
    model = (await board.call("model.list"))["models"][-1]["id"]
    made = (
        await board.call(
            "agent.create", name="Grace Hopper", role="compilers", emoji="⚓", model=model, soul="Be exact."
        )
    )["agent"]
    assert (made["id"], made["name"], made["role"], made["emoji"]) == (
        "grace-hopper",
        "Grace Hopper",
        "compilers",
        "⚓",
    )
    assert (made["live"], made["on_gateway"]) == ("idle", True)
    world = board.gateway._world
    assert world is not None
    there = world.store.agents["grace-hopper"]
    assert (there.name, there.model, there.emoji) == ("Grace Hopper", model, "⚓")
    assert (Path(made["workspace"]) / "SOUL.md").read_text() == "Be exact."
    file = await board.call("agent.file", id="grace-hopper", name="SOUL.md")
    assert (file["content"], file["version"]) == ("Be exact.", 1)
    assert [row["kind"] for row in (await board.call("events.list", agent="grace-hopper"))["events"]] == [
        "agent_added",
        "agent_file",
    ]


async def test_a_name_that_is_taken_is_refused_with_the_gateways_words(board: Board) -> None:
    failure = await board.fails("agent.create", "FAILED", name="Ada")
    assert "already exists" in failure.message
    assert len((await board.call("agent.list"))["agents"]) == 1


async def test_a_change_reaches_the_gateway(board: Board) -> None:
    model = (await board.call("model.list"))["models"][-1]["id"]
    changed = (await board.call("agent.update", id=board.agent, name="Ada L.", role="maths", model=model))[
        "agent"
    ]
    assert (changed["name"], changed["role"], changed["model"]) == ("Ada L.", "maths", model)
    world = board.gateway._world
    assert world is not None
    assert (world.store.agents[board.agent].name, world.store.agents[board.agent].model) == ("Ada L.", model)
    await board.fails("agent.update", "USAGE", id=board.agent, name=" ")
    await board.fails("agent.update", "NOT_FOUND", id="nobody", name="x")


async def test_agents_of_the_gateway_are_imported_with_their_files(board: Board) -> None:
    made = await board.service.gateway.calls.agent_create("Linus")
    await board.service.gateway.calls.file_set(made.id, "SOUL.md", "From over there.")
    importable = (await board.call("agent.importable"))["agents"]
    assert {row["id"] for row in importable} == {"main", "linus"}
    (agent,) = (await board.call("agent.import", ids=["linus"]))["agents"]
    assert (agent["id"], agent["name"]) == ("linus", "Linus")
    file = await board.call("agent.file", id="linus", name="SOUL.md")
    assert (file["content"], file["author"]) == ("From over there.", "gateway")
    await board.fails("agent.import", "USAGE", ids=[])
    await board.fails("agent.import", "USAGE", ids=["linus"])
    await board.fails("agent.import", "NOT_FOUND", ids=["nobody"])


async def test_every_version_of_a_file_is_kept(board: Board) -> None:
    for content in ("You are ADA.", "You are ADA, second.", "You are ADA, second.", ""):
        await board.call("agent.set_file", id=board.agent, name="SOUL.md", content=content)
    newest = await board.call("agent.file", id=board.agent, name="SOUL.md")
    assert [row["version"] for row in newest["versions"]] == [3, 2, 1]
    assert newest["content"] == ""
    second = await board.call("agent.file", id=board.agent, name="SOUL.md", version=2)
    assert second["content"] == "You are ADA, second."
    await board.fails("agent.file", "NOT_FOUND", id=board.agent, name="SOUL.md", version=9)
    await board.fails("agent.file", "NOT_FOUND", id=board.agent, name="TOOLS.md")
    await board.fails("agent.set_file", "NOT_FOUND", id=board.agent, name="../x.md", content="")
    await board.fails("agent.set_file", "USAGE", id=board.agent, name="SOUL.md", content="x" * 300_000)
    await board.fails("agent.set_file", "USAGE", id=board.agent, name="SOUL.md")


async def test_a_change_at_the_gateways_side_is_a_version_of_its_own(board: Board) -> None:
    (board.workspace / "SOUL.md").write_text("The agent rewrote itself.")
    file = await board.call("agent.file", id=board.agent, name="SOUL.md")
    assert (file["content"], file["version"], file["author"]) == ("The agent rewrote itself.", 2, "gateway")
    first = await board.call("agent.file", id=board.agent, name="SOUL.md", version=1)
    assert first["content"] == "You are ADA."


async def test_an_agent_that_is_gone_from_the_gateway_is_offline_at_once(board: Board) -> None:
    async with Client(board.home) as watcher:
        await watcher.keep()
        await board.service.gateway.calls.agent_delete(board.agent)
        await until(lambda: [one for one in watcher.named("agent.changed") if not one["agent"]["on_gateway"]])
    assert (await listed(board, board.agent))["live"] == "offline"
    file = await board.call("agent.file", id=board.agent, name="SOUL.md")
    assert file["content"] == "You are ADA."


async def test_a_rename_at_the_gateways_side_is_seen(board: Board) -> None:
    await board.service.gateway.calls.agent_update(board.agent, name="Countess")
    await until(lambda: renamed(board))


async def renamed(board: Board) -> bool:
    return bool((await listed(board, board.agent))["name"] == "Countess")


async def test_without_a_gateway_agents_are_offline_and_can_be_read(board: Board) -> None:
    await board.away()
    await until(lambda: offline(board))
    failure = await board.fails("agent.create", "UNAVAILABLE", name="Late")
    assert failure.details["fix"]
    for method, params in (
        ("agent.importable", {}),
        ("agent.import", {"ids": ["main"]}),
        ("model.list", {}),
        ("agent.update", {"id": board.agent, "name": "x"}),
        ("agent.set_file", {"id": board.agent, "name": "SOUL.md", "content": "x"}),
    ):
        await board.fails(method, "UNAVAILABLE", **params)
    assert (await board.call("agent.file", id=board.agent, name="SOUL.md"))["version"] == 1
    role = (await board.call("agent.update", id=board.agent, role="kept here"))["agent"]["role"]
    assert role == "kept here"


async def offline(board: Board) -> bool:
    return bool((await listed(board, board.agent))["live"] == "offline")
