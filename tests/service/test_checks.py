"""Running the checks of a spec, and what follows from their results."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.verification import checks
from tests.service.board import IDLE, Board, board_on, spec, until

ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root may run checks as another user")


async def run(command: str, folder: Path, *, timeout_s: float = 20.0, user: str = "") -> dict[str, Any]:
    return await checks.run({"name": "it", "command": command, "timeout_s": timeout_s}, folder, user)


async def test_a_check_runs_in_the_workspace_and_keeps_its_output(tmp_path: Path) -> None:
    result = await run("pwd; echo to stderr >&2; exit 3", tmp_path)
    assert (result["exit_code"], result["timed_out"]) == (3, 0)
    assert result["output"] == f"{tmp_path}\nto stderr\n"
    assert result["duration_ms"] >= 0


async def test_a_check_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    result = await run("echo begun; sleep 300 & echo $! > child; sleep 300", tmp_path, timeout_s=0.3)
    assert (result["exit_code"], result["timed_out"]) == (None, 1)
    assert result["output"] == "begun\n"
    await until(lambda: gone(int((tmp_path / "child").read_text())))


async def test_what_a_check_leaves_in_the_background_is_ended(tmp_path: Path) -> None:
    result = await run("sleep 300 & echo $! > child", tmp_path)
    assert result["exit_code"] == 0
    await until(lambda: gone(int((tmp_path / "child").read_text())))


def gone(pid: int) -> bool:
    """Whether a process is dead; a dead one that nobody has buried yet counts."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def test_a_child_in_a_session_of_its_own_holds_nobody_up(tmp_path: Path) -> None:
    began = time.monotonic()
    result = await run("setsid sleep 20 & echo done", tmp_path)
    assert (result["exit_code"], result["output"]) == (0, "done\n")
    assert time.monotonic() - began < 15


async def test_of_a_huge_output_both_ends_are_kept(tmp_path: Path) -> None:
    result = await run("echo first; head -c 30000000 /dev/zero | tr '\\0' x; echo; echo last", tmp_path)
    assert result["exit_code"] == 0
    assert result["output"].startswith("first\n")
    assert result["output"].endswith("last\n")
    assert len(result["output"]) < 20_000


async def test_output_is_text_without_control_characters(tmp_path: Path) -> None:
    result = await run(r"printf 'a\033[31mb\377\000c'", tmp_path)
    assert result["output"] == "ab�c"


async def test_a_check_sees_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CCP_HOME",
        "CCP_GATEWAY_TOKEN",
        "CCP_TOKEN",
        "OPENCLAW_GATEWAY_TOKEN",
        "ANTHROPIC_API_KEY",
        "SECRET",
    ):
        monkeypatch.setenv(name, "of ours")
    result = await run("env; ls -l /proc/self/fd", tmp_path)
    environment = dict(
        line.split("=", 1) for line in result["output"].split("total")[0].splitlines() if "=" in line
    )
    assert set(environment) <= {
        "PATH",
        "HOME",
        "CI",
        "CHECK_MARK",
        "LANG",
        "LC_ALL",
        "TZ",
        "TMPDIR",
        "PWD",
        "SHLVL",
        "OLDPWD",
        "_",
    }
    assert environment["HOME"] == str(tmp_path)
    assert "of ours" not in result["output"]
    assert "mission.db" not in result["output"]


async def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    missing = await run("true", tmp_path / "nowhere")
    assert missing["exit_code"] is None
    assert "nowhere" in missing["output"]


@ROOT
async def test_checks_run_as_another_user_cannot_reach_the_home(home: Home, tmp_path: Path) -> None:
    home.database.write_text("everything")
    home.control_socket.touch()
    for folder in (tmp_path, *list(tmp_path.parents)[:-1]):
        if folder.stat().st_uid == os.getuid() and folder != Path("/tmp"):
            folder.chmod(0o755)
    command = f"id -un; id -G; cat {home.database}; ls {home.root}; cat {home.control_socket}; kill -0 {os.getpid()}"
    result = await run(command, tmp_path, user="nobody")
    assert result["output"].startswith("nobody\n")
    assert "everything" not in result["output"]
    assert result["output"].count("Permission denied") == 3
    assert "not permitted" in result["output"].lower()
    assert result["exit_code"] != 0


async def test_a_user_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(checks.ChecksUserError, match="no such user"):
        await run("true", tmp_path, user="no-such-user")


async def test_a_wrong_user_holds_the_task_and_costs_no_round(home: Home) -> None:
    async with board_on(home, checks_user="no-such-user") as board:
        ref = await board.dispatched(spec(IDLE, checks=("true",)))
        await board.work(ref)
        task = await board.reach(ref, "held")
        assert (task["state"], task["round"], task["hold"]["kind"]) == ("testing", 1, "error")
        assert "no-such-user" in task["hold"]["reason"]
        board.settings = board.settings.__class__(ccp_command=board.settings.ccp_command)
        await board.restart_service()  # as the words say: mended, the checks run
        await board.reach(ref, "review")


async def test_a_failing_check_goes_back_with_its_exact_output(board: Board) -> None:
    fails = {"name": "greets", "command": "echo 'wanted: hello  <3'; grep -q hello hello.md"}
    ref = await board.dispatched(spec(IDLE, checks=("true", fails)))
    key = (await board.card(ref))["session_key"]
    await board.work(ref, "good day\n")
    await until(lambda: len(board.prompts(key)) == 2)
    task = await board.show(ref)
    assert (task["state"], task["round"], task["hold"]) == ("in_progress", 2, None)
    prompt = board.prompts(key)[1]
    assert "1 of 2 failed" in prompt
    assert "--- output ---\nwanted: hello  <3\n--- end of output ---" in prompt
    assert fails["command"] in prompt
    assert "exit code 1" in prompt
    assert "\nRound: 2\n" in prompt
    await board.work(ref, "hello\n")
    await board.reach(ref, "review")
    rounds = (await board.show(ref))["attempts"][0]["rounds"]
    assert [one["result"] for one in rounds] == ["failed", "passed"]
    assert [check["ok"] for one in rounds for check in one["checks"]] == [True, False, True, True]


async def test_a_worker_mends_what_failed_by_itself(board: Board) -> None:
    once = "test -f .tried || { touch .tried; echo not yet; exit 1; }"
    ref = await board.assigned(spec(checks=({"name": "second time", "command": once},)))
    await board.call("task.dispatch", ref=ref)
    task = await board.reach(ref, "review", "held")
    assert (task["state"], task["round"], task["attempt"]) == ("review", 2, 1)


async def test_rounds_are_limited_and_then_a_person_decides(home: Home) -> None:
    async with board_on(home, most_rounds=2) as board:
        ref = await board.dispatched(spec(IDLE, checks=("echo never; false",)))
        key = (await board.card(ref))["session_key"]
        await board.work(ref)
        await board.reach(ref, "in_progress")
        await until(lambda: len(board.prompts(key)) == 2)
        await board.work(ref)
        task = await board.reach(ref, "held")
        assert (task["state"], task["round"], task["hold"]["kind"]) == ("in_progress", 2, "stalled")
        assert "2 rounds" in task["hold"]["reason"]
        assert len(board.prompts(key)) == 2
        with pytest.raises(Exception, match="used up"):
            await board.report(ref, "submit")
        await board.call("chat.send", session_key=key, text="try harder")
        assert (await board.card(ref))["hold"]["kind"] == "stalled"  # words do not give it another round
        await board.call("task.retry", ref=ref)
        await board.reach(ref, "in_progress")
        assert (await board.card(ref))["attempt"] == 2


async def test_a_stop_during_the_checks_leaves_them_without_effect(board: Board) -> None:
    ref = await board.dispatched(spec(IDLE, checks=("touch started; sleep 1",)))
    await board.work(ref)
    await until(lambda: (board.workspace / "started").exists())
    assert (await board.card(ref))["state"] == "testing"
    await board.call("task.stop", ref=ref)
    await asyncio.sleep(1.5)
    task = await board.show(ref)
    assert (task["state"], task["attempts"][0]["rounds"][0]["checks"]) == ("assigned", [])
    assert await board.history(ref, "checks_passed") == []


async def test_checks_of_a_stopped_service_run_again_and_decide_once(board: Board) -> None:
    ref = await board.dispatched(spec(IDLE, checks=("echo run >> runs; test -f go || sleep 60",)))
    await board.work(ref)
    await until(lambda: (board.workspace / "runs").exists())
    (board.workspace / "go").touch()
    await board.restart_service()
    task = await board.reach(ref, "review")
    assert len(await board.history(ref, "checks_passed")) == 1
    assert len(task["attempts"][0]["rounds"][0]["checks"]) == 1
