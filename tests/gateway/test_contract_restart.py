"""The contract, part four, on both gateways: lost lines and gateways that die in the middle of a run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ccp_tui.gateway import (
    GatewayShutdown,
    GatewayState,
    GatewayUnavailable,
    History,
    MessageAdded,
    RunDelta,
    RunFinal,
    ToolEvent,
)
from tests.gateway.conftest import Gateway, Worker
from tests.support.line import Line, line, unique

# A start of the real gateway takes up to a minute, and longer on a busy machine.
RETURN_S = 150.0


async def test_a_lost_line_does_not_lose_the_run(on: Line, session: str) -> None:
    run = unique("dropped")
    await on.calls.chat_send(session, "!stream 80 20", run)
    await on.until(lambda: len(on.of(RunDelta, session, run)) >= 3)
    before = len(on.of(RunDelta, session, run))
    on.drop()
    hello = await on.connected(times=2)
    assert not hello.restarted
    history = await on.calls.chat_history(session)
    assert history.in_flight is not None
    assert history.in_flight.run_id == run
    assert (await on.calls.chat_send(session, "!stream 80 20", run)).status == "in_flight"
    end = await on.ended(run)
    assert isinstance(end, RunFinal)
    assert end.text is not None
    assert len(end.text.split()) == 80
    assert len(on.of(RunDelta, session, run)) > before
    states = [status.state for status in on.statuses]
    assert states.count(GatewayState.CONNECTED) == 2
    assert GatewayState.UNREACHABLE in states


async def test_a_lost_line_does_not_lose_a_command(on: Line, session: str) -> None:
    """Tool events of a run go only to the connection that started it; the subscription makes up for that."""
    run = unique("dropped")
    await on.calls.chat_send(session, "!exec sleep 4; echo finished\n!say ok", run)
    await on.event(ToolEvent, session, run)
    on.drop()
    await on.connected(times=2)
    end = await on.ended(run)
    assert isinstance(end, RunFinal)
    result = on.of(ToolEvent, session, run)[-1]
    assert (result.phase, result.output) == ("result", "finished")


async def test_a_run_that_ended_while_we_were_away_is_in_the_history(
    gateway: Gateway, folder: Path, session: str
) -> None:
    run = unique("away")
    async with line(gateway.url, gateway.token, folder) as sender:
        await sender.connected()
        await sender.calls.chat_send(session, "!stream 10 40\n!say END", run)
    async with line(gateway.url, gateway.token, folder) as reader:
        await reader.connected()
        async with asyncio.timeout(20):
            while True:
                history = await reader.calls.chat_history(session)
                if history.in_flight is None and len(history.messages) == 2:
                    break
                await asyncio.sleep(0.2)
        assert history.messages[0].idempotency_key == run
        assert history.messages[1].text.endswith("END")
        assert (await reader.calls.chat_send(session, "!stream 10 40\n!say END", run)).status == "ok"


async def answered(on: Line, session: str, words: str) -> History:
    """The history once its last message ends with these words."""
    async with asyncio.timeout(RETURN_S):
        while True:
            history = await on.calls.chat_history(session)
            last = history.messages[-1]
            if history.in_flight is None and last.role == "assistant" and last.text.endswith(words):
                return history
            await asyncio.sleep(0.3)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_killed_gateway_goes_on_after_its_restart(
    gateway: Gateway, on: Line, worker: Worker, session: str
) -> None:
    speaking, working = unique("speaking"), unique("working")
    other = await on.calls.session_create(worker.id, unique("other"))
    await on.calls.chat_send(session, "!stream 150 20\n!say SPOKEN", speaking)
    await on.calls.chat_send(other, "!exec sleep 20; echo slept\n!say WORKED", working)
    await on.until(lambda: len(on.of(RunDelta, session, speaking)) >= 3)
    await on.event(ToolEvent, other, working)
    boot = on.client.boot_id
    waiting = asyncio.create_task(
        on.client.call("agent.wait", {"runId": working, "timeoutMs": 60_000}, timeout=90)
    )
    await asyncio.sleep(0.2)

    await asyncio.to_thread(gateway.kill)
    with pytest.raises(GatewayUnavailable) as lost:
        await waiting
    assert lost.value.sent, "the request had gone out: what became of it is unknown"
    status = await on.state(GatewayState.UNREACHABLE)
    assert status.detail
    assert status.retry_at is not None
    with pytest.raises(GatewayUnavailable) as away:
        await on.calls.agents_list()
    assert not away.value.sent

    await asyncio.to_thread(gateway.start)
    hello = await on.connected(times=2, seconds=RETURN_S)
    assert hello.restarted
    assert hello.boot_id != boot
    assert on.client.boot_id == hello.boot_id

    # Between the start and the resumed run nothing is in flight, and the session's row says what is to come.
    async with asyncio.timeout(RETURN_S):
        while True:
            history = await on.calls.chat_history(session)
            row = await on.calls.session_describe(session)
            assert row is not None
            if history.in_flight or history.messages[-1].text.endswith("SPOKEN"):
                break
            assert row.active or (await on.calls.chat_history(session)).in_flight
            await asyncio.sleep(0.1)
    # The turns may have been resumed and ended before we were back: the history is the truth.
    history = await answered(on, session, "SPOKEN")
    assert [message.idempotency_key for message in history.messages].count(speaking) == 1
    adopted = history.messages[-1].run_id
    assert adopted not in (None, speaking), "the gateway goes on under a run id of its own"
    assert len(history.messages[-1].text.split()) >= 150
    row = await on.calls.session_describe(session)
    assert row is not None
    assert row.last_run_id == adopted
    history = await answered(on, other, "WORKED")
    assert [message.idempotency_key for message in history.messages].count(working) == 1
    assert not [end for end in on.of(RunFinal) if end.run_id in (speaking, working)], "the old runs stay open"
    calls = [call for message in history.messages for call in message.tool_calls]
    assert len(calls) == 1, "the command was started once and not again"


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_gateway_that_is_stopped_says_so(gateway: Gateway, on: Line, session: str) -> None:
    run = unique("before")
    await on.calls.chat_send(session, "!say Before.", run)
    await on.ended(run)
    await on.until(lambda: len(on.of(MessageAdded, session)) == 2)
    await asyncio.sleep(1)
    await asyncio.to_thread(gateway.stop)
    await on.until(lambda: on.client.status.state is not GatewayState.CONNECTED)
    assert "stopping" in (await on.event(GatewayShutdown)).reason
    await asyncio.to_thread(gateway.start)
    hello = await on.connected(times=2, seconds=RETURN_S)
    assert hello.restarted
    history = await on.calls.chat_history(session)
    assert [message.text for message in history.messages] == ["!say Before.", "Before."]
    again = unique("after")
    await on.calls.chat_send(session, "!say After.", again)
    end = await on.ended(again, seconds=60)
    assert isinstance(end, RunFinal)
    assert end.text == "After."
