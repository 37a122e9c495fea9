"""The one door of a deployment: what a login over SSH is, and all that it is not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.site import Site
from tests.support.pty import Terminal

pytestmark = [pytest.mark.incus, pytest.mark.slow]

HOST = "ccp@127.0.0.1"
# Of every process that a login made: what it was started with.
ENVIRONMENT = """
for one in /proc/[0-9]*; do
  tr '\\0' '\\n' < $one/environ 2>/dev/null | grep -q ^SSH_CONNECTION= && tr '\\0' '\\n' < $one/environ
done; true
"""


def tried(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """A login with these words of ssh, without a terminal; ended after a while where it does not end by itself."""
    command = ["timeout", "30", *site.ssh(*words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "asked",
    [
        "sh -c id",
        "sh -c 'id'",
        "/bin/sh",
        "bash -i",
        "status; id",
        "status && id",
        "status | id",
        "$(id)",
        "`id`",
        "status\nid",
        "scp -t /tmp",
        "rsync --server . /tmp",
        "internal-sftp",
        "env",
        "ccp task add x",
        "task add x",
        "stop",
        "serve",
        "fleet list",
        "doctor --home /tmp",
        "task list --ho /tmp",
        "mission export MAIN --format json --out /tmp/x",
        "check-runner",
        "login",
    ],
)
def test_a_command_that_is_not_on_the_list_is_refused(site: Site, asked: str) -> None:
    said = tried(site, HOST, asked)
    assert said.returncode in (2, 6), said
    assert not said.stdout
    assert "uid=" not in said.stderr


@pytest.mark.parametrize("asked", ["status --json", "ccp status --json", "summary"])
def test_verbs_that_read_are_run(site: Site, asked: str) -> None:
    said = tried(site, HOST, asked)
    assert said.returncode == 0, said.stderr
    assert isinstance(json.loads(said.stdout), dict)


def test_there_is_no_shell_without_a_terminal_either(site: Site) -> None:
    command = site.ssh("-T", HOST)
    said = subprocess.run(command, input="id\n", capture_output=True, text=True, timeout=60)
    assert said.returncode == 2
    assert "the board needs a terminal" in said.stderr
    assert "uid=" not in said.stdout + said.stderr


@pytest.mark.parametrize("subsystem", ["sftp", "shell", "netconf"])
def test_there_are_no_subsystems(site: Site, subsystem: str) -> None:
    said = tried(site, "-s", HOST, subsystem)
    assert said.returncode not in (0, 124), said
    assert "subsystem request failed" in said.stderr


@pytest.mark.parametrize("target", ["127.0.0.1:18789", "127.0.0.1:22", "localhost:18789"])
def test_nothing_is_forwarded_over_standard_input(site: Site, target: str) -> None:
    said = tried(site, "-W", target, HOST)
    assert said.returncode == 255, said
    assert "administratively prohibited" in said.stderr
    assert not said.stdout


def test_no_port_of_the_deployment_listens_for_the_client(site: Site) -> None:
    said = tried(site, "-o", "ExitOnForwardFailure=yes", "-N", "-R", "127.0.0.1:18999:127.0.0.1:22", HOST)
    assert said.returncode == 255, said
    assert "remote port forwarding failed" in said.stderr
    said = tried(site, "-o", "ExitOnForwardFailure=yes", "-N", "-R", "/tmp/back.sock:127.0.0.1:22", HOST)
    assert said.returncode == 255, said


@pytest.mark.parametrize("path", ["/var/lib/ccp/control.sock", "/run/ccp/agents.sock"])
def test_no_socket_of_the_deployment_comes_to_the_client(site: Site, path: str) -> None:
    here = Path("/tmp", f"ccptest-{os.getpid()}.sock")
    with listening(site, here, "-L", f"{here}:{path}"), socket.socket(socket.AF_UNIX) as door:
        door.settimeout(20)
        door.connect(str(here))
        assert heard(door) == b""


def test_there_is_no_proxy_into_the_deployment(site: Site) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        listening(site, port, "-D", f"127.0.0.1:{port}"),
        socket.create_connection(("127.0.0.1", port), 10) as door,
    ):
        door.settimeout(20)
        door.sendall(b"\x05\x01\x00")
        assert door.recv(2) == b"\x05\x00"
        # SOCKS 5: connect to 127.0.0.1, port 18789
        door.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + (18789).to_bytes(2, "big"))
        answer = heard(door)
        assert answer[:2] != b"\x05\x00", "the gateway was reached"


async def test_no_agent_no_display_no_environment(site: Site, tmp_path: Path) -> None:
    """What a client offers stays outside: an agent, a display, variables but those that say how a terminal looks."""
    agent = tmp_path / "agent"
    keys = await asyncio.create_subprocess_exec(
        "ssh-agent", "-D", "-a", str(agent), stdout=asyncio.subprocess.DEVNULL
    )
    given = {
        "LD_PRELOAD": "/tmp/x.so",
        "PYTHONPATH": "/tmp",
        "CCP_HOME": "/tmp",
        "EDITOR": "/bin/sh",
        "BASH_ENV": "/tmp/x",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
    }
    options = ["-o", "SetEnv=" + " ".join(f"{name}={value}" for name, value in given.items())]
    # X11 is asked for where there is a display and xauth; that none is there costs only this part of the test.
    options += ["-A", *(["-X"] if shutil.which("xauth") else [])]
    env = {"SSH_AUTH_SOCK": str(agent), "DISPLAY": ":99"}
    try:
        async with Terminal(site.ssh("-tt", *options, HOST), (100, 30), env) as terminal:
            await terminal.shows("gateway connected", 60)
            seen = dict(
                line.split("=", 1)
                for line in site.inside("sh", "-c", ENVIRONMENT).stdout.splitlines()
                if "=" in line
            )
            terminal.send("q")
            await terminal.ended()
    finally:
        keys.terminate()
        await keys.wait()
    assert seen["COLORTERM"] == "truecolor"
    for name in ("SSH_AUTH_SOCK", "DISPLAY", "LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "EDITOR"):
        assert name not in seen, name
    assert seen["CCP_HOME"] == "/var/lib/ccp"


async def test_several_boards_at_once_are_live(site: Site) -> None:
    title = f"Seen by all {os.getpid()}"
    async with contextlib.AsyncExitStack() as stack:
        boards = [  # wide enough for all columns, whichever the cursor is in
            await stack.enter_async_context(Terminal(site.ssh("-tt", HOST), (180, 40))) for _ in range(4)
        ]
        for board in boards:
            await board.shows("gateway connected", 90)
        boards[0].send("n")
        await boards[0].shows("New task")
        boards[0].send(title, "enter")
        for board in boards:
            await board.shows(title, 30)
        for board in boards:
            board.send("q")
            assert await board.ended() == 0


@contextlib.contextmanager
def listening(site: Site, where: int | Path, *words: str) -> Iterator[None]:
    """A client that listens at a place of this machine for what it shall carry over."""
    command = site.ssh("-N", *words, HOST)
    client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30
        while not _there(where):
            assert client.poll() is None, "the client ended"
            assert time.monotonic() < end, "the client does not listen"
            time.sleep(0.1)
        yield
    finally:
        client.kill()  # a SIGTERM that comes just before it polls is noticed by ssh at its next byte only
        client.wait(10)
        if isinstance(where, Path):
            where.unlink(missing_ok=True)


def _there(where: int | Path) -> bool:
    if isinstance(where, Path):
        return where.exists()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", where)) == 0


def heard(door: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := door.recv(4096):
            found += piece
    return found
