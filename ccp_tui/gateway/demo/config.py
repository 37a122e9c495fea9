"""The RPCs about the gateway's configuration, as far as it matters here, and about the skills of its agents."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from ccp_tui.gateway.demo.connection import Connection
from ccp_tui.gateway.demo.protocol import ADMIN, READ, Json, Method, Refusal
from ccp_tui.gateway.demo.rows import now_ms
from ccp_tui.gateway.demo.store import DEFAULT_AGENT
from ccp_tui.gateway.demo.world import World

DEEPEST = 6  # folders below a root in which skills are looked for


def _hash(world: World) -> str:
    return hashlib.sha256(json.dumps(world.store.config, sort_keys=True).encode()).hexdigest()


async def _get(world: World, connection: Connection, params: Json) -> Json:
    config = world.store.config
    path = str(world.store.config_path)
    return {"path": path, "exists": True, "valid": True, "raw": None, "config": config, "hash": _hash(world)}


async def _patch(world: World, connection: Connection, params: Json) -> Json:
    if params.get("baseHash") != _hash(world):
        raise Refusal("config changed since last load; re-run config.get and retry")
    try:
        patch = json.loads(params["raw"])
    except ValueError:
        patch = None
    if not isinstance(patch, dict):
        raise Refusal("config.patch raw must be an object")
    for path in _shortened(world.store.config, patch):
        if path not in params.get("replacePaths", []):
            raise Refusal(f"config.patch would remove entries of {path}; name it in replacePaths")
    world.store.configure(_merged(world.store.config, patch))
    world.broadcast(
        "config.changed", {"path": str(world.store.config_path), "hash": _hash(world), "ts": now_ms()}
    )
    return {
        "ok": True,
        "path": str(world.store.config_path),
        "hash": _hash(world),
        "config": world.store.config,
    }


def _merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch: objects are merged, null removes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _shortened(old: Any, patch: Any, path: str = "") -> list[str]:
    """The arrays of the configuration that a patch takes entries from."""
    if isinstance(old, list) and isinstance(patch, list):
        return [path] if any(entry not in patch for entry in old) else []
    if not isinstance(old, dict) or not isinstance(patch, dict):
        return []
    return [
        found
        for name, value in patch.items()
        for found in _shortened(old.get(name), value, f"{path}.{name}".lstrip("."))
    ]


async def _skills(world: World, connection: Connection, params: Json) -> Json:
    agent = world.agent(params.get("agentId") or DEFAULT_AGENT)
    managed = world.store.root / "skills"
    return {
        "workspaceDir": agent.workspace,
        "managedSkillsDir": str(managed),
        "agentId": agent.id,
        "skills": await asyncio.to_thread(_all, managed, world.store.config),
    }


def _all(managed: Path, config: Json) -> list[Json]:
    extra = [
        Path(folder).expanduser() for folder in config.get("skills", {}).get("load", {}).get("extraDirs", [])
    ]
    # Of two with one name the later folder's counts, and the managed one's before all of them.
    found: dict[str, Json] = {}
    for source, root in (*(("openclaw-extra", folder) for folder in extra), ("openclaw-managed", managed)):
        found |= {skill["name"]: skill for skill in _in(root, source)}
    return list(found.values())


def _in(root: Path, source: str) -> list[Json]:
    skills = []
    for path in sorted(root.glob("**/SKILL.md")) if root.is_dir() else []:
        if len(path.relative_to(root).parts) > DEEPEST + 1:
            continue
        head = path.read_text(errors="replace").split("---")
        try:
            fields = yaml.safe_load(head[1]) if len(head) > 2 else None
        except yaml.YAMLError:
            fields = None
        if isinstance(fields, dict) and fields.get("description"):
            name = str(fields.get("name") or path.parent.name)
            skills.append(
                {
                    "name": name,
                    "description": str(fields["description"]),
                    "source": source,
                    "filePath": str(path),
                    "baseDir": str(path.parent),
                    "skillKey": name,
                    "disabled": False,
                    "eligible": True,
                }
            )
    return skills


METHODS = {
    "config.get": Method(READ, _get),
    "config.patch": Method(
        ADMIN, _patch, {"raw": str}, {"baseHash": str, "replacePaths": list, "note": str, "sessionKey": str}
    ),
    "skills.status": Method(READ, _skills, {}, {"agentId": str}),
}
