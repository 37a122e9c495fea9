"""On the real gateway: a report counts only from a command of the session whose token it shows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ccp_tui.paths import Home
from tests.service.board import spec, until
from tests.service.processes import Processes, processes_on
from tests.support.line import unique
from tests.support.provider import Provider
from tests.support.realgateway import RealGateway

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 120.0
WORDS = "only from a command that you run now in your own session"


@pytest.fixture
async def strict(real_gateway: RealGateway, home: Home) -> AsyncIterator[Processes]:
    """A service that checks where a report comes from, on the real gateway, with an agent of its own."""
    await asyncio.to_thread(real_gateway.ensure)
    async with processes_on(home, real_gateway, CCP_CHECK_COMMANDS="on") as pair:
        await pair.hire(unique("Ada").title())
        yield pair


async def progressed(board: Processes, ref: str, count: int = 1) -> bool:
    return len(await board.history(ref, "progress")) >= count


async def refusals(board: Processes, ref: str) -> list[str]:
    return [row["text"] for row in await board.history(ref, "refused")]


def report_of(provider: Provider, title: str) -> str:
    """The report command as it reached the agent, token and all."""
    found = re.search(r"^Report command: (.+)$", provider.requests_with(title)[-1].prompt, re.MULTILINE)
    assert found
    return found[1]


def read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def test_a_token_that_another_agent_copied_is_worth_nothing(
    strict: Processes, provider: Provider
) -> None:
    """The other agent runs the very command that the owner runs with success, in a shell of the same gateway."""
    title = unique("Mine alone")
    mine = await strict.dispatched(spec("!exec {report} progress mine", "!pause 120"), title=title)
    await until(lambda: progressed(strict, mine), SECONDS)
    copied = report_of(provider, title)
    owner = strict.agent
    (strict.workspace / "hello.md").write_text("not by its worker")

    await strict.hire(unique("Mallory").title())
    tried = strict.workspace / "tried"
    steal = f"!exec {copied} deliver hello.md > tried 2>&1; {copied} submit --summary stolen >> tried 2>&1"
    thief = await strict.dispatched(
        spec(steal, "!exec {report} progress finished", "!pause 120"), agent=strict.agent
    )
    await until(lambda: progressed(strict, thief), SECONDS)
    assert read(tried).count(WORDS) == 2
    told = await refusals(strict, mine)
    assert [owner in text and "no command of its session was running" in text for text in told] == [
        True,
        True,
    ]
    task = await strict.show(mine)
    (made,) = task["attempts"][0]["rounds"]
    assert (task["state"], made["deliverables"], made["submitted_at"]) == ("in_progress", [], None)
    assert await refusals(strict, thief) == []
    for ref in (mine, thief):
        await strict.call("task.cancel", ref=ref)


async def test_a_command_counts_across_restarts_of_the_service_and_when_it_is_left_running(
    strict: Processes,
) -> None:
    """The gateway's history tells of a command that began before the service did."""
    late = "!exec sleep 25; {report} progress late"
    ref = await strict.dispatched(spec(late, "!pause 120"), title=unique("A long command"))
    token = await strict.token(ref)

    async def shows(words: str) -> bool:
        rows = [row["tool"] for row in await strict.transcript(ref) if row["tool"]]
        return any(words in str(tool["args"]) or words in str(tool["output"]) for tool in rows)

    async def taken() -> bool:
        return "sleep 25" in str((await strict.card(ref))["activity"])

    await until(taken, SECONDS)
    await strict.kill_service()
    await strict.start_service()
    await strict.connected()
    await strict.report_as(token, "progress", text="in the middle of it")
    await until(lambda: shows("Command still running"), SECONDS)
    await strict.report_as(token, "progress", text="left running")
    await strict.kill_service()
    await strict.start_service()
    await strict.connected()
    await strict.report_as(token, "progress", text="left running, after a restart")
    await until(lambda: progressed(strict, ref, 4), SECONDS)
    assert (await strict.history(ref, "progress"))[-1]["text"].endswith("late")
    assert await refusals(strict, ref) == []
    await strict.call("task.cancel", ref=ref)
