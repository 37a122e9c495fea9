"""The service's process: started, found, stopped, killed, and started again."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import resource
import signal
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ccp_tui.client import ServiceClient, ServiceUnavailable
from ccp_tui.paths import Home
from ccp_tui.service.host import descriptors, logs, spawn
from ccp_tui.service.host import process as process_module
from ccp_tui.service.host.lock import AlreadyRunning, HomeLock, holder, is_held
from ccp_tui.service.host.process import serve
from ccp_tui.service.host.spawn import (
    ServiceStartError,
    ServiceStopError,
    ask,
    spawn_background,
    stop_running,
)
from ccp_tui.wire import Json
from tests.service.one_service import OneService
from tests.service.wired import take, until

COMMAND = (sys.executable, "-m", "tests.service.one_service")


@pytest.fixture
def spawned(home: Home) -> Iterator[Json]:
    """A service in a process of its own, which is gone after the test."""
    hello = spawn_background(home, command=COMMAND)
    yield hello
    _end(hello["pid"])


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def diary(home: Home) -> list[str]:
    return (home.root / "diary").read_text().splitlines()


def test_a_spawned_service_answers_and_keeps_to_itself(home: Home, spawned: Json) -> None:
    assert spawned["service"] == "ccp"
    assert spawned["home"] == str(home.root)
    assert holder(home.lock) == spawned["pid"]
    assert os.getsid(spawned["pid"]) == spawned["pid"], "it has a session of its own"
    for path in (home.control_socket, home.agents_socket, home.logs / "serve.log", home.logs / "serve.out"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_a_second_start_finds_the_first(home: Home, spawned: Json) -> None:
    assert spawn_background(home, command=COMMAND)["pid"] == spawned["pid"]


def test_two_starts_at_once_make_one_service(home: Home) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: spawn_background(home, command=COMMAND)["pid"], range(2)))
    try:
        assert both[0] == both[1]
    finally:
        _end(both[0])


async def test_a_second_instance_is_refused(home: Home, spawned: Json) -> None:
    with pytest.raises(AlreadyRunning, match=str(spawned["pid"])):
        await serve(home, OneService)
    assert ask(home, "hello", {}) is not None, "the first one does not notice"


def test_stop_waits_until_it_is_gone_and_leaves_no_socket(home: Home, spawned: Json) -> None:
    assert stop_running(home) == spawned["pid"]
    assert not is_held(home.lock)
    assert diary(home) == ["start 0", "stop 0"], "sockets open after the start and close before the stop"
    assert not home.control_socket.exists()
    assert not home.agents_socket.exists()
    assert stop_running(home) is None


def test_a_stop_that_does_not_come_off_names_the_process(home: Home) -> None:
    with HomeLock(home.lock), pytest.raises(ServiceStopError, match=f"kill {os.getpid()}"):
        stop_running(home, timeout=0.1)


def test_a_service_whose_socket_is_gone_is_stopped_by_a_signal(
    home: Home, spawned: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spawn, "ASKED_SECONDS", 0.2)
    home.control_socket.unlink()
    assert stop_running(home) == spawned["pid"]
    assert diary(home)[-1] == "stop 0", "in good order"


def test_it_may_open_as_many_files_as_the_system_allows(home: Home) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        pid = spawn_background(home, command=COMMAND)["pid"]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        limits = Path(f"/proc/{pid}/limits").read_text()
    finally:
        _end(pid)
    wanted = descriptors.MOST if hard == resource.RLIM_INFINITY else min(hard, descriptors.MOST)
    assert re.search(r"^Max open files +(\d+)", limits, re.MULTILINE)[1] == str(wanted)  # type: ignore[index]


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGTERM, ["start 0", "wind down 2", "stop 0"]), (signal.SIGINT, ["start 0", "stop 0"])],
)
def test_a_service_winds_down_while_its_sockets_are_open_when_it_is_terminated(
    home: Home, spawned: Json, number: signal.Signals, words: list[str]
) -> None:
    os.kill(spawned["pid"], number)
    os.waitpid(spawned["pid"], 0)
    assert diary(home) == words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_in_order(home: Home, spawned: Json, number: signal.Signals) -> None:
    os.kill(spawned["pid"], number)
    _, status = os.waitpid(spawned["pid"], 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert diary(home)[-1] == "stop 0"


def test_a_second_signal_cuts_the_waiting_short(home: Home) -> None:
    pid = spawn_background(home, ["stop"], command=COMMAND)["pid"]
    try:
        os.kill(pid, signal.SIGTERM)
        while diary(home)[-1] != "stop 0":
            assert is_held(home.lock)
        os.kill(pid, signal.SIGTERM)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        _end(pid)
    assert "did not end in time" in logs.log_file(home).read_text()


async def test_a_killed_service_is_missed_and_replaced(home: Home, spawned: Json) -> None:
    async with ServiceClient(home) as client:
        waiting = asyncio.create_task(client.call("wait", {"seconds": 60}))
        await client.subscribe()
        os.kill(spawned["pid"], signal.SIGKILL)
        with pytest.raises(ServiceUnavailable, match="lost"):
            await asyncio.wait_for(waiting, 10)
    await asyncio.to_thread(os.waitpid, spawned["pid"], 0)
    assert home.control_socket.exists(), "a killed service leaves its socket"
    with pytest.raises(ServiceUnavailable, match="not running"):
        await ServiceClient(home).connect()
    again = await asyncio.to_thread(spawn_background, home, command=COMMAND)
    try:
        assert again["pid"] != spawned["pid"]
        async with ServiceClient(home) as client:
            assert (await client.subscribe())["pid"] == again["pid"]
    finally:
        _end(again["pid"])


async def test_events_cross_from_one_client_to_the_other(home: Home, spawned: Json) -> None:
    async with ServiceClient(home) as one, ServiceClient(home) as two:
        await two.subscribe()
        await one.call("publish", {"event": "feed", "payload": {"event": {"id": 1}}})
        assert [event.payload for event in await take(two, 1)] == [{"event": {"id": 1}}]


def test_a_start_that_fails_says_why_and_keeps_the_secret(home: Home) -> None:
    with pytest.raises(ServiceStartError) as failure:
        spawn_background(home, ["start"], command=COMMAND)
    words = str(failure.value)
    assert "ended at its start (exit code 1)" in words
    assert "the disk is full" in words
    assert "the token is [hidden]" in logs.log_file(home).read_text()
    assert "ccp_0123" not in logs.log_file(home).read_text()
    assert "ccp_0123" not in words
    assert not is_held(home.lock)
    assert diary(home) == ["start 0", "stop 0"]


def test_a_start_that_never_ends_is_given_up(home: Home) -> None:
    with pytest.raises(ServiceStartError, match=r"did not start within 0\.3 s"):
        spawn_background(home, command=(sys.executable, "-c", "import time; time.sleep(60)"), timeout=0.3)
    with pytest.raises(ServiceStartError, match="can't be run"):
        spawn_background(home, command=("/nonexistent/program",))


async def test_serve_inside_a_program(home: Home) -> None:
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(serve(home, OneService, demo=True, on_ready=ready.set, stop=stop))
    await asyncio.wait_for(ready.wait(), 10)
    async with ServiceClient(home) as client:
        assert client.hello["demo"] is True
        waiting = asyncio.create_task(client.call("wait", {"seconds": 0.2}))
        await client.call("shutdown")
        assert await waiting == {"waited": True}, "what runs may end"
    await asyncio.wait_for(running, 10)
    assert stop.is_set()
    assert not is_held(home.lock)


async def test_a_stop_that_hangs_has_a_deadline(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(process_module, "STOP_DEADLINE", 0.05)
    stop = asyncio.Event()
    stop.set()
    await asyncio.wait_for(serve(home, lambda at, hub: OneService(at, hub, "stop"), stop=stop), 10)
    assert "did not end in time" in caplog.text
    assert not is_held(home.lock)


async def test_a_socket_that_can_not_be_opened_ends_the_start(home: Home) -> None:
    home.agents_socket.write_text("mine")
    with pytest.raises(process_module.SocketError, match="no socket"):
        await serve(home, OneService)
    assert diary(home) == ["start 1", "stop 1"]
    await until(lambda: not is_held(home.lock))


def test_the_log_is_bounded_private_and_clean(home: Home) -> None:
    handler = logs.start_log(home)
    try:
        logs.hide("gateway-secret")
        logger = logging.getLogger("ccp_tui.test")
        logger.warning(
            "token ccp_%s, gateway gateway-secret, \x1b[31mred\x1b[0m, module ccp_tui.service", "a" * 22
        )
        text = logs.log_file(home).read_text()
        assert text.endswith("token [hidden], gateway [hidden], red, module ccp_tui.service\n")
        try:
            raise ValueError("ccp_" + "b" * 22)
        except ValueError:
            logger.exception("failed")
        assert "bbbb" not in logs.log_file(home).read_text()
        for _ in range(70):
            logger.info("x" * 100_000)
    finally:
        logs.stop_log(handler)
    files = sorted(home.logs.glob("serve.log*"))
    assert len(files) == logs.FILES
    for path in files:
        assert path.stat().st_size <= logs.MAX_BYTES
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert logs.last_lines(home, 1)[-1].endswith("x")
