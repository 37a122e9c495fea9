"""A task that was stopped while the gateway was away does not go on when the gateway is back."""

from __future__ import annotations

import asyncio

from ccp_tui.paths import Home
from tests.service.board import board_on, until


async def test_a_run_stopped_while_the_gateway_was_away_is_not_resumed(home: Home) -> None:
    async with board_on(home, resume_grace=3.0) as board:
        ref = await board.dispatched()
        key = (await board.card(ref))["session_key"]
        await until(lambda: board.running(key))
        await board.gateway.kill()
        await board.away()
        await board.call("task.stop", ref=ref)
        await board.stop_service()
        await board.gateway.start()
        await until(lambda: board.running(key), told="the gateway takes the turn up again")
        await board.start_service()
        await board.connected()
        await until(lambda: board.running(key) is None)
        await asyncio.sleep(0.5)
        assert board.running(key) is None
        attempt = (await board.show(ref))["attempts"][0]
        assert attempt["outcome"] == "stopped"
