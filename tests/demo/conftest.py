from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ccp_tui.gateway.demo.server import EmbeddedGateway
from tests.demo.raw import Raw


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[EmbeddedGateway]:
    async with EmbeddedGateway(tmp_path / "state", speed=4) as running:
        yield running


@pytest.fixture
async def raw(gateway: EmbeddedGateway) -> AsyncIterator[Raw]:
    """A connection that may everything and hears everything."""
    client = await Raw.open(gateway.url, caps=("tool-events", "approvals"))
    await client.call("sessions.subscribe")
    yield client
    await client.close()
