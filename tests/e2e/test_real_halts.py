"""What stops work, on the real OpenClaw gateway: a run is really aborted, and goes on in its session."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Deployment
from tests.service.board import spec, until

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 120.0


async def test_an_emergency_stop_aborts_a_real_run_which_goes_on_at_the_resume(real: Deployment) -> None:
    board = real.pair
    ref = await board.assigned(spec("!exec echo hello > hello.md", "!exec sleep 100"))
    await board.call("task.dispatch", ref=ref)
    await board.reach(ref, "in_progress", seconds=SECONDS)

    async def asleep() -> bool:
        rows = [row for row in await board.transcript(ref) if row["tool"]]
        return any("sleep" in str(row["tool"]["args"]) for row in rows)

    await until(asleep, SECONDS)
    await board.call("emergency.stop")
    task = await board.reach(ref, "held")
    assert task["hold"]["reason"].startswith("emergency stop by ")

    async def aborted() -> bool:
        return any("aborted" in row["text"] for row in await board.transcript(ref) if row["role"] == "system")

    await until(aborted, SECONDS)
    assert await board.call("emergency.resume") == {"emergency": None}
    task = await board.reach(ref, "review", seconds=SECONDS)
    (attempt,) = task["attempts"]
    assert len(attempt["rounds"]) == 1
    assert len([run for run in attempt["run_ids"] if "go-on-1" in run]) == 1
    await board.call("task.approve", ref=ref, attempt=1, round=1)
