"""From a frame of the gateway to the screen: words of an agent in an open chat, on the embedded gateway.

The floor is the same words arriving at a bare WebSocket client beside it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ccp_tui.client import ServiceClient
from ccp_tui.gateway import GatewayClient, GatewayEvent, GatewaySettings, GatewayState, RunDelta
from ccp_tui.gateway.demo.server import EmbeddedGateway
from ccp_tui.paths import Home
from tests.bench.figures import Figure, median_ms, p95_ms
from tests.bench.homes import environment, serving
from tests.support.pty import Terminal

SIZE = (120, 40)
WORDS = 12


def run() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="ccp") as folder:
        yield from asyncio.run(_figures(Path(folder)))


async def _figures(folder: Path) -> list[Figure]:
    home = Home(folder / "home").prepare()
    gateway = EmbeddedGateway(folder / "gateway", 0, "bench")
    await gateway.start()
    try:
        with serving(home, CCP_GATEWAY_URL=gateway.url, CCP_GATEWAY_TOKEN="bench"):
            client = ServiceClient(home.control_socket)
            await client.connect()
            session = await _chat(client)
            heard = await _listener(folder, gateway.url)
            service, screen = await _measure(home, client, session, heard)
            await client.close()
    finally:
        await gateway.stop()
    return [
        Figure("gateway frame to service client, median", median_ms(service), "ms"),
        Figure(
            "gateway frame to screen, median",
            median_ms(screen),
            "ms",
            median_ms(service),
            "ms service client",
        ),
        Figure(
            "gateway frame to screen, 95 of 100", p95_ms(screen), "ms", p95_ms(service), "ms service client"
        ),
    ]


class _Heard:
    """When each text was first heard straight from the gateway."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def event(self, event: GatewayEvent) -> None:
        if isinstance(event, RunDelta):
            self.at.setdefault(event.text.strip(), time.perf_counter())


async def _listener(folder: Path, url: str) -> _Heard:
    heard = _Heard()

    async def connected(_: object) -> None: ...

    settings = GatewaySettings(url, "bench", "bench", folder / "device.json")
    client = GatewayClient(settings, on_event=heard.event, on_status=lambda _: None, on_connected=connected)
    await client.start()
    for _ in range(200):
        if client.status.state is GatewayState.CONNECTED:
            return heard
        await asyncio.sleep(0.05)
    raise RuntimeError("the listener did not connect")


async def _chat(client: ServiceClient) -> str:
    for _ in range(200):
        if (await client.call("status"))["gateway"]["state"] == "connected":
            break
        await asyncio.sleep(0.05)
    await client.call("agent.create", {"name": "Ada"})
    opened = await client.call("chat.open", {"agent": "ada"})
    return str(opened["session_key"])


async def _measure(
    home: Home, client: ServiceClient, session: str, heard: _Heard
) -> tuple[list[float], list[float]]:
    service: list[float] = []
    screen: list[float] = []
    async with Terminal([sys.executable, "-m", "ccp_tui"], SIZE, environment(home)) as terminal:
        await terminal.shows("gateway connected")
        terminal.send(":")
        await asyncio.sleep(0.5)
        terminal.send("chat with ada")
        await asyncio.sleep(1.0)
        terminal.send("enter")
        await terminal.shows("Message Ada")
        await client.subscribe()
        await client.call("watch", {"session_key": session})
        arrivals = asyncio.create_task(_arrivals(client, heard, service))
        for number in range(WORDS):
            word = f"word{number:03d}here"
            await client.call("chat.send", {"session_key": session, "text": f"!say {word}"})
            at = await _seen(terminal, word)
            if word in heard.at:
                screen.append(at - heard.at[word])
            await terminal.quiet(0.3)
        arrivals.cancel()
    return service, screen


async def _arrivals(client: ServiceClient, heard: _Heard, service: list[float]) -> None:
    async for event in client.events():
        text = str(event.payload.get("text", "")).strip()
        if event.name == "run.delta" and text in heard.at:
            service.append(max(0.0, time.perf_counter() - heard.at[text]))


async def _seen(terminal: Terminal, word: str) -> float:
    """When the agent's word stood on the screen: the person's own line holds it with the directive before it."""
    end = time.perf_counter() + 20
    while time.perf_counter() < end:
        if any(word in line and "!say" not in line for line in terminal.screen.display):
            return time.perf_counter()
        await asyncio.sleep(0.001)
    raise RuntimeError(f"{word} did not appear:\n{terminal.text}")
