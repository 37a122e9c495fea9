"""``agents.sock``: reports and nothing else, at a bounded rate, and no flood of agents takes the service down."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import json
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from ccp_tui.paths import Home
from ccp_tui.service.door import agentsocket
from ccp_tui.service.door.agentsocket import MOST_OPEN, AgentsServer
from ccp_tui.service.door.sockets import Caller
from ccp_tui.service.host import descriptors
from ccp_tui.wire import Json
from tests.service.wired import raw, said, until


async def reported(params: Json, _: Caller) -> Json:
    return {"ok": True, "message": params["text"]}


def report(text: str, token: str = "ccp_one") -> str:
    params = {"text": text, "token": token}
    return json.dumps({"type": "req", "id": "1", "method": "report", "params": params})


@pytest.fixture
async def server(home: Home) -> AsyncIterator[AgentsServer]:
    made = AgentsServer(home.agents_socket, reported)
    await made.start()
    yield made
    await made.stop()


async def test_agents_may_report_and_nothing_else(home: Home, server: AgentsServer) -> None:
    assert stat.S_IMODE(home.agents_socket.stat().st_mode) == 0o600
    async with raw(home.agents_socket) as connection:
        assert (await said(connection, report("half way")))["payload"]["message"] == "half way"
        for method in ("hello", "subscribe", "watch", "task.approve", "shutdown", "reports"):
            answer = await said(connection, json.dumps({"type": "req", "id": "2", "method": method}))
            assert answer["error"]["code"] == "NOT_ALLOWED", method


async def test_a_group_may_be_let_in(home: Home) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    server = AgentsServer(home.agents_socket, reported, group=group)
    await server.start()
    try:
        found = home.agents_socket.stat()
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, os.getgid())
    finally:
        await server.stop()


@pytest.mark.usefixtures("server")
async def test_agents_that_report_too_fast_are_told_to_wait(home: Home) -> None:
    codes = []
    for _ in range(60):  # as `ccp report` does it: a connection for each
        async with raw(home.agents_socket) as connection:
            codes.append((await said(connection, report("again"))).get("error", {}).get("code"))
    assert codes[:20] == [None] * 20
    assert "UNAVAILABLE" in codes
    async with raw(home.agents_socket) as connection:
        assert (await said(connection, report("mine", "ccp_two")))["ok"]


async def test_the_counted_tokens_are_bounded(
    home: Home, server: AgentsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agentsocket, "MOST_RATES", 3)
    async with raw(home.agents_socket) as connection:
        for number in range(10):
            assert (await said(connection, report("hello", f"ccp_{number}")))["ok"]
    assert len(server._rates) == 3


@pytest.mark.usefixtures("server")
async def test_one_connection_too_many_is_told_to_wait(home: Home) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(MOST_OPEN):
            await stack.enter_async_context(raw(home.agents_socket))
        with pytest.raises(InvalidStatus) as refusal:
            await unix_connect(str(home.agents_socket))
        assert refusal.value.response.status_code == 503
    await back(home)


@pytest.mark.usefixtures("server")
async def test_a_flood_that_says_nothing_is_cut(home: Home) -> None:
    silent: list[socket.socket] = []
    try:
        async with raw(home.agents_socket) as connection:
            for _ in range(5 * MOST_OPEN):
                silent.append(socket.socket(socket.AF_UNIX))
                silent[-1].connect(str(home.agents_socket))
                await asyncio.sleep(0)
            kept = agentsocket.MOST_ACCEPTED - 1
            await until(lambda: len([one for one in silent if not is_cut(one)]) == kept)
            assert (await said(connection, report("in spite of it")))["ok"]
    finally:
        for one in silent:
            one.close()
    await back(home)


def is_cut(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


async def back(home: Home) -> None:
    """Returns when agents can report again."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(InvalidStatus, InvalidMessage, OSError, EOFError):
                async with raw(home.agents_socket) as connection:
                    assert (await said(connection, report("again")))["ok"]
                    return
            await asyncio.sleep(0.05)


@pytest.mark.usefixtures("server")
async def test_a_connection_does_not_stay(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agentsocket, "LIFETIME", 0.1)
    async with raw(home.agents_socket) as connection:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(connection.recv(), 10)


async def test_a_want_of_descriptors_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    shortage = OSError(errno.EMFILE, "Too many open files")
    with caplog.at_level(logging.ERROR), descriptors.told_once():
        for _ in range(100):
            loop.call_exception_handler({"message": "accept() out of resource", "exception": shortage})
        loop.call_exception_handler({"message": "something else", "exception": ValueError("odd")})
    assert [record.getMessage() for record in caplog.records] == [
        "new connections wait: Too many open files",
        "something else",
    ]
    assert loop.get_exception_handler() is before
