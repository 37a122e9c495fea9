"""One whole deployment, driven over SSH by keys and looked at from outside.

Everything in it is real but the AI provider, which listens on the bridge's address and is allowed for this test.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
from typing import Any

import pytest

from ccp_tui.incus.api.connection import Connection
from tests.fleet.conftest import at_once
from tests.fleet.site import KEY, Site, ccp
from tests.support import keys
from tests.support.provider import Provider
from tests.support.pty import Terminal

pytestmark = [pytest.mark.incus, pytest.mark.slow]

GATEWAY_PORT = 18789


async def test_a_typed_line_is_done_over_ssh(site: Site, bridge_provider: Provider) -> None:
    """Planned, approved, worked on, checked, judged, by keys on a terminal of SSH; a second one sees the same."""
    async with Terminal(site.ssh("-tt", "ccp@127.0.0.1"), (160, 45)) as terminal:
        await keys.capture(terminal, "Write a greeting")
        await keys.plan(terminal, "1", patience=90)
        terminal.send("A")
        await keys.judge(terminal, "2 of 2 passed")
        async with Terminal(site.ssh("-tt", "ccp@127.0.0.1"), (80, 24)) as second:
            await second.shows("Write a greeting", 60)
        await keys.leave(terminal, "q", "q")
    (card,) = json.loads(site.ask("task", "list", "--json").stdout)
    assert (card["title"], card["state"]) == ("Write a greeting", "done")
    assert bridge_provider.prompts("Write a greeting")


def test_the_host_sees_what_goes_on_inside(site: Site) -> None:
    rows = json.loads(ccp("fleet", "list", "--json").stdout)
    (row,) = [each for each in rows if each["name"] == site.name]
    assert row["tasks"]["done"] == 1
    assert row["needs_you"] == 0


def test_a_login_reads_and_does_nothing_else(site: Site) -> None:
    assert json.loads(site.ask("status", "--json").stdout)["gateway"]["state"] == "connected"
    for words in (("task", "add", "x"), ("sh",), ("status;", "id"), ("status", "--home", "/tmp")):
        refused = site.ask(*words)
        assert refused.returncode in (2, 6), (words, refused)
        assert "uid=" not in refused.stdout
    copying = subprocess.run(
        ["sftp", "-F", "none", "-P", str(site.port), "-i", str(site.key), "-o", "BatchMode=yes",
         "-o", f"UserKnownHostsFile={site.known}", "-b", "-", "ccp@127.0.0.1"],
        input="ls\n", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert copying.returncode != 0


def test_a_password_or_another_user_does_not_get_in(site: Site) -> None:
    for user in ("root", "openclaw"):
        command = [*site.ssh(f"{user}@127.0.0.1"), "id"]
        tried = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert tried.returncode == 255
        assert "Permission denied (publickey)" in tried.stderr


async def test_a_login_cannot_forward_to_the_gateway(site: Site) -> None:
    """The client listens; what it asks of the other end is refused."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = site.ssh("-tt", "-L", f"127.0.0.1:{port}:127.0.0.1:{GATEWAY_PORT}", "ccp@127.0.0.1")
    async with Terminal(command, (80, 24)) as terminal:
        await terminal.shows("gateway connected", 60)
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 10)
        writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


def test_from_the_host_only_the_ssh_port_answers(site: Site) -> None:
    """Every port of the container's own address, and the proxied one on the host."""
    address = at_once(lambda connection: address_of(connection, site.name))
    scan = ["nmap", "-n", "-Pn", "-p-", "--open", "--min-rate", "10000", "-oG", "-"]
    scanned = subprocess.run([*scan, address], capture_output=True, text=True, timeout=120)
    assert scanned.returncode == 0, scanned.stderr
    assert "/open/" not in scanned.stdout
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as door:
        assert door.recv(4) == b"SSH-"


def test_the_key_of_the_provider_is_in_its_file_and_nowhere_else(site: Site) -> None:
    assert KEY not in site.said
    shown = ["incus", "config", "show", "--expanded", site.name]
    told = subprocess.run(shown, capture_output=True, text=True, timeout=20)
    assert told.returncode == 0
    assert KEY not in told.stdout
    look = "cat /home/openclaw/.openclaw/.env; stat -c '%U %a' /home/openclaw/.openclaw/.env; " \
        "grep -rls -- \"$0\" /etc /var/lib /var/log /home /srv /run 2>/dev/null"  # fmt: skip
    inside = site.inside("sh", "-c", look, KEY).stdout.splitlines()
    assert inside == [f"SCRIPTED_API_KEY={KEY}", "openclaw 600", "/home/openclaw/.openclaw/.env"]


async def address_of(connection: Connection, name: str) -> str:
    """The container's own address on the bridge."""
    state: Any = await connection.get(f"/1.0/instances/{name}/state")
    found = [
        each["address"]
        for each in state["network"]["eth0"]["addresses"]
        if each["family"] == "inet" and each["scope"] == "global"
    ]
    return str(found[0])
