"""What we say to workers reaches the model as it was written: the gateway blacks out what looks like a secret."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.service.execution import prompts
from ccp_tui.service.execution.prompts import report_command
from ccp_tui.service.reports.tokens import PLACEHOLDER
from tests.support.line import Line, line, unique
from tests.support.provider import Provider
from tests.support.realgateway import RealGateway

TASK = {"ref": "WEB-2", "title": "Say hello", "description": "To everybody."}
NEED = {"ref": "WEB-1", "title": "Gather names"}
SPEC: dict[str, Any] = {
    "text": "title: Say hello\ndeliverables: [{path: hello.md}]\n",
    "deliverables": [{"path": "hello.md", "description": "the greeting"}],
    "success_criteria": ["it greets"],
    "checks": [{"name": "there", "command": "test -s hello.md"}],
}
RESULT = """\
--- result of WEB-1 ---
Title: Gather names
Made by: ada. Done: 2026-11-23T06:54:15.123Z (3h ago)
Summary:
> made it with care
Files:
- /srv/workspace-ada/names.txt (9 bytes): the names
/srv/workspace-ada/names.txt is:
> Ann, Bob
--- end of result of WEB-1 ---
"""
EARLIER = """\
Attempt 1 by ada was stopped 5m ago.
It had stood still: ada is blocked: no paper left
Its last run failed: the provider is on fire
Round 1 was sent back by me:
> too short
Its last submission was round 1; these checks failed: style
Summary:
> made it
- /srv/workspace-ada/hello.md"""
TOKEN = "ccp_" + "0123456789abcdef" * 3


def texts() -> dict[str, str]:
    report = report_command("/usr/bin/ccp", Path("/srv/agents.sock")).replace(PLACEHOLDER, TOKEN)
    failed = {"name": "there", "command": "false", "exit_code": 1, "timed_out": 0, "output": "no"}
    return {
        "dispatch": prompts.dispatch(
            TASK, 2, SPEC, report, reopened="too cold", earlier=EARLIER, needed=RESULT
        ),
        "needed again": prompts.needed_again(TASK, 1, NEED, RESULT, report),
        "checks": prompts.checks_failed(TASK, 2, [failed], report),
        "rejected": prompts.rejected(TASK, 2, "too short", report),
        "nudge": prompts.nudge(TASK, 1, report),
        "go on": prompts.go_on(TASK, 1, "The service was away.", report),
        "sign of life": prompts.sign_of_life(TASK, 1, "10 minutes", report),
    }


@pytest.mark.real
@pytest.mark.parametrize("name", texts())
async def test_every_line_reaches_the_model(
    real_gateway: RealGateway, provider: Provider, tmp_path: Path, name: str
) -> None:
    await asyncio.to_thread(real_gateway.ensure)
    mark = unique("mark")
    text = f"{texts()[name]}\n{mark}\n!say read\n"
    async with line(real_gateway.url, real_gateway.token, tmp_path) as on:
        await on.connected()
        await said(on, text, mark)
        came = (await on.until(lambda: provider.requests_with(mark), 60))[-1].prompt
    assert [row for row in text.splitlines() if row.strip() and row not in came] == []


async def said(on: Line, text: str, key: str) -> None:
    agent = await on.calls.agent_create(unique("Wanda"))
    session = await on.calls.session_create(agent.id, key)
    await on.calls.chat_send(session, text, key)
