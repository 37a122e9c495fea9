"""A home with as many tasks as a benchmark wants, and a service on it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ccp_tui.cli.line import Line, NoService
from ccp_tui.lifecycle import State
from ccp_tui.paths import Home
from ccp_tui.store import Store

DEADLINE_S = 30.0
PRIORITIES = ("low", "normal", "high", "urgent")


@contextlib.contextmanager
def home_with(tasks: int) -> Iterator[Home]:
    """A private home whose inbox holds ``tasks`` tasks; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="ccp") as folder:
        home = Home(Path(folder)).prepare()
        store = Store(home.database, home.backups)
        store.transaction(lambda store: _fill(store, tasks))
        store.close()
        yield home


def _fill(store: Store, tasks: int) -> None:
    mission = store.missions.create("Bench")
    store.agents.add("ada", "Ada", role="writes", emoji="", model=None, workspace=None)
    for number in range(tasks):
        ref = store.missions.next_ref(mission)
        title = f"Write part {number} of the handbook"
        store.tasks.capture(
            State.INBOX,
            mission,
            ref,
            title,
            priority=PRIORITIES[number % 4],
            agent_id="ada" if number % 3 else None,
        )


def environment(home: Home) -> dict[str, str]:
    """The environment of a ccp process on this home, with no gateway to find."""
    unset = {name for name in os.environ if name.startswith(("CCP_", "OPENCLAW_"))}
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {
        **kept,
        "CCP_HOME": str(home.root),
        "CCP_GATEWAY_URL": "ws://127.0.0.1:9",
        "TERM": "xterm-256color",
    }


@contextlib.contextmanager
def serving(home: Home, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A control service on the home, ended by pid afterwards."""
    command = [sys.executable, "-m", "ccp_tui", "serve"]
    process = subprocess.Popen(
        command, env={**environment(home), **more}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(home)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(home: Home) -> None:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        try:
            line = Line(home.control_socket)
        except NoService:
            time.sleep(0.05)
            continue
        line.close()
        return
    raise RuntimeError("the service did not come up")
