"""Sub-agents, on both gateways: a run spawns one, it is told of as it goes, and its end is announced."""

from __future__ import annotations

from ccp_tui.gateway import RunDelta, RunFinal, SessionChanged, SubagentChanged, ToolEvent
from tests.support.line import Line, unique


async def test_a_sub_agent_is_told_of_from_its_birth_to_its_announcement(on: Line, session: str) -> None:
    run = unique("spawns")
    await on.calls.chat_send(session, "!say I need help\n!spawn !say I am the helper\n!say off it goes", run)
    await on.until(lambda: [one for one in on.of(SubagentChanged, session) if one.over], 60)
    told = on.of(SubagentChanged, session)
    child = told[0].key
    assert child.startswith(f"agent:{told[0].agent_id}:subagent:")
    assert {one.key for one in told} == {child}
    assert {one.run_id for one in told} == {told[0].run_id}
    assert told[0].status == "running"
    assert told[-1].status == "completed"
    assert "I am the helper" in told[-1].words
    assert "I am the helper" in told[0].label

    (born,) = [one for one in on.of(SessionChanged, child) if one.reason == "create"]
    assert born.row["spawnedBy"] == session
    said = await on.event(RunFinal, child)
    assert said.text == "I am the helper"
    assert on.of(RunDelta, child)
    announced = f"announce:v1:{child}:{told[0].run_id}"
    end = await on.ended(announced, 60)
    assert isinstance(end, RunFinal)
    assert end.session_key == session
    assert "My sub-agent is done" in (end.text or "")
    calls = [one for one in on.of(ToolEvent, session, run) if one.name == "sessions_spawn"]
    assert [one.phase for one in calls] == ["start", "result"]
    assert child in (calls[-1].output or "")
    rows = (await on.calls.chat_history(child)).messages
    assert [row.text for row in rows if row.role == "assistant"] == ["I am the helper"]
    assert not [
        row for row in (await on.calls.chat_history(session)).messages if "A background task" in row.text
    ]


async def test_other_sessions_are_no_sub_agents(on: Line, session: str) -> None:
    run = unique("alone")
    await on.calls.chat_send(session, "!say alone", run)
    await on.ended(run, 60)
    found = await on.calls.session_describe(session)
    assert found is not None
    assert not found.raw.get("spawnedBy")
    assert not on.of(SubagentChanged, session)
