"""``ccp fleet create`` and Ctrl-C, at each stage of a whole deployment: nothing is left. And the key is not echoed."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator

import pytest

from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import ports
from tests.fleet.conftest import at_once, named
from tests.support.pty import Terminal

pytestmark = [pytest.mark.incus, pytest.mark.slow]

CREATE = [sys.executable, "-m", "ccp_tui", "fleet", "create"]
PORT = 22421
SECRET = "sk-typed-by-hand-99"


@pytest.fixture
def name(incus: None) -> Iterator[str]:
    with named() as prefix:
        yield f"{prefix}cut"


def there(name: str) -> bool:
    async def look(connection: Connection) -> bool:
        used = await ports.in_use(connection)
        found = [str(url) for url in await connection.get("/1.0/instances")]
        return PORT in used or any(url.endswith(f"/{name}") for url in found)

    return at_once(look)


@pytest.mark.parametrize("stage", ["instance", "start", "system", "gateway"])
@pytest.mark.parametrize("times", [1, 2])
async def test_ctrl_c_leaves_nothing(full_image: str, name: str, stage: str, times: int) -> None:
    command = [*CREATE, name, "--image", full_image, "--ssh-key", "none", "--port", str(PORT)]
    async with Terminal(command, (100, 30)) as terminal:
        await terminal.shows(f"  {stage} ", 120)
        for _ in range(times):
            terminal.send("ctrl+c")
            await asyncio.sleep(0.1)
        assert await terminal.ended(120) == 130
        assert "Cancelled. What was made is removed." in terminal.text
    assert not await asyncio.to_thread(there, name)
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", PORT))


async def test_a_typed_key_is_not_echoed(name: str) -> None:
    command = [*CREATE, name, "--image", "ccp/none-such", "--ssh-key", "none", "--provider", "anthropic"]
    async with Terminal(command, (100, 30)) as terminal:
        said: list[bytes] = []
        terminal.heard = said.append
        await terminal.shows("Key of anthropic", 60)
        terminal.send(SECRET, "enter")
        assert await terminal.ended(60) == 3
        assert "There is no image ccp/none-such." in terminal.text
    assert SECRET.encode() not in b"".join(said)
