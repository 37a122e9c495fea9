"""The contract, part two, on both gateways: agents, their files, models."""

from __future__ import annotations

import asyncio
import os
import stat

import pytest

from ccp_tui.gateway import AgentsChanged, GatewayError
from tests.gateway.conftest import Gateway
from tests.support.line import Line, unique


async def test_an_agent_from_creation_to_deletion(on: Line) -> None:
    name = unique("Zoë Writer")
    one, other = (model.id for model in (await on.calls.models_list())[:2])
    created = await on.calls.agent_create(name, model=other, emoji="🦊")
    assert created.name == name
    assert created.emoji == "🦊"
    assert created.model == other
    assert created.workspace
    assert created in await on.calls.agents_list()
    await on.event(AgentsChanged)

    await on.calls.agent_update(created.id, name=f"{name} II", model=one)
    found = next(agent for agent in await on.calls.agents_list() if agent.id == created.id)
    assert (found.name, found.model, found.emoji) == (f"{name} II", one, "🦊")

    await on.calls.agent_update(created.id, model=other)
    await on.calls.agent_update(created.id, own_model=False)
    found = next(agent for agent in await on.calls.agents_list() if agent.id == created.id)
    assert found.model == one  # the default of both gateways

    await on.calls.agent_delete(created.id, delete_files=True)
    assert created.id not in [agent.id for agent in await on.calls.agents_list()]


async def test_two_agents_cannot_have_the_same_name(on: Line) -> None:
    name = unique("Twin")
    first = await on.calls.agent_create(name)
    with pytest.raises(GatewayError) as refused:
        await on.calls.agent_create(name)
    assert refused.value.code == "INVALID_REQUEST"
    assert first.id in refused.value.message


async def test_files_and_their_conflicts(on: Line) -> None:
    agent = (await on.calls.agent_create(unique("Filer"))).id
    assert (await on.calls.file_get(agent, "SOUL.md")).missing
    written = await on.calls.file_set(agent, "SOUL.md", "Be kind.\n")
    assert not written.missing
    assert written.hash
    assert len(written.hash) == 64
    again = await on.calls.file_set(agent, "SOUL.md", "Be bold: äöü 🦊\n", expected_hash=written.hash)
    with pytest.raises(GatewayError) as conflict:
        await on.calls.file_set(agent, "SOUL.md", "lost update\n", expected_hash=written.hash)
    assert conflict.value.code == "INVALID_REQUEST"
    assert conflict.value.details["type"] == "agent_file_conflict"
    assert conflict.value.details["currentHash"] == again.hash
    read = await on.calls.file_get(agent, "SOUL.md")
    assert (read.content, read.hash) == ("Be bold: äöü 🦊\n", again.hash)
    for name in ("USER.md", "AGENTS.md"):
        assert (await on.calls.file_set(agent, name, name)).content == name
    with pytest.raises(GatewayError, match=r'unsupported file "TOOLS\.md"'):
        await on.calls.file_set(agent, "TOOLS.md", "x")


async def test_models(on: Line) -> None:
    models = await on.calls.models_list()
    assert len({model.id for model in models}) >= 2
    assert all(model.id.startswith(f"{model.provider}/") and model.name for model in models)


async def test_sessions_are_named_by_the_gateway(on: Line) -> None:
    agent = (await on.calls.agent_create(unique("Sessioner"))).id
    key = await on.calls.session_create(agent, "ccp-7-1")
    assert key == f"agent:{agent}:ccp-7-1"
    assert await on.calls.session_create(agent, "ccp-7-1") == key
    row = await on.calls.session_describe(key)
    assert row is not None
    assert (row.key, row.agent_id, row.active) == (key, agent, False)
    assert await on.calls.session_describe(f"agent:{agent}:nothing") is None


async def test_an_agent_works_where_it_is_told_to(on: Line, gateway: Gateway) -> None:
    """Its folder is made, and left as open as the gateway's umask lets it: another user of its group may look in."""
    name = unique("Settler")
    folder = gateway.folder / "elsewhere" / name.lower().replace(" ", "-")
    before = os.umask(0o022)
    os.umask(before)
    made = await on.calls.agent_create(name, workspace=str(folder))
    assert made.workspace == str(folder)
    assert stat.S_IMODE((await asyncio.to_thread(folder.stat)).st_mode) == 0o777 & ~before
    written = await on.calls.file_set(made.id, "SOUL.md", "Be there.\n")
    assert not written.missing
    assert await asyncio.to_thread((folder / "SOUL.md").read_text) == "Be there.\n"
    await on.calls.agent_delete(made.id, delete_files=True)
