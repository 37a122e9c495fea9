"""The RPCs of a conversation: sending, aborting, reading its history, waiting for a run."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import uuid

from ccp_tui.gateway.demo.connection import Connection
from ccp_tui.gateway.demo.protocol import QUEUE_MODES, READ, WRITE, Json, Method, Refusal
from ccp_tui.gateway.demo.rows import injected_message, now_ms, user_message
from ccp_tui.gateway.demo.store import Session
from ccp_tui.gateway.demo.world import World

WAIT_MS = 30_000
HISTORY = 200


async def _send(world: World, connection: Connection, params: Json) -> Json:
    mode = params.get("queueMode") or "steer"
    if mode not in QUEUE_MODES:
        raise Refusal("invalid chat.send params: at /queueMode: must be equal to one of the allowed values")
    key, run_id = world.full_key(params["sessionKey"], params.get("agentId")), params["idempotencyKey"]
    media = [_media(world, attachment) for attachment in params.get("attachments", [])]
    before = world.runs.known(run_id)
    identity = _identity(key, params)
    if before is not None:
        if world.identities.get(run_id) != identity:
            raise Refusal(
                "This message ID was already used for different input. Check the conversation history and use a "
                "new message ID to send again.",
                details={"reason": "chat-request-conflict"},
            )
        return {"runId": run_id, "status": "ok" if before.ended.is_set() else "in_flight"}
    session = world.make_session(key)
    world.identities[run_id] = identity
    command = params["message"].strip()
    if command in ("/stop", "/status", "/new"):
        return await _command(world, session, command, run_id, connection)
    message: Json = {"text": params["message"], "key": run_id, "media": media}
    ack: Json = {"runId": run_id, "status": "started"}
    running = world.runs.active(key)
    if any(row["__openclaw"].get("idempotencyKey") == f"{run_id}:user" for row in session.rows):
        # Sent before a restart: told as started, done by the turn that was resumed.
        world.runs.settle(session, run_id, connection.id)
    elif world.desk.answered_by(key, params["message"]):
        world.add_row(session, user_message(session, params["message"], None, run_id, media))
        world.runs.settle(session, run_id, connection.id)
    elif running is None:
        world.runs.start(session, message, run_id, connection.id)
    elif mode == "interrupt":
        await world.runs.abort(running, reason="interrupt", keep_partial=False)
        world.runs.start(session, message, run_id, connection.id)
        ack["interruptedActiveRun"] = True
    elif mode == "steer":
        world.runs.steer(running, message, run_id, connection.id)
    else:
        world.runs.queue(session, {**message, "collect": mode == "collect"}, run_id, connection.id)
    return ack


def _identity(key: str, params: Json) -> str:
    told = [key, params["message"], params.get("attachments", [])]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _media(world: World, attachment: object) -> Json:
    if not isinstance(attachment, dict) or not isinstance(attachment.get("content"), str):
        raise Refusal(
            "invalid chat.send params: at /attachments: must be array of {type, mimeType, fileName, content}"
        )
    try:
        data = base64.b64decode(attachment["content"], validate=True)
    except binascii.Error:
        raise Refusal("attachment content must be valid base64") from None
    kind = str(attachment.get("mimeType") or "application/octet-stream")
    url = world.store.media(data, str(attachment.get("fileName") or "file"))
    return {"url": url, "contentType": kind, "kind": attachment.get("type", "file"), "sizeBytes": len(data)}


async def _command(world: World, session: Session, command: str, run_id: str, connection: Connection) -> Json:
    """The slash commands, which no model answers; ``/stop`` answers without a run id."""
    if command == "/stop":
        running = world.runs.active(session.key)
        if running:
            await world.runs.abort(running)
        return {"ok": True, "aborted": running is not None, "runIds": [running.id] if running else []}
    if command == "/new":
        world.store.forget(session)
        words = "New session started."
    else:
        words = f"Model demo/scripted-1 · {session.input_tokens + session.output_tokens} tokens"
    world.add_row(session, user_message(session, command, run_id, run_id))
    row = injected_message(session, words, run_id)
    world.add_row(session, row)
    world.runs.settle(session, run_id, connection.id, row)
    return {"runId": run_id, "status": "started"}


async def _abort(world: World, connection: Connection, params: Json) -> Json:
    running = world.runs.active(world.full_key(params["sessionKey"], params.get("agentId")))
    if running is None or params.get("runId") not in (None, running.id):
        return {"ok": True, "aborted": False, "runIds": []}
    await world.runs.abort(running)
    return {"ok": True, "aborted": True, "runIds": [running.id]}


async def _history(world: World, connection: Connection, params: Json) -> Json:
    key = world.full_key(params["sessionKey"], params.get("agentId"))
    session = world.store.sessions.get(key)
    if session is None:
        return {
            "messages": [],
            "pendingInputs": {"items": [], "total": 0},
            "hasMore": False,
            "totalMessages": 0,
        }
    rows = session.rows
    end = max(0, len(rows) - params.get("offset", 0))
    start = max(0, end - params.get("limit", HISTORY))
    running = world.runs.active(key)
    waiting = [*(running.steered if running else []), *session.pending]
    items = [{"text": item["text"], "runId": item.get("key"), "state": "pending"} for item in waiting]
    body: Json = {
        "sessionKey": key,
        "sessionId": session.session_id,
        "messages": rows[start:end],
        "pendingInputs": {"items": items, "total": len(items)},
        "deltaCursor": f"{session.session_id}:{len(rows)}",
        "hasMore": start > 0,
        "totalMessages": len(rows),
        "sessionInfo": world.row(session),
    }
    if running:
        flight = {"runId": running.id, "text": running.text, "startedAt": running.started_at_ms, "events": []}
        body["inFlightRun"] = flight
    return body


async def _wait(world: World, connection: Connection, params: Json) -> Json:
    run = world.runs.known(params["runId"])
    timeout = {"runId": params["runId"], "status": "timeout"}
    if run is None:
        return timeout
    try:
        await asyncio.wait_for(run.ended.wait(), params.get("timeoutMs", WAIT_MS) / 1000)
    except TimeoutError:
        return timeout
    return {"runId": run.id, "startedAt": run.started_at_ms, **run.outcome}


async def _inject(world: World, connection: Connection, params: Json) -> Json:
    session = world.make_session(world.full_key(params["sessionKey"]))
    row = injected_message(session, params["message"], None, label=params.get("label"))
    world.add_row(session, row)
    return {"ok": True, "messageId": row["__openclaw"]["id"], "ts": now_ms()}


async def _question(world: World, connection: Connection, params: Json) -> Json:
    """``demo.ask``: makes an agent ask the person something; the embedded gateway's own, no part of OpenClaw."""
    session = world.make_session(world.full_key(params["sessionKey"]))
    where = {"agentId": session.agent_id, "sessionKey": session.key, "runId": str(uuid.uuid4())}
    return {"answers": await world.desk.ask(where, params["questions"])}


METHODS = {
    "chat.send": Method(
        WRITE,
        _send,
        {"sessionKey": str, "message": str, "idempotencyKey": str},
        {
            "agentId": str,
            "sessionId": str,
            "attachments": list,
            "thinking": str,
            "queueMode": str,
            "timeoutMs": int,
            "deliver": bool,
            "suppressCommandInterpretation": bool,
        },
        frozenset({"message", "thinking"}),
    ),
    "chat.abort": Method(
        WRITE, _abort, {"sessionKey": str}, {"agentId": str, "runId": str, "preserveSideRuns": bool}
    ),
    "chat.history": Method(
        READ,
        _history,
        {"sessionKey": str},
        {"agentId": str, "limit": int, "offset": int, "maxChars": int, "maxBytes": int, "sessionId": str},
    ),
    "chat.inject": Method(WRITE, _inject, {"sessionKey": str, "message": str}, {"label": str}),
    "agent.wait": Method(READ, _wait, {"runId": str}, {"timeoutMs": int}),
    "demo.ask": Method(WRITE, _question, {"sessionKey": str, "questions": list}),
}
