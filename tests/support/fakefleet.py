"""A fleet of canned deployments: what is done to it changes the canned ones, nothing is made anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ccp_tui.incus import (
    STAGES,
    CreateRequest,
    Deployment,
    FleetError,
    Image,
    Limits,
    Member,
    Pool,
    RemoteState,
    Snapshot,
    Stage,
)

Words = list[str]
MIB, GIB = 2**20, 2**30
DAY = "2026-11-2{}T{:02d}:30:00.000Z"
LOCAL = RemoteState("local", "https://192.0.2.1:8443", "ready")  # a socket would be this machine, by its name
ABSENT = RemoteState(
    "local", "", "absent", "Incus is not installed here.",
    "Install it: apt install incus && incus admin init --minimal", "2026-11-23T11:58:00.000Z",
)  # fmt: skip
IMAGE = "ccp/0.2.0-1a2b3c4d"


def deployment(name: str, state: str = "running", **more: Any) -> Deployment:
    """A deployment as it usually is; ``more`` says what is different."""
    running = state == "running"
    usual: dict[str, Any] = {
        "remote": "local", "address": "10.201.83.10", "host": "192.0.2.1", "port": 2201, "image": IMAGE,
        "version": "0.2.0",
        "cpu_used": 0.2 if running else None, "memory_used": 812 * MIB if running else None,
        "disk_used": int(2.1 * GIB), "gateway": "ready" if running else "unknown",
        "service": "ready" if running else "unknown", "tasks": {"inbox": 2, "done": 4} if running else {},
        "needs_you": 0 if running else None, "created_at": DAY.format(0, 9),
    }  # fmt: skip
    return Deployment(name=name, state=state, **(usual | more))


def few() -> list[Deployment]:
    """Three: one at work, one stopped, one that needs the person."""
    return [
        deployment("demo", tasks={"in_progress": 2, "review": 1, "inbox": 3, "done": 9}, cpu_used=0.8,
                   snapshots=(Snapshot("before-upgrade", DAY.format(2, 10), 120 * MIB),
                              Snapshot("first", DAY.format(1, 8), 40 * MIB))),
        deployment("docs", "stopped", port=2202),
        deployment("shop", port=2203, needs_you=2, gateway="starting", tasks={"planning": 1},
                   limits=Limits("4", "4GiB", "20GiB")),
    ]  # fmt: skip


def many(count: int) -> list[Deployment]:
    """So many, all running."""
    return [
        deployment(f"work-{n:02d}", port=2201 + n, tasks={"in_progress": n % 3, "inbox": n, "done": 2 * n})
        for n in range(count)
    ]


class FakeFleet:
    """Has the methods of the fleet. ``calls`` keeps what was asked; ``refuse[method]`` is raised instead of an answer.

    ``hold`` makes :meth:`create` wait after the stage it names, until it is cancelled or :attr:`go` is set.
    """

    def __init__(
        self, deployments: Sequence[Deployment] | None = None, remotes: Sequence[RemoteState] = (LOCAL,)
    ) -> None:
        self._deployments = {each.ref: each for each in (few() if deployments is None else deployments)}
        self.remotes: tuple[RemoteState, ...] = tuple(remotes)
        self.calls: list[tuple[Any, ...]] = []
        self.refuse: dict[str, FleetError] = {}
        self.refuse_ref: dict[str, FleetError] = {}
        self.found_pools: tuple[Pool, ...] = (Pool("default", "btrfs", 9 * GIB, 30 * GIB),)
        self.found_members: tuple[Member, ...] = ()
        self.found_images: tuple[Image, ...] = (
            Image(
                "local", IMAGE, "1a2b3c4d", "0.2.0", "2026.9.6", DAY.format(0, 8), 310 * MIB, ("demo",), True
            ),
        )
        self.log: dict[str, list[str]] = {}
        self.more_log: asyncio.Queue[str | None] | None = None  # None in it: the log ends
        self.argv = ["true"]
        self.cut_off = ""
        self.hold = ""
        self.go = asyncio.Event()
        self.started = False
        self._listeners: list[Callable[[], None]] = []

    # -- the test's side

    def put(self, *deployments: Deployment) -> None:
        """These are so now."""
        self._deployments.update({each.ref: each for each in deployments})
        self.tell()

    def change(self, ref: str, **changes: Any) -> None:
        self.put(replace(self._deployments[ref], **changes))

    def gone(self, ref: str) -> None:
        del self._deployments[ref]
        self.tell()

    def say(self, *remotes: RemoteState) -> None:
        """The remotes are so now."""
        self.remotes = remotes
        self.tell()

    def tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def asked(self, method: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == method]

    def _called(self, method: str, *arguments: Any) -> None:
        self.calls.append((method, *arguments))
        if method in self.refuse:
            raise self.refuse[method]
        if arguments and isinstance(arguments[0], str) and arguments[0] in self.refuse_ref:
            raise self.refuse_ref[arguments[0]]

    async def _to(self, ref: str, **changes: Any) -> None:
        await asyncio.sleep(0)
        if ref not in self._deployments:
            raise FleetError("NOT_FOUND", f"{ref} is not a deployment.")
        self.change(ref, **changes)

    # -- the fleet's side

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        return tuple(self._deployments.values())

    async def start(self) -> None:
        self.started = True

    async def stop(self) -> None:
        self.started = False

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    async def list(self) -> tuple[tuple[Deployment, ...], tuple[RemoteState, ...]]:
        self._called("list")
        return self.deployments, self.remotes

    async def create(self, request: CreateRequest, on_stage: Callable[[Stage], None]) -> Deployment:
        self._called("create", request)
        for name in STAGES:
            began = DAY.format(3, 12)
            on_stage(Stage(name, began))
            if name == self.hold:
                await self.go.wait()
            await asyncio.sleep(0)
            if name in self.refuse:
                raise self.refuse[name]
            on_stage(Stage(name, began, 0.2, f"{name} is well"))
        made = deployment(
            request.name, remote=request.remote or "local", port=request.port or 2210, limits=request.limits
        )
        self.put(made)
        return made

    async def start_one(self, ref: str) -> None:
        self._called("start_one", ref)
        await self._to(ref, state="running")

    async def stop_one(self, ref: str, force: bool = False) -> None:
        self._called("stop_one", ref, force)
        gone: dict[str, Any] = {"cpu_used": None, "memory_used": None, "tasks": {}, "needs_you": None}
        await self._to(ref, state="stopped", **gone)

    async def restart(self, ref: str) -> None:
        self._called("restart", ref)
        await self._to(ref, state="running")

    async def freeze(self, ref: str) -> None:
        self._called("freeze", ref)
        await self._to(ref, state="frozen")

    async def unfreeze(self, ref: str) -> None:
        self._called("unfreeze", ref)
        await self._to(ref, state="running")

    async def rename(self, ref: str, new: str) -> None:
        self._called("rename", ref, new)
        one = self._deployments.pop(ref)
        self.put(replace(one, name=new))

    async def resize(self, ref: str, **changes: str | int) -> Limits:
        self._called("resize", ref, changes)
        limits = self._deployments[ref].limits.changed(changes)
        await self._to(ref, limits=limits)
        return limits

    async def move(self, ref: str, target: str) -> None:
        self._called("move", ref, target)
        await self._to(ref, location=target)

    async def delete(self, ref: str) -> None:
        self._called("delete", ref)
        if ref not in self._deployments:
            raise FleetError("NOT_FOUND", f"{ref} is not a deployment.")
        self.gone(ref)

    async def snapshot(self, ref: str, name: str = "") -> Snapshot:
        self._called("snapshot", ref, name)
        taken = Snapshot(name or "snap0", DAY.format(3, 12))
        await self._to(ref, snapshots=(*self._deployments[ref].snapshots, taken))
        return taken

    async def restore(self, ref: str, name: str) -> None:
        self._called("restore", ref, name)

    async def delete_snapshot(self, ref: str, name: str) -> None:
        self._called("delete_snapshot", ref, name)
        left = tuple(each for each in self._deployments[ref].snapshots if each.name != name)
        await self._to(ref, snapshots=left)

    async def copy(self, ref: str, new_name: str) -> None:
        self._called("copy", ref, new_name)
        self.put(replace(self._deployments[ref], name=new_name, state="stopped"))

    async def export(self, ref: str, path: Path, on_progress: Callable[[int], None] = lambda _: None) -> int:
        self._called("export", ref, path)
        on_progress(5 * MIB)
        return 5 * MIB

    async def import_(
        self, path: Path, name: str, on_progress: Callable[[int], None] = lambda _: None, pool: str = ""
    ) -> str:
        self._called("import_", path, name)
        self.put(deployment(name, "stopped"))
        return ""

    async def upgrade(
        self,
        ref: str,
        image: str = "",
        on_stage: Callable[[Stage], None] = lambda _: None,
        wheel: Path | None = None,
    ) -> Snapshot:
        self._called("upgrade", ref, str(wheel) if wheel else image)
        on_stage(Stage("snapshot", DAY.format(3, 12), 0.1))
        return Snapshot("before-upgrade", DAY.format(3, 12))

    async def pools(self, remote: str = "") -> tuple[Pool, ...]:
        self._called("pools", remote)
        return self.found_pools

    async def members(self, remote: str = "") -> tuple[Member, ...]:
        return self.found_members

    async def images(self, remote: str = "") -> tuple[Image, ...]:
        self._called("images", remote)
        return self.found_images

    async def build_image(
        self,
        base: str = "",
        bootstrap: bool = False,
        on_line: Callable[[str], None] = lambda _: None,
        remote: str = "",
        force: bool = False,
    ) -> Image:
        self._called("build_image", base, bootstrap)
        on_line("unpacking")
        return self.found_images[0]

    async def prune_images(self, remote: str = "") -> tuple[str, ...]:
        self._called("prune_images")
        return ("ccp/0.1.0-00000000",)

    async def fate(self, ref: str, within: float = 0) -> str:
        self._called("fate", ref)
        return self.cut_off

    def attach(self, ref: str, what: str, user: str = "") -> Words:
        self._called("attach", ref, what, user)
        return self.argv

    async def log_tail(self, ref: str, which: str, lines: int = 200) -> Words:
        self._called("log_tail", ref, which, lines)
        return self.log.get(which, [])[-lines:]

    async def follow_logs(self, ref: str, which: str, lines: int = 0) -> AsyncGenerator[str, None]:
        self._called("follow_logs", ref, which, lines)

        async def follow() -> AsyncGenerator[str, None]:
            for known in self.log.get(which, [])[-lines:] if lines else ():
                yield known
            while self.more_log is not None:
                line = await self.more_log.get()
                if line is None:
                    return
                yield line
            await asyncio.Event().wait()

        return follow()
