"""A stop of the machine: service and gateway end in good order in the middle of the work, and it goes on after it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccp_tui.paths import Home
from ccp_tui.service.execution.machinestop import WHY
from tests.service.board import IDLE, Board, board_on, spec, until
from tests.service.processes import Processes, processes_on, sent_prompts, short_folder
from tests.support.embedded import EmbeddedGateway

WORK = "!exec echo hello > hello.md && {report} deliver hello.md && {report} submit --summary made"
SLOW = spec("!exec {report} progress begun", "!pause 30", WORK)


@pytest.fixture
async def pair(home: Home) -> AsyncIterator[Processes]:
    with short_folder() as folder:
        gateway = EmbeddedGateway(folder)
        try:
            await asyncio.to_thread(gateway.start)
            async with processes_on(
                home, gateway, CCP_ABORT_ON_STOP="on", CCP_GATEWAY_GRACE="0.5", CCP_RESUME_GRACE="4"
            ) as made:
                await made.hire()
                yield made
        finally:
            await asyncio.to_thread(gateway.stop)


async def stop_machine(pair: Processes, *, together: bool = False) -> None:
    """As systemd does it, the service first, or both at once; neither may take long."""
    service, gateway = pair._service, pair.gateway
    assert service
    assert isinstance(gateway, EmbeddedGateway)
    service.send_signal(signal.SIGTERM)
    if together:
        await asyncio.to_thread(gateway.stop)
    assert await asyncio.to_thread(service.wait, 20) == 0
    if not together:
        await asyncio.to_thread(gateway.stop)
    await pair.kill_service()


async def start_machine(pair: Processes) -> None:
    await asyncio.gather(asyncio.to_thread(pair.gateway.start), pair.start_service())
    await pair.connected()


async def begun(pair: Processes) -> str:
    ref = await pair.assigned(SLOW)
    await pair.call("task.dispatch", ref=ref)

    async def progressed() -> bool:
        return bool(await pair.history(ref, "progress"))

    await until(progressed)
    return ref


@pytest.mark.parametrize("together", [False, True], ids=["service first", "both at once"])
async def test_the_same_attempt_goes_on_and_is_done(pair: Processes, together: bool) -> None:
    ref = await begun(pair)
    await stop_machine(pair, together=together)
    await start_machine(pair)
    task = await pair.reach(ref, "review", seconds=90)
    (attempt,) = task["attempts"]
    (only,) = attempt["rounds"]
    assert only["deliverables"]
    assert task["hold"] is None
    prompts = sent_prompts(pair.gateway.state)  # type: ignore[attr-defined]
    assert WHY not in prompts[0]
    assert [prompt.startswith(WHY) for prompt in prompts[1:]] == [True] * (len(prompts) - 1)
    # A gateway that ended before it could be told to abort takes its turn up by itself, and hears why later.
    assert len(prompts) == 2 or (together and len(prompts) == 1)
    kinds = [row["kind"] for row in await pair.history(ref)]
    assert kinds.count("dispatched") == kinds.count("resumed") == 1
    assert not {"nudged", "resent", "checks_failed"} & set(kinds)
    if not together:
        assert "held" not in kinds
    feed = (await pair.call("events.list"))["events"]
    (stopping,) = [row for row in feed if row["kind"] == "machine_stopping"]
    assert ref in stopping["text"]
    card = (await pair.call("task.approve", ref=ref, attempt=1, round=1))["task"]
    assert card["state"] == "done"


async def test_it_is_told_once_over_several_starts(pair: Processes) -> None:
    ref = await begun(pair)
    await stop_machine(pair)
    await pair.start_service()  # without its gateway
    await pair.kill_service()
    await start_machine(pair)
    await pair.reach(ref, "review", seconds=90)
    assert len(sent_prompts(pair.gateway.state)) == 2  # type: ignore[attr-defined]
    assert len(await pair.history(ref, "resumed")) == 1
    await stop_machine(pair)
    await start_machine(pair)
    await asyncio.sleep(1)
    assert len(await pair.history(ref, "resumed")) == 1, "nothing was cut off this time"
    assert len(sent_prompts(pair.gateway.state)) == 2  # type: ignore[attr-defined]


async def stopped(board: Board) -> None:
    await board.service.wind_down()


async def test_everything_is_aborted_and_nothing_starts_judged_or_sent(home: Home) -> None:
    async with board_on(home, abort_on_stop=True) as board:
        ref = await board.dispatched(spec(IDLE))
        key = (await board.card(ref))["session_key"]
        chat = (await board.call("chat.open", agent=board.agent))["session_key"]
        await board.call("chat.send", session_key=chat, text="!stream 40000 10")
        await until(lambda: board.running(key) and board.running(chat))
        await stopped(board)
        assert (board.running(key), board.running(chat)) == (None, None)
        other = await board.assigned(spec(IDLE), agent=await board.second_agent())
        card = (await board.call("task.dispatch", ref=other))["task"]
        assert (card["state"], card["waiting"]) == ("assigned", "the machine is stopping")
        await board.call("chat.send", session_key=chat, text="Are you there?")
        await asyncio.sleep(1.5)  # longer than the grace after which ended runs are judged
        assert board.prompts(chat) == ["!stream 40000 10"]
        task = await board.card(ref)
        assert (task["state"], task["hold"]) == ("in_progress", None)
        assert len(board.prompts(key)) == 1

        await board.restart_service()
        await until(lambda: len(board.prompts(key)) == 2)
        await until(lambda: board.prompts(chat)[1:] == ["Are you there?"])
        await board.reach(other, "in_progress")
        await board.reach(ref, "review")


async def test_planner_and_reviewer_are_asked_again(home: Home) -> None:
    async with board_on(home, abort_on_stop=True) as board:
        await board.call("mission.create", title="Web", slug="web", policy={"review": "agent"})
        planned = await board.add(None, description="!pause 4000", mission="web")
        await board.call("task.plan", ref=planned)
        ref = await board.dispatched(spec(IDLE, "!review wait"), mission="web")
        await board.work(ref)

        async def sessions() -> list[str]:
            plannings = (await board.show(planned))["plannings"]
            requests = (await board.show(ref))["attempts"][0]["rounds"][0]["review_requests"]
            keys = [one["session_key"] for one in (*plannings, *requests) if one["session_key"]]
            return keys if len(keys) == 2 and all(board.running(key) for key in keys) else []

        plan, review = await until(sessions)
        await stopped(board)
        assert (board.running(plan), board.running(review)) == (None, None)
        await board.restart_service()
        await until(lambda: [len(board.prompts(key)) for key in (plan, review)] == [2, 2])
        for key in (plan, review):
            first, second = board.prompts(key)
            assert second.startswith(WHY)
            assert second.endswith(first)
        for one in (planned, ref):
            assert (await board.card(one))["hold"] is None


async def test_without_the_setting_runs_go_on(home: Home) -> None:
    async with board_on(home) as board:
        ref = await board.dispatched(spec(IDLE))
        key = (await board.card(ref))["session_key"]
        await until(lambda: board.running(key))
        await stopped(board)
        assert board.running(key)
        feed: list[dict[str, Any]] = (await board.call("events.list"))["events"]
        assert not [row for row in feed if row["kind"].startswith("machine")]


async def test_a_gateway_that_is_away_holds_nobody_up(home: Home) -> None:
    async with board_on(home, abort_on_stop=True) as board:
        await board.dispatched(spec(IDLE))
        await board.away()
        async with asyncio.timeout(5):
            await stopped(board)
