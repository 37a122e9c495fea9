"""What runs inside a deployment, by its own word: the service's summary, line by line, pushed at each change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from ccp_tui import clock
from ccp_tui.incus import names
from ccp_tui.incus.api import execute
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.errors import FleetError

SUMMARY = ("/usr/local/bin/ccp", "summary")
STATES = ("ready", "starting", "down")
LOOK_S = 10.0
FIRST_PAUSE_S = 1.0
LAST_PAUSE_S = 30.0
# The keys of a count of tasks are the service's; what a broken one may send is bounded here.
MOST_TASK_STATES = 32
MOST_SHORTAGES = 4


@dataclass(frozen=True)
class Health:
    """``gateway`` and ``service`` are ready, starting, down or unknown; ``needs_you`` None is unknown. ``note`` says
    what it ran short of within the hour."""

    gateway: str = "unknown"
    service: str = "unknown"
    tasks: dict[str, int] = field(default_factory=dict)
    needs_you: int | None = None
    version: str = ""
    note: str = ""


UNKNOWN = Health()


def parse(line: str) -> Health | None:
    """One line of ``ccp summary``; None for anything else (agents own what runs inside)."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    tasks = found.get("tasks")
    counted = list(tasks.items())[:MOST_TASK_STATES] if isinstance(tasks, dict) else []
    version = found.get("version")
    return Health(
        gateway=_state(found.get("gateway")),
        service=_state(found.get("service")),
        tasks={str(name)[:32]: count for name, count in counted if _count(count) is not None},
        needs_you=_count(found.get("needs_you")),
        version=version[:32] if isinstance(version, str) else "",
        note=_note(found.get("shortages")),
    )


async def once(connection: Connection, name: str) -> Health:
    """How things stand inside a running deployment now; all unknown when it does not tell within some seconds."""
    try:
        done = await execute.run(connection, name, SUMMARY, within=LOOK_S, **_who())
    except FleetError:
        return UNKNOWN
    lines = done.output.strip().splitlines()
    return (parse(lines[-1]) if lines else None) or UNKNOWN


async def follow(connection: Connection, name: str) -> AsyncGenerator[Health, None]:
    """How things stand inside a running deployment, now and at each change, for as long as the caller reads.

    A stream that ends is opened again, after a second first and half a minute at last. Close it with ``aclosing``.
    """
    pause = FIRST_PAUSE_S
    while True:
        try:
            async with aclosing(execute.lines(connection, name, (*SUMMARY, "--follow"), **_who())) as lines:
                async for line in lines:
                    found = parse(line)
                    if found is not None:
                        pause = FIRST_PAUSE_S
                        yield found
        except FleetError:
            pass  # it may be starting still, or stopping; who stops it closes this
        yield UNKNOWN
        await asyncio.sleep(pause)
        pause = min(LAST_PAUSE_S, pause * 2)


class Watch:
    """The health of many deployments of one remote: a stream for each that runs and has a service in it."""

    def __init__(self, connection: Connection, changed: Callable[[], None]) -> None:
        self._connection = connection
        self._changed = changed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._found: dict[str, Health] = {}

    def of(self, name: str) -> Health:
        """The last word of a deployment."""
        return self._found.get(name, UNKNOWN)

    def only(self, running: set[str]) -> None:
        """Follows these deployments and no others."""
        for name in set(self._tasks) - running:
            self._tasks.pop(name).cancel()
            self._found.pop(name, None)
        for name in running - set(self._tasks):
            self._tasks[name] = asyncio.create_task(self._follow(name), name=f"health of {name}")

    async def stop(self) -> None:
        """Ends all streams."""
        tasks = list(self._tasks.values())
        self.only(set())
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, name: str) -> None:
        async with aclosing(follow(self._connection, name)) as stream:
            async for found in stream:
                if found != self._found.get(name):
                    self._found[name] = found
                    self._changed()


def _who() -> dict[str, Any]:
    return {
        "user": names.CCP_UID,
        "group": names.CCP_UID,
        "cwd": names.CCP_HOME,
        "env": {"HOME": names.CCP_HOME, "CCP_HOME": names.CCP_HOME},
    }


def _state(found: Any) -> str:
    return found if found in STATES else "unknown"


def _note(shortages: Any) -> str:
    """What a deployment ran short of, with the hour and minute here."""
    told = []
    for one in shortages[:MOST_SHORTAGES] if isinstance(shortages, list) else ():
        try:
            at = f"{clock.parse(one['at']).astimezone():%H:%M}"
            times, what = _count(one["times"]), one["kind"]
        except (KeyError, TypeError, ValueError):
            continue
        if what == "memory":
            killed = "a program was" if times == 1 else f"{times} programs were" if times else "programs were"
            told.append(f"Out of memory at {at}: {killed} killed.")
        elif what == "processes":
            told.append(f"Out of processes at {at}: new ones were refused.")
    return " ".join(told)


def _count(found: Any) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None
