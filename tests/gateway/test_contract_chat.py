"""The contract, part three, on both gateways: words, tools, failures, aborts, and messages sent during a run."""

from __future__ import annotations

import asyncio
import shlex
from itertools import pairwise

import pytest

from ccp_tui.gateway import (
    ApprovalRequested,
    ApprovalResolved,
    GatewayError,
    MessageAdded,
    RunAborted,
    RunDelta,
    RunFailed,
    RunFinal,
    RunStatus,
    ToolEvent,
)
from tests.gateway.conftest import Gateway, Worker
from tests.support.line import Line, line, unique


async def idle(on: Line, session: str) -> None:
    """Waits until nothing runs and nothing is queued in the session."""
    async with asyncio.timeout(30):
        while True:
            history = await on.calls.chat_history(session)
            row = await on.calls.session_describe(session)
            if history.in_flight is None and not history.pending and row is not None and not row.active:
                return
            await asyncio.sleep(0.1)


async def test_words_stream_and_the_history_keeps_them(on: Line, session: str) -> None:
    run = unique("stream")
    ack = await on.calls.chat_send(session, "!stream 40 40", run)
    assert (ack.run_id, ack.status) == (run, "started")
    end = await on.ended(run)
    assert isinstance(end, RunFinal)
    assert end.text is not None
    assert len(end.text.split()) == 40
    assert end.session_key == session

    deltas = [event.text for event in on.of(RunDelta, session, run)]
    assert len(deltas) >= 3, "the words came in one piece"
    for shorter, longer in pairwise(deltas):
        assert longer.startswith(shorter)
    assert end.text.startswith(deltas[-1])
    assert on.of(RunStatus, session, run)

    await idle(on, session)
    history = await on.calls.chat_history(session)
    mine, answer = history.messages
    assert (mine.role, mine.text, mine.idempotency_key) == ("user", "!stream 40 40", run)
    assert (answer.role, answer.text, answer.run_id) == ("assistant", end.text, run)
    assert answer.usage is not None
    assert answer.usage[1] > 0
    assert answer.at > "2020"
    assert history.total == 2
    added = [event.message for event in on.of(MessageAdded, session)]
    assert [message.role for message in added] == ["user", "assistant"]
    assert [message.id for message in added] == [mine.id, answer.id]
    assert added[0].idempotency_key == run
    row = await on.calls.session_describe(session)
    assert row is not None
    assert (row.status, row.last_run_id) == ("done", run)


async def test_a_run_is_in_flight_while_it_lasts(on: Line, session: str) -> None:
    run = unique("flight")
    await on.calls.chat_send(session, "!stream 60 20", run)
    await on.event(RunDelta, session, run)
    history = await on.calls.chat_history(session)
    assert history.in_flight is not None
    assert history.in_flight.run_id == run
    assert history.in_flight.text
    row = await on.calls.session_describe(session)
    assert row is not None
    assert row.active
    await on.calls.chat_abort(session)


async def test_a_shell_command_really_runs(on: Line, worker: Worker, session: str) -> None:
    run, name = unique("exec"), unique("out") + ".txt"
    command = f"echo one; sleep 0.4; echo two; echo three > {name}; pwd"
    await on.calls.chat_send(session, f"!say First a tool.\n!exec {command}\n!say And then words.", run)
    end = await on.ended(run)
    assert isinstance(end, RunFinal)
    assert end.text == "First a tool.\n\nAnd then words."
    assert (worker.workspace / name).read_text() == "three\n"

    steps = on.of(ToolEvent, session, run)
    assert [step.phase for step in steps if step.phase != "update"] == ["start", "result"]
    start, result = steps[0], steps[-1]
    assert (start.name, start.args) == ("exec", {"command": command})
    assert result.output == f"one\ntwo\n{worker.workspace}"
    assert not result.is_error
    assert {step.call_id for step in steps} == {start.call_id}
    assert start.session_key == session

    await idle(on, session)
    _, call, output, words = (await on.calls.chat_history(session)).messages
    assert call.text == "First a tool."
    assert call.tool_calls == [(start.call_id, "exec", {"command": command})]
    assert (output.role, output.tool_call_id, output.text) == ("tool", start.call_id, result.output)
    assert words.text == "And then words."
    assert {call.run_id, output.run_id, words.run_id} == {run}


async def test_a_command_that_fails_says_so(on: Line, session: str) -> None:
    run = unique("exit")
    await on.calls.chat_send(session, "!exec echo broken >&2; exit 3\n!say I saw it.", run)
    assert isinstance(await on.ended(run), RunFinal)
    result = on.of(ToolEvent, session, run)[-1]
    assert result.phase == "result"
    assert result.output is not None
    assert "broken" in result.output
    assert "exited with code 3" in result.output
    assert result.is_error is False, "a command's exit status is a result, not an error of the tool"


async def test_long_output_comes_through(on: Line, session: str) -> None:
    run = unique("long")
    await on.calls.chat_send(session, f"!exec {shlex.quote('yes')} | head -c 60000\n!say ok", run)
    assert isinstance(await on.ended(run), RunFinal)
    result = on.of(ToolEvent, session, run)[-1]
    assert result.output is not None
    assert result.output.count("y") > 1000


async def test_abort_keeps_what_was_said(on: Line, session: str) -> None:
    run = unique("abort")
    await on.calls.chat_send(session, "!stream 400 20", run)
    await on.until(lambda: len(on.of(RunDelta, session, run)) >= 3)
    assert await on.calls.chat_abort(session) == [run]
    end = await on.ended(run)
    assert isinstance(end, RunAborted)
    assert end.stop_reason == "rpc"
    assert end.text
    await idle(on, session)
    history = await on.calls.chat_history(session)
    assert history.messages[-1].role == "assistant"
    assert history.messages[-1].text == end.text
    assert await on.calls.chat_abort(session) == []
    row = await on.calls.session_describe(session)
    assert row is not None
    assert row.aborted_last_run
    assert row.status == "killed"


async def test_abort_stops_a_command(on: Line, worker: Worker, session: str) -> None:
    run, name = unique("abort"), unique("never")
    await on.calls.chat_send(session, f"!exec sleep 3; touch {name}\n!say done", run)
    await on.event(ToolEvent, session, run)
    assert await on.calls.chat_abort(session, run) == [run]
    assert isinstance(await on.ended(run), RunAborted)
    await asyncio.sleep(3.5)
    assert not (worker.workspace / name).exists()


async def test_two_sessions_at_once_do_not_mix(on: Line, worker: Worker, session: str) -> None:
    other = await on.calls.session_create(worker.id, unique("second"))
    one, two = unique("one"), unique("two")
    await on.calls.chat_send(session, "!stream 50 25\n!say END-ONE", one)
    await on.calls.chat_send(other, "!stream 40 25\n!say END-TWO", two)
    first, second = await on.ended(one), await on.ended(two)
    assert isinstance(first, RunFinal)
    assert isinstance(second, RunFinal)
    assert first.text is not None
    assert second.text is not None
    assert first.text.endswith("END-ONE")
    assert second.text.endswith("END-TWO")
    assert (first.session_key, second.session_key) == (session, other)
    order = [event.run_id for event in on.of(RunDelta) if event.run_id in (one, two)]
    assert len([run for run, following in pairwise(order) if run != following]) >= 4, (
        "they ran one after the other"
    )


async def test_a_failing_provider_is_told_once(on: Line, session: str) -> None:
    run = unique("fail")
    await on.calls.chat_send(session, "!fail 400", run)
    end = await on.ended(run)
    assert isinstance(end, RunFailed)
    assert end.message
    assert not end.superseded
    assert (end.kind, end.cause, end.temporary) == (None, "format", False)
    await idle(on, session)
    assert len(on.of(RunFailed, session, run)) == 1
    row = await on.calls.session_describe(session)
    assert row is not None
    assert row.status == "failed"
    again = unique("after")
    await on.calls.chat_send(session, "!say Better now.", again)
    end = await on.ended(again)
    assert isinstance(end, RunFinal)
    assert end.text == "Better now."


async def test_the_same_key_is_the_same_message(on: Line, session: str) -> None:
    run = unique("once")
    assert (await on.calls.chat_send(session, "!stream 40 20", run)).status == "started"
    await on.event(RunDelta, session, run)
    assert (await on.calls.chat_send(session, "!stream 40 20", run)).status == "in_flight"
    with pytest.raises(GatewayError) as conflict:
        await on.calls.chat_send(session, "!say other words", run)
    assert conflict.value.reason == "chat-request-conflict"
    await on.ended(run)
    await idle(on, session)
    assert (await on.calls.chat_send(session, "!stream 40 20", run)).status == "ok"
    history = await on.calls.chat_history(session)
    assert [message.role for message in history.messages] == ["user", "assistant"]


async def test_a_message_during_a_run_is_steered_into_it(on: Line, session: str) -> None:
    first, second = unique("first"), unique("second")
    await on.calls.chat_send(session, "!exec sleep 1.5\n!stream 30 20", first)
    await on.event(ToolEvent, session, first)
    assert (await on.calls.chat_send(session, "!say STEERED", second)).status == "started"
    end = await on.ended(second)
    assert isinstance(end, RunFinal)
    assert end.text is None, "a steered message has no answer of its own"
    end = await on.ended(first)
    assert isinstance(end, RunFinal)
    assert end.text is not None
    assert "STEERED" in end.text
    await idle(on, session)
    history = await on.calls.chat_history(session)
    assert second in [message.idempotency_key for message in history.messages]


async def test_a_message_can_wait_for_its_turn(on: Line, session: str) -> None:
    first, second = unique("first"), unique("second")
    await on.calls.chat_send(session, "!stream 50 20", first)
    await on.event(RunDelta, session, first)
    await on.calls.chat_send(session, "!say LATER", second, mode="followup")
    end = await on.ended(second)
    assert isinstance(end, RunFinal)
    assert end.text is None
    history = await on.calls.chat_history(session)
    assert any("LATER" in str(item) for item in history.pending)
    await on.until(lambda: any(event.text == "LATER" for event in on.of(RunFinal, session)))
    answered = next(event for event in on.of(RunFinal, session) if event.text == "LATER")
    assert answered.run_id not in (first, second), "the answer comes under a run id of the gateway's own"


async def test_a_message_can_interrupt(on: Line, session: str) -> None:
    first, second = unique("first"), unique("second")
    await on.calls.chat_send(session, "!stream 400 20", first)
    await on.event(RunDelta, session, first)
    await on.calls.chat_send(session, "!say NOW", second, mode="interrupt")
    assert isinstance(await on.ended(first), RunAborted)
    end = await on.ended(second)
    assert isinstance(end, RunFinal)
    assert end.text == "NOW"


async def test_a_guarded_session_asks_before_a_command(on: Line, worker: Worker, session: str) -> None:
    await on.calls.session_patch(session, permissionMode="guarded")
    run = unique("guarded")
    await on.calls.chat_send(session, "!exec uname -s\n!say Done.", run)
    asked = await on.event(ApprovalRequested, session)
    assert asked.run_id == run
    assert asked.request["command"] == "uname -s"
    assert asked.expires_at_ms > 0
    assert [item["id"] for item in await on.calls.approvals_list()] == [asked.id]
    with pytest.raises(GatewayError) as refused:
        await on.calls.approval_resolve(asked.id, "allow-always")
    assert refused.value.reason == "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"
    assert "allow-always" not in asked.request["allowedDecisions"]
    await on.calls.approval_resolve(asked.id, "allow-once")
    resolved = await on.event(ApprovalResolved)
    assert (resolved.id, resolved.decision) == (asked.id, "allow-once")
    end = await on.ended(run)
    assert isinstance(end, RunFinal)
    assert on.of(ToolEvent, session, run)[-1].output == "Linux"
    assert await on.calls.approvals_list() == []
    phases = [event.phase for event in on.of(RunStatus, session, run)]
    assert "waiting-approval" in phases


async def test_a_denied_command_does_not_run(on: Line, worker: Worker, session: str) -> None:
    await on.calls.session_patch(session, permissionMode="guarded")
    run, name = unique("denied"), unique("denied-file")
    await on.calls.chat_send(session, f"!exec touch {name}\n!say I was not allowed.", run)
    asked = await on.event(ApprovalRequested, session)
    await on.calls.approval_resolve(asked.id, "deny")
    end = await on.ended(run)
    assert isinstance(end, RunFinal)
    assert not (worker.workspace / name).exists()


async def test_an_aborted_run_takes_its_question_along(on: Line, session: str) -> None:
    await on.calls.session_patch(session, permissionMode="guarded")
    run = unique("guarded")
    await on.calls.chat_send(session, "!exec uname -s\n!say Done.", run)
    asked = await on.event(ApprovalRequested, session)
    await on.calls.chat_abort(session)
    resolved = await on.event(ApprovalResolved)
    assert (resolved.id, resolved.decision) == (asked.id, "deny")
    assert isinstance(await on.ended(run), RunAborted)


async def test_a_second_client_sees_it_all(gateway: Gateway, on: Line, session: str) -> None:
    folder = gateway.folder / "second"
    folder.mkdir(exist_ok=True)
    async with line(gateway.url, gateway.token, folder) as other:
        await other.connected()
        run = unique("seen")
        await on.calls.chat_send(session, "!say Look.\n!exec echo seen\n!stream 20 20", run)
        await on.ended(run)
        end = await other.ended(run)
        assert isinstance(end, RunFinal)
        assert other.of(RunDelta, session, run)
        phases = [step.phase for step in other.of(ToolEvent, session, run)]
        assert [phase for phase in phases if phase != "update"] == ["start", "result"]
        await other.until(lambda: len(other.of(MessageAdded, session)) >= 3)
        await idle(on, session)
        roles = [event.message.role for event in other.of(MessageAdded, session)]
        assert roles == ["user", "assistant", "assistant"], (
            "what a tool said comes as its event, and in the history"
        )


async def test_an_attachment_is_taken_and_a_broken_one_refused(
    on: Line, worker: Worker, session: str
) -> None:
    note = worker.workspace / "note.txt"
    note.write_text("the attached words\n")
    run = unique("attached")
    await on.calls.chat_send(session, "!say Got it.", run, attachments=[note])
    assert isinstance(await on.ended(run), RunFinal)
    broken = {"type": "file", "mimeType": "text/plain", "fileName": "x.txt", "content": "%%%"}
    with pytest.raises(GatewayError) as refused:
        await on.calls.chat_send(session, "again", unique("broken"), attachments=[broken])
    assert refused.value.code == "INVALID_REQUEST"
    with pytest.raises(GatewayError, match="can't be read"):
        await on.calls.chat_send(
            session, "again", unique("missing"), attachments=[worker.workspace / "nothing"]
        )
