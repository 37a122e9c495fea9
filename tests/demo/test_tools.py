"""The tools of scripted agents on the embedded gateway: what outlives a call, a turn, a crash."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ccp_tui.gateway.demo import tools
from ccp_tui.gateway.demo.server import EmbeddedGateway
from tests.demo.raw import Json, Raw
from tests.demo.test_runs import history, send, text_of


async def delivered(raw: Raw) -> Json:
    """The ledger's entry of a sub-agent whose end was announced."""
    event = await raw.until(lambda name, p: name == "task" and p["task"]["deliveryStatus"] == "delivered")
    task: Json = event["task"]
    return task


async def test_an_end_is_announced_only_when_the_one_who_spawned_is_done(raw: Raw) -> None:
    await send(raw, "!spawn !say quick\n!exec sleep 1; echo slow > slow.txt\n!say done")
    task = await delivered(raw)
    announce = f"announce:v1:{task['childSessionKey']}:{task['runId']}"
    final = await raw.chat(announce, "final")
    assert "It said: quick" in text_of(final["message"])
    ends = [p["runId"] for name, p in raw.events if name == "chat" and p["state"] == "final"]
    assert ends == [task["runId"], "k1", announce]
    assert (await raw.call("tasks.list", {"sessionKey": "agent:main:work"}))["tasks"] == [task]
    assert (await raw.call("tasks.list", {"sessionKey": "agent:main:other"}))["tasks"] == []


async def test_a_sub_agent_asks_nobody_and_its_stop_is_not_announced(raw: Raw) -> None:
    await send(raw, "!spawn !question Why? | a | b\\n!say asked\n!spawn !pause 60")
    await raw.chat("k1", "final")
    first, second = (await raw.call("tasks.list"))["tasks"]
    await raw.until(
        lambda name, p: (
            name == "task" and p["task"]["id"] == first["id"] and p["task"]["status"] == "completed"
        )
    )
    rows = (await history(raw, first["childSessionKey"]))["messages"]
    assert any("only in the main session" in text_of(row) for row in rows if row["role"] == "toolResult")
    assert raw.of("question.requested") == []
    await raw.call("chat.abort", {"sessionKey": second["childSessionKey"]})
    await raw.until(lambda name, p: name == "task" and p["task"]["status"] == "cancelled")
    await raw.chat(f"announce:v1:{first['childSessionKey']}:{first['runId']}", "final")
    assert not [
        p for p in raw.of("chat") if p["runId"].startswith(f"announce:v1:{second['childSessionKey']}")
    ]


async def test_a_crash_in_a_sub_agents_turn_loses_neither_it_nor_its_announcement(tmp_path: Path) -> None:
    gateway = await EmbeddedGateway(tmp_path, speed=4).start()
    raw = await Raw.open(gateway.url)
    await send(raw, "!spawn !pause 4\\n!say survived\n!say spawned")
    await raw.chat("k1", "final")
    await gateway.kill()
    await raw.close()
    async with gateway:
        raw = await Raw.open(gateway.url)
        task = await delivered(raw)
        final = await raw.chat(f"announce:v1:{task['childSessionKey']}:{task['runId']}", "final")
        assert "It said: survived" in text_of(final["message"])
        await raw.close()


async def test_a_command_left_behind_goes_on_and_ends_with_the_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "YIELD_SECONDS", 0.2)
    async with EmbeddedGateway(tmp_path / "state", speed=4) as gateway:
        raw = await Raw.open(gateway.url)
        await send(raw, "!exec sleep 1; echo one > one.txt; sleep 3; echo two > two.txt\n!say left it")
        await raw.chat("k1", "final")
        (result,) = [row for row in (await history(raw))["messages"] if row["role"] == "toolResult"]
        assert "Command still running (session " in text_of(result)
        workspace = gateway._state / "workspaces/main"
        for _ in range(100):
            if (workspace / "one.txt").exists():
                break
            await asyncio.sleep(0.05)
        assert (workspace / "one.txt").exists()
        await raw.close()
    await asyncio.sleep(3.2)
    assert not (workspace / "two.txt").exists()
