"""The fleet: every deployment on every Incus that this user's client knows. What screens and verbs talk to.

Names of deployments (``ref``) are ``name`` or ``remote:name``. Everything raises FleetError only, keeps its deadlines,
and touches nothing but deployments.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ccp_tui import clock
from ccp_tui.incus import attach, fate, names
from ccp_tui.incus.api import remotes
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import (
    create,
    lifecycle,
    logs,
    members,
    pools,
    resize,
    sibling,
    snapshots,
    transfer,
    upgrade,
    wheels,
)
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.live import LiveRemote, look_once
from ccp_tui.incus.model import (
    CreateRequest,
    Deployment,
    Image,
    Limits,
    Member,
    Pool,
    RemoteState,
    Snapshot,
    Stage,
)

T = TypeVar("T")
Words = list[str]
TOLD_S = 0.05


class Fleet:
    """All deployments. ``config`` is the folder of the Incus client's configuration, ``only`` names some remotes.

    Before :meth:`start` every method works, one look or one action at a time; after it :attr:`deployments` and
    :attr:`remotes` are kept up to date until :meth:`stop`.
    """

    def __init__(self, config: Path | None = None, only: Sequence[str] = ()) -> None:
        self._config = config
        self._unusable: dict[str, RemoteState] = {}
        self._connections: dict[str, Connection] = {}
        for remote in remotes.configured(config, only):
            if remote.endpoint is None:
                self._unusable[remote.name] = RemoteState(
                    remote.name, remote.url, "refused", remote.words, remote.fix, clock.now()
                )
            else:
                self._connections[remote.name] = Connection(remote.endpoint)
        self._live: dict[str, LiveRemote] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._telling: asyncio.TimerHandle | None = None

    # --- how things stand ---

    async def start(self) -> None:
        """Begins to watch all remotes; one that hangs holds up nobody."""
        for name, connection in self._connections.items():
            if name not in self._live:
                self._live[name] = LiveRemote(connection, self._changed)
                self._live[name].watched = bool(self._callbacks)
                self._live[name].start()

    async def stop(self) -> None:
        """Ends the watching and closes all connections."""
        live = list(self._live.values())
        self._live.clear()
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        await asyncio.gather(*(one.stop() for one in live))
        for connection in self._connections.values():
            connection.close()

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """All deployments as last seen, by remote and name; empty before :meth:`start`."""
        found = [one for live in self._live.values() for one in live.deployments]
        return tuple(sorted(found, key=_order))

    @property
    def remotes(self) -> tuple[RemoteState, ...]:
        """How it stands with each remote, the local one first."""
        known = [
            self._live[name].state if name in self._live else RemoteState(name, connection.endpoint.url)
            for name, connection in self._connections.items()
        ]
        return (*known, *self._unusable.values())

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls back on the loop, at most 20 times a second, when anything changed; returns what ends it.

        Usage figures are read, one call per remote every five seconds, only while somebody has subscribed.
        """
        self._callbacks.append(callback)
        self._watched()

        def unsubscribe() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
                self._watched()

        return unsubscribe

    async def list(self) -> tuple[tuple[Deployment, ...], tuple[RemoteState, ...]]:
        """One look at all remotes at once, and into what runs. Remotes that don't answer are told with their reason."""
        looks = await asyncio.gather(*(look_once(one) for one in self._connections.values()))
        found = sorted((one for deployments, _ in looks for one in deployments), key=_order)
        return tuple(found), (*(state for _, state in looks), *self._unusable.values())

    # --- actions ---

    async def create(
        self, request: CreateRequest, on_stage: Callable[[Stage], None] = lambda _stage: None
    ) -> Deployment:
        """Makes a deployment; see :func:`deployments.create.create`."""
        request.check()

        async def action(connection: Connection, _name: str) -> Deployment:
            made = await create.create(connection, request, on_stage)
            there = await members.listed(connection) if made.location else ()
            return replace(made, host=members.host(connection, made.location, there))

        return await self._as(names.join_ref(request.remote or names.LOCAL, request.name), "creating", action)

    async def start_one(self, ref: str) -> None:
        """Starts a stopped deployment."""
        await self._on_whole(ref, "starting", lifecycle.start)

    async def stop_one(self, ref: str, force: bool = False) -> None:
        """Stops a deployment gracefully; with ``force`` one that does not obey within half a minute is killed."""
        await self._on(ref, "stopping", lambda connection, name: lifecycle.stop(connection, name, force))

    async def restart(self, ref: str) -> None:
        """Stops a deployment gracefully and starts it."""
        await self._on_whole(ref, "restarting", lifecycle.restart)

    async def freeze(self, ref: str) -> None:
        """Halts everything in a deployment where it is."""
        await self._on(ref, "freezing", lifecycle.freeze)

    async def unfreeze(self, ref: str) -> None:
        """Lets a frozen deployment go on."""
        await self._on(ref, "thawing", lifecycle.unfreeze)

    async def rename(self, ref: str, new: str) -> None:
        """Renames a deployment; a running one is stopped for it and started again."""
        await self._on_whole(
            ref, "renaming", lambda connection, name: lifecycle.rename(connection, name, new)
        )

    async def resize(self, ref: str, **changes: str | int) -> Limits:
        """Changes limits live (cpu, memory, disk, processes); all limits as they are then."""
        return await self._on(
            ref, "resizing", lambda connection, name: resize.resize(connection, name, changes)
        )

    async def delete(self, ref: str) -> None:
        """Deletes a deployment with its disk and its snapshots; it is stopped first."""

        async def action(connection: Connection, name: str) -> None:
            await sibling.sweep(connection, name)
            await lifecycle.delete(connection, name)

        await self._on(ref, "deleting", action)

    async def snapshot(self, ref: str, name: str = "") -> Snapshot:
        """Takes a snapshot, under a name of its own or one that tells the time."""
        return await self._on(
            ref, "snapshotting", lambda connection, one: snapshots.create(connection, one, name)
        )

    async def restore(self, ref: str, name: str) -> None:
        """Puts a deployment back to a snapshot."""
        await self._on_whole(
            ref, "restoring", lambda connection, one: snapshots.restore(connection, one, name)
        )

    async def delete_snapshot(self, ref: str, name: str) -> None:
        """Deletes a snapshot."""
        await self._on(ref, "", lambda connection, one: snapshots.delete(connection, one, name))

    async def copy(self, ref: str, new_name: str) -> None:
        """Copies a deployment on its remote, under another name and with a port of its own."""
        names.check_name(new_name)
        await self._on_whole(ref, "copying", lambda connection, one: transfer.copy(connection, one, new_name))

    async def export(
        self, ref: str, path: Path, on_progress: Callable[[int], None] = lambda _bytes: None
    ) -> int:
        """Writes a deployment into one file; its size in bytes. ``on_progress`` is told the bytes written so far."""
        return await self._on_whole(
            ref,
            "exporting",
            lambda connection, one: transfer.export(
                connection, one, path, lambda done, _total: on_progress(done)
            ),
        )

    async def import_(
        self, path: Path, name: str, on_progress: Callable[[int], None] = lambda _bytes: None, pool: str = ""
    ) -> str:
        """Makes a deployment of an exported file; words for what was left out of it, "" mostly.

        ``name`` may have a remote in front. ``on_progress`` is told the bytes read so far.
        """
        return await self._as(
            name,
            "creating",
            lambda connection, one: transfer.import_(
                connection, path, one, lambda done, _total: on_progress(done), pool
            ),
        )

    async def upgrade(
        self,
        ref: str,
        image: str = "",
        on_stage: Callable[[Stage], None] = lambda _stage: None,
        wheel: Path | None = None,
    ) -> Snapshot:
        """Moves a deployment to another image, the newest when none is named, or to a wheel of ccp, data kept.

        It goes back by itself when it is not well afterwards. Returns the snapshot that was taken before.
        """
        if image and wheel:
            raise FleetError("USAGE", "An upgrade is to an image or to a wheel, not to both.")

        async def action(connection: Connection, one: str) -> Snapshot:
            if wheel:
                return await wheels.upgrade(connection, one, wheel, on_stage)
            return await upgrade.upgrade(connection, one, image, on_stage)

        return await self._on(ref, "upgrading", action)

    async def move(self, ref: str, target: str) -> None:
        """Moves a deployment to another member of its cluster."""
        await self._on(ref, "moving", lambda connection, one: members.move(connection, one, target))

    # --- remotes and images ---

    async def pools(self, remote: str = "") -> tuple[Pool, ...]:
        """The storage pools of a remote."""
        return await pools.listed(self._connection(remote))

    async def members(self, remote: str = "") -> tuple[Member, ...]:
        """The members of a remote's cluster; none when it is a single machine."""
        return await members.listed(self._connection(remote))

    async def images(self, remote: str = "") -> tuple[Image, ...]:
        """The images of a remote that are ours."""
        from ccp_tui.incus.image import images

        return await images.listed(self._connection(remote))

    async def build_image(
        self,
        base: str = "",
        bootstrap: bool = False,
        on_line: Callable[[str], None] = lambda _line: None,
        remote: str = "",
        force: bool = False,
    ) -> Image:
        """Builds an image from a base image of any remote, or (``bootstrap``, or no base) from packages alone.

        One that is there already is reused, unless ``force``.
        """
        from ccp_tui.incus.image import build

        if base and bootstrap:
            raise FleetError("USAGE", "An image is built from a base or from packages alone, not both.")
        return await build.build(
            self._connection(remote), base=base, on_line=on_line, force=force, config=self._config
        )

    async def prune_images(self, remote: str = "") -> tuple[str, ...]:
        """Deletes our images that nothing uses and that are not the latest; their aliases."""
        from ccp_tui.incus.image import images

        return await images.prune(self._connection(remote))

    # --- attaching ---

    def attach(self, ref: str, what: str, user: str = "") -> Words:
        """The words of a command that attaches this terminal; ``what`` is one of ``attach.WHAT``."""
        remote, name = names.split_ref(ref)
        connection = self._connection(remote)
        return attach.command(
            connection.name, name, what, user, project=connection.project, config=self._config
        )

    async def fate(self, ref: str, within: float = fate.FATE_S) -> str:
        """Why what was attached was cut off, in words, "" when nothing is known: after :meth:`start`."""
        return await fate.fate(self, ref, within)

    async def follow_logs(self, ref: str, which: str, lines: int = 0) -> AsyncGenerator[str, None]:
        """The last lines of a log ("gateway", "service", "boot"), then every new one. Close it (``aclosing``)."""
        remote, name = names.split_ref(ref)
        connection = self._connection(remote)
        await logs.readable(connection, name, which)
        return logs.follow(connection, name, which, lines)

    async def log_tail(self, ref: str, which: str, lines: int = 200) -> Words:
        """The last lines of a log ("gateway", "service", "boot")."""
        remote, name = names.split_ref(ref)
        return await logs.tail(self._connection(remote), name, which, lines)

    # --- inside ---

    def _connection(self, remote: str) -> Connection:
        name = remote or names.LOCAL
        if name in self._connections:
            return self._connections[name]
        if name in self._unusable:
            raise FleetError("UNAVAILABLE", self._unusable[name].words, self._unusable[name].fix)
        raise FleetError(
            "NOT_FOUND", f"There is no Incus remote named {name}.", "`incus remote list` shows them."
        )

    async def _on(self, ref: str, state: str, action: Callable[[Connection, str], Awaitable[T]]) -> T:
        """An action on one of our deployments, which shows ``state`` while it lasts."""
        remote, name = names.split_ref(ref)
        await lifecycle.owned(self._connection(remote), name)
        return await self._as(ref, state, action)

    async def _on_whole(self, ref: str, state: str, action: Callable[[Connection, str], Awaitable[T]]) -> T:
        """The same; a deployment whose upgrade was cut off is put in order first."""

        async def on_whole(connection: Connection, name: str) -> T:
            await upgrade.whole(connection, name)
            return await action(connection, name)

        return await self._on(ref, state, on_whole)

    async def _as(self, ref: str, state: str, action: Callable[[Connection, str], Awaitable[T]]) -> T:
        remote, name = names.split_ref(ref)
        names.check_name(name)
        connection = self._connection(remote)
        live = self._live.get(connection.name)
        with live.doing(name, state) if live and state else contextlib.nullcontext():
            return await action(connection, name)

    def _watched(self) -> None:
        for live in self._live.values():
            live.watched = bool(self._callbacks)
            live.look_soon()

    def _changed(self) -> None:
        if self._telling is None and self._callbacks:
            self._telling = asyncio.get_running_loop().call_later(TOLD_S, self._tell)

    def _tell(self) -> None:
        self._telling = None
        for callback in tuple(self._callbacks):
            callback()


def _order(one: Deployment) -> tuple[bool, str, str]:
    return one.remote != names.LOCAL, one.remote, one.name
