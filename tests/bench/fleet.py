"""Deployments on a real Incus, beside the plain ``incus`` command doing the same steps: one run, in turn.

Needs Incus, as root or in its group, and the image (``ccp fleet image build``), which is made where it is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from ccp_tui.incus import Fleet, FleetError, Limits
from ccp_tui.incus.model import CreateRequest
from tests.bench.figures import Figure
from tests.fleet import tiny
from tests.fleet.conftest import at_once, imported, remove_all
from tests.support.pty import Terminal

T = TypeVar("T")
LIMITS = Limits("2", "2GiB", "5GiB", 2000)
SMALL = Limits("1", "1GiB", "2GiB", 500)
READY = "until curl -sfo /dev/null http://127.0.0.1:18789/readyz; do sleep 0.2; done"
REPEATS = 5
SHOWN = 20
WATCHED_S = 20.0


def run() -> Iterator[Figure]:
    try:
        at_once(lambda connection: connection.get("/1.0/instances"))
    except FleetError as error:
        print(f"no figures of the fleet: {error}", file=sys.stderr)
        return
    prefix = f"ccptest-{secrets.token_hex(3)}-"
    try:
        alias = asyncio.run(_with_fleet(lambda fleet: fleet.build_image())).alias
        # The small ones first: a pool that clears large ones away is slow for minutes.
        with tempfile.TemporaryDirectory(prefix="ccp") as folder, _image(Path(folder)) as small:
            yield from _many(prefix, small)
            at_once(lambda connection: remove_all(connection, prefix))
        yield from _whole(prefix, alias)
    finally:
        at_once(lambda connection: remove_all(connection, prefix))


def _whole(prefix: str, alias: str) -> Iterator[Figure]:
    """One real deployment and one that the plain client made of the same image, one after the other."""
    ours, plain = f"{prefix}ours", f"{prefix}plain"
    stages: dict[str, float] = {}

    async def create(fleet: Fleet) -> None:
        def told(stage: object) -> None:
            if (took := getattr(stage, "seconds", None)) is not None:
                stages[str(getattr(stage, "name", ""))] = took

        await fleet.create(CreateRequest(ours, LIMITS, alias), told)

    took = _timed(lambda: asyncio.run(_with_fleet(create)))
    memory = at_once(lambda connection: connection.get(f"/1.0/instances/{ours}/state"))["memory"]["usage"]
    copied = _median(lambda at: _fleet(lambda fleet: fleet.copy(ours, f"{ours}-copy{at}")))
    snapped = _median(lambda at: _fleet(lambda fleet: fleet.snapshot(ours, f"ours{at}")))
    copied_plain = _median(lambda at: _incus("copy", ours, f"{plain}-copy{at}", "--instance-only"))
    snapped_plain = _median(lambda at: _incus("snapshot", "create", ours, f"plain{at}"))
    _fleet(lambda fleet: fleet.delete(ours))

    def launch() -> None:
        limits = [
            "limits.cpu=2",
            "limits.memory=2GiB",
            "limits.processes=2000",
            "security.idmap.isolated=true",
        ]
        _incus(
            "launch", alias, plain, *(word for one in limits for word in ("-c", one)), "-d", "root,size=5GiB"
        )
        _incus("exec", plain, "--", "sh", "-c", READY)

    floor = _timed(launch)
    _incus("delete", "--force", plain)
    until_gateway = took - stages.get("service", 0.0)
    yield Figure("a deployment, until its gateway is ready", until_gateway, "s", floor, "s with incus launch")
    yield Figure(
        "  of that until the system runs", took - stages.get("service", 0) - stages.get("gateway", 0), "s"
    )
    yield Figure("  and until the service is ready too", took, "s")
    yield Figure("memory of an idle deployment", memory / 2**20, "MiB")
    yield Figure("copy of a deployment", copied * 1000, "ms", copied_plain * 1000, "ms with incus copy")
    yield Figure(
        "snapshot of a deployment", snapped * 1000, "ms", snapped_plain * 1000, "ms with incus snapshot"
    )


def _many(prefix: str, alias: str) -> Iterator[Figure]:
    """Containers with nothing in them: what the fleet itself costs."""
    # The first one makes the bridge and unpacks the image.
    _fleet(lambda fleet: fleet.create(CreateRequest(f"{prefix}first", SMALL, alias)))

    async def four(fleet: Fleet) -> None:
        await asyncio.gather(
            *(fleet.create(CreateRequest(f"{prefix}four{at}", SMALL, alias)) for at in range(4))
        )

    took = _timed(lambda: asyncio.run(_with_fleet(four)))

    def launch() -> None:
        with contextlib.ExitStack() as stack:
            words = ["incus", "launch", alias]
            started = [
                stack.enter_context(subprocess.Popen([*words, f"{prefix}plain{at}"], stdin=subprocess.DEVNULL,
                                                     stdout=subprocess.DEVNULL))
                for at in range(4)
            ]  # fmt: skip
            for one in started:
                one.wait(300)

    floor = _timed(launch)
    for at in range(4):
        _incus("delete", "--force", f"{prefix}plain{at}")
    yield Figure("four small ones at once", took, "s", floor, "s with incus launch")

    async def more(fleet: Fleet) -> None:
        for first in range(4, SHOWN - 1, 4):
            names = [f"{prefix}four{at}" for at in range(first, min(first + 4, SHOWN - 1))]
            await asyncio.gather(*(fleet.create(CreateRequest(name, SMALL, alias)) for name in names))

    asyncio.run(_with_fleet(more))
    first, idle = asyncio.run(_watched())
    yield Figure(f"the fleet's screen with {SHOWN}, first picture", first, "bytes")
    yield Figure(f"the fleet's screen with {SHOWN}, idle", idle, "bytes/s")


async def _watched() -> tuple[int, float]:
    """The bytes that the screen wrote until it stood still, and those per second after that."""
    with tempfile.TemporaryDirectory(prefix="ccp") as home:
        command = [sys.executable, "-m", "ccp_tui", "fleet"]
        async with Terminal(command, (160, 45), {"CCP_HOME": home}) as terminal:
            await terminal.shows(f"{SHOWN} deployments", 60)
            await terminal.quiet(3.0, 60)
            first = terminal.written
            await asyncio.sleep(WATCHED_S)
            return first, (terminal.written - first) / WATCHED_S


@contextlib.contextmanager
def _image(folder: Path) -> Iterator[str]:
    yield from imported(tiny.build(folder))


async def _with_fleet(work: Callable[[Fleet], Awaitable[T]]) -> T:
    fleet = Fleet(only=("local",))
    try:
        return await work(fleet)
    finally:
        await fleet.stop()


def _fleet(work: Callable[[Fleet], Awaitable[object]]) -> None:
    asyncio.run(_with_fleet(work))


def _incus(*words: str) -> None:
    subprocess.run(["incus", *words], check=True, capture_output=True, timeout=600, stdin=subprocess.DEVNULL)


def _median(work: Callable[[int], None]) -> float:
    return statistics.median(_timed(partial(work, at)) for at in range(REPEATS))


def _timed(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
