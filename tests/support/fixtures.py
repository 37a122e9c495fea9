"""Fixtures that several rooms use: the scripted provider and the real gateway on it, one of each per session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.provider import Provider
from tests.support.realgateway import RealGateway, RealGatewayMissing


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """The scripted AI provider behind the real gateway; it keeps every request."""
    with Provider() as running:
        yield running


@pytest.fixture(scope="session")
def real_gateway(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A running real OpenClaw gateway. Without an installed one: skipped, or failed when CCP_REQUIRE_REAL=1.

    Who kills it starts it again; ``ensure()`` does so for those who come after a test that could not.
    """
    try:
        gateway = RealGateway(tmp_path_factory.mktemp("real"), provider.url)
    except RealGatewayMissing as missing:
        if os.environ.get("CCP_REQUIRE_REAL") == "1":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()
