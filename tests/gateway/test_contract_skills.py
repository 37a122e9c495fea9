"""The reporting skill on both gateways: folders of ours in the configuration, taken up live, and seen by agents."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ccp_tui.gateway import GatewayError, ToolEvent
from ccp_tui.service.reports import skill
from tests.gateway.conftest import Gateway
from tests.support.line import Line, unique


async def install(on: Line, root: Path) -> bool:
    """Whether there was something to install."""
    skill.write_files(root, "/bin/echo this is ccp")
    before = await on.calls.config()
    patch = skill.missing(before, root)
    if patch:
        await on.calls.config_patch(patch, before["hash"])
    return bool(patch)


async def listed(on: Line, root: Path) -> list[str]:
    found = [one for one in await on.calls.skills() if one["name"] == skill.NAME]
    return [one["description"] for one in found if one["filePath"].startswith(str(root))]


async def test_skill_and_path_are_taken_up_live_and_written_once(
    gateway: Gateway, on: Line, session: str
) -> None:
    root = gateway.folder / "ccp home"
    assert await install(on, root)
    assert not await install(on, root)
    assert not skill.missing(await on.calls.config(), root)
    words: list[str] = []
    for _ in range(100):
        words = words or await listed(on, root)
        await asyncio.sleep(0 if words else 0.1)
    assert "Report command" in words[0]

    run = unique("which")
    await on.calls.chat_send(session, "!exec command -v ccp && ccp report\n!say seen", run)
    await on.ended(run, 60)
    (result,) = [event for event in on.of(ToolEvent, session, run) if event.phase == "result"]
    assert f"{root}/bin/ccp" in (result.output or "")
    assert "this is ccp report" in (result.output or "")


async def test_a_change_on_an_old_configuration_is_refused_and_others_folders_stay(
    on: Line, tmp_path: Path
) -> None:
    old = await on.calls.config()
    first = [*old["config"].get("tools", {}).get("exec", {}).get("pathPrepend", []), str(tmp_path)]
    await on.calls.config_patch({"tools": {"exec": {"pathPrepend": first}}}, old["hash"])
    with pytest.raises(GatewayError):
        await on.calls.config_patch({"tools": {"exec": {"pathPrepend": ["/nowhere"]}}}, old["hash"])
    patch = skill.missing(await on.calls.config(), tmp_path / "other")
    assert patch["tools"]["exec"]["pathPrepend"] == [*first, str(tmp_path / "other/bin")]


async def test_a_folder_that_comes_after_the_gateway_is_seen_too(gateway: Gateway, on: Line) -> None:
    """It may lie where nothing outlives a start of the machine, and be written by a service that starts later."""
    root = gateway.folder / "later"
    before = await on.calls.config()
    await on.calls.config_patch(skill.missing(before, root), before["hash"])
    assert await listed(on, root) == []
    await asyncio.to_thread(skill.write_files, root, "/bin/echo this is ccp")
    words: list[str] = []
    for _ in range(100):
        words = words or await listed(on, root)
        await asyncio.sleep(0 if words else 0.1)
    assert "Report command" in words[0]
