"""Commands, files and the word of the service in a deployment on real Incus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from ccp_tui.incus import CreateRequest, FleetError
from ccp_tui.incus.api import execute, files
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import create, health
from tests.fleet.conftest import SMALL, at_once, named

pytestmark = pytest.mark.incus


@pytest.fixture(scope="module")
def name(tiny_image: str) -> Iterator[str]:
    """A running deployment for all of these."""
    with named() as prefix:
        request = CreateRequest(f"{prefix}one", SMALL, tiny_image)
        yield at_once(lambda connection: create.create(connection, request, lambda _stage: None)).name


async def test_output_is_whole(connection: Connection, name: str) -> None:
    """Many at once, and a large one: all of it, with the exit codes and what went to stderr."""
    script = "seq 1 $0; echo oops >&2; exit 3"
    done = await asyncio.gather(
        *(execute.run(connection, name, ["sh", "-c", script, str(200 + n)]) for n in range(24))
    )
    for n, one in enumerate(done):
        assert one.code == 3
        assert one.output.split() == [str(i) for i in range(1, 201 + n)]
        assert one.errors == "oops\n"
    large = await execute.checked(connection, name, ["seq", "1", "300000"])
    assert large.count("\n") == 300000
    with pytest.raises(FleetError, match="no such command"):
        await execute.run(connection, name, ["nonesuch"])
    with pytest.raises(FleetError, match="ended with 3: oops"):
        await execute.checked(connection, name, ["sh", "-c", script, "1"])
    with pytest.raises(FleetError) as caught:
        await execute.run(connection, name, ["sleep", "30"], within=1)
    assert caught.value.code == "TIMEOUT"


async def test_lines_come_as_they_are_written(connection: Connection, name: str) -> None:
    script = "echo first; sleep 1; printf 'seco'; sleep 0.3; printf 'nd\\nno end'"
    began, times, found = time.monotonic(), [], []
    async with aclosing(execute.lines(connection, name, ["sh", "-c", script])) as lines:
        async for line in lines:
            found.append(line)
            times.append(time.monotonic() - began)
    assert found == ["first", "second", "no end"]
    assert times[0] < times[1] - 0.9
    # Who stops reading ends the command.
    async with aclosing(execute.lines(connection, name, ["sh", "-c", "echo on; exec sleep 987"])) as lines:
        async for _line in lines:
            break
    for _ in range(50):
        left = await execute.run(connection, name, ["sh", "-c", "ps | grep -c '[s]leep 987'"])
        if left.output.strip() == "0":
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the command goes on")


async def test_users_files_and_environment(connection: Connection, name: str) -> None:
    content = bytes(range(256)) * 1000
    await files.folder(connection, name, "/var/lib", mode=0o755)
    await files.folder(connection, name, "/var/lib/ccp", uid=1000, gid=1000, mode=0o700)
    await files.put(connection, name, "/var/lib/ccp/file", content, uid=1000, gid=1000, mode=0o600)
    await files.folder(connection, name, "/var/lib/ccp", mode=0o777)  # it is there: it stays as it is
    assert await files.get(connection, name, "/var/lib/ccp/file") == content
    script = "id -u; pwd; echo $WHO; stat -c '%a %u' . file"
    said = await execute.checked(
        connection, name, ["sh", "-c", script], user=1000, group=1000, cwd="/var/lib/ccp", env={"WHO": "me"}
    )
    assert said.split("\n")[:5] == ["1000", "/var/lib/ccp", "me", "700 1000", "600 1000"]
    await files.delete(connection, name, "/var/lib/ccp/file")
    with pytest.raises(FleetError) as caught:
        await files.get(connection, name, "/var/lib/ccp/file")
    assert caught.value.code == "NOT_FOUND"


async def test_health_is_pushed_line_by_line(
    connection: Connection, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for ``ccp summary`` inside: what it says is told, what it should not say is not, ends are mended."""
    script = """#!/bin/sh
[ "$2" = --follow ] || { echo '{"service":"ready","gateway":"ready","tasks":{},"needs_you":0}'; exit; }
echo '{"service":"ready","gateway":"starting","tasks":{"inbox":2,"done":-1,"x":"y"},"needs_you":3,"version":"9"}'
echo 'nonsense'
sleep 0.2
echo '{"service":"ready","gateway":["rm"],"tasks":null,"needs_you":true}'
"""
    await files.put(connection, name, "/bin/summary", script.encode(), mode=0o755)
    monkeypatch.setattr(health, "SUMMARY", ("/bin/summary", "summary"))
    monkeypatch.setattr(health, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr("ccp_tui.incus.names.CCP_HOME", "/")
    found = []
    async with aclosing(health.follow(connection, name)) as stream:
        async for one in stream:
            found.append(one)
            if len(found) == 4:
                break
    first = health.Health("starting", "ready", {"inbox": 2}, 3, "9")
    assert found == [first, health.Health("unknown", "ready"), health.UNKNOWN, first]
    assert await health.once(connection, name) == health.Health("ready", "ready", {}, 0)
    monkeypatch.setattr(health, "SUMMARY", ("/bin/none", "summary"))
    assert await health.once(connection, name) == health.UNKNOWN
