"""The product as it is installed: a service process on the real gateway, driven by its socket, its CLI, its keys."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccp_tui.paths import Home
from tests.service.processes import Processes, processes_on
from tests.support.line import unique
from tests.support.provider import Provider
from tests.support.realgateway import REPOSITORY, RealGateway

SOUL = "You are {name}, and your secret word is PERIWINKLE."


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Deployment:
    """Service, gateway, provider, and an agent whose soul and model were set through the service."""

    pair: Processes
    gateway: RealGateway
    provider: Provider
    model: str
    soul: str

    async def ccp(self, *words: str, code: int = 0) -> Ended:
        """Runs ``ccp`` as a person does; it must end with this code."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ccp_tui",
            *words,
            cwd=REPOSITORY,
            env=self.pair.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            out, err = await process.communicate()
        ended = Ended(process.returncode or 0, out.decode(), err.decode())
        assert ended.code == code, (words, ended)
        return ended


@pytest.fixture
async def real(
    real_gateway: RealGateway, provider: Provider, home: Home, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """A whole deployment; its agent is new for each test, the gateway is shared."""
    await asyncio.to_thread(real_gateway.ensure)
    async with processes_on(home, real_gateway) as pair:
        model = (await pair.call("model.list"))["models"][-1]["id"]
        name = unique("Ada").title()
        soul = SOUL.format(name=name)
        await pair.hire(name, soul=soul, model=model, emoji="🦉", role="writer")
        yield Deployment(pair, real_gateway, provider, model, soul)
