"""A base of another machine: given away once, by a secret, over TLS; and image servers as the client knows them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.incus import FleetError
from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.image import sources
from tests.fleet import private
from tests.fleet.daemons import Client, Daemon, daemon

pytestmark = pytest.mark.incus


@pytest.fixture(scope="module")
def far(incus: None) -> Iterator[Daemon]:
    with daemon(listening=True) as one:
        private.image(one, "some/debian", "1.0.1")
        yield one


@pytest.fixture
def client(far: Daemon, tmp_path: Path) -> Client:
    made = Client(tmp_path / "client")
    made.add("far", far)
    return made


async def test_an_image_of_another_incus(connection: Connection, client: Client, prefix: str) -> None:
    source = await sources.source(connection, "far:some/debian", client.folder)
    body = {"name": f"{prefix}from-far", "type": "container", "source": source}
    try:
        await operations.run(connection, "POST", "/1.0/instances", body, within=60)
        made = await connection.get(f"/1.0/instances/{prefix}from-far")
        assert made["config"]["image.ccp.version"] == "1.0.1"
    finally:  # Incus keeps what it has pulled for some days
        with contextlib.suppress(FleetError):
            await operations.run(connection, "DELETE", f"/1.0/images/{source['fingerprint']}")
    for base in ("far:nonesuch", "nowhere:debian/12"):
        with pytest.raises(FleetError) as caught:
            await sources.source(connection, base, client.folder)
        assert caught.value.code == "NOT_FOUND"


async def test_an_image_server_is_left_to_incus(connection: Connection, client: Client) -> None:
    """Incus itself downloads from it: we say where, by the client's configuration or its built-in remote."""
    source = await sources.source(connection, "images:debian/12", client.folder)
    assert source["protocol"] == "simplestreams"
    assert source["alias"] == "debian/12"
    assert source["server"].startswith("https://")
