"""Agents, files, workspaces and sessions of the embedded gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ccp_tui.gateway.demo.server import EmbeddedGateway
from tests.demo.raw import Json, Raw, Refused


def is_folder(path: str) -> bool:
    return Path(path).is_dir()


async def appeared(raw: Raw, agent_id: str) -> Json:
    """The agent's row, once the list has it."""
    async with asyncio.timeout(10):
        while True:
            for row in (await raw.call("agents.list"))["agents"]:
                if row["id"] == agent_id:
                    found: Json = row
                    return found
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("nonsense.do", {}, "unknown method: nonsense.do"),
        (
            "chat.send",
            {"sessionKey": "agent:main:a", "idempotencyKey": "k"},
            "must have required property 'message'",
        ),
        ("agents.list", {"colour": 1}, "unexpected property 'colour'"),
        ("agents.create", {"name": 7}, "at /name: must be string"),
        ("agents.create", {"name": ""}, "must NOT have fewer than 1 characters"),
        ("chat.history", {"sessionKey": "agent:main:a", "limit": True}, "at /limit: must be integer"),
        ("agents.files.get", {"agentId": "main", "name": "TOOLS.md"}, 'unsupported file "TOOLS.md"'),
        ("agents.files.get", {"agentId": "nobody", "name": "SOUL.md"}, 'unknown agent id "nobody"'),
        (
            "chat.send",
            {"sessionKey": "agent:x:a", "message": "m", "idempotencyKey": "k"},
            'Agent "x" no longer exists in configuration',
        ),
        ("sessions.patch", {"key": "agent:main:a", "permissionMode": "bold"}, "permissionMode"),
        ("sessions.delete", {"key": "agent:main:none"}, "session not found"),
        ("agents.workspace.list", {"agentId": "main", "path": "../.."}, "outside of the workspace"),
        ("agents.workspace.get", {"agentId": "main", "path": "/etc/passwd"}, "outside of the workspace"),
        ("exec.approval.resolve", {"id": "x", "decision": "deny"}, "unknown or expired approval id"),
        ("question.resolve", {"id": "x"}, "unknown or expired question id"),
    ],
)
async def test_bad_calls_are_refused_in_openclaws_words(
    raw: Raw, method: str, params: Json, words: str
) -> None:
    with pytest.raises(Refused, match="INVALID_REQUEST") as caught:
        await raw.call(method, params)
    assert words in caught.value.error["message"]


async def test_an_agent_is_created_updated_and_deleted(raw: Raw, tmp_path: Path) -> None:
    made = await raw.call("agents.create", {"name": "Bob Dev", "emoji": "🦀", "model": "demo/scripted-mini"})
    assert made["agentId"] == "bob-dev"
    row = await appeared(raw, "bob-dev")
    assert row["model"] == {"primary": "demo/scripted-mini"}
    assert row["identity"] == {"name": "Bob Dev", "emoji": "🦀"}
    assert is_folder(row["workspace"])
    await raw.call("agents.update", {"agentId": "bob-dev", "name": "Bob", "model": None})
    assert (await appeared(raw, "bob-dev"))["model"] == {"primary": "demo/scripted-1"}
    with pytest.raises(Refused, match="already exists"):
        await raw.call("agents.create", {"name": "bob dev"})
    await raw.call("agents.delete", {"agentId": "bob-dev", "deleteFiles": True})
    assert not is_folder(row["workspace"])
    assert [agent["id"] for agent in (await raw.call("agents.list"))["agents"]] == ["main"]
    assert raw.of("config.changed")


async def test_files_have_hashes_and_a_stale_one_is_a_conflict(raw: Raw) -> None:
    about = {"agentId": "main", "name": "SOUL.md"}
    assert (await raw.call("agents.files.get", about))["file"]["missing"] is True
    first = (await raw.call("agents.files.set", {**about, "content": "one"}))["file"]
    await raw.call("agents.files.set", {**about, "content": "two", "expectedHash": first["hash"]})
    with pytest.raises(Refused, match="changed since it was read") as caught:
        await raw.call("agents.files.set", {**about, "content": "three", "expectedHash": first["hash"]})
    assert caught.value.error["details"]["type"] == "agent_file_conflict"
    file = (await raw.call("agents.files.get", about))["file"]
    assert (file["content"], file["missing"]) == ("two", False)
    listed = (await raw.call("agents.files.list", {"agentId": "main"}))["files"]
    assert [entry["name"] for entry in listed if not entry["missing"]] == ["SOUL.md"]


async def test_the_workspace_can_be_read(raw: Raw) -> None:
    row = await appeared(raw, "main")
    folder = Path(row["workspace"]) / "out"
    folder.mkdir()
    (folder / "a.txt").write_text("hello")
    listed = await raw.call("agents.workspace.list", {"agentId": "main", "path": "out"})
    assert [(entry["path"], entry["kind"], entry["size"]) for entry in listed["entries"]] == [
        ("out/a.txt", "file", 5)
    ]
    got = await raw.call("agents.workspace.get", {"agentId": "main", "path": "out/a.txt"})
    assert got["file"]["content"] == "hello"


async def test_sessions_are_made_once_labelled_once_and_deleted(raw: Raw) -> None:
    made = await raw.call("sessions.create", {"agentId": "main", "key": "ccp-1", "label": "one"})
    assert made["key"] == "agent:main:ccp-1"
    again = await raw.call("sessions.create", {"agentId": "main", "key": "ccp-1"})
    assert again["sessionId"] == made["sessionId"]
    with pytest.raises(Refused, match="label already in use"):
        await raw.call("sessions.create", {"agentId": "main", "key": "ccp-2", "label": "one"})
    await raw.call("sessions.patch", {"key": made["key"], "permissionMode": "guarded", "label": None})
    row = (await raw.call("sessions.describe", {"key": made["key"]}))["session"]
    assert row["permissionMode"] == "guarded"
    assert "label" not in row
    await raw.call("sessions.delete", {"key": made["key"]})
    assert (await raw.call("sessions.describe", {"key": made["key"]}))["session"] is None
    assert [event["reason"] for event in raw.of("sessions.changed")] == ["create", "patch", "delete"]
    assert (await raw.call("sessions.create", {"agentId": "main"}))["key"].startswith("agent:main:dashboard:")


async def test_a_reset_keeps_the_key_and_empties_the_history(raw: Raw) -> None:
    key = "agent:main:r"
    await raw.call("chat.send", {"sessionKey": key, "message": "!say hi", "idempotencyKey": "k"})
    await raw.chat("k", "final")
    before = (await raw.call("sessions.describe", {"key": key}))["session"]
    after = (await raw.call("sessions.reset", {"key": key}))["entry"]
    assert (after["sessionId"], after["totalTokens"]) == (before["sessionId"], 0)
    assert (await raw.call("chat.history", {"sessionKey": key}))["totalMessages"] == 0


async def test_models_and_the_list_of_sessions(raw: Raw) -> None:
    models = await raw.call("models.list", {"view": "configured"})
    names = [f"{model['provider']}/{model['id']}" for model in models["models"]]
    assert names == ["demo/scripted-1", "demo/scripted-mini"]
    for number in range(3):
        await raw.call("sessions.create", {"agentId": "main", "key": f"s{number}"})
    listed = await raw.call("sessions.list", {"limit": 2})
    assert (listed["count"], listed["totalCount"], listed["hasMore"]) == (2, 3, True)


async def test_writing_needs_the_scope_for_it(gateway: EmbeddedGateway) -> None:
    reader = await Raw.open(gateway.url, scopes=["operator.read"])
    await reader.call("agents.list")
    with pytest.raises(Refused, match="missing scope"):
        await reader.call("chat.send", {"sessionKey": "agent:main:a", "message": "m", "idempotencyKey": "k"})
    with pytest.raises(Refused, match="missing scope"):
        await reader.call("agents.create", {"name": "x"})
    await reader.close()


async def test_a_question_reaches_the_person_and_its_answer_the_agent(raw: Raw) -> None:
    questions = [
        {"questionId": "q1", "header": "Colour", "question": "Which?", "options": [{"label": "red"}]}
    ]
    asked = asyncio.create_task(raw.call("demo.ask", {"sessionKey": "agent:main:q", "questions": questions}))
    event = await raw.until(lambda name, payload: name == "question.requested")
    assert (await raw.call("question.list"))["questions"][0]["id"] == event["id"]
    answer = {"id": event["id"], "answers": {"answers": {"q1": ["red"]}}}
    assert (await raw.call("question.resolve", answer))["status"] == "answered"
    assert (await asked)["answers"] == {"q1": ["red"]}
    await raw.until(lambda name, payload: name == "question.resolved" and payload["id"] == event["id"])
