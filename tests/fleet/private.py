"""A private Incus for tests that change whole machines: its images, and deployments in it."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.incus.api import execute
from ccp_tui.incus.api.connection import Connection, Endpoint
from ccp_tui.incus.deployments import create
from ccp_tui.incus.model import CreateRequest, Deployment, Limits
from tests.fleet import tiny
from tests.fleet.daemons import Daemon, daemon

SMALL = Limits("1", "1GiB", "2GiB", 500)


def image(server: Daemon, alias: str, version: str, files: dict[str, str] | None = None) -> None:
    """Imports a tiny image of this version: ``/etc/system`` holds it, scripts among ``files`` begin with ``#!``."""
    folder = server.folder / f"image-{version}"
    folder.mkdir()
    path = tiny.build(folder, version=version, properties={"user.ccp.image": "1"})
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("rootfs/bin/tar")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
        for name, text in {"etc/system": version, **(files or {})}.items():
            _parents(tar, name)
            entry = tarfile.TarInfo(f"rootfs/{name}")
            entry.size, entry.mode = len(text.encode()), 0o755 if text.startswith("#!") else 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    server.incus("image", "import", str(path), "--alias", alias)


@pytest.fixture(scope="session")
def private_server(incus: None) -> Iterator[Daemon]:
    """A private Incus in a network of its own, with the images ``ccp/one`` (1.0.1) and ``ccp/two`` (1.0.2).

    Its pool ``slow`` copies file by file.
    """
    with daemon(apart=True) as one:
        image(one, "ccp/one", "1.0.1")
        image(one, "ccp/two", "1.0.2")
        one.incus("storage", "create", "slow", "dir")
        yield one


@pytest.fixture
def private_connection(private_server: Daemon) -> Iterator[Connection]:
    """A connection to the private Incus; its instances are gone afterwards."""
    made = Connection(Endpoint("local", str(private_server.socket)))
    yield made
    made.close()
    for name in private_server.incus("list", "-f", "csv", "-c", "n").split():
        private_server.incus("delete", "-f", name)


async def deployed(connection: Connection, image: str = "ccp/one", pool: str = "default") -> Deployment:
    """A running deployment of one of its images, with some data in it."""
    name = f"ccptest-{secrets.token_hex(3)}-one"
    request = CreateRequest(name, SMALL, image=image, pool=pool)
    made = await create.create(connection, request, lambda stage: None)
    await sh(connection, name, DATA)
    return made


DATA = """
mkdir -p /var/lib/ccp /home/openclaw/.openclaw /srv/agents/one
echo board > /var/lib/ccp/mission.db; chmod 600 /var/lib/ccp/mission.db; chown -R 1000:1000 /var/lib/ccp
echo KEY=1 > /home/openclaw/.openclaw/.env; chmod 600 /home/openclaw/.openclaw/.env; chown -R 1001:1001 /home/openclaw
echo work > "/srv/agents/one/a file"; ln -s "a file" /srv/agents/one/link; chown -R 1001:2000 /srv/agents
echo host-key > /etc/ssh/ssh_host_ed25519_key; echo 0123abcd > /etc/machine-id; echo system-junk > /etc/junk
sync
"""


async def sh(connection: Connection, name: str, script: str) -> str:
    """What a shell script in a running instance prints, without the last line's end."""
    return (await execute.checked(connection, name, ["sh", "-c", script])).rstrip("\n")


def _parents(tar: tarfile.TarFile, name: str) -> None:
    there = set(tar.getnames())
    for folder in reversed(Path("rootfs", name).parents):
        if str(folder) not in there and str(folder) != ".":
            entry = tarfile.TarInfo(str(folder))
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
