"""Events per second into the store, against bare sqlite3 with the same pragmas and the same transactions."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ccp_tui import clock
from ccp_tui.lifecycle import Actor, ActorKind
from ccp_tui.store import Store
from tests.bench.figures import Figure

ROUNDS = 2000


def run() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="ccp") as folder:
        ours = _ours(Path(folder))
        floor = _bare(Path(folder))
    yield Figure("events into the store, one transaction each", ours, "/s", floor, "/s bare sqlite3")


def _ours(folder: Path) -> float:
    store = Store(folder / "mission.db", folder)
    actor = Actor(ActorKind.SERVICE, "bench")
    began = time.perf_counter()
    for number in range(ROUNDS):
        text = f"event number {number} tells of something"
        store.transaction(lambda store, text=text: store.events.add(actor, "progress", text))  # type: ignore[misc]
    rate = ROUNDS / (time.perf_counter() - began)
    store.close()
    return rate


def _bare(folder: Path) -> float:
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
        "CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, actor TEXT, kind TEXT, text TEXT, data TEXT) STRICT"
    )
    began = time.perf_counter()
    for number in range(ROUNDS):
        row = (clock.now(), "bench", "progress", f"event number {number} tells of something", "{}")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO events (at, actor, kind, text, data) VALUES (?, ?, ?, ?, ?)", row)
        connection.execute("COMMIT")
    rate = ROUNDS / (time.perf_counter() - began)
    connection.close()
    return rate
