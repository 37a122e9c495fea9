"""More than one machine: the client's configuration, real TLS, pins, and one list where nobody waits for a hanger."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui.incus import Fleet, FleetError, RemoteState
from ccp_tui.incus.api import events, remotes
from ccp_tui.incus.api.connection import Connection
from tests.fleet import private
from tests.fleet.conftest import until
from tests.fleet.daemons import Client, Daemon, daemon

pytestmark = pytest.mark.incus

CONFIG = """
default-remote: far
remotes:
  images: {addr: https://images.example, protocol: simplestreams, public: true}
  open: {addr: https://open.example:8443, protocol: incus, public: true}
  far: {addr: 'https://127.0.0.1:9', protocol: incus, project: blue}
  six: {addr: 'https://[::1]:8444'}
  browser: {addr: https://browser.example, auth_type: oidc}
  socket: {addr: 'unix:///tmp/some.socket'}
  old: {addr: 'http://old.example'}
  nothing:
"""


@pytest.fixture(scope="module")
def far(incus: None) -> Iterator[Daemon]:
    """Another machine: an Incus that listens for TLS."""
    with daemon(listening=True) as one:
        private.image(one, "ccp/one", "1.0.1")
        one.incus("launch", "ccp/one", "ccptest-far", "-c", "user.ccp.deployment=1")
        one.incus("launch", "ccp/one", "ccptest-foreign")
        yield one


@pytest.fixture
def client(far: Daemon, tmp_path: Path) -> Client:
    """A configuration of the Incus client that knows ``far``, made by the client itself."""
    made = Client(tmp_path / "client")
    made.add("far", far)
    return made


def only(client: Client, name: str = "far") -> remotes.Remote:
    (remote,) = remotes.configured(client.folder, [name])
    return remote


def connect(client: Client, name: str = "far") -> Connection:
    endpoint = only(client, name).endpoint
    assert endpoint is not None
    return Connection(endpoint)


def test_the_clients_configuration_is_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    (client.folder / "config.yml").write_text(CONFIG)
    found = {remote.name: remote for remote in remotes.configured(client.folder)}
    assert list(found) == ["local", "far", "six", "browser", "socket", "old"]
    far = found["far"]
    assert (far.url, far.endpoint and far.endpoint.project) == ("https://127.0.0.1:9", "blue")
    assert found["six"].url == "https://[::1]:8444"
    assert found["socket"].url == "/tmp/some.socket"
    assert found["local"].endpoint
    assert found["local"].endpoint.local
    for name, words in (("browser", "OIDC"), ("old", "neither https:// nor unix://")):
        assert found[name].endpoint is None
        assert words in found[name].words
        assert found[name].fix
    assert [one.name for one in remotes.configured(client.folder, ["six"])] == ["six"]
    with pytest.raises(FleetError, match="no Incus remote named nobody"):
        remotes.configured(client.folder, ["nobody"])
    monkeypatch.setenv("INCUS_CONF", str(client.folder))
    assert "six" in {remote.name for remote in remotes.configured()}


@pytest.mark.parametrize("text", ["remotes: [", "remotes: 3", "", "\udcff"])
def test_a_broken_configuration_leaves_the_local_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yml").write_bytes(text.encode("utf-8", "surrogateescape"))
    found = remotes.configured(tmp_path)
    assert found[0].name == "local"
    broken = [remote for remote in found if remote.endpoint is None]
    assert bool(broken) == (text in ("remotes: [", "\udcff"))
    assert all("config.yml can't be read" in remote.words for remote in broken)


@pytest.mark.parametrize("missing", ["client.crt", "client.key", "servercerts/far.crt"])
def test_certificates_that_can_not_be_used(client: Client, missing: str) -> None:
    (client.folder / missing).write_text("junk")
    remote = only(client)
    assert remote.endpoint is None
    assert "can't be used" in remote.words
    assert "incus remote add far" in remote.fix


async def test_calls_and_events_over_tls(
    client: Client, far: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither of these may lead the calls elsewhere or replace the pin.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/hostname")
    connection = connect(client)
    try:
        assert (await remotes.greet(connection))["environment"]["server_version"]
        assert await private.sh(connection, "ccptest-far", "echo over tls") == "over tls"
        async with events.opened(connection) as stream:
            freezing = asyncio.create_task(asyncio.to_thread(far.incus, "pause", "ccptest-foreign"))
            async for happened in stream:
                if happened.action == "instance-paused":
                    break
            await freezing
            await asyncio.to_thread(far.incus, "start", "ccptest-foreign")
        assert happened.instances == ("ccptest-foreign",)
    finally:
        connection.close()


async def refused(connection: Connection) -> list[FleetError]:
    """What a call and a WebSocket say to this server."""
    caught = []
    try:
        with pytest.raises(FleetError) as call:
            await connection.get("/1.0")
        with pytest.raises(FleetError) as stream:
            async with events.opened(connection):
                pass
        caught = [call.value, stream.value]
    finally:
        connection.close()
    return caught


async def test_another_certificate_is_refused_whoever_signed_it(client: Client, far: Daemon) -> None:
    """The server is the same, but set up anew: what it shows is not what was trusted."""
    for name in ("server.crt", "server.key"):
        (far.state / name).rename(far.state / f"{name}.old")
    far.kill()
    far.start()
    try:
        for error in await refused(connect(client)):
            assert error.code == "NOT_ALLOWED"
            assert "another certificate" in error.message
            assert "incus remote remove far" in error.fix
        # Without a pin the machine's CAs decide, and they know nothing of it.
        (client.folder / "servercerts" / "far.crt").unlink()
        assert [error.code for error in await refused(connect(client))] == ["NOT_ALLOWED"] * 2
    finally:
        for name in ("server.crt", "server.key"):
            (far.state / f"{name}.old").rename(far.state / name)
        far.kill()
        far.start()  # it starts what ran before


async def test_a_server_that_no_longer_trusts_us(client: Client, far: Daemon) -> None:
    for line in far.incus("config", "trust", "list", "-f", "csv", "-c", "f").split():
        far.incus("config", "trust", "remove", line)
    connection = connect(client)
    try:
        with pytest.raises(FleetError) as caught:
            await remotes.greet(connection)
        assert caught.value.code == "NOT_ALLOWED"
        assert "does not trust" in caught.value.message
        assert "incus config trust add" in caught.value.fix
    finally:
        connection.close()


@contextlib.contextmanager
def hanging(client: Client) -> Iterator[None]:
    """A remote ``hang``: it takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        config = client.folder / "config.yml"
        entry = f"  hang: {{addr: 'https://127.0.0.1:{server.getsockname()[1]}', protocol: incus}}\n"
        config.write_text(config.read_text().replace("remotes:\n", f"remotes:\n{entry}", 1))
        pin = client.folder / "servercerts"
        (pin / "hang.crt").write_bytes((pin / "far.crt").read_bytes())
        yield


async def test_a_remote_that_hangs_delays_nobody(
    client: Client, far: Daemon, private_server: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCUS_SOCKET", str(private_server.socket))  # "local"
    private_server.incus("launch", "ccp/one", "ccptest-near", "-c", "user.ccp.deployment=1")
    with hanging(client):
        fleet = Fleet(client.folder)

        def states() -> dict[str, str]:
            return {one.name: one.state for one in fleet.remotes}

        def refs() -> list[str]:
            return [one.ref for one in fleet.deployments]

        try:
            await fleet.start()
            took = await until(fleet, lambda: refs() == ["ccptest-near", "far:ccptest-far"], 20)
            assert states() == {"local": "ready", "far": "ready", "hang": "connecting"}
            assert took < 5
            await until(fleet, lambda: states()["hang"] == "unreachable", 20)
            hang: RemoteState = next(one for one in fleet.remotes if one.name == "hang")
            assert hang.words
            # What happens on one machine is seen while the other hangs.
            freezing = asyncio.create_task(fleet.freeze("far:ccptest-far"))
            await until(fleet, lambda: [one.state for one in fleet.deployments] == ["running", "frozen"], 15)
            await freezing
            await fleet.unfreeze("far:ccptest-far")
            found, seen = await fleet.list()
            assert [one.ref for one in found] == ["ccptest-near", "far:ccptest-far"]
            assert {one.name: one.state for one in seen} == {
                "local": "ready",
                "far": "ready",
                "hang": "unreachable",
            }
        finally:
            await fleet.stop()
    private_server.incus("delete", "-f", "ccptest-near")


async def test_a_machine_that_goes_away_and_comes_back(
    client: Client, far: Daemon, private_server: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCUS_SOCKET", str(private_server.socket))
    fleet = Fleet(client.folder)

    def remote() -> RemoteState:
        return next(one for one in fleet.remotes if one.name == "far")

    try:
        await fleet.start()
        await until(fleet, lambda: remote().state == "ready" and fleet.deployments, 20)
        await asyncio.to_thread(far.kill)
        await until(fleet, lambda: remote().state == "unreachable", 20)
        assert remote().stale
        assert [one.ref for one in fleet.deployments] == ["far:ccptest-far"]
        with pytest.raises(FleetError) as caught:
            await fleet.stop_one("far:ccptest-far")
        assert caught.value.code in ("UNAVAILABLE", "TIMEOUT")
        await asyncio.to_thread(far.start)
        await until(fleet, lambda: remote().state == "ready" and not remote().stale, 40)
        assert [one.ref for one in fleet.deployments] == ["far:ccptest-far"]
    finally:
        await fleet.stop()
