"""The service's memory at 10,000 tasks, and the time of a verb against an interpreter that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ccp_tui.cli.line import Line
from ccp_tui.paths import Home
from tests.bench.figures import Figure
from tests.bench.homes import environment, home_with, serving

RUNS = 11


def run() -> Iterator[Figure]:
    with home_with(100) as home, serving(home) as process:
        empty = _resident_mb(process.pid)
        verb = _median_ms([sys.executable, "-m", "ccp_tui", "task", "list", "--json"], home)
        version = _median_ms([sys.executable, "-m", "ccp_tui", "--version"], home)
        floor = _median_ms([sys.executable, "-c", "import sqlite3"], home)
    yield Figure("ccp --version", version, "ms", floor, "ms python -c 'import sqlite3'")
    yield Figure("ccp task list --json, 100 tasks", verb, "ms", floor, "ms python -c 'import sqlite3'")
    with home_with(10_000) as home, serving(home) as process:
        quiet = _resident_mb(process.pid)
        seconds = _snapshot_s(home)
        shown = _resident_mb(process.pid)
    yield Figure("service memory, 10,000 tasks, before anybody looks", quiet, "MB", empty, "MB at 100 tasks")
    yield Figure("service memory, 10,000 tasks, after snapshots", shown, "MB", empty, "MB at 100 tasks")
    yield Figure("snapshot of 10,000 tasks over the socket", seconds * 1000, "ms")


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def _median_ms(command: list[str], home: Home) -> float:
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, env=environment(home), stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


def _snapshot_s(home: Home) -> float:
    took = []
    for _ in range(5):
        line = Line(home.control_socket)
        began = time.perf_counter()
        line.call("task.list", {})
        took.append(time.perf_counter() - began)
        line.close()
    return statistics.median(took)
