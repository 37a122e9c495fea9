"""The RPCs about agents, their files, their workspaces, and the models they may have."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

from ccp_tui.gateway.demo.connection import Connection
from ccp_tui.gateway.demo.protocol import ADMIN, NULL, READ, Json, Method, Refusal
from ccp_tui.gateway.demo.rows import DEFAULT_MODEL, MODELS, agent_row, now_ms
from ccp_tui.gateway.demo.store import DEFAULT_AGENT, Agent
from ccp_tui.gateway.demo.world import World
from ccp_tui.text import slug

LISTED_FILES = ("AGENTS.md", "SOUL.md", "USER.md", "BOOTSTRAP.md", "MEMORY.md")
WRITABLE_FILES = {*LISTED_FILES, "IDENTITY.md"}
READ_LIMIT = 2_097_152


async def _list(world: World, connection: Connection, params: Json) -> Json:
    return {
        "defaultId": DEFAULT_AGENT,
        "mainKey": "main",
        "scope": "per-sender",
        "ownership": "explicit" if len(world.store.agents) > 1 else "implicit",
        "selectionRequired": False,
        "agents": [agent_row(agent) for agent in world.store.agents.values() if world.appeared(agent)],
    }


async def _create(world: World, connection: Connection, params: Json) -> Json:
    agent_id = slug(params["name"], 64)
    if not agent_id:
        raise Refusal(f'agent name "{params["name"]}" has no letters or digits')
    if agent_id == DEFAULT_AGENT:
        raise Refusal(f'"{DEFAULT_AGENT}" is reserved')
    if agent_id in world.store.agents:
        raise Refusal(f'agent "{agent_id}" already exists')
    workspace = params.get("workspace") or str(world.store.workspaces / agent_id)
    agent = Agent(agent_id, params["name"], workspace, params.get("emoji"), params.get("model"), now_ms())
    world.store.add_agent(agent)
    _changed(world)
    body: Json = {"ok": True, "agentId": agent_id, "name": agent.name, "workspace": workspace}
    return {**body, **({"model": agent.model} if agent.model else {})}


async def _update(world: World, connection: Connection, params: Json) -> Json:
    agent = world.agent(params["agentId"])
    for name in ("name", "workspace", "model", "emoji"):
        if name in params:
            setattr(agent, name, params[name])
    world.store.save()
    _changed(world)
    return {"ok": True, "agentId": agent.id}


async def _delete(world: World, connection: Connection, params: Json) -> Json:
    agent = world.agent(params["agentId"])
    if agent.id == DEFAULT_AGENT:
        raise Refusal(f'"{DEFAULT_AGENT}" cannot be deleted')
    for session in [entry for entry in world.store.sessions.values() if entry.agent_id == agent.id]:
        world.runs.forget(session)
        run = world.runs.active(session.key)
        if run:
            await world.runs.abort(run)
        world.store.forget(session)
        world.store.sessions.pop(session.key, None)
    world.store.agents.pop(agent.id, None)
    world.store.save()
    removed = []
    if params.get("deleteFiles"):
        await asyncio.to_thread(shutil.rmtree, agent.workspace, ignore_errors=True)
        removed.append({"path": agent.workspace, "method": "trash"})
    _changed(world)
    return {"ok": True, "agentId": agent.id, "removed": removed}


def _changed(world: World) -> None:
    world.broadcast("config.changed", {"ts": now_ms()})
    world.broadcast("chat.metadata.changed", {"ts": now_ms()})


# -- files ------------------------------------------------------------------------------------------------------


def _file(agent: Agent, name: str, *, content: bool) -> Json:
    path = Path(agent.workspace) / name
    body: Json = {"name": name, "path": str(path), "missing": not path.is_file()}
    if body["missing"]:
        return body
    data = path.read_bytes()
    body |= {"size": len(data), "updatedAtMs": int(path.stat().st_mtime * 1000), "hash": _hash(data)}
    return {**body, "content": data.decode(errors="replace")} if content else body


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _writable(name: str) -> str:
    if name not in WRITABLE_FILES:
        raise Refusal(f'unsupported file "{name}"')
    return name


async def _files_list(world: World, connection: Connection, params: Json) -> Json:
    agent = world.agent(params["agentId"])
    files = [_file(agent, name, content=False) for name in LISTED_FILES]
    return {"agentId": agent.id, "workspace": agent.workspace, "files": files}


async def _files_get(world: World, connection: Connection, params: Json) -> Json:
    agent = world.agent(params["agentId"])
    file = _file(agent, _writable(params["name"]), content=True)
    return {"agentId": agent.id, "workspace": agent.workspace, "file": file}


async def _files_set(world: World, connection: Connection, params: Json) -> Json:
    agent, name = world.agent(params["agentId"]), _writable(params["name"])
    expected = params.get("expectedHash")
    current = _file(agent, name, content=False).get("hash")
    if expected is not None and expected.lower() != current:
        raise Refusal(
            f'agent file "{name}" changed since it was read',
            details={"type": "agent_file_conflict", "name": name, "currentHash": current},
        )
    path = Path(agent.workspace) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(params["content"])
    file = _file(agent, name, content=True)
    return {"ok": True, "agentId": agent.id, "workspace": agent.workspace, "file": file}


# -- workspaces -------------------------------------------------------------------------------------------------


def _inside(agent: Agent, relative: str) -> Path:
    """A path in the workspace; Refusal for one that leads out of it, by dots or by links."""
    root = Path(agent.workspace).resolve()
    path = (root / relative).resolve()
    if not path.is_relative_to(root):
        raise Refusal("path is outside of the workspace")
    return path


async def _workspace_list(world: World, connection: Connection, params: Json) -> Json:
    agent = world.agent(params["agentId"])
    shown, entries = await asyncio.to_thread(_entries, agent, params.get("path", ""))
    offset, limit = params.get("offset", 0), params.get("limit", 500)
    page = entries[offset : offset + limit]
    return {
        "agentId": agent.id,
        "path": shown,
        "entries": page,
        "totalEntries": len(entries),
        "offset": offset,
    }


def _entries(agent: Agent, relative: str) -> tuple[str, list[Json]]:
    """A folder's path from the workspace, and what is in it: folders first."""
    root, folder = _inside(agent, ""), _inside(agent, relative)
    if not folder.is_dir():
        raise Refusal("no such folder in the workspace")
    entries = [
        {
            "path": str(path.relative_to(root)),
            "name": path.name,
            "kind": "directory" if path.is_dir() else "file",
            **({"size": path.stat().st_size} if path.is_file() else {}),
        }
        for path in sorted(folder.iterdir(), key=lambda path: (path.is_file(), path.name))
    ]
    return "" if folder == root else str(folder.relative_to(root)), entries


async def _workspace_get(world: World, connection: Connection, params: Json) -> Json:
    agent = world.agent(params["agentId"])
    path = _inside(agent, params["path"])
    if not path.is_file():
        raise Refusal("no such file in the workspace")
    size = path.stat().st_size
    if size > READ_LIMIT:
        raise Refusal("the file is too large to be read")
    data = path.read_bytes()
    file = {
        "path": params["path"],
        "name": path.name,
        "size": size,
        "updatedAtMs": int(path.stat().st_mtime * 1000),
        "mimeType": "text/plain",
        "encoding": "utf8",
        "content": data.decode(errors="replace"),
    }
    return {"agentId": agent.id, "file": file}


async def _models(world: World, connection: Connection, params: Json) -> Json:
    rows = [{**model, "reasoning": False, "available": True, "tags": ["configured"]} for model in MODELS]
    return {"models": rows, "defaultModels": {"primary": DEFAULT_MODEL}}


METHODS = {
    "agents.list": Method(READ, _list),
    "agents.create": Method(
        ADMIN,
        _create,
        {"name": str},
        {"workspace": str, "model": str, "emoji": str, "avatar": str},
        frozenset({"emoji"}),
    ),
    "agents.update": Method(
        ADMIN,
        _update,
        {"agentId": str},
        {
            "name": str,
            "workspace": str,
            "model": (str, NULL),
            "agentRuntime": str,
            "emoji": str,
            "avatar": str,
        },
        frozenset({"emoji"}),
    ),
    "agents.delete": Method(ADMIN, _delete, {"agentId": str}, {"deleteFiles": bool}),
    "agents.files.list": Method(READ, _files_list, {"agentId": str}),
    "agents.files.get": Method(READ, _files_get, {"agentId": str, "name": str}),
    "agents.files.set": Method(
        ADMIN,
        _files_set,
        {"agentId": str, "name": str, "content": str},
        {"expectedHash": str},
        frozenset({"content"}),
    ),
    "agents.workspace.list": Method(
        READ,
        _workspace_list,
        {"agentId": str},
        {"path": str, "offset": int, "limit": int},
        frozenset({"path"}),
    ),
    "agents.workspace.get": Method(READ, _workspace_get, {"agentId": str, "path": str}),
    "models.list": Method(
        READ,
        _models,
        {},
        {
            "agentId": str,
            "sessionKey": str,
            "provider": str,
            "view": str,
            "includeDetails": bool,
            "refresh": bool,
        },
    ),
}
