"""A command that takes long, on both gateways: its call returns before it does, and says so."""

from __future__ import annotations

from ccp_tui.gateway import ToolEvent
from tests.support.line import Line, unique


async def test_a_long_command_is_left_running_behind_its_call(on: Line, session: str) -> None:
    run = unique("long")
    await on.calls.chat_send(session, "!exec echo begun; sleep 14; echo ended\n!say I go on", run)
    await on.ended(run, 60)
    steps = [event for event in on.of(ToolEvent, session, run) if event.name == "exec"]
    (result,) = [event for event in steps if event.phase == "result"]
    assert "Command still running (session " in (result.output or "")
    assert "ended" not in (result.output or "")
    assert not result.is_error


async def test_a_short_command_returns_with_all_it_said(on: Line, session: str) -> None:
    run = unique("short")
    await on.calls.chat_send(session, "!exec echo begun; sleep 1; echo ended\n!say I go on", run)
    await on.ended(run, 60)
    (result,) = [event for event in on.of(ToolEvent, session, run) if event.phase == "result"]
    assert (result.output or "").split() == ["begun", "ended"]
