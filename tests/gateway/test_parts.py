"""The parts of the client without a socket: the schedule, the words of refusals, the reading of events, the box."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from ccp_tui import wire
from ccp_tui.gateway import (
    GatewayState,
    GatewayUnavailable,
    History,
    MessageAdded,
    RemoteAgent,
    RunAborted,
    RunDelta,
    RunFailed,
    RunFinal,
    RunStatus,
    SessionChanged,
    SubagentChanged,
    ToolEvent,
    backoff,
    refusals,
)
from ccp_tui.gateway.events import REMEMBERED, GatewayEvent, Reader
from ccp_tui.gateway.inbox import Inbox
from ccp_tui.gateway.status import error_from

WHERE = {"session_key": "agent:a:s", "run_id": "r", "agent_id": "a"}
KEYS = {"sessionKey": "agent:a:s", "runId": "r"}


def test_the_schedule_grows_and_is_spread_over_its_whole_range() -> None:
    assert [backoff.lost(attempt, lambda: 1.0) for attempt in range(5)] == [1, 2, 4, 5, 5]
    assert backoff.lost(1000, lambda: 1.0) == 5
    assert backoff.lost(5, lambda: 0.0) == backoff.SHORTEST_S
    draw = random.Random(7).random
    waits = [backoff.lost(5, draw) for _ in range(1000)]
    assert min(waits) < 1
    assert max(waits) > 4.8
    assert 2 < sum(waits) / len(waits) < 3


def test_a_gateways_wish_is_honoured_within_reason() -> None:
    assert backoff.starting(0.5) == 0.5
    assert backoff.starting(0.0) == backoff.SHORTEST_S
    assert backoff.starting(3600) == 30
    assert 0.5 <= backoff.starting(None) <= 1.5
    assert backoff.refused(None, lambda: 0.5) == 30
    assert backoff.refused(120, lambda: 0.5) == 120


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        ({"code": "UNAVAILABLE", "message": "gateway starting"}, GatewayState.STARTING, "not ready"),
        ({"details": {"code": "AUTH_TOKEN_MISMATCH"}}, GatewayState.REFUSED, "from TOKEN-PLACE"),
        ({"details": {"code": "AUTH_RATE_LIMITED"}}, GatewayState.REFUSED, "too many"),
        ({"code": "NOT_PAIRED", "details": {"code": "PAIRING_REQUIRED"}}, GatewayState.REFUSED, "paired"),
        ({"details": {"code": "DEVICE_AUTH_SIGNATURE_INVALID"}}, GatewayState.REFUSED, "identity"),
        ({"details": {"code": "AUTH_SCOPE_MISMATCH"}, "message": "m"}, GatewayState.REFUSED, "rights"),
        ({"code": "NEW_CODE", "message": "some \x1b[31mnew reason"}, GatewayState.REFUSED, "some new reason"),
        ({}, GatewayState.REFUSED, "refused us"),
        ({"details": "nonsense", "message": 7, "code": []}, GatewayState.REFUSED, "7"),
    ],
)
def test_every_refusal_has_words_and_a_fix(error: dict[str, Any], state: GatewayState, words: str) -> None:
    refusal = refusals.of_error(error, "TOKEN-PLACE")
    assert refusal.state is state
    assert words in refusal.detail
    assert refusal.fix
    assert "\x1b" not in refusal.detail


def test_an_answer_that_says_not_ready_is_no_refusal_of_the_call() -> None:
    error = error_from(
        {"code": "UNAVAILABLE", "retryAfterMs": 500, "details": {"reason": "gateway-restarting"}}
    )
    assert isinstance(error, GatewayUnavailable)
    assert not error.sent
    assert error.retry_after_s == 0.5
    other = error_from({"code": "UNAVAILABLE", "message": "agent busy", "retryable": True})
    assert not isinstance(other, GatewayUnavailable)
    assert other.retryable


def read(reader: Reader, name: str, **payload: Any) -> list[GatewayEvent]:
    return reader.read(wire.Event(name, {**KEYS, **payload}))


def message(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def test_the_words_and_the_ends_of_a_run() -> None:
    reader = Reader()
    assert read(reader, "chat", state="status", phase="starting_model") == [
        RunStatus(**WHERE, phase="starting_model")
    ]
    assert read(reader, "chat", state="delta", deltaText="b", message=message("ab")) == [
        RunDelta(**WHERE, text="ab")
    ]
    assert read(reader, "agent", stream="assistant", data={"text": "ab"}) == [], "told by chat already"
    assert read(reader, "chat", state="final", stopReason="stop", message=message("abc")) == [
        RunFinal(**WHERE, text="abc", stop_reason="stop")
    ]
    assert read(reader, "chat", state="aborted", stopReason="rpc") == [
        RunAborted(**WHERE, stop_reason="rpc", text=None)
    ]
    failed = {
        "state": "error",
        "errorMessage": "prepared model runtime plugin generation was superseded for /x",
    }
    assert [event.superseded for event in read(reader, "chat", **failed) if isinstance(event, RunFailed)] == [
        True
    ]
    assert read(reader, "chat", **failed) == [], "a failure is told twice"
    assert reader.counters["repeated_ends"] == 1


def test_words_that_come_without_the_whole_text() -> None:
    reader = Reader()
    texts = []
    for delta, more in (("Hel", {}), ("lo", {}), ("Bye", {"replace": True}), ("!", {})):
        event = read(reader, "chat", state="delta", deltaText=delta, **more)[0]
        assert isinstance(event, RunDelta)
        texts.append(event.text)
    assert texts == ["Hel", "Hello", "Bye", "Bye!"]


def tool(phase: str, **more: Any) -> dict[str, Any]:
    return {"stream": "tool", "data": {"phase": phase, "name": "exec", "toolCallId": "c1", **more}}


def partial(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}]}


def test_a_tool_call_that_is_told_twice_is_one() -> None:
    reader = Reader()
    told = [
        tool("start", args={"command": "ls"}),
        tool("update", partialResult=partial("a")),
        tool("update", partialResult=partial("ab")),
        tool("result", result=partial("ab\n"), isError=False),
    ]
    events = []
    for payload in told:
        events += read(reader, "agent", **payload)
        events += read(reader, "session.tool", **payload)
    events += read(reader, "agent", **tool("update", partialResult=partial("late")))
    steps = [(event.phase, event.output) for event in events if isinstance(event, ToolEvent)]
    assert steps == [("start", None), ("update", "a"), ("update", "ab"), ("result", "ab\n")]
    assert isinstance(events[0], ToolEvent)
    assert events[0].args == {"command": "ls"}


def test_the_memory_for_repetitions_is_bounded() -> None:
    reader = Reader()
    for number in range(REMEMBERED + 500):
        reader.read(wire.Event("chat", {"runId": str(number), "state": "delta", "deltaText": "x"}))
        reader.read(wire.Event("chat", {"runId": f"f{number}", "state": "final"}))
        reader.read(wire.Event(f"unheard.of.{number}", {}))
    assert len(reader._texts) == len(reader._ended) == REMEMBERED
    assert len(reader.counters) < 600


def test_rows_that_the_gateway_split_are_one_message() -> None:
    marks = {"__openclaw": {"id": "m1", "seq": 2, "runId": "r"}}
    history = History.parse(
        {
            "messages": [
                {"role": "user", "content": "go", "__openclaw": {"id": "m0", "idempotencyKey": "k:user"}},
                {**message("First words."), **marks},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "toolCall", "id": "c", "name": "exec", "arguments": {"command": "ls"}}
                    ],
                    "usage": {"input": 5, "output": 3, "cost": {"total": 0.25}},
                    **marks,
                },
                {"role": "toolResult", "toolCallId": "c", "toolName": "exec", "content": [], "isError": True},
            ],
            "inFlightRun": {"runId": "r2", "text": "so far"},
            "pendingInputs": {"items": [{"text": "later"}], "total": 1},
            "totalMessages": 3,
        }
    )
    mine, spoken, result = history.messages
    assert mine.idempotency_key == "k"
    assert (spoken.text, spoken.tool_calls) == ("First words.", [("c", "exec", {"command": "ls"})])
    assert spoken.usage == (5, 3, 0.25)
    assert (result.role, result.tool_call_id, result.is_error) == ("tool", "c", True)
    assert history.in_flight is not None
    assert (history.in_flight.run_id, history.pending, history.total) == ("r2", [{"text": "later"}], 3)


def test_a_model_is_a_name_or_an_object() -> None:
    assert RemoteAgent.parse({"id": "a", "model": "p/m"}).model == "p/m"
    assert RemoteAgent.parse({"id": "a", "model": {"primary": "p/m", "fallbacks": ["x"]}}).model == "p/m"
    assert RemoteAgent.parse({"id": "a", "model": 7}).model is None
    assert RemoteAgent.parse({"id": "a"}).name == "a"


async def test_the_box_keeps_the_newest_words_and_every_step() -> None:
    box = Inbox(Counter(), capacity=10)

    def delta(run: str, text: str) -> RunDelta:
        return RunDelta("k", run, "a", text)

    step = ToolEvent("k", "one", "a", "c", "exec", "start", {}, None, False)
    for event in (
        delta("one", "a"),
        delta("two", "x"),
        delta("one", "ab"),
        step,
        delta("one", "abc"),
        delta("two", "xy"),
    ):
        assert box.put(event)
    assert [await box.get() for _ in range(len(box))] == [
        delta("one", "ab"),
        delta("two", "xy"),
        step,
        delta("one", "abc"),
    ]
    assert box.put(delta("one", "abcd"))
    assert await box.get() == delta("one", "abcd"), "what was taken out is not changed any more"


async def test_the_box_overflows_once_and_goes_on() -> None:
    counters: Counter[str] = Counter()
    box = Inbox(counters, capacity=3)
    events = [SessionChanged(f"k{number}", "", "a", {}, "send") for number in range(5)]
    assert [box.put(event) for event in events] == [True, True, True, False, True]
    assert len(box) == 1
    assert await box.get() == events[4]
    assert counters["overflows"] == 1
    waiting = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    box.put(events[0])
    assert await waiting == events[0]


def test_a_message_without_a_role_is_no_message() -> None:
    reader = Reader()
    assert read(reader, "session.message", message={}) == []
    added = read(reader, "session.message", message={"role": "user", "content": "hi"})
    assert isinstance(added[0], MessageAdded)
    assert added[0].message.text == "hi"


def test_the_ledger_of_background_work_tells_of_sub_agents_alone() -> None:
    reader = Reader()
    task = {
        "kind": "subagent",
        "title": "Look it up",
        "sessionKey": "agent:a:s",
        "childSessionKey": "agent:a:subagent:1",
        "runId": "r",
        "agentId": "a",
        "status": "running",
        "lastActivity": "reading",
    }
    (event,) = read(reader, "task", action="upserted", task=task)
    assert event == SubagentChanged(
        **WHERE, key="agent:a:subagent:1", label="Look it up", status="running", words="reading"
    )
    (event,) = read(
        reader, "task", task={**task, "status": "failed", "progressSummary": "gone", "label": "Scout"}
    )
    assert isinstance(event, SubagentChanged)
    assert (event.over, event.words, event.label) == (True, "gone", "Scout")
    others: list[Any] = [{**task, "kind": "cli"}, {**task, "childSessionKey": None}, [], None]
    for odd in others:
        assert read(reader, "task", task=odd) == []
