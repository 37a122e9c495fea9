"""Incus's event stream: what happens to instances and operations, whoever started it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import websockets

from ccp_tui.incus.api.connection import Connection, Json

TYPES = "operation,lifecycle"


@dataclass(frozen=True)
class Happened:
    """One event. ``kind`` is "lifecycle" or "operation"; ``instances`` are the names of those it is about.

    Of a lifecycle event ``action`` is Incus's ("instance-started"); of an operation it is its description ("Creating
    instance"), ``status`` is its status ("Running", "Success", "Failure", "Cancelled") and ``id`` its id. Events can
    arrive out of order. Operations' metadata holds the secrets of their WebSockets and is left out.
    """

    kind: str
    action: str
    instances: tuple[str, ...] = ()
    status: str = ""
    id: str = ""
    error: str = ""
    location: str = ""
    progress: dict[str, str] = field(default_factory=dict)
    project: str = ""


Stream = AsyncIterator[Happened]


@asynccontextmanager
async def opened(connection: Connection, types: str = TYPES) -> AsyncIterator[Stream]:
    """An open event stream: an iterator that ends when the daemon goes away. Raises FleetError when it can't open."""
    async with connection.websocket("/1.0/events", {"type": types}) as socket:
        yield _read(socket)


async def _read(socket: websockets.ClientConnection) -> Stream:
    try:
        async for message in socket:
            event = _event(message)
            if event is not None:
                yield event
    except websockets.ConnectionClosed:
        return


def _event(message: str | bytes) -> Happened | None:
    """The event of a message; None for one that says nothing to us, whatever its shape."""
    try:
        body = json.loads(message)
    except ValueError:
        return None
    found = body.get("metadata") if isinstance(body, dict) else None
    if not isinstance(found, dict):
        return None
    where, project = str(body.get("location") or ""), str(body.get("project") or "")
    if body.get("type") == "lifecycle":
        names = _instances([str(found.get("source") or "")])
        return Happened("lifecycle", str(found.get("action") or ""), names, location=where, project=project)
    return operation(found, where, project) if body.get("type") == "operation" else None


def operation(found: Json, location: str = "", project: str = "") -> Happened:
    """An operation as Incus tells it, in an event or in its list of operations."""
    resources = found.get("resources") or {}
    urls = [str(url) for kind in ("instances", "containers") for url in resources.get(kind) or ()]
    details: Json = found.get("metadata") or {}
    return Happened(
        "operation",
        str(found.get("description") or ""),
        _instances(urls),
        status=str(found.get("status") or ""),
        id=str(found.get("id") or ""),
        error=str(found.get("err") or ""),
        location=str(found.get("location") or location),
        progress={key: str(value) for key, value in details.items() if key.endswith("_progress")},
        project=project,
    )


def _instances(urls: list[str]) -> tuple[str, ...]:
    """The names in API paths like ``/1.0/instances/demo?project=x`` (also of paths below an instance)."""
    names = []
    for url in urls:
        parts = url.partition("?")[0].split("/")
        if len(parts) >= 4 and parts[2] in ("instances", "containers"):
            names.append(parts[3])
    return tuple(dict.fromkeys(names))
