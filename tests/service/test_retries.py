"""A run that failed for the provider's sake is tried again, in the same session, a few times; no other failure is."""

from __future__ import annotations

import asyncio
import re

import pytest

from ccp_tui import wire
from ccp_tui.gateway import RunFailed
from ccp_tui.gateway.events import Reader
from ccp_tui.paths import Home
from ccp_tui.service.execution import prompts
from ccp_tui.service.settings import Settings
from tests.service.board import Board, board_on, spec, until

BUSY = spec("!fail 429")


@pytest.mark.parametrize(
    ("kind", "cause", "temporary"),
    [
        ("rate_limit", "rate_limit", True),
        ("timeout", "", True),
        (None, "server_error", True),
        (None, "overloaded", True),
        ("unknown", "timeout", True),
        ("refusal", "server_error", False),
        ("context_length", "", False),
        (None, "auth", False),
        (None, "billing", False),
        (None, "format", False),
        (None, "", False),
        ("unknown", "", False),
        ("something new", "server_error", False),
    ],
)
def test_which_failures_pass(kind: str | None, cause: str, temporary: bool) -> None:
    failed = RunFailed("agent:ada:x", "r1", "ada", message="It failed.", kind=kind, cause=cause)
    assert failed.temporary is temporary


@pytest.mark.parametrize(
    ("reason", "kind", "temporary"),
    [
        ("server_error", None, True),
        ("rate_limit", "rate_limit", True),
        ("format", None, False),
        ("", None, False),
    ],
)
def test_the_gateways_word_is_read_from_its_frame(reason: str, kind: str | None, temporary: bool) -> None:
    """As OpenClaw 2026.9.6 says it: a kind for the busy provider alone, and of all others the cause in the detail."""
    payload = {
        "runId": "r1",
        "sessionKey": "agent:ada:x",
        "seq": 9,
        "state": "error",
        "errorMessage": "It failed.",
    }
    detail = {"provider": "lab", "model": "fake-1", "providerRuntimeFailureKind": "timeout"}
    if reason:
        payload["errorDetail"] = {**detail, "failoverReason": reason}
    if kind:
        payload["errorKind"] = kind
    (failed,) = Reader().read(wire.Event("chat", payload))
    assert isinstance(failed, RunFailed)
    assert (failed.kind, failed.cause, failed.temporary) == (kind, reason, temporary)


async def held_again(board: Board, ref: str, number: int) -> bool:
    rows = await board.history(ref, "held")
    return len(rows) == number


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_provider_is_tried_again_in_the_same_session(home: Home, status: int) -> None:
    async with board_on(home, retry_after=0.5) as board:
        ref = await board.assigned(spec(f"!fail {status}"))
        key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
        hold = (await board.reach(ref, "held"))["hold"]
        assert hold["kind"] == "error"
        assert re.search(rf"HTTP {status}\); it is tried again at \d\d:\d\d \(1 of 3\)$", hold["reason"])
        task = await board.reach(ref, "review")
        assert len(board.prompts(key)) == 2
        assert "the AI provider failed" in board.prompts(key)[1]
        assert (len(task["attempts"]), task["round"]) == (1, 1)  # no fault of the task
        assert len(await board.history(ref, "released")) == 1
        notes = [row["text"] for row in await board.transcript(ref) if row["role"] == "system"]
        assert notes == [f"the run failed: The AI provider failed (HTTP {status})."]


async def test_it_is_tried_a_few_times_after_longer_and_longer_and_then_held(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "go_on", lambda *_: "!fail 429")
    async with board_on(home, retry_after=0.2, most_retries=2) as board:
        ref = await board.assigned(BUSY)
        key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
        await until(lambda: held_again(board, ref, 3))
        reasons = [row["reason"] for row in await board.history(ref, "held")]
        assert [re.findall(r"\d of \d", reason) for reason in reasons] == [["1 of 2"], ["2 of 2"], []]
        assert reasons[-1].endswith(", also when it was tried 2 times more")
        await asyncio.sleep(1.0)
        assert len(board.prompts(key)) == 3
        card = await board.card(ref)
        assert (card["hold"]["reason"], card["round"]) == (reasons[-1], 1)
        assert "Retry" in card["hold"]["release"]


async def test_a_success_counts_anew(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["!say I looked.", "!fail 429"])
    monkeypatch.setattr(prompts, "go_on", lambda *_: next(answers))
    monkeypatch.setattr(prompts, "nudge", lambda *_: "!fail 429")
    async with board_on(home, retry_after=0.2, most_retries=1) as board:
        ref = await board.assigned(BUSY)
        await board.call("task.dispatch", ref=ref)
        await until(lambda: held_again(board, ref, 3))
        reasons = [row["reason"] for row in await board.history(ref, "held")]
        assert [bool(re.search("1 of 1", reason)) for reason in reasons] == [True, True, False]


@pytest.mark.parametrize("status", [400, 401])
async def test_a_deterministic_failure_is_shown_and_not_tried_again(home: Home, status: int) -> None:
    async with board_on(home, retry_after=0.05) as board:
        ref = await board.assigned(spec(f"!fail {status}"))
        key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
        hold = (await board.reach(ref, "held"))["hold"]
        assert "tried again" not in hold["reason"]
        await asyncio.sleep(0.5)
        assert len(board.prompts(key)) == 1


async def test_a_restart_keeps_the_time_and_the_count(home: Home) -> None:
    async with board_on(home, retry_after=3.0) as board:
        ref = await board.assigned(BUSY)
        key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
        before = (await board.reach(ref, "held"))["hold"]
        await board.restart_service()
        assert (await board.card(ref))["hold"] == before
        assert len(board.prompts(key)) == 1
        await until(lambda: len(board.prompts(key)) == 2)
        assert (await board.history(ref, "released"))[0]["text"].endswith("is tried again (1 of 3)")


async def test_what_was_stopped_meanwhile_is_not_tried_again(home: Home) -> None:
    async with board_on(home, retry_after=0.5) as board:
        ref = await board.assigned(BUSY)
        key = (await board.call("task.dispatch", ref=ref))["task"]["session_key"]
        await board.reach(ref, "held")
        await board.call("task.stop", ref=ref)
        await asyncio.sleep(1.0)
        assert len(board.prompts(key)) == 1
        assert (await board.card(ref))["state"] == "assigned"


def test_there_is_a_finite_default() -> None:
    assert Settings().most_retries == 3
    assert Settings().retry_after == 15.0
