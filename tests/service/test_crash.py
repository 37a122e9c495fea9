"""Whatever is killed, and whenever: the same end, and nothing twice."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ccp_tui.paths import Home
from tests.service.board import IDLE, Board, Client, spec, until
from tests.service.processes import Processes, processes_on, sent_prompts, short_folder
from tests.support.embedded import EmbeddedGateway

WORK = "!exec echo hello > hello.md && {report} deliver hello.md && {report} submit --summary made"


@pytest.fixture
async def pair(home: Home) -> AsyncIterator[Processes]:
    with short_folder() as folder:
        gateway = EmbeddedGateway(folder)
        try:
            await asyncio.to_thread(gateway.start)
            async with processes_on(home, gateway, CCP_GATEWAY_GRACE="0.5", CCP_RESUME_GRACE="4") as made:
                await made.hire()
                yield made
        finally:
            await asyncio.to_thread(gateway.stop)


async def ends_well(pair: Processes, ref: str, *, runs: int | None = None) -> dict[str, Any]:
    """The task reached its review in one attempt, on one prompt, and nobody was told anything twice."""
    task = await pair.reach(ref, "review", seconds=40)
    (attempt,) = task["attempts"]
    (made,) = attempt["rounds"]
    assert made["deliverables"][0]["path"] == "hello.md"
    assert task["hold"] is None
    if runs is not None:
        assert len(attempt["run_ids"]) == runs
    assert isinstance(pair.gateway, EmbeddedGateway)
    prompts = sent_prompts(pair.gateway.state)
    assert len(prompts) == 1
    assert f"Task: {ref}" in prompts[0]
    for kind in ("dispatched", "submitted", "checks_passed"):
        assert len(await pair.history(ref, kind)) == 1, kind
    assert await pair.history(ref, "nudged") == []
    card = (await pair.call("task.approve", ref=ref, attempt=1, round=1))["task"]
    assert card["state"] == "done"
    return task


async def progressed(pair: Processes, ref: str) -> bool:
    return bool(await pair.history(ref, "progress"))


async def begun(pair: Processes, *script: str, checks: tuple[str, ...] = ()) -> str:
    """A task whose worker has reported once."""
    ref = await pair.assigned(spec("!exec {report} progress begun", *script, WORK, checks=checks))
    await pair.call("task.dispatch", ref=ref)
    await until(lambda: progressed(pair, ref))
    return ref


async def test_a_gateway_killed_in_the_middle_of_a_run(pair: Processes) -> None:
    ref = await begun(pair, "!pause 2")
    await asyncio.to_thread(pair.gateway.kill)
    held = await pair.reach(ref, "held")
    assert held["hold"]["kind"] == "gateway"
    await asyncio.to_thread(pair.gateway.start)
    await ends_well(pair, ref, runs=2)  # it resumed the turn under another id, which was adopted


async def test_a_service_killed_while_words_stream(pair: Processes) -> None:
    ref = await begun(pair, "!stream 60 30")
    async with Client(pair.home) as watcher:
        await watcher.keep()
        await watcher.watch((await pair.card(ref))["session_key"])
        await until(lambda: watcher.named("run.delta"), told="words")
    await pair.kill_service()
    await pair.start_service()
    await ends_well(pair, ref, runs=1)
    words = " ".join(row["text"] for row in await pair.transcript(ref) if row["role"] == "assistant")
    assert words.count("word60") == 1


async def test_a_service_killed_during_the_checks(pair: Processes) -> None:
    ref = await begun(pair, checks=("echo run >> runs; test -f go || sleep 20",))
    await until(lambda: (pair.workspace / "runs").exists())
    await pair.kill_service()
    (pair.workspace / "go").touch()
    await pair.start_service()
    task = await ends_well(pair, ref)
    assert [check["ok"] for check in task["attempts"][0]["rounds"][0]["checks"]] == [True]


async def test_a_service_that_is_away_while_its_worker_submits(pair: Processes) -> None:
    ref = await begun(pair, "!pause 1")
    await pair.kill_service()
    await until(
        lambda: (pair.workspace / "hello.md").exists()
    )  # it now waits for somebody to take its report
    await pair.start_service()
    await ends_well(pair, ref)


async def test_both_killed_at_once(pair: Processes) -> None:
    ref = await begun(pair, "!pause 2")
    await pair.kill_service()
    await asyncio.to_thread(pair.gateway.kill)
    await asyncio.to_thread(pair.gateway.start)
    await pair.start_service()
    await pair.connected()
    await ends_well(pair, ref, runs=2)


@pytest.mark.parametrize("milliseconds", [0, 4, 8, 15, 30, 60])
async def test_a_service_killed_at_any_moment_of_a_dispatch(pair: Processes, milliseconds: int) -> None:
    """Before the send, at it, after it: wherever the kill falls, the worker is asked once."""
    ref = await pair.assigned(spec("!pause 1", WORK))
    asked = asyncio.create_task(pair.call("task.dispatch", ref=ref))
    await asyncio.sleep(milliseconds / 1000)
    await pair.kill_service()
    await asyncio.gather(asked, return_exceptions=True)
    await pair.start_service()
    await pair.connected()
    card = await pair.card(ref)
    if card["state"] == "assigned" and not card["queued"]:  # it was killed before it heard of it
        await pair.call("task.dispatch", ref=ref)
    await ends_well(pair, ref)


async def test_a_row_that_may_have_gone_out_is_looked_up_and_sent(board: Board) -> None:
    """Delivery unknown, and it never arrived: it is sent now."""
    ref, key = await cut_off(board, arrives=False)
    assert board.prompts(key) == []
    await board.restart_service()
    await until(lambda: board.prompts(key))
    await finish(board, ref, key)


async def test_a_row_that_has_gone_out_is_looked_up_and_not_sent_again(board: Board) -> None:
    """Delivery unknown, and it had arrived: the history says so."""
    ref, key = await cut_off(board, arrives=True)
    await until(lambda: board.prompts(key))
    await board.restart_service()
    await finish(board, ref, key)


async def test_a_row_is_looked_up_at_a_gateway_that_was_restarted_too(board: Board) -> None:
    """A restarted gateway does not know the key of what it was sent before: only its history does."""
    ref, key = await cut_off(board, arrives=True)
    await until(lambda: board.prompts(key))
    await board.away()
    await board.back()
    await board.restart_service()
    await finish(board, ref, key)


async def cut_off(board: Board, *, arrives: bool) -> tuple[str, str]:
    """A dispatch whose message is marked as being sent and whose fate the service never learns."""
    ref = await board.assigned(spec(IDLE))
    calls = board.service.gateway.calls
    send, sending = calls.chat_send, asyncio.Event()

    async def silent(*args: object, **more: object) -> object:
        if arrives:
            await send(*args, **more)  # type: ignore[arg-type]
        sending.set()
        return await asyncio.Event().wait()

    calls.chat_send = silent  # type: ignore[assignment]
    await board.call("task.dispatch", ref=ref)
    async with asyncio.timeout(10):
        await sending.wait()
    assert outbox(board) == ["sending"]
    return ref, str((await board.card(ref))["session_key"])


def outbox(board: Board) -> list[str]:
    with sqlite3.connect(board.home.database) as db:
        return [state for (state,) in db.execute("SELECT state FROM outbox ORDER BY id")]


async def finish(board: Board, ref: str, key: str) -> None:
    await until(lambda: outbox(board) == ["sent"])
    assert len(board.prompts(key)) == 1
    await board.work(ref)
    task = await board.reach(ref, "review")
    assert len(task["attempts"]) == 1
    assert await board.history(ref, "nudged") == []
