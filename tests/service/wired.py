"""Servers, clients and a service of the simplest kind, for tests of the sockets and of what hangs on them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import ClientConnection, unix_connect

from ccp_tui.client import ServiceClient
from ccp_tui.paths import Home
from ccp_tui.service.door.hub import Hub
from ccp_tui.service.door.sockets import Caller, ControlServer, Handler, Snapshot
from ccp_tui.wire import Event, Json
from tests.support import nouns

HELLO: Json = {"service": "ccp", "version": "0", "pid": 1, "home": "", "demo": False}
AT = "2026-11-23T06:54:15.123Z"


def card(number: int = 1, *, state: str = "inbox", **changes: object) -> Json:
    """A task as the service sends it: WEB-<number>."""
    return nouns.card(number, f"WEB-{number}", AT, **{"title": f"Task {number}", "state": state, **changes})


def board(*tasks: Json) -> Json:
    """A snapshot with these tasks."""
    return {
        "missions": [
            {"id": 1, "slug": "web", "title": "Web", "icon": "", "prefix": "WEB", "archived": False}
        ],
        "agents": [{"id": "fox", "name": "Fox", "live": "idle"}],
        "tasks": list(tasks),
        "health": nouns.health(AT),
        "attention": [],
    }


def feed(number: int) -> Json:
    return {"event": {"id": number, "text": f"happening {number}"}}


async def echo(params: Json, _: Caller) -> Json:
    return params


@asynccontextmanager
async def control(
    home: Home,
    hub: Hub,
    methods: Mapping[str, Handler] | None = None,
    *,
    snapshot: Snapshot = board,
    deadline: float = 60.0,
) -> AsyncIterator[ControlServer]:
    """A control server that is open inside the block."""
    server = ControlServer(
        home.control_socket, hub, methods or {"echo": echo}, snapshot=snapshot, hello=HELLO, deadline=deadline
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def raw(path: Path) -> AsyncIterator[ClientConnection]:
    """A connection that says what the test says."""
    async with unix_connect(str(path), compression=None, max_size=None, ping_interval=None) as connection:
        yield connection


async def said(connection: ClientConnection, words: str) -> Json:
    await connection.send(words)
    answer: Json = json.loads(await asyncio.wait_for(connection.recv(), 10))
    return answer


async def take(client: ServiceClient, count: int) -> list[Event]:
    """The next events of a client, so many of them."""
    found: list[Event] = []
    async with asyncio.timeout(20):
        async for event in client.events():
            found.append(event)
            if len(found) == count:
                break
    return found


async def until(truth: Callable[[], object]) -> None:
    """Waits until something holds; fails after a time that is long for anything in these tests."""
    async with asyncio.timeout(20):
        while not truth():  # noqa: ASYNC110 - anything may make it true
            await asyncio.sleep(0.005)
