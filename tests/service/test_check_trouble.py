"""Checks that nobody wants any more, or that break for a reason of their own: ended, and never stuck without a word."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.service.verification import checks
from tests.service.board import IDLE, Board, spec, until
from tests.service.test_checks import gone

SLOW = {"name": "slow", "command": "echo $$ > running; sleep 300", "timeout_s": 600}
NEXT = {"name": "next", "command": "touch next", "timeout_s": 10}


async def checked(board: Board) -> tuple[str, int]:
    """A task whose first check runs, and would for minutes; the check's process."""
    ref = await board.dispatched(spec(IDLE, checks=(SLOW, NEXT)))
    await board.work(ref)
    mark = board.workspace / "running"
    return ref, await until(lambda: pid_in(mark))


def pid_in(mark: Path) -> int:
    """The process that a check wrote down; 0 as long as it has not."""
    return int(mark.read_text().strip() or 0) if mark.exists() else 0


@pytest.mark.parametrize("how", ["stop", "cancel"])
async def test_the_checks_of_a_stopped_task_end_with_it(board: Board, how: str) -> None:
    """Else they run in the same workspace as the attempt that comes next."""
    ref, pid = await checked(board)
    await board.call(f"task.{how}", ref=ref)
    await until(lambda: gone(pid), 5.0)
    await asyncio.sleep(0.3)
    assert not (board.workspace / "next").exists(), "nor does the next one begin"
    (attempt,) = (await board.show(ref))["attempts"]
    assert attempt["rounds"][0]["checks"] == []
    assert attempt["rounds"][0]["result"] == "dropped"


async def test_another_attempt_is_checked_as_if_nothing_had_been(board: Board) -> None:
    ref, pid = await checked(board)
    await board.call("task.stop", ref=ref)
    await until(lambda: gone(pid), 5.0)
    (board.workspace / "running").unlink()
    await board.call("task.dispatch", ref=ref)
    await board.reach(ref, "in_progress")
    await board.work(ref)
    await until(lambda: (board.workspace / "running").exists())
    assert (await board.card(ref))["state"] == "testing"


async def test_a_change_that_leaves_it_in_testing_leaves_its_checks(board: Board) -> None:
    ref, pid = await checked(board)
    await board.call("task.edit", ref=ref, priority="urgent")
    await asyncio.sleep(0.5)
    assert not gone(pid)
    await board.call("task.stop", ref=ref)
    await until(lambda: gone(pid), 5.0)


async def test_what_breaks_a_check_unforeseen_holds_the_task_with_its_words(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = checks.run

    async def broken(*_: Any) -> Any:
        raise RuntimeError("out of file descriptors")

    monkeypatch.setattr(checks, "run", broken)
    ref = await board.dispatched(spec(IDLE, checks=("true",)))
    await board.work(ref)
    task = await board.reach(ref, "held")
    assert task["state"] == "testing"
    assert "out of file descriptors" in task["hold"]["reason"]
    monkeypatch.setattr(checks, "run", run)
    await board.restart_service()
    await board.reach(ref, "review")
