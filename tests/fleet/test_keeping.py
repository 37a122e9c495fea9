"""Attaching to a whole deployment, and what becomes of its data: snapshot and restore, a copy, a newer image."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from ccp_tui.incus.api import files, operations
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.image import images
from tests.fleet.conftest import at_once, named, remove_all
from tests.fleet.site import Site, ccp, well
from tests.support.pty import Terminal

pytestmark = [pytest.mark.incus, pytest.mark.slow]

ATTACH = [sys.executable, "-m", "ccp_tui", "fleet", "attach"]


def titles(site: Site) -> list[str]:
    """The tasks of the board, as a login sees them."""
    told = site.ask("task", "list", "--json")
    assert told.returncode == 0, told.stderr
    return sorted(card["title"] for card in json.loads(told.stdout))


def capture(site: Site, title: str) -> None:
    made = site.inside("runuser", "-u", "ccp", "--", "/usr/local/bin/ccp", "task", "add", title)
    assert made.returncode == 0, made.stderr


async def test_the_board_is_attached_and_left(site: Site) -> None:
    async with Terminal([*ATTACH, site.name], (120, 40)) as terminal:
        await terminal.shows("gateway connected", 60)
        terminal.resize((90, 30))
        await terminal.quiet()
        await terminal.shows("? help")
        terminal.send("q")
        assert await terminal.ended() == 0


async def test_a_shell_is_its_users_and_ctrl_c_is_for_it(site: Site) -> None:
    async with Terminal([*ATTACH, site.name, "shell"], (100, 30)) as terminal:
        await terminal.shows("$", 30)
        terminal.send("id -un; pwd; sleep 60", "enter")
        await terminal.shows("/home/openclaw")
        assert "\nopenclaw" in terminal.text
        terminal.send("ctrl+c")
        terminal.send("exit 7", "enter")
        assert await terminal.ended() == 7


async def test_the_screen_comes_back_when_the_container_dies_meanwhile(site: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ccp_tui", "fleet", "--home", str(tmp_path)]
    async with Terminal(command, (140, 40)) as terminal:
        await terminal.shows(site.seen, 30)
        terminal.send("/")
        await terminal.shows("enter keeps it")
        terminal.send(site.name)
        await terminal.shows(f"/ {site.name}")
        terminal.send("enter")
        await terminal.shows("esc clears it")
        terminal.send("enter")
        await terminal.shows("gateway connected", 60)
        kill = ["incus", "stop", "--force", site.name]
        await asyncio.to_thread(subprocess.run, kill, check=True, timeout=60, stdin=subprocess.DEVNULL)
        await terminal.shows("Fleet", 30)
        await terminal.shows("stopped", 30)
        terminal.send("q", "q")
        assert await terminal.ended() == 0
    assert ccp("fleet", "start", site.name).returncode == 0
    well(site)


def test_a_snapshot_brings_the_board_back(site: Site) -> None:
    before = titles(site)
    taken = ccp("fleet", "snapshot", "create", "--name", "quiet", site.name)
    assert taken.returncode == 0, taken.stderr
    capture(site, "Too much")
    assert titles(site) == sorted([*before, "Too much"])
    restored = ccp("fleet", "restore", site.name, "quiet")
    assert restored.returncode == 0, restored.stderr
    well(site)
    assert titles(site) == before
    assert ccp("fleet", "snapshot", "delete", site.name, "quiet").returncode == 0


def test_a_copy_has_its_own_port_and_the_same_board(site: Site) -> None:
    copied = f"{site.name}-copy"
    try:
        assert ccp("fleet", "copy", site.name, copied).returncode == 0
        assert ccp("fleet", "start", copied).returncode == 0
        listed = json.loads(ccp("fleet", "list", "--json").stdout)
        (row,) = [each for each in listed if each["name"] == copied]
        twin = Site(copied, row["port"], site.key, site.known.with_name("known-of-copy"), "")
        assert twin.port != site.port
        well(twin)
        assert titles(twin) == titles(site)
        hosts = [one.known.read_text().split()[-1] for one in (site, twin)]
        assert hosts[0] != hosts[1], "a host key of its own"
    finally:
        at_once(lambda connection: remove_all(connection, copied))


@pytest.fixture
def newer(full_image: str) -> Iterator[str]:
    """The alias of another image with the same in it; the one that all tests share is left alone."""
    with named() as prefix:

        async def make(connection: Connection) -> str:
            alias, name = f"{prefix}image", f"{prefix}still"
            shared = await connection.get(f"/1.0/images/aliases/{quote(full_image, safe='')}")
            properties = (await connection.get(f"/1.0/images/{shared['target']}"))["properties"]
            body = {"name": name, "source": {"type": "image", "fingerprint": shared["target"]}}
            await operations.run(connection, "POST", "/1.0/instances", body, within=120)
            await files.put(connection, name, "/etc/newer", b"")
            body = {"source": {"type": "instance", "name": name}, "properties": properties}
            body["compression_algorithm"] = "zstd"
            done = await operations.run(connection, "POST", "/1.0/images", body, within=300)
            await images.point(connection, alias, str(done["metadata"]["fingerprint"]))
            return alias

        async def remove(connection: Connection) -> None:
            if made := await images.by_alias(connection, f"{prefix}image"):
                await operations.run(connection, "DELETE", f"/1.0/images/{made}")

        try:
            yield at_once(make)
        finally:
            at_once(remove)


def test_an_upgrade_keeps_board_and_host_key(site: Site, newer: str) -> None:
    before = titles(site)
    capture(site, "Before the upgrade")
    began = time.monotonic()
    upgraded = ccp("fleet", "upgrade", site.name, "--image", newer)
    assert upgraded.returncode == 0, upgraded.stdout + upgraded.stderr
    assert time.monotonic() - began < 600
    well(site)
    assert titles(site) == sorted([*before, "Before the upgrade"])
    (row,) = [each for each in json.loads(ccp("fleet", "list", "--json").stdout) if each["name"] == site.name]
    assert row["image"] == newer
    assert site.inside("test", "-e", "/etc/newer").returncode == 0, "its system is the new one"
    assert [each["name"] for each in row["snapshots"]], "of before it"
