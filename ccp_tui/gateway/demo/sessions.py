"""The RPCs about sessions: making, describing, changing and deleting them, and subscribing to what happens in them."""

from __future__ import annotations

import uuid

from ccp_tui.gateway.demo.connection import Connection
from ccp_tui.gateway.demo.protocol import ADMIN, NULL, READ, WRITE, Json, Method, Refusal
from ccp_tui.gateway.demo.rows import now_ms
from ccp_tui.gateway.demo.store import DEFAULT_AGENT, Session
from ccp_tui.gateway.demo.world import World

PERMISSION_MODES = ("full", "guarded", "ask", "readonly")
SETTINGS: dict[str, type | tuple[type, ...]] = {
    "label": (str, NULL),
    "displayName": (str, NULL),
    "category": (str, NULL),
    "model": (str, NULL),
    "permissionMode": (str, NULL),
    "pinned": bool,
    "unread": bool,
    "icon": (str, NULL),
    "color": (str, NULL),
    "statusNote": (str, NULL),
    "attention": (str, NULL),
}
PAGE = 100


async def _create(world: World, connection: Connection, params: Json) -> Json:
    agent_id = params.get("agentId")
    key = world.full_key(params.get("key") or f"dashboard:{uuid.uuid4()}", agent_id)
    world.agent(key.split(":", 2)[1])
    existing = key in world.store.sessions
    if not existing:
        _check_settings(world, key, params)
    session = world.make_session(key)
    if not existing:
        _apply(session, params)
        world.store.save()
    row = world.row(session)
    return {
        "ok": True,
        "key": key,
        "sessionId": session.session_id,
        "entry": row,
        "runStarted": False,
        "resolved": existing,
    }


async def _describe(world: World, connection: Connection, params: Json) -> Json:
    session = world.session(params["key"])
    return {"session": world.row(session) if session else None}


async def _list(world: World, connection: Connection, params: Json) -> Json:
    chosen = [
        session
        for session in sorted(world.store.sessions.values(), key=lambda one: one.updated_at_ms, reverse=True)
        if params.get("agentId") in (None, session.agent_id)
        and params.get("label") in (None, session.settings.get("label"))
        and params.get("spawnedBy") in (None, session.spawned_by)
        and (not params.get("activeOnly") or world.runs.active(session.key))
    ]
    offset = params.get("offset", 0)
    page = chosen[offset : offset + params.get("limit", PAGE)]
    return {
        "ts": now_ms(),
        "count": len(page),
        "totalCount": len(chosen),
        "hasMore": offset + len(page) < len(chosen),
        "sessions": [world.row(session) for session in page],
    }


async def _patch(world: World, connection: Connection, params: Json) -> Json:
    key = world.full_key(params["key"])
    _check_settings(world, key, params)
    session = world.make_session(key)
    _apply(session, params)
    session.updated_at_ms = now_ms()
    world.store.save()
    world.session_changed(session, "patch")
    return {"ok": True, "key": key, "entry": world.row(session)}


def _check_settings(world: World, key: str, params: Json) -> None:
    label = params.get("label")
    taken = [entry.key for entry in world.store.sessions.values() if entry.settings.get("label") == label]
    if label and any(other != key for other in taken):
        raise Refusal(f"label already in use: {label}")
    mode = params.get("permissionMode")
    if mode is not None and mode not in PERMISSION_MODES:
        raise Refusal(
            "invalid sessions.patch params: at /permissionMode: must be equal to one of the allowed values"
        )


def _apply(session: Session, params: Json) -> None:
    for name in SETTINGS:
        if name in params:
            if params[name] is None:
                session.settings.pop(name, None)
            else:
                session.settings[name] = params[name]


async def _delete(world: World, connection: Connection, params: Json) -> Json:
    session = _existing(world, params["key"])
    if session.key == f"agent:{DEFAULT_AGENT}:main":
        raise Refusal("Cannot delete the main session.")
    await _stop(world, session)
    world.store.forget(session)
    world.store.sessions.pop(session.key, None)
    world.store.save()
    world.session_changed(session, "delete")
    return {"ok": True, "key": session.key, "deleted": True}


async def _reset(world: World, connection: Connection, params: Json) -> Json:
    session = _existing(world, params["key"])
    await _stop(world, session)
    world.store.forget(session)
    session.status, session.last_run_id, session.last_run_error = None, None, None
    session.input_tokens, session.output_tokens, session.cost = 0, 0, 0.0
    world.store.save()
    world.session_changed(session, "reset")
    return {"ok": True, "key": session.key, "entry": world.row(session)}


def _existing(world: World, key: str) -> Session:
    session = world.session(key)
    if session is None:
        raise Refusal(f'session not found: "{key}"')
    return session


async def _stop(world: World, session: Session) -> None:
    world.runs.forget(session)
    run = world.runs.active(session.key)
    if run:
        await world.runs.abort(run)


async def _subscribe(world: World, connection: Connection, params: Json) -> Json:
    connection.all_sessions = True
    return {"subscribed": True}


async def _unsubscribe(world: World, connection: Connection, params: Json) -> Json:
    connection.all_sessions = False
    return {"subscribed": False}


async def _messages_subscribe(world: World, connection: Connection, params: Json) -> Json:
    key = world.full_key(params["key"], params.get("agentId"))
    connection.sessions.add(key)
    return {"subscribed": True, "key": key}


async def _messages_unsubscribe(world: World, connection: Connection, params: Json) -> Json:
    key = world.full_key(params["key"], params.get("agentId"))
    connection.sessions.discard(key)
    return {"subscribed": False, "key": key}


_AGENT: dict[str, type | tuple[type, ...]] = {"agentId": str}
METHODS = {
    "sessions.create": Method(
        WRITE, _create, {}, {"key": str, "idempotencyKey": str, "cwd": str, **_AGENT, **SETTINGS}
    ),
    "sessions.describe": Method(
        READ, _describe, {"key": str}, {**_AGENT, "includeDerivedTitles": bool, "includeLastMessage": bool}
    ),
    "sessions.list": Method(
        READ,
        _list,
        {},
        {
            **_AGENT,
            "limit": int,
            "offset": int,
            "label": str,
            "spawnedBy": str,
            "activeOnly": bool,
            "activeMinutes": int,
            "sortBy": str,
            "includeGlobal": bool,
            "includeUnknown": bool,
            "includeDerivedTitles": bool,
            "includeLastMessage": bool,
            "search": str,
        },
    ),
    "sessions.patch": Method(
        WRITE, _patch, {"key": str}, {**_AGENT, **SETTINGS, "expectedSessionId": str, "archived": bool}
    ),
    "sessions.delete": Method(
        ADMIN,
        _delete,
        {"key": str},
        {**_AGENT, "deleteTranscript": bool, "expectedSessionId": str, "archivedOnly": bool},
    ),
    "sessions.reset": Method(
        ADMIN, _reset, {"key": str}, {**_AGENT, "reason": str, "expectedSessionId": str}
    ),
    "sessions.subscribe": Method(READ, _subscribe),
    "sessions.unsubscribe": Method(READ, _unsubscribe),
    "sessions.messages.subscribe": Method(
        READ, _messages_subscribe, {"key": str}, {**_AGENT, "includeApprovals": bool}
    ),
    "sessions.messages.unsubscribe": Method(READ, _messages_unsubscribe, {"key": str}, _AGENT),
}
