"""What a chat and a feed cost on the line: bytes written to a real pseudo-terminal."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.screens.fakes import snapshot
from tests.screens.talk import ANSWERS, KEY, event, message
from tests.support.fakeservice import FakeService
from tests.support.pty import Terminal

RUN = "import sys; from pathlib import Path; from ccp_tui.app import run_board; from ccp_tui.paths import Home; " \
      "sys.exit(run_board(Home(Path(sys.argv[1]))))"  # fmt: skip
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 45)], ids=["80x24", "160x45"])
DELTAS_PER_S = 13  # what the gateway sends at most
LIMIT = 20 * 1024
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "agents",
    "that",
    "write",
    "**bold**",
    "and",
    "`code`",
]


@asynccontextmanager
async def running(
    home: Path, size: tuple[int, int], *keys: str
) -> AsyncIterator[tuple[Terminal, FakeService]]:
    env = {"CCP_ASCII": "0", "PYTHONPATH": str(Path(__file__).parents[2])}
    async with FakeService(home / "control.sock", snapshot()) as service:
        for method, answer in ANSWERS.items():
            assert not isinstance(answer, Exception)
            service.answers[method] = answer if callable(answer) else lambda _, answer=answer: answer  # type: ignore[misc]
        async with Terminal([sys.executable, "-c", RUN, str(home)], size, env) as terminal:
            await terminal.shows("WEB-2", 40)
            await terminal.quiet(1.0)
            for key in keys:
                terminal.send(key)
                await terminal.quiet(0.5)
            yield terminal, service


async def stream(service: FakeService, seconds: float, words_per_s: float) -> str:
    """An answer of so many words a second, in deltas at the gateway's rate."""
    pick = random.Random(7)
    text = ""
    for n in range(int(seconds * DELTAS_PER_S)):
        while len(text.split()) < n / DELTAS_PER_S * words_per_s:
            text += pick.choice(WORDS) + (" " if pick.random() > 0.05 else "\n\n")
        await service.emit("run.delta", session_key=KEY, run_id="r1", text=text)
        await asyncio.sleep(1 / DELTAS_PER_S)
    return text


@SIZES
@pytest.mark.parametrize("words_per_s", [40, 400], ids=["a-model", "a-flood"])
async def test_streaming_into_an_open_chat(tmp_path: Path, size: tuple[int, int], words_per_s: float) -> None:
    async with running(tmp_path, size, ":", "fox", "enter") as (terminal, service):
        await terminal.shows("Message Fox")
        await terminal.quiet(1.5)
        before, seconds = terminal.written, 6.0
        text = await stream(service, seconds, words_per_s)
        streamed = terminal.written - before
        assert 0 < streamed <= seconds * LIMIT, f"{streamed / seconds / 1024:.1f} KB/s"
        await service.emit("message", message=message(60, "assistant", text, minute=9))
        await service.emit("run.state", session_key=KEY, run_id="r1", state="final")
        await terminal.until(lambda: "**" not in terminal.text and "is answering" not in terminal.text)
        await terminal.quiet(1.5)
        before = terminal.written
        await asyncio.sleep(4)
        assert terminal.written == before, "an idle chat writes"


@SIZES
async def test_an_idle_feed_writes_nothing_and_a_busy_one_little(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with running(tmp_path, size, "f") as (terminal, service):
        await terminal.shows("following")
        await terminal.quiet(1.5)
        before = terminal.written
        await asyncio.sleep(4)
        assert terminal.written == before, "an idle feed writes"
        seconds = 5
        for n in range(seconds * 40):
            await service.emit(
                "feed", event=event(100 + n, "report.progress", f"step {n} of many", "WEB-7", "agent:fox")
            )
            await asyncio.sleep(1 / 40)
        await terminal.shows(f"step {seconds * 40 - 1} ")
        assert terminal.written - before <= (seconds + 1) * LIMIT
