"""What the board costs at the terminal: the first paint against a bare Textual app, and a key to its paint."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator

from ccp_tui.paths import Home
from tests.bench.figures import Figure, median_ms, p95_ms
from tests.bench.homes import environment, home_with, serving
from tests.support.pty import Terminal

SIZE = (160, 45)
STARTS = 5
KEYS = 40
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("bare app")
Bare().run()
"""
BARE_TABLE = """
from textual.app import App
from textual.widgets import OptionList
class Bare(App):
    def compose(self):
        yield OptionList(*[f"Write part {n} of the handbook" for n in range(1000)])
Bare().run()
"""


def run() -> Iterator[Figure]:
    yield from asyncio.run(_figures())


async def _figures() -> list[Figure]:
    figures = []
    with home_with(1000) as home, serving(home):
        ours, bare = [], []
        for _ in range(STARTS):  # in turns, so that a busy machine is busy for both
            ours.append(await _first_paint([sys.executable, "-m", "ccp_tui"], "1000 tasks", home))
            bare.append(await _first_paint([sys.executable, "-c", BARE], "bare app", home))
        floor = statistics.median(bare) * 1000
        figures.append(
            Figure("first paint of the board, 1,000 tasks", median_ms(ours), "ms", floor, "ms bare Textual")
        )
    bare_keys = await _bare_keys()
    for tasks in (1000, 10_000):
        with home_with(tasks) as home, serving(home):
            took, written = await _keys(home, tasks)
        name = f"key to paint, {tasks:,} tasks"
        figures.append(
            Figure(f"{name}, median", median_ms(took), "ms", median_ms(bare_keys), "ms bare OptionList")
        )
        figures.append(
            Figure(f"{name}, 95 of 100", p95_ms(took), "ms", p95_ms(bare_keys), "ms bare OptionList")
        )
        figures.append(Figure(f"{name.replace('key to paint', 'bytes a key')}", written, "bytes"))
    return figures


async def _first_paint(command: list[str], words: str, home: Home) -> float:
    began = time.perf_counter()
    async with Terminal(command, SIZE, environment(home)) as terminal:
        await terminal.until(lambda: words in terminal.text)
        return time.perf_counter() - began


async def _keys(home: Home, tasks: int) -> tuple[list[float], float]:
    async with Terminal([sys.executable, "-m", "ccp_tui"], SIZE, environment(home)) as terminal:
        await terminal.shows(f"{tasks} tasks", 40)
        terminal.send("2")
        await terminal.quiet(1.0)
        before = terminal.written
        took = [await _key(terminal, "jk"[number // 5 % 2]) for number in range(KEYS)]
        return took, (terminal.written - before) / KEYS


async def _bare_keys() -> list[float]:
    async with Terminal([sys.executable, "-c", BARE_TABLE], SIZE) as terminal:
        await terminal.shows("part 3 of")
        await terminal.quiet(1.0)
        return [await _key(terminal, ("down", "up")[number // 5 % 2]) for number in range(KEYS)]


async def _key(terminal: Terminal, key: str) -> float:
    """Seconds from a key to the first byte that it caused."""
    await terminal.quiet(0.1)
    before = terminal.written
    began = time.perf_counter()
    terminal.send(key)
    while terminal.written == before:
        if time.perf_counter() - began > 5:
            raise RuntimeError(f"the key {key} did nothing:\n{terminal.text}")
        await asyncio.sleep(0.0005)
    return time.perf_counter() - began
