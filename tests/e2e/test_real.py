"""The whole way on the real OpenClaw gateway: its agent runs real shell commands and reports with the real command."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Deployment
from tests.service.board import Client, spec, until
from tests.support.line import unique

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]

WAY = ["inbox", "assigned", "in_progress", "testing", "review", "done"]
MOVES = ["captured", "spec_approved", "assigned", "dispatched", "submitted", "checks_passed", "approved"]
SECONDS = 120.0


def moves(watcher: Client, ref: str) -> list[str]:
    """The moves of a task as this client was told of them."""
    return [row["kind"] for row in watcher.feed() if row["task"] == ref and row["kind"] in MOVES]


async def test_from_capture_to_done_watched_by_a_second_client(real: Deployment) -> None:
    board = real.pair
    async with Client(board.home, "watcher") as watcher:
        await watcher.keep()
        ref = await board.assigned(spec(checks=("grep -qi hello hello.md",), title="Say hello to the world"))
        await board.call("task.dispatch", ref=ref)
        key = (await board.reach(ref, "in_progress"))["session_key"]
        await watcher.watch(key)
        await board.reach(ref, "review", seconds=SECONDS)
        await board.call("task.approve", ref=ref, attempt=1, round=1)
        await until(lambda: watcher.states(ref)[-1:] == ["done"])
        seen = watcher.states(ref)
        tools = [one for one in watcher.named("run.tool") if one["phase"] == "start"]
        activity = [one["activity"]["text"] for one in watcher.named("activity") if one["ref"] == ref]
        told = moves(watcher, ref)
    assert [state for state in WAY if state in seen] == seen
    assert told == MOVES
    assert any("hello.md" in str(tool["args"]) for tool in tools)
    assert any("report" in words for words in activity)

    task = await board.show(ref)
    (attempt,) = task["attempts"]
    assert attempt["outcome"] == "done"
    (made,) = attempt["rounds"]
    assert made["checks"][0]["ok"] is True
    assert (board.workspace / "hello.md").stat().st_size == made["deliverables"][0]["size"]
    await until(lambda: counted(real, ref), told="tokens")
    transcript = await board.transcript(ref)
    assert any(row["tool"] and "deliver" in str(row["tool"]["args"]) for row in transcript)
    assert any(row["tool"] and "is recorded" in str(row["tool"]["output"]) for row in transcript)


async def counted(real: Deployment, ref: str) -> bool:
    return bool((await real.pair.show(ref))["attempts"][0]["tokens"])


async def test_the_prompt_the_soul_and_the_model_reach_the_provider(real: Deployment) -> None:
    board = real.pair
    text = spec("!exec {report} progress hello", "!pause 60")
    title = unique("Of body and soul")  # the provider remembers the prompts of other tests too
    ref = await board.assigned(text, title=title)
    await board.call("task.dispatch", ref=ref)
    token = await board.token(ref)
    request = (await until(lambda: real.provider.requests_with(f"Task: {ref} {title}"), SECONDS))[-1]
    assert request.model == real.model.split("/")[-1]
    assert real.soul in request.system
    assert text in request.prompt
    # The gateway blacks out what looks like a secret: the token must come through whole.
    assert re.search(rf"^Report command: .* --attempt {token}$", request.prompt, re.MULTILINE)
    await until(lambda: progressed(real, ref), SECONDS)
    await board.call("task.cancel", ref=ref)
    assert (await board.card(ref))["state"] == "cancelled"
    key = (await board.show(ref))["attempts"][0]["session_key"]

    async def aborted() -> bool:
        return (await board.call("chat.open", session_key=key))["live"] is None

    await until(aborted, SECONDS)
    with pytest.raises(Exception, match="this attempt has ended"):
        await board.report_as(token, "progress", text="too late")


async def progressed(real: Deployment, ref: str) -> bool:
    return bool(await real.pair.history(ref, "progress"))


async def test_a_failing_check_and_a_rejection_go_back_to_the_worker_by_the_command_line(
    real: Deployment, tmp_path: Path
) -> None:
    """Driven by ``ccp`` alone, as a person in a shell does it."""
    once = "test -f .tried || { touch .tried; echo not yet; exit 1; }"
    file = tmp_path / "spec.yaml"
    file.write_text(
        spec(checks=("test -s hello.md", {"name": "second time", "command": once}), title="Say hello")
    )

    async def show(ref: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await real.ccp("task", "show", ref, "--json")).out)
        return found

    added = json.loads(
        (await real.ccp("task", "add", "--spec", str(file), "--priority", "high", "--json")).out
    )
    ref = str(added["ref"])
    refused = await real.ccp("task", "dispatch", ref, "--json", code=4)
    assert json.loads(refused.out)["error"]["gate"] == "state"
    await real.ccp("task", "approve-spec", ref)
    await real.ccp("task", "assign", ref, real.pair.agent)
    await real.ccp("task", "dispatch", ref)

    await real.pair.reach(ref, "review", "held", seconds=SECONDS)
    task = await show(ref)
    assert {
        "ref",
        "title",
        "state",
        "priority",
        "agent",
        "mission",
        "hold",
        "attempt",
        "updated_at",
    } <= task.keys()
    assert (task["state"], task["attempt"], task["round"], task["hold"]) == ("review", 1, 2, None)
    first, second = task["attempts"][0]["rounds"]
    assert [check["ok"] for check in first["checks"]] == [True, False]
    assert first["checks"][1]["output"] == "not yet\n"
    assert [check["ok"] for check in second["checks"]] == [True, True]
    feedback = real.provider.requests_with("1 of 2 failed. Mend it")
    assert "--- output ---\nnot yet\n--- end of output ---" in feedback[-1].prompt

    reason = "Too short:\n  say *hello* twice"
    await real.ccp("task", "reject", ref, "--reason", reason)
    await real.pair.reach(ref, "in_progress", "testing", "review")
    await until(lambda: reviewed(real, ref, 3), SECONDS)
    rejection = real.provider.requests_with("was reviewed and sent back")[-1].prompt
    assert f"--- reason ---\n{reason}\n--- end of reason ---" in rejection

    stale = await real.ccp("task", "approve", ref, "--round", "2", "--json", code=4)
    assert json.loads(stale.out)["error"]["gate"] == "this_round"
    await real.ccp("task", "approve", ref)
    task = await show(ref)
    assert task["state"] == "done"
    assert [one["result"] for one in task["attempts"][0]["rounds"]] == ["failed", "rejected", "approved"]
    assert len(task["attempts"]) == 1
    history = json.loads((await real.ccp("task", "history", ref, "--json")).out)
    kinds = [row["kind"] for row in (history["events"] if isinstance(history, dict) else history)]
    assert kinds.count("dispatched") == 1
    status = json.loads((await real.ccp("status", "--json")).out)
    assert status["gateway"]["state"] == "connected"
    assert status["tasks"]["done"] == 1


async def reviewed(real: Deployment, ref: str, number: int) -> bool:
    card = await real.pair.card(ref)
    return bool(card["state"] == "review" and card["round"] == number)


async def adopted(real: Deployment, ref: str) -> bool:
    (attempt,) = (await real.pair.show(ref))["attempts"]
    return len(attempt["run_ids"]) == 2


async def test_a_gateway_killed_in_the_middle_of_a_run_resumes_it_and_the_task_is_done(
    real: Deployment,
) -> None:
    """The restarted gateway takes the turn up by itself, under another run id, which is adopted."""
    board = real.pair
    title = unique("Survive a power cut")
    work = "!exec echo hello > hello.md && {report} deliver hello.md && {report} submit --summary made"
    ref = await board.assigned(spec("!exec {report} progress begun", "!pause 6", work), title=title)
    await board.call("task.dispatch", ref=ref)
    await until(lambda: progressed(real, ref), SECONDS)
    await asyncio.to_thread(real.gateway.kill)
    held = await board.reach(ref, "held")
    assert held["hold"]["kind"] == "gateway"
    await asyncio.to_thread(real.gateway.start)
    task = await board.reach(ref, "review", seconds=SECONDS)
    assert task["hold"] is None
    # The worker may have submitted before the line to the gateway is back; its run is known as soon as it is.
    await until(lambda: adopted(real, ref), SECONDS)
    assert real.provider.prompts(f"Task: {ref} {title}") == 1
    sent = [
        row for row in await board.transcript(ref) if row["role"] == "user" and f"Task: {ref}" in row["text"]
    ]
    assert len(sent) == 1
    assert await board.history(ref, "nudged") == []
    card = (await board.call("task.approve", ref=ref, attempt=1, round=1))["task"]
    assert card["state"] == "done"
