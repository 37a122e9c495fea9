"""One remote, watched: its event stream, its listing, what runs inside, and how it stands with the remote itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ccp_tui import clock
from ccp_tui.incus.api import events, words
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.api.events import Happened
from ccp_tui.incus.deployments import health, listing, members
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Deployment, Member, RemoteState

log = logging.getLogger(__name__)

SETTLE_S = 0.2  # events come in bunches
APART_S = 1.0  # between two listings
USAGE_S = 5.0  # while somebody looks
MEMBERS_S = 10.0
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
# Lifecycle events that say nothing about the list, and those that our own looking inside makes.
IGNORED = ("exec", "file", "log", "console", "metadata", "backup")
RUNNING = ("Pending", "Running", "Cancelling")


@dataclass
class _Doing:
    """An action of ours on a deployment; ``over`` means that only its result is to be seen yet."""

    state: str
    over: bool = False


class LiveRemote:
    """Keeps the deployments of one Incus as they are now. What was last seen stays, marked stale, while it is away."""

    def __init__(self, connection: Connection, changed: Callable[[], None]) -> None:
        self.connection = connection
        self.state = RemoteState(connection.name, connection.endpoint.url, since=clock.now())
        self.watched = False  # whether usage figures are wanted
        self._changed = changed
        self._seen: dict[str, Deployment] = {}
        self._cpu: dict[str, tuple[float, int]] = {}
        self._operations: dict[str, tuple[tuple[str, ...], str]] = {}
        self._ended: deque[str] = deque(maxlen=256)
        self._doing: dict[str, _Doing] = {}
        self._bare: set[str] = set()
        self._members: tuple[Member, ...] = ()
        self._members_at = 0.0
        self._wake = asyncio.Event()
        self._health = health.Watch(connection, changed)
        self._task: asyncio.Task[None] | None = None

    @property
    def deployments(self) -> list[Deployment]:
        """The deployments as last seen, with what is being done to them and what they say of themselves."""
        under_way = {name: state for names, state in self._operations.values() for name in names}
        under_way |= {name: doing.state for name, doing in self._doing.items()}
        found = []
        for name, seen in self._seen.items():
            if seen.state == "running":
                seen = _with_health(seen, self._health.of(name))
            state = under_way.get(name, seen.state)
            # That an upgrade has not ended is no news while it is being shown.
            found.append(replace(seen, state=state, note="" if state == "upgrading" else seen.note))
        for name, doing in self._doing.items():
            if name not in self._seen and doing.state == "creating":
                found.append(Deployment(self.connection.name, name, doing.state))
        return found

    def start(self) -> None:
        """Begins to watch, in the background."""
        self._task = asyncio.create_task(self._run(), name=f"incus {self.connection.name}")

    async def stop(self) -> None:
        """Ends everything that :meth:`start` began."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._health.stop()

    def look_soon(self) -> None:
        """Asks for a new listing."""
        self._wake.set()

    @contextlib.contextmanager
    def doing(self, name: str, state: str) -> Iterator[None]:
        """While an action of ours lasts, and until its result is seen, the deployment is in this state."""
        doing = self._doing[name] = _Doing(state)
        self._changed()
        try:
            yield
        finally:
            doing.over = True
            if self.state.state == "ready":
                self.look_soon()
            else:
                self._done(name, doing)
            self._changed()

    def _done(self, name: str, doing: _Doing) -> None:
        if self._doing.get(name) is doing:
            del self._doing[name]

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async with events.opened(self.connection) as stream:
                    self._operations.clear()
                    await self._under_way()
                    await self._look()
                    failures = 0
                    await self._watch(stream)
                raise FleetError("UNAVAILABLE", "Incus closed the connection.")
            except FleetError as error:
                self._lost(error)
            except Exception:  # a remote must not take the others with it
                log.exception("watching %s", self.connection.name)
                self._lost(FleetError("FAILED", "What this Incus tells can't be read."))
            self._operations.clear()
            self._health.only(set())
            await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
            failures += 1

    async def _watch(self, stream: events.Stream) -> None:
        """Reads events and lists; ends when the stream does, raises FleetError when a listing fails."""
        reading = asyncio.create_task(self._read(stream))
        looking = asyncio.create_task(self._keep_looking())
        try:
            await asyncio.wait((reading, looking), return_when=asyncio.FIRST_COMPLETED)
            for task in (looking, reading):
                if task.done():
                    task.result()
        finally:
            for task in (reading, looking):
                task.cancel()
            await asyncio.gather(reading, looking, return_exceptions=True)

    async def _read(self, stream: events.Stream) -> None:
        async for happened in stream:
            if happened.kind == "operation":
                self._operation(happened)
            elif happened.action.startswith("instance-") and happened.action.split("-")[1] not in IGNORED:
                self._wake.set()

    def _operation(self, happened: Happened) -> None:
        state = listing.UNDER_WAY.get(happened.action)
        if state is None:
            return
        if happened.status in RUNNING:
            # "Running" can come after "Success".
            if happened.id not in self._ended and happened.id not in self._operations:
                self._operations[happened.id] = (happened.instances, state)
                self._changed()
            return
        self._ended.append(happened.id)
        if self._operations.pop(happened.id, None) is not None:
            self._changed()
        self._wake.set()

    async def _under_way(self) -> None:
        """The operations that began before the event stream was opened."""
        found = await self.connection.get("/1.0/operations", {"recursion": 1}, within=listing.LOOK_S)
        for operation in (found or {}).get("running") or ():
            self._operation(events.operation(operation))

    async def _keep_looking(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(USAGE_S if self.watched else None):
                    await self._wake.wait()
            await asyncio.sleep(SETTLE_S)
            self._wake.clear()
            await self._look()
            await asyncio.sleep(APART_S - SETTLE_S)

    async def _look(self) -> None:
        over = [(name, doing) for name, doing in self._doing.items() if doing.over]
        found = await listing.look(self.connection)
        now = asyncio.get_running_loop().time()
        due = now - self._members_at > MEMBERS_S or not all(map(listing.readable, found))
        if due and _clustered(found):
            self._members, self._members_at = await members.listed(self.connection), now
        before, cpu, seen = self._cpu, {}, {}
        running, bare = set(), set()
        for instance in found:
            one = self._one(instance)
            if not listing.readable(instance):
                bare.add(one.name)
            used = listing.cpu_ns(instance)
            if used is not None and one.state == "running":
                cpu[one.name] = (now, used)
                if one.name in before and before[one.name][1] <= used:
                    since, then = before[one.name]
                    one = replace(one, cpu_used=round((used - then) / 1e9 / max(0.001, now - since), 2))
            if one.state == "running" and listing.full(instance):
                running.add(one.name)
            seen[one.name] = one
        changed = seen != self._seen or self.state.state != "ready" or bool(over)
        if bare - self._bare:
            self.look_soon()
        self._cpu, self._seen, self._bare = cpu, seen, bare
        for name, doing in over:
            self._done(name, doing)
        self._health.only(running)
        if self.state.state != "ready":
            self.state = RemoteState(
                self.connection.name, self.connection.endpoint.url, "ready", since=clock.now()
            )
        if changed:
            self._changed()

    def _one(self, instance: Json) -> Deployment:
        """An instance as a deployment. What Incus can't read now is as last seen; the second time it is an error."""
        one = listing.deployment(self.connection.name, instance)
        one = _placed(self.connection, one, self._members)
        last = self._seen.get(one.name)
        if listing.readable(instance) or last is None:
            return one
        if one.name not in self._bare and not one.location:
            return last
        return replace(last, state=one.state, location=one.location, host=one.host, note=one.note)

    def _lost(self, error: FleetError) -> None:
        state = words.state_of(error)
        before = self.state
        self._doing = {name: doing for name, doing in self._doing.items() if not doing.over}
        self.state = RemoteState(
            before.name, before.url, state, error.message, error.fix,
            before.since if before.state == state else clock.now(), stale=bool(self._seen),
        )  # fmt: skip
        if self.state != before:
            self._changed()


async def look_once(connection: Connection) -> tuple[list[Deployment], RemoteState]:
    """One look at a remote and into what runs there; of one that does not answer, the reason."""
    url = connection.endpoint.url
    try:
        found = await listing.look(connection)
        there = await members.listed(connection) if _clustered(found) else ()
    except FleetError as error:
        return [], RemoteState(
            connection.name, url, words.state_of(error), error.message, error.fix, clock.now()
        )

    async def one(instance: Json) -> Deployment:
        seen = listing.deployment(connection.name, instance)
        seen = _placed(connection, seen, there)
        if seen.state != "running" or not listing.full(instance):
            return seen
        return _with_health(seen, await health.once(connection, seen.name))

    seen = await asyncio.gather(*(one(instance) for instance in found))
    return [*seen], RemoteState(connection.name, url, "ready", since=clock.now())


def _placed(connection: Connection, one: Deployment, there: tuple[Member, ...]) -> Deployment:
    """A deployment with what its machine adds: where its port is, and what is unusual about that machine."""
    host = members.host(connection, one.location, there)
    return replace(one, host=host, note=members.note(one.location, there) or one.note)


def _clustered(instances: list[Json]) -> bool:
    return any(instance.get("location") not in (None, "", "none") for instance in instances)


def _with_health(one: Deployment, now: health.Health) -> Deployment:
    return replace(
        one,
        gateway=now.gateway,
        service=now.service,
        tasks=now.tasks,
        needs_you=now.needs_you,
        version=now.version or one.version,
        note=one.note or now.note,
    )
