"""A report counts only while the gateway shows a command of its own session: a copied token is worth nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.gateway import History, InFlight, RemoteMessage, RunFinal, ToolEvent
from ccp_tui.paths import Home
from ccp_tui.service.reports.commands import Commands, shows_command
from tests.service.board import IDLE, Board, board_on, spec, until
from tests.service.test_reports import refused

WORDS = "only from a command that you run now in your own session"


@pytest.fixture
async def strict(home: Home) -> AsyncIterator[Board]:
    """A board whose service checks where a report comes from."""
    async with board_on(home, check_commands=True) as made:
        yield made


async def progressed(board: Board, ref: str, count: int = 1) -> bool:
    return len(await board.history(ref, "progress")) == count


async def shown(board: Board, ref: str) -> bool:
    """Whether the service knows of a running command of the task's session."""
    return board.service._commands._shows((await board.card(ref))["session_key"])


async def test_a_worker_s_own_command_reports(strict: Board) -> None:
    ref = await strict.dispatched(spec("!exec {report} progress one && {report} progress two", IDLE))
    await until(lambda: progressed(strict, ref, 2))
    assert await strict.history(ref, "refused") == []


async def test_a_whole_task_is_done_by_its_own_reports(strict: Board) -> None:
    ref = await strict.dispatched(spec(checks=("test -s hello.md",)))
    await strict.reach(ref, "review", seconds=40)
    assert await strict.history(ref, "refused") == []


async def test_a_token_that_another_agent_copied_is_worth_nothing(strict: Board) -> None:
    """The other one runs the very command, with the right token, in a shell of the same gateway."""
    bob = await strict.second_agent()
    mine = await strict.dispatched(spec(IDLE))
    token = await strict.token(mine)
    command = strict.service._deliveries.report.replace("{{token}}", token)
    (strict.workspace / "hello.md").write_text("not by ada")
    thief = await strict.dispatched(
        spec(f"!exec {command} deliver hello.md; {command} submit --summary mine > tried 2>&1", IDLE),
        agent=bob,
    )
    refusals = await until(lambda: refusals_of(strict, mine, 2))
    assert [row["actor_kind"] for row in refusals] == ["service", "service"]
    assert "no command of its session was running" in refusals[0]["text"]
    assert token not in refusals[0]["text"]
    task = await strict.show(mine)
    assert (task["state"], task["attempts"][0]["rounds"][0]["deliverables"]) == ("in_progress", [])
    agents = (await strict.call("agent.list"))["agents"]
    (folder,) = [one["workspace"] for one in agents if one["id"] == bob]
    assert WORDS in words_in(Path(folder, "tried"))
    assert (await strict.card(thief))["state"] == "in_progress"


def words_in(file: Path) -> str:
    return file.read_text()


async def refusals_of(board: Board, ref: str, count: int) -> Any:
    rows = await board.history(ref, "refused")
    return rows if len(rows) == count else None


async def test_a_report_from_nowhere_is_refused_and_one_during_a_command_is_taken(strict: Board) -> None:
    ref = await strict.dispatched(spec("!pause 60", "!exec sleep 8", IDLE))
    token = await strict.token(ref)
    await until(lambda: shown(strict, ref))
    await strict.report(ref, "progress", text="in my command")
    await strict.call("task.stop", ref=ref)
    await refused(strict, token, "progress", "NOT_ALLOWED", "this attempt has ended", text="x")

    other = await strict.dispatched(spec(IDLE))
    before = asyncio.get_running_loop().time()
    await refused(strict, await strict.token(other), "progress", "NOT_ALLOWED", WORDS, text="x")
    assert asyncio.get_running_loop().time() - before < 10
    assert len(await strict.history(other, "refused")) == 1


async def test_after_a_restart_in_the_middle_of_a_command_its_report_still_counts(strict: Board) -> None:
    ref = await strict.dispatched(spec("!exec sleep 12", IDLE))
    await until(lambda: shown(strict, ref))
    await strict.restart_service()
    assert not await shown(strict, ref)  # nobody tells it again that the command began
    await strict.report(ref, "progress", text="still in it")


async def test_a_command_left_running_counts_until_its_run_ends(
    strict: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccp_tui.gateway.demo.tools.YIELD_SECONDS", 0.3)
    ref = await strict.dispatched(spec("!exec sleep 30", "!pause 100", "!fail 400"))
    key = (await strict.card(ref))["session_key"]

    def left() -> bool:
        shells = strict.service._commands._sessions.get(key)
        return bool(shells and shells.behind and not shells.calls)

    await until(left)
    await strict.report(ref, "progress", text="from behind")
    await strict.restart_service()
    await strict.report(ref, "progress", text="from behind, after a restart")
    await until(lambda: strict.running(key) is None)
    await refused(strict, await strict.token(ref), "progress", "NOT_ALLOWED", WORDS, text="too late")


async def test_a_report_waits_for_the_line_to_the_gateway(strict: Board) -> None:
    """A restarted gateway takes up interrupted turns before the service is back with it."""
    ref = await strict.dispatched(spec("!exec sleep 30", IDLE))
    await until(lambda: shown(strict, ref))
    token = await strict.token(ref)
    gateway = strict.service.gateway
    await gateway.stop()
    assert not strict.service._c.connected
    reporting = asyncio.create_task(strict.report(ref, "progress", token=token, text="on and on"))
    await asyncio.sleep(0.2)
    assert not reporting.done()
    await gateway.start()
    await asyncio.wait_for(reporting, 15)
    assert await strict.history(ref, "refused") == []


async def test_while_the_gateway_is_away_nobody_can_tell(
    strict: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ccp_tui.service.reports.reports.AWAY_PATIENCE_S", 0.3)
    ref = await strict.dispatched(spec("!exec sleep 30", IDLE))
    token = await strict.token(ref)
    await until(lambda: shown(strict, ref))
    await strict.away()
    await refused(strict, token, "progress", "NOT_ALLOWED", "the gateway is away", text="x")


# -- the parts ----------------------------------------------------------------------------------------------------


class Line:
    """A context whose gateway answers with one history."""

    def __init__(self, history: History) -> None:
        self.connected = True
        self.gateway = self.calls = self
        self.history = history

    async def chat_history(self, session_key: str, *, limit: int) -> History:
        return self.history


def tool(
    phase: str, call: str = "c1", run: str = "r1", output: str | None = None, name: str = "exec"
) -> ToolEvent:
    return ToolEvent("s", run, "a", call, name, phase, None, output, is_error=False)


def history(*messages: RemoteMessage, run: str | None = "r1") -> History:
    return History(list(messages), [], InFlight(run, "") if run else None, len(messages))


def called(call: str = "c1", run: str | None = "r1", name: str = "exec") -> RemoteMessage:
    return RemoteMessage("m1", 1, "assistant", "", [(call, name, {})], run_id=run)


def result(call: str = "c1", run: str | None = "r1", text: str = "ok") -> RemoteMessage:
    return RemoteMessage("m2", 2, "tool", text, [], tool_call_id=call, run_id=run)


SAID = RemoteMessage("m3", 3, "assistant", "well", [], run_id="r1")
BEHIND = "Command still running (session ab12, pid 7). Use process (list/poll) for follow-up."


async def test_the_event_of_a_command_may_come_after_its_report(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = Commands(Line(history(run=None)))  # type: ignore[arg-type]
    asked = asyncio.create_task(commands.running("s"))
    await asyncio.sleep(0.05)
    assert not asked.done()
    commands.event(tool("start"))
    assert await asked is True
    monkeypatch.setattr("ccp_tui.service.reports.commands.PATIENCE_S", 0.05)
    commands.event(tool("result", output="done"))
    assert await commands.running("s") is False


async def test_other_tools_other_sessions_and_ended_runs_show_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ccp_tui.service.reports.commands.PATIENCE_S", 0.01)
    commands = Commands(Line(history(run=None)))  # type: ignore[arg-type]
    commands.event(tool("start", name="read"))
    assert await commands.running("s") is False
    commands.event(tool("start"))
    assert await commands.running("other") is False
    commands.event(RunFinal("s", "r2", "a", None, None))  # another run, steered into this one
    assert await commands.running("s") is True
    commands.event(RunFinal("s", "r1", "a", "done", "stop"))
    assert await commands.running("s") is False


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        (history(called()), True),
        (history(called(run=None)), True),
        (history(called(), run=None), False),
        (history(called(), result()), False),
        (history(called(), result(text=BEHIND)), True),
        (history(called(), result(text=BEHIND), SAID), True),
        (history(called(run="r0"), result(text=BEHIND, run="r0")), False),
        (history(called(run="r0")), False),
        (history(called(run=None), SAID), False),
        (history(called(name="read")), False),
        (history(called("c1"), result("c1"), called("c2")), True),
        (history(), False),
    ],
)
def test_what_a_history_shows(found: History, truth: bool) -> None:
    assert shows_command(found) is truth
