"""The life of the service's process: lock, log, start, sockets, until told to stop; then all of it back, in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, Protocol

from ccp_tui import __version__, clock
from ccp_tui.paths import Home
from ccp_tui.service.door.agentsocket import AgentsServer
from ccp_tui.service.door.hub import Hub
from ccp_tui.service.door.sockets import Caller, ControlServer, Handler
from ccp_tui.service.door.unixsocket import SocketError
from ccp_tui.service.host import descriptors, logs
from ccp_tui.service.host.lock import HomeLock
from ccp_tui.service.host.spawn import ServiceStartError, ServiceStopError, spawn_background, stop_running
from ccp_tui.store import StoreError
from ccp_tui.wire import Json

__all__ = [
    "Service",
    "ServiceStartError",
    "ServiceStopError",
    "SocketError",
    "serve",
    "spawn_background",
    "stop_running",
]

log = logging.getLogger(__name__)

START_DEADLINE = 60.0  # seconds for the service's start: it may back up and migrate a database
REQUESTS_DEADLINE = 5.0  # seconds that running requests get to end
WIND_DOWN_DEADLINE = 10.0  # seconds for what must be done elsewhere before a stop
STOP_DEADLINE = 10.0  # seconds for the service's own stop


class Service(Protocol):
    """What the process runs: the composition of the service's duties."""

    @property
    def methods(self) -> Mapping[str, Handler]:
        """The methods of the control socket, without hello, subscribe, watch, unwatch and shutdown."""

    async def report(self, params: Json, caller: Caller) -> Json:
        """The one method of the agents' socket; it checks the token itself."""

    def snapshot(self) -> Json | Awaitable[Json]:
        """What ``subscribe`` answers (see :class:`ControlServer`)."""

    async def start(self) -> None:
        """Opens the store, reconciles, starts the tasks; the sockets open when it returns. It does not wait for the
        gateway."""

    async def wind_down(self) -> None:
        """Called first when SIGTERM ends the process, with the sockets still open: the machine may be stopping."""

    async def stop(self) -> None:
        """Ends the tasks and closes the store; the sockets are closed already."""


async def serve(
    home: Home,
    build: Callable[[Home, Hub], Service],
    *,
    demo: bool = False,
    agents_group: str = "",
    on_ready: Callable[[], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Runs one service on this home until SIGTERM, SIGINT, the method ``shutdown`` or ``stop`` (an event that the
    caller may set). A second signal cuts the waiting short.

    ``agents_group`` may use the agents' socket. Raises HomeError, LockError (AlreadyRunning), SocketError, or what the
    service's start raised.
    """
    home.prepare()
    descriptors.raise_limit()
    with HomeLock(home.lock):
        handler = logs.start_log(home)
        try:
            await _run(home, build, demo, agents_group, on_ready, stop or asyncio.Event())
        except Exception as error:
            told = isinstance(error, SocketError | StoreError)  # their words say all there is to know
            log.error("the service could not run: %s", error, exc_info=not told)
            raise
        finally:
            logs.stop_log(handler)


async def _run(
    home: Home,
    build: Callable[[Home, Hub], Service],
    demo: bool,
    agents_group: str,
    on_ready: Callable[[], None] | None,
    stop: asyncio.Event,
) -> None:
    hub = Hub()
    service = build(home, hub)
    pid = os.getpid()
    log.info("control service %s starts on %s as process %d", __version__, home.root, pid)

    async def shutdown(params: Json, caller: Caller) -> Json:
        log.info("told to stop by %s", caller.name or "a client")
        stop.set()
        return {}

    hello: Json = {
        "service": "ccp",
        "version": __version__,
        "pid": pid,
        "home": str(home.root),
        "demo": demo,
        "started_at": clock.now(),
    }
    with _signals(stop) as (hurry, got), descriptors.told_once():
        servers: list[ControlServer | AgentsServer] = []
        try:
            async with asyncio.timeout(START_DEADLINE):
                await service.start()
            servers.append(AgentsServer(home.agents_socket, service.report, group=agents_group))
            methods = {**service.methods, "shutdown": shutdown}
            servers.append(
                ControlServer(home.control_socket, hub, methods, snapshot=service.snapshot, hello=hello)
            )
            for server in servers:
                await server.start()
            log.info("ready")
            if on_ready is not None:
                on_ready()
            await stop.wait()
            log.info("stopping")
            if got == [signal.SIGTERM]:
                await _in_time(service.wind_down(), WIND_DOWN_DEADLINE, hurry, "winding down")
        finally:
            for server in servers:
                closing = server.stop(REQUESTS_DEADLINE)
                await _in_time(closing, REQUESTS_DEADLINE + 3, hurry, f"closing {server.path.name}")
            await _in_time(service.stop(), STOP_DEADLINE, hurry, "the service's stop")
            log.info("stopped")


async def _in_time(step: Coroutine[Any, Any, None], deadline: float, hurry: asyncio.Event, what: str) -> None:
    """One step of the stop: it gets its deadline, or until a second signal; its failure is logged and stops nothing."""
    work = asyncio.ensure_future(step)
    hurried = asyncio.ensure_future(hurry.wait())
    try:
        await asyncio.wait((work, hurried), timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            log.warning("%s did not end in time", what)
            work.cancel()
            await asyncio.wait((work,), timeout=1)
        elif not work.cancelled() and (error := work.exception()):
            log.error("%s failed", what, exc_info=error)
    finally:
        hurried.cancel()


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[tuple[asyncio.Event, list[signal.Signals]]]:
    """Signals that end the service set ``stop``; a second one sets the event given here. And which came."""
    loop = asyncio.get_running_loop()
    hurry = asyncio.Event()
    got: list[signal.Signals] = []

    def take(number: signal.Signals) -> None:
        log.info("got %s", number.name)
        (hurry if stop.is_set() else stop).set()
        got.append(number)

    taken = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with contextlib.suppress(
            ValueError, RuntimeError, NotImplementedError
        ):  # not the main thread: a test, a demo
            loop.add_signal_handler(number, take, number)
            taken.append(number)
    try:
        yield hurry, got
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
