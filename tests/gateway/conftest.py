"""The two gateways that the contract suite runs on, handed to each test under one name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccp_tui.gateway import GatewayState
from tests.support.embedded import EmbeddedGateway
from tests.support.line import Line, line, unique
from tests.support.realgateway import RealGateway

Gateway = RealGateway | EmbeddedGateway


@pytest.fixture(scope="session")
def embedded_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedGateway]:
    gateway = EmbeddedGateway(tmp_path_factory.mktemp("embedded"))
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real)])
def gateway(request: pytest.FixtureRequest) -> Gateway:
    """A running gateway: each test of the contract runs on the embedded and on the real one."""
    found: Gateway = request.getfixturevalue(f"{request.param}_gateway")
    found.ensure()
    return found


@pytest.fixture
def folder(gateway: Gateway) -> Path:
    """Where this gateway's clients keep their identity: one device for all tests of a gateway."""
    made = gateway.folder / "client"
    made.mkdir(exist_ok=True)
    return made


@pytest.fixture
async def on(gateway: Gateway, folder: Path) -> AsyncIterator[Line]:
    """A connected client."""
    async with line(gateway.url, gateway.token, folder) as connected:
        await connected.connected()
        assert connected.client.status.state is GatewayState.CONNECTED
        yield connected


@dataclass(frozen=True)
class Worker:
    """An agent with its workspace."""

    id: str
    workspace: Path


_workers: dict[str, Worker] = {}


@pytest.fixture
async def worker(gateway: Gateway, on: Line) -> Worker:
    """One agent per gateway for all tests; each test has sessions of its own."""
    if gateway.url not in _workers:
        agent = await on.calls.agent_create("Wanda Worker", emoji="🛠")
        assert agent.workspace
        _workers[gateway.url] = Worker(agent.id, Path(agent.workspace))
    return _workers[gateway.url]


@pytest.fixture
async def session(on: Line, worker: Worker) -> str:
    """A new session of the worker."""
    return await on.calls.session_create(worker.id, unique("test"))
