"""The fleet as it is watched: deployments come, change and go; the daemon goes, hangs and comes back."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from ccp_tui.incus import CreateRequest, Deployment, Fleet, FleetError, live
from ccp_tui.incus.api import operations, words
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import create, lifecycle, listing
from tests.fleet.conftest import DAEMON, until
from tests.fleet.relay import Relay, relay

Make = Callable[..., CreateRequest]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path for sockets, and a configuration of the Incus client without remotes."""
    made = Path(tempfile.mkdtemp(prefix="ccp-"))
    monkeypatch.setenv("INCUS_CONF", str(made))
    monkeypatch.setenv("INCUS_GLOBAL_CONF", str(made))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
async def door(incus: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """A relay in front of the daemon, through which the fleet of the test goes."""
    async with relay(folder / "incus.socket", DAEMON.url) as made:
        monkeypatch.setenv("INCUS_SOCKET", str(made.path))
        yield made


@pytest.fixture
async def fleet(door: Relay, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    """A started fleet on the relay, that comes back fast and waits for nobody long."""
    monkeypatch.setattr(live, "PAUSES_S", (0.2,))
    made = Fleet()
    await made.start()
    yield made
    await made.stop()


def seen(fleet: Fleet, prefix: str) -> dict[str, Deployment]:
    return {one.name.removeprefix(prefix): one for one in fleet.deployments if one.name.startswith(prefix)}


@pytest.mark.incus
async def test_what_others_do_is_seen(
    fleet: Fleet, connection: Connection, request_for: Make, prefix: str
) -> None:
    states: list[str] = []

    def note() -> None:
        state = seen(fleet, prefix)["one"].state if "one" in seen(fleet, prefix) else "none"
        if states[-1:] != [state]:
            states.append(state)

    unsubscribe = fleet.subscribe(note)
    request = request_for()
    await create.create(connection, request, lambda _stage: None)  # not by this fleet
    await until(fleet, lambda: seen(fleet, prefix).get("one") and seen(fleet, prefix)["one"].address)
    await until(fleet, lambda: seen(fleet, prefix)["one"].cpu_used is not None)
    one = seen(fleet, prefix)["one"]
    assert (one.state, one.ref, one.limits) == ("running", request.name, request.limits)
    assert one.memory_used
    await lifecycle.stop(connection, request.name)
    await until(fleet, lambda: seen(fleet, prefix)["one"].state == "stopped")
    await lifecycle.delete(connection, request.name)
    await until(fleet, lambda: "one" not in seen(fleet, prefix))
    unsubscribe()
    assert "starting" in states
    assert "stopping" in states
    assert states[-1] == "none"


@pytest.mark.incus
async def test_own_actions_by_the_facade(fleet: Fleet, request_for: Make, prefix: str) -> None:
    making = asyncio.create_task(fleet.create(request_for()))
    await until(fleet, lambda: seen(fleet, prefix) and seen(fleet, prefix)["one"].state == "creating")
    made = await making
    await fleet.freeze(made.ref)
    await until(fleet, lambda: seen(fleet, prefix)["one"].state == "frozen")
    await fleet.unfreeze(made.ref)
    limits = await fleet.resize(made.ref, memory="2GiB")
    assert limits.memory == "2GiB"
    await until(fleet, lambda: seen(fleet, prefix)["one"].limits == limits)
    await fleet.rename(made.ref, f"{prefix}two")
    await until(fleet, lambda: list(seen(fleet, prefix)) == ["two"])
    await until(fleet, lambda: seen(fleet, prefix)["two"].state == "running")
    deployments, remotes = await fleet.list()
    assert [one.name for one in deployments if one.name.startswith(prefix)] == [f"{prefix}two"]
    assert [(one.name, one.state) for one in remotes] == [("local", "ready")]
    with pytest.raises(FleetError) as caught:
        await fleet.stop_one(f"nowhere:{prefix}two")
    assert caught.value.code == "NOT_FOUND"
    await fleet.delete(f"{prefix}two")
    await until(fleet, lambda: not seen(fleet, prefix))


@pytest.mark.incus
async def test_other_peoples_instances_are_neither_shown_nor_touched(
    fleet: Fleet, connection: Connection, prefix: str, tiny_image: str
) -> None:
    theirs = f"{prefix}theirs"
    body = {"name": theirs, "source": {"type": "image", "alias": tiny_image}}
    await operations.run(connection, "POST", "/1.0/instances", body)
    await until(fleet, lambda: fleet.remotes[0].state == "ready")
    before = await connection.get(f"/1.0/instances/{theirs}")
    for action in (
        fleet.start_one, fleet.stop_one, fleet.restart, fleet.freeze, fleet.unfreeze, fleet.delete,
        lambda ref: fleet.rename(ref, f"{prefix}mine"), lambda ref: fleet.resize(ref, cpu=1), fleet.snapshot,
        lambda ref: fleet.log_tail(ref, "boot"), lambda ref: fleet.follow_logs(ref, "boot"),
        lambda ref: fleet.copy(ref, f"{prefix}mine"),
    ):  # fmt: skip
        with pytest.raises(FleetError, match="is not a deployment") as caught:
            await action(theirs)
        assert caught.value.code == "NOT_FOUND"
    assert await connection.get(f"/1.0/instances/{theirs}") == before
    assert not [one for one in await listing.look(connection) if one["name"] == theirs]
    assert not seen(fleet, prefix)


@pytest.mark.incus
async def test_a_daemon_that_goes_and_comes_back(
    fleet: Fleet, door: Relay, connection: Connection, request_for: Make, prefix: str
) -> None:
    await create.create(connection, request_for(), lambda _stage: None)
    await until(fleet, lambda: seen(fleet, prefix))
    await door.close()
    await until(fleet, lambda: fleet.remotes[0].words == "Incus does not run on this machine.")
    remote = fleet.remotes[0]
    assert remote.state == "unreachable"
    assert remote.stale
    assert "systemctl start incus" in remote.fix
    assert "one" in seen(fleet, prefix)  # as last seen
    with pytest.raises(FleetError) as caught:
        await fleet.stop_one(f"{prefix}one")
    assert caught.value.code == "UNAVAILABLE"
    await lifecycle.delete(connection, f"{prefix}one")
    await door.open()
    await until(fleet, lambda: fleet.remotes[0].state == "ready" and not seen(fleet, prefix))
    assert not fleet.remotes[0].stale


@pytest.mark.incus
async def test_a_daemon_that_hangs(
    fleet: Fleet, door: Relay, connection: Connection, request_for: Make, prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await create.create(connection, request_for(), lambda _stage: None)
    await until(fleet, lambda: fleet.remotes[0].state == "ready" and seen(fleet, prefix))
    with monkeypatch.context() as shorter:
        shorter.setattr(live, "USAGE_S", 0.3)
        shorter.setattr(listing, "LOOK_S", 1.0)
        door.hang()
        await until(fleet, lambda: fleet.remotes[0].state == "unreachable")
        assert "this machine does not answer" in fleet.remotes[0].words
        assert fleet.remotes[0].stale
        assert "one" in seen(fleet, prefix)  # as last seen
        began = time.monotonic()
        _, remotes = await fleet.list()
        assert remotes[0].state == "unreachable"
        assert time.monotonic() - began < 3
    door.go_on()
    await until(fleet, lambda: fleet.remotes[0].state == "ready" and not fleet.remotes[0].stale)


@pytest.mark.incus
async def test_a_daemon_that_is_slow(
    fleet: Fleet, door: Relay, connection: Connection, request_for: Make, prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Slow, it is waited for; too slow, it is told as silent in the time that was set, and nothing else waits."""
    await create.create(connection, request_for(), lambda _stage: None)
    door.delay = 0.2
    await fleet.freeze(f"{prefix}one")
    await until(fleet, lambda: seen(fleet, prefix)["one"].state == "frozen")
    assert fleet.remotes[0].state == "ready"
    assert seen(fleet, prefix)["one"].service == "unknown", "it can't tell, and is not down"
    await fleet.unfreeze(f"{prefix}one")
    door.delay = 5.0
    with monkeypatch.context() as shorter:
        shorter.setattr(listing, "LOOK_S", 1.0)
        ticks, began = 0, time.monotonic()
        listed = asyncio.create_task(fleet.list())
        while not listed.done():
            await asyncio.sleep(0.05)
            ticks += 1
        took = time.monotonic() - began
    assert listed.result()[1][0].words == "Incus on this machine does not answer."
    assert took < 4
    assert ticks > took / 0.05 / 3, "the loop was free all the time"
    door.delay = 0.0
    await until(fleet, lambda: seen(fleet, prefix) and seen(fleet, prefix)["one"].state == "running", 40)


@pytest.mark.incus
async def test_nobody_looking_costs_nothing(
    fleet: Fleet, door: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call in each period while somebody looks, none while nobody does."""
    monkeypatch.setattr(live, "USAGE_S", 0.3)
    await until(fleet, lambda: fleet.remotes[0].state == "ready")
    await asyncio.sleep(1.5)
    before = door.requests
    await asyncio.sleep(2)
    assert door.requests - before <= 1  # somebody else's event may ask for a listing
    unsubscribe = fleet.subscribe(lambda: None)
    await asyncio.sleep(3.5)
    unsubscribe()
    assert 2 <= door.requests - before <= 6


async def test_no_incus_on_this_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCUS_SOCKET", str(folder / "nothing.socket"))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    fleet = Fleet()
    deployments, remotes = await fleet.list()
    assert not deployments
    assert remotes[0].state == "absent"
    assert "apt install incus" in remotes[0].fix
    assert "incus admin init --minimal" in remotes[0].fix
    await fleet.start()
    await until(fleet, lambda: fleet.remotes[0].state == "absent")
    await fleet.stop()
    with pytest.raises(FleetError) as caught:
        await fleet.create(CreateRequest("demo"))
    assert caught.value.code == "UNAVAILABLE"


async def test_a_socket_that_nobody_listens_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "incus.socket"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    monkeypatch.setenv("INCUS_SOCKET", str(path))
    _, remotes = await Fleet().list()
    assert (remotes[0].state, remotes[0].words) == ("unreachable", "Incus does not run on this machine.")
    assert "systemctl start incus" in remotes[0].fix


AS_NOBODY = """
import asyncio, json, os
from ccp_tui.incus import Fleet
def look():
    return asyncio.run(Fleet().list())[1][0]
first = look()
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
then = look()
print(json.dumps([first.state, then.state, then.words, then.fix]))
"""


@pytest.mark.incus
@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes somebody else")
def test_a_user_who_is_not_in_the_group(incus: None, folder: Path) -> None:
    """The real socket, as nobody."""
    ran = subprocess.run(
        [sys.executable, "-c", AS_NOBODY], capture_output=True, text=True, timeout=60, check=True
    )
    first, state, said, fix = json.loads(ran.stdout)
    assert (first, state, said) == ("ready", "refused", "Incus does not let this user in.")
    assert "incus-admin" in fix
    assert "log in again" in fix


async def test_a_user_who_may_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "incus.socket"

    def refuse(_self: object, *_args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("INCUS_SOCKET", str(path))
    monkeypatch.setattr("ccp_tui.incus.api.unix._Connection.connect", refuse)
    _, remotes = await Fleet().list()
    assert (remotes[0].state, remotes[0].words) == ("refused", "Incus does not let this user in.")
    assert "incus-admin" in remotes[0].fix


async def test_what_is_not_incus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        writer.close()

    server = await asyncio.start_unix_server(answer, folder / "incus.socket")
    monkeypatch.setenv("INCUS_SOCKET", str(folder / "incus.socket"))
    async with server:
        _, remotes = await Fleet().list()
    assert (remotes[0].state, remotes[0].words) == ("unreachable", "What answers there is not Incus.")


def test_words_for_what_incus_refuses() -> None:
    for text, code in (
        ("UNIQUE constraint failed: instances.project_id, instances.name", "EXISTS"),
        ('Instance is busy running a "create" operation', "EXISTS"),
        ('Failed to run: Instance is busy running a "stop" operation', "REFUSED"),
        ("Failed to listen: bind: address already in use", "REFUSED"),
        ("Disk quota exceeded", "FAILED"),
        ("Instance not found", "NOT_FOUND"),
        ("Command not found", "NOT_FOUND"),
        ("something nobody has seen", "FAILED"),
        ("", "FAILED"),
    ):
        assert words.refusal(text).code == code, text
    assert words.refusal("\x1b[31mbad\x1b[0m").message == "bad."
