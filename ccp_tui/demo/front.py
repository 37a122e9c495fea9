"""What one sees of the demo: the board, a line per change without a terminal, or the gateway alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ccp_tui.client import ServiceClient
from ccp_tui.demo.director import HURRIED, Director
from ccp_tui.demo.stage import THINKING, home_in, stage, throw_away
from ccp_tui.failures import ServiceUnavailable
from ccp_tui.gateway.demo.server import EmbeddedGateway
from ccp_tui.paths import Home

HURRIED_THINKING = 0.05  # seconds before each command of an agent
STOP_SECONDS = 15.0
DEMO_TOKEN = "demo"  # of the gateway alone, when the environment names no other

HEAD = """\
This is a demo: a throw-away home, a small gateway of our own, agents that follow a script. No AI, nothing remains.
"""
REAL = """\
For the real thing: start OpenClaw's gateway (openclaw gateway run), then run: ccp
"""
GATEWAY_ONLY = """\
The embedded gateway is ready: it speaks OpenClaw's protocol, with scripted agents and no AI in them.
In another terminal:

    export CCP_GATEWAY_URL={url}
    export CCP_GATEWAY_TOKEN={token}
    ccp

The first line is enough: programs of this machine get in with any token, or none; web pages do not.
Its agents plan, work and review: ccp task add "Write a greeting" --auto needs no more than your approvals.
Ctrl-C ends it, and removes all that it kept. For the real thing: openclaw gateway run
"""


def main(*, headless: float | None = None, gateway_only: bool = False, port: int | None = None) -> int:
    """Runs the demo; answers the exit code. ``headless``: seconds it may take without a terminal."""
    if not (gateway_only or headless or (sys.stdin.isatty() and sys.stdout.isatty())):
        _complain("the demo's board needs a terminal; without one: ccp demo --headless SECONDS")
        return 2
    signal.signal(signal.SIGTERM, _leave)
    with throw_away("ccp-demo") as folder:
        if gateway_only:
            return asyncio.run(_gateway_only(folder, port or 0))
        if headless:
            return asyncio.run(_headless(folder, headless, port or 0))
        return _board(folder, port or 0)


def _leave(number: int, frame: object) -> None:
    """SIGTERM, while no event loop has taken it over: out through every ``finally``."""
    raise SystemExit(128 + number)


def _complain(words: str) -> None:
    print(f"ccp: {words}", file=sys.stderr)


# -- without a terminal ---------------------------------------------------------------------------------------


async def _headless(folder: Path, seconds: float, port: int) -> int:
    """Plays everything, the reviews too. 0 only if all that should went all the way to Done by the normal route."""
    started = time.monotonic()

    def told(line: str) -> None:
        print(f"{time.monotonic() - started:6.1f}s  {line}", flush=True)

    print(HEAD + REAL, flush=True)
    try:
        async with (
            stage(folder, think=HURRIED_THINKING, port=port) as running,
            ServiceClient(running.home, "demo") as client,
        ):
            director = Director(client, HURRIED, told)
            playing = asyncio.create_task(director.play())
            stopped = asyncio.create_task(running.stop.wait())
            rest = max(0.0, seconds - (time.monotonic() - started))
            await asyncio.wait((playing, stopped), timeout=rest, return_when=asyncio.FIRST_COMPLETED)
            late = "interrupted" if running.stop.is_set() else f"{seconds:g} s were not enough"
            playing.cancel()
            stopped.cancel()
            problem, _ = await asyncio.gather(playing, stopped, return_exceptions=True)
    except OSError as error:
        _complain(f"the demo can't start: {error}")
        return 1
    finished, unfinished = director.finished, director.unfinished
    print(f"{len(finished)} tasks went all the way to Done: {', '.join(finished) or 'none'}.")
    if problem is None and finished and not unfinished:
        return 0
    why = late if problem is None or isinstance(problem, asyncio.CancelledError) else str(problem)
    _complain(f"{why}; not there: {', '.join(unfinished) or 'any task'}")
    return 1


# -- the gateway alone ----------------------------------------------------------------------------------------


async def _gateway_only(folder: Path, port: int) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    token = os.environ.get("CCP_GATEWAY_TOKEN", "").strip() or DEMO_TOKEN
    gateway = EmbeddedGateway(folder / "gateway", port, token, think=THINKING, anyone=True)
    try:
        await gateway.start()
    except OSError as error:
        _complain(f"the gateway can't listen on port {port}: {error.strerror}")
        return 1
    try:
        print(GATEWAY_ONLY.format(url=gateway.url, token=shlex.quote(token)), flush=True)
        await ended.wait()
    finally:
        await gateway.stop()
    return 0


# -- the board ------------------------------------------------------------------------------------------------


def _board(folder: Path, port: int) -> int:
    """The board here, everything else in a process behind it, so that the keys stay quick."""
    print(HEAD + REAL + "Starting …", flush=True)
    try:
        with _behind(folder, port):
            code = asyncio.run(_show(home_in(folder)))
    except ServiceUnavailable as error:
        _complain(error.message)
        return 1
    print("The demo is over, and all of it removed. " + REAL, end="")
    return code


@contextmanager
def _behind(folder: Path, port: int) -> Iterator[None]:
    """The process with the gateway, the service and the director; it ends with this one, however this one ends."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "ccp_tui.demo.behind", str(folder), str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the board to take
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline().decode(errors="replace").strip()
        if said != "ready":
            raise ServiceUnavailable(f"the demo can't start: {said or 'its process ended'}")
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Closing its input is the process's sign to end; it has its time, then it is killed."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


async def _show(home: Home) -> int:
    """The board; SIGTERM and SIGHUP close it in good order, so that the terminal and the folder are left clean."""
    from ccp_tui.app import CcpApp

    app = CcpApp(home)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, partial(app.exit, return_code=128 + number))
    with contextlib.suppress(KeyboardInterrupt):
        await app.run_async()
    return app.return_code or os.EX_OK
