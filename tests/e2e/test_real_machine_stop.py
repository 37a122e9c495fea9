"""A stop of the machine on the real OpenClaw gateway: it ends at once, in good order, and the work goes on after it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.execution.machinestop import WHY
from tests.service.board import spec, until
from tests.service.processes import processes_on
from tests.support.line import unique
from tests.support.provider import Provider
from tests.support.realgateway import RealGateway

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(400)]

SECONDS = 120.0
PROMPT_S = 15.0  # idle it ends within some 3 s; busy it would wait for its run, minutes


@pytest.fixture
def gateway(real_gateway: RealGateway, provider: Provider, tmp_path: Path) -> Iterator[RealGateway]:
    """One of its own: one that was killed mid-run in its past keeps tasks in its ledger that its stop waits for."""
    made = RealGateway(tmp_path, provider.url)
    try:
        made.start()
        yield made
    finally:
        made.stop()


async def test_a_busy_machine_stops_at_once_and_its_work_is_done_after_the_start(
    gateway: RealGateway, home: Home
) -> None:
    settings = {"CCP_ABORT_ON_STOP": "on", "CCP_WORKSPACES": str(gateway.folder / "agents")}
    async with processes_on(home, gateway, **settings) as board:
        await board.hire(unique("Ada").title())
        ref = await board.assigned(spec("!exec echo hello > hello.md", "!exec sleep 100"))
        await board.call("task.dispatch", ref=ref)
        await board.reach(ref, "in_progress", seconds=SECONDS)

        async def asleep() -> bool:
            rows = [row for row in await board.transcript(ref) if row["tool"]]
            return any("sleep" in str(row["tool"]["args"]) for row in rows)

        await until(asleep, SECONDS)
        service = board._service
        assert service
        began = time.monotonic()
        service.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(service.wait, 20) == 0
        service_s = time.monotonic() - began
        await asyncio.to_thread(gateway.stop)
        gateway_s = time.monotonic() - began - service_s
        print(f"service {service_s:.1f} s, gateway {gateway_s:.1f} s")
        assert gateway_s < PROMPT_S, gateway.tail()
        await board.kill_service()

        await asyncio.to_thread(gateway.start)
        await board.start_service()
        await board.connected()
        task = await board.reach(ref, "review", seconds=SECONDS)
        (attempt,) = task["attempts"]
        assert len(attempt["rounds"]) == 1
        assert task["hold"] is None
        told = [row["text"] for row in await board.transcript(ref) if row["role"] == "user"]
        assert len([text for text in told if WHY in text]) == 1
        kinds = [row["kind"] for row in await board.history(ref)]
        assert not {"held", "nudged", "resent"} & set(kinds)
        card = (await board.call("task.approve", ref=ref, attempt=1, round=1))["task"]
        assert card["state"] == "done"
