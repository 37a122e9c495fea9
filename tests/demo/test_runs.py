"""Runs of the embedded gateway: their events and rows, steering and queueing, aborts, failures, approvals."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path

import pytest

from ccp_tui.gateway.demo.server import EmbeddedGateway
from tests.demo.raw import Json, Raw, Refused

KEY = "agent:main:work"


async def send(raw: Raw, message: str, run: str = "k1", key: str = KEY, **more: object) -> Json:
    return await raw.call("chat.send", {"sessionKey": key, "message": message, "idempotencyKey": run, **more})


def text_of(message: Json) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


async def history(raw: Raw, key: str = KEY, **more: object) -> Json:
    return await raw.call("chat.history", {"sessionKey": key, **more})


async def told(raw: Raw, key: str = KEY) -> list[tuple[str, str]]:
    return [(row["role"], text_of(row)) for row in (await history(raw, key))["messages"]]


async def test_a_turn_streams_words_runs_a_command_and_ends(
    raw: Raw, gateway: EmbeddedGateway, tmp_path: Path
) -> None:
    assert await send(raw, "!stream 12 80\n!exec echo out; echo made > f.txt; exit 3\n!say all done") == {
        "runId": "k1",
        "status": "started",
    }
    final = await raw.chat("k1", "final")
    chats = [payload for payload in raw.of("chat") if payload["runId"] == "k1"]
    phases = [payload["phase"] for payload in chats if payload["state"] == "status"]
    assert phases == ["preparing_workspace", "preparing_context", "starting_model"]
    deltas = [payload for payload in chats if payload["state"] == "delta"]
    assert len(deltas) > 2
    assert "".join(payload["deltaText"] for payload in deltas) == text_of(final["message"])
    assert text_of(final["message"]).endswith("word12\n\nall done")
    assert (tmp_path / "state/workspaces/main/f.txt").read_text() == "made\n"
    streams = [payload["stream"] for payload in raw.of("agent")]
    assert streams[-3:] == ["usage", "lifecycle", "lifecycle"]
    tools = [payload["data"] for payload in raw.of("agent") if payload["stream"] == "tool"]
    assert [data["phase"] for data in tools] == ["start", "update", "result"]
    assert tools[0]["args"]["command"].startswith("echo out")
    assert tools[-1]["result"]["details"]["exitCode"] == 3
    assert [payload["data"] for payload in raw.of("session.tool")] == tools
    body = await history(raw)
    assert [row["role"] for row in body["messages"]] == ["user", "assistant", "toolResult", "assistant"]
    assert body["messages"][0]["__openclaw"]["idempotencyKey"] == "k1:user"
    assert body["messages"][1]["content"][1]["arguments"]["command"].startswith("echo out")
    assert "(Command exited with code 3)" in text_of(body["messages"][2])
    assert [row["__openclaw"]["seq"] for row in body["messages"]] == [1, 2, 3, 4]
    told_rows = [row for row in body["messages"] if row["role"] != "toolResult"]
    assert [payload["message"] for payload in raw.of("session.message")] == told_rows
    row = raw.of("sessions.changed")[-1]
    assert (row["status"], row["hasActiveRun"], row["lastRunId"]) == ("done", False, "k1")
    assert row["totalTokens"] > 0
    assert row["estimatedCostUsd"] > 0


async def test_two_sessions_run_at_once(raw: Raw) -> None:
    await send(raw, "!stream 20 40", "a", "agent:main:a")
    await send(raw, "!say quick", "b", "agent:main:b")
    await raw.chat("b", "final")
    assert (await history(raw, "agent:main:a"))["inFlightRun"]["runId"] == "a"
    rows = (await raw.call("sessions.list", {"activeOnly": True}))["sessions"]
    assert [(row["key"], row["activeRunIds"], row["status"]) for row in rows] == [
        ("agent:main:a", ["a"], "running")
    ]
    await raw.chat("a", "final")


async def test_the_same_key_is_in_flight_then_done_and_other_input_is_a_conflict(raw: Raw) -> None:
    await send(raw, "!stream 10 40")
    assert (await send(raw, "!stream 10 40"))["status"] == "in_flight"
    await raw.chat("k1", "final")
    assert (await raw.call("agent.wait", {"runId": "k1"}))["status"] == "ok"
    assert (await send(raw, "!stream 10 40"))["status"] == "ok"
    for message, key in (("other", KEY), ("!stream 10 40", "agent:main:elsewhere")):
        with pytest.raises(Refused, match="INVALID_REQUEST") as caught:
            await send(raw, message, key=key)
        assert caught.value.error["details"]["reason"] == "chat-request-conflict"
    assert len((await history(raw))["messages"]) == 2


async def test_a_message_during_a_run_is_steered_into_it(raw: Raw) -> None:
    await send(raw, "!stream 10 20")
    await raw.chat("k1", "delta")
    await send(raw, "!say and this", "k2")
    assert "message" not in await raw.chat("k2", "final")
    assert (await history(raw))["pendingInputs"]["items"][0]["text"] == "!say and this"
    final = await raw.chat("k1", "final")
    assert text_of(final["message"]).endswith("word10\n\nand this")
    assert [role for role, _ in await told(raw)] == ["user", "assistant", "user", "assistant"]
    assert (await history(raw))["pendingInputs"]["total"] == 0


async def test_a_followup_is_answered_afterwards_under_another_run_id(raw: Raw) -> None:
    await send(raw, "!stream 10 20")
    await raw.chat("k1", "delta")
    await send(raw, "!say later", "k2", queueMode="followup")
    await raw.chat("k2", "final")
    answer = await raw.until(
        lambda name, p: name == "chat" and p["state"] == "final" and p["runId"] not in ("k1", "k2")
    )
    assert text_of(answer["message"]) == "later"
    rows = (await history(raw))["messages"]
    assert rows[2]["__openclaw"]["idempotencyKey"] == "k2:user"


async def test_collected_messages_are_answered_as_one(raw: Raw) -> None:
    await send(raw, "!stream 10 20")
    await raw.chat("k1", "delta")
    for number in (2, 3):
        await send(raw, f"!say part {number}", f"k{number}", queueMode="collect")
    answer = await raw.until(
        lambda name, p: name == "chat" and p["state"] == "final" and p["runId"] not in ("k1", "k2", "k3")
    )
    assert text_of(answer["message"]) == "part 2part 3"
    assert (await told(raw))[2][1].startswith("[Queued messages while agent was busy]")


async def test_an_interrupt_aborts_what_goes_on_and_starts_afresh(raw: Raw) -> None:
    await send(raw, "!stream 100 20")
    await raw.chat("k1", "delta")
    assert (await send(raw, "!say new", "k2", queueMode="interrupt"))["interruptedActiveRun"] is True
    await raw.chat("k1", "aborted")
    assert text_of((await raw.chat("k2", "final"))["message"]) == "new"
    assert [role for role, _ in await told(raw)] == ["user", "user", "assistant"]


async def test_an_abort_kills_the_command_and_keeps_the_words(raw: Raw, tmp_path: Path) -> None:
    await send(raw, "!say before\n!exec echo $$ > pid; echo begun; sleep 60; echo late > late.txt")
    await raw.until(
        lambda name, p: name == "agent" and p["stream"] == "tool" and p["data"]["phase"] == "update"
    )
    pid = _read(tmp_path / "state/workspaces/main/pid").strip()
    assert await raw.call("chat.abort", {"sessionKey": KEY}) == {
        "ok": True,
        "aborted": True,
        "runIds": ["k1"],
    }
    aborted = await raw.chat("k1", "aborted")
    assert (aborted["stopReason"], text_of(aborted["message"])) == ("rpc", "before")
    assert "sleep" not in _read(Path(f"/proc/{pid}/cmdline"))
    row = (await raw.call("sessions.describe", {"key": KEY}))["session"]
    assert (row["hasActiveRun"], row["abortedLastRun"]) == (False, True)
    waited = await raw.call("agent.wait", {"runId": "k1"})
    assert (waited["status"], waited["error"]) == ("error", "aborted")
    assert (await raw.call("chat.abort", {"sessionKey": KEY}))["aborted"] is False


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def test_the_words_of_an_aborted_answer_are_in_the_history(raw: Raw) -> None:
    await send(raw, "!stream 100 40")
    await raw.until(lambda name, p: name == "chat" and p["state"] == "delta" and "word3" in p["deltaText"])
    await raw.call("chat.abort", {"sessionKey": KEY, "runId": "k1"})
    last = (await history(raw))["messages"][-1]
    assert "word3" in text_of(last)
    assert (last["model"], last["openclawAbort"]["origin"]) == ("gateway-injected", "rpc")


@pytest.mark.parametrize("status", [400, 500])
async def test_a_failing_provider_is_an_error_told_twice(raw: Raw, status: int) -> None:
    await send(raw, f"!say one\n!fail {status} secret words")
    await raw.chat("k1", "error")
    row = await raw.until(lambda name, p: name == "sessions.changed" and p.get("status") == "failed")
    errors = [payload for payload in raw.of("chat") if payload["state"] == "error"]
    assert len(errors) == 2
    assert "secret" not in errors[0]["errorMessage"]
    assert row["lastRunError"] == errors[0]["errorMessage"]
    statuses = sum(payload["state"] == "status" for payload in raw.of("chat"))
    assert statuses == (3 if status == 400 else 9)


async def test_a_guarded_command_waits_for_an_approval(raw: Raw, tmp_path: Path) -> None:
    await raw.call("sessions.create", {"agentId": "main", "key": "work", "permissionMode": "guarded"})
    await send(raw, "!exec echo yes > yes.txt\n!exec echo no > no.txt")
    asked = await raw.until(lambda name, p: name == "exec.approval.requested")
    assert asked["request"]["command"] == "echo yes > yes.txt"
    assert (asked["request"]["sessionKey"], asked["request"]["runId"]) == (KEY, "k1")
    assert [entry["id"] for entry in (await raw.call("exec.approval.list"))["approvals"]] == [asked["id"]]
    with pytest.raises(Refused, match="unavailable"):
        await raw.call("exec.approval.resolve", {"id": asked["id"], "decision": "allow-always"})
    await raw.call("exec.approval.resolve", {"id": asked["id"], "decision": "allow-once"})
    second = await raw.until(lambda name, p: name == "exec.approval.requested" and p["id"] != asked["id"])
    await raw.call("exec.approval.resolve", {"id": second["id"], "decision": "deny"})
    await raw.chat("k1", "final")
    assert (tmp_path / "state/workspaces/main/yes.txt").exists()
    assert not (tmp_path / "state/workspaces/main/no.txt").exists()
    assert [payload["decision"] for payload in raw.of("exec.approval.resolved")] == ["allow-once", "deny"]
    phases = [payload["data"]["phase"] for payload in raw.of("agent") if payload["stream"] == "lifecycle"]
    assert phases.count("waiting-approval") == phases.count("approval-resolved") == 2


async def test_an_abort_closes_the_approval_it_waits_for(raw: Raw) -> None:
    await raw.call("sessions.create", {"agentId": "main", "key": "work", "permissionMode": "guarded"})
    await send(raw, "!exec true")
    await raw.until(lambda name, p: name == "exec.approval.requested")
    await raw.call("chat.abort", {"sessionKey": KEY})
    closed = await raw.until(lambda name, p: name == "exec.approval.resolved")
    assert (closed["decision"], closed["resolvedBy"]) == ("deny", "approval-scope-closed")
    assert (await raw.call("exec.approval.list"))["approvals"] == []


async def test_without_anybody_to_approve_a_guarded_command_is_denied_at_once(
    gateway: EmbeddedGateway,
) -> None:
    client = await Raw.open(gateway.url)
    await client.call("sessions.create", {"agentId": "main", "key": "work", "permissionMode": "guarded"})
    await send(client, "!exec true")
    await client.chat("k1", "final")
    result = (await history(client))["messages"][-1]
    assert result["isError"] is True
    assert "Headless runs cannot wait" in text_of(result)
    await client.close()


async def test_who_hears_what(gateway: EmbeddedGateway) -> None:
    """The routing table of a real gateway, row by row."""
    sender = await Raw.open(gateway.url, caps=("tool-events",))
    plain = await Raw.open(gateway.url, scopes=["operator.read"])
    blind = await Raw.open(gateway.url, scopes=["operator.approvals"])
    rows = await Raw.open(gateway.url)
    await rows.call("sessions.messages.subscribe", {"key": KEY})
    everything = await Raw.open(gateway.url)
    await everything.call("sessions.subscribe")
    scoped = await Raw.open(gateway.url, caps=("session-scoped-events",))
    both = await Raw.open(gateway.url, caps=("session-scoped-events",))
    await both.call("sessions.subscribe")
    await both.call("sessions.messages.subscribe", {"key": KEY})
    await send(sender, "!say hi\n!exec echo there")
    await sender.chat("k1", "final")
    await everything.until(lambda name, p: name == "sessions.changed" and p["reason"] == "run-end")
    for client in (sender, plain, blind, rows, everything, scoped, both):
        with contextlib.suppress(Refused):
            await client.call("health")  # the answer comes behind every event so far

    def heard(client: Raw) -> set[str]:
        names = {name for name, _ in client.events if name not in ("agent", "tick")}
        for payload in client.of("agent"):
            names.add("agent tool" if payload["stream"] == "tool" else "agent")
        return names

    assert heard(sender) == {"chat", "agent", "agent tool"}
    assert heard(plain) == {"chat", "agent"}
    assert heard(blind) == set()
    assert heard(rows) == {"chat", "agent", "session.message"}
    assert heard(everything) == {"chat", "agent", "session.tool", "session.message", "sessions.changed"}
    assert heard(scoped) == set()
    assert heard(both) == {"chat", "agent", "session.tool", "session.message", "sessions.changed"}
    for client in (sender, plain, blind, rows, everything, scoped, both):
        await client.close()


async def test_attachments_are_kept_and_bad_ones_refused(raw: Raw) -> None:
    good = {
        "type": "file",
        "mimeType": "text/plain",
        "fileName": "a.txt",
        "content": base64.b64encode(b"abc").decode(),
    }
    await send(raw, "look", attachments=[good])
    await raw.chat("k1", "final")
    media = (await history(raw))["messages"][0]["__openclaw"]["media"]
    assert [(entry["contentType"], entry["sizeBytes"]) for entry in media] == [("text/plain", 3)]
    with pytest.raises(Refused, match="base64"):
        await send(raw, "look", "k2", attachments=[{**good, "content": "***"}])


async def test_history_is_paged_from_its_end(raw: Raw) -> None:
    for number in range(4):
        await send(raw, f"!say {number}", f"k{number}")
        await raw.chat(f"k{number}", "final")
    page = await history(raw, limit=2)
    assert [text_of(row) for row in page["messages"]] == ["!say 3", "3"]
    assert (page["hasMore"], page["totalMessages"]) == (True, 8)
    older = await history(raw, limit=2, offset=2)
    assert [text_of(row) for row in older["messages"]] == ["!say 2", "2"]


async def test_commands_are_answered_by_the_gateway_itself(raw: Raw) -> None:
    await send(raw, "/status")
    assert (await raw.chat("k1", "final"))["message"]["model"] == "gateway-injected"
    await send(raw, "!stream 100 20", "k2")
    await raw.chat("k2", "delta")
    stopped = await send(raw, "/stop", "k3")
    assert "runId" not in stopped
    await raw.chat("k2", "aborted")
    await send(raw, "/new", "k4")
    await raw.chat("k4", "final")
    assert [text for _, text in await told(raw)] == ["/new", "New session started."]
