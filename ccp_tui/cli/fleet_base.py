"""What the fleet's verbs share: one fleet for one run, its errors as those of verbs, one action on many at once."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import OK, CliError
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.incus import Deployment, Fleet, FleetError, RemoteState

Json = dict[str, Any]
T = TypeVar("T")

AT_ONCE = 4
# What the fleet tells that the other verbs have no code for.
CODES = {"EXISTS": "REFUSED", "TIMEOUT": "UNAVAILABLE"}


def on_fleet(work: Callable[[Fleet], Awaitable[T]], only: Sequence[str] = ()) -> T:
    """Runs something on the fleet, to its end. Raises CliError for what the fleet refuses.

    Ctrl-C cancels the work, which takes back what it has made; pressed again it does not cut that short.
    """
    import asyncio

    from ccp_tui.incus import Fleet, FleetError

    async def whole() -> T:
        _cancel_at_ctrl_c()
        fleet = Fleet(only=only)
        try:
            return await work(fleet)
        finally:
            await fleet.stop()

    try:
        return asyncio.run(whole())
    except FleetError as error:
        raise cli_error(error) from None
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _cancel_at_ctrl_c() -> None:
    """Ctrl-C cancels the task that calls this, however often: asyncio's own handler drops everything at the second."""
    import asyncio
    import signal

    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    pressed = 0

    def interrupted() -> None:
        nonlocal pressed
        pressed += 1
        if pressed == 2:
            print("ccp: cleaning up; this takes a moment", file=sys.stderr, flush=True)
        if task is not None:
            task.cancel()

    with suppress(
        ValueError, RuntimeError, NotImplementedError
    ):  # not in the main thread: nothing to catch there
        loop.add_signal_handler(signal.SIGINT, interrupted)


def cli_error(error: FleetError) -> CliError:
    """A failure of the fleet as one of a verb."""
    return CliError(CODES.get(error.code, error.code), error.message, {"fix": error.fix or None})


def for_each(
    context: Context, refs: Sequence[str], act: Callable[[Fleet, str], Awaitable[Json | None]], done: str
) -> int:
    """Acts on every deployment, some at a time. One gives an object and raises what went wrong; several give an array,
    in which a failure stands as ``{"ref", "error"}``, and the exit code of the worst."""
    import asyncio

    from ccp_tui.incus import FleetError

    names = list(dict.fromkeys(refs))

    async def all_of(fleet: Fleet) -> Mapping[str, Json | CliError]:
        gate, found = asyncio.Semaphore(AT_ONCE), dict[str, Json | CliError]()

        async def one(ref: str) -> None:
            async with gate:
                try:
                    found[ref] = {"ref": ref, "done": done, **(await act(fleet, ref) or {})}
                except FleetError as error:
                    found[ref] = cli_error(error)
            _tell(context, ref, found[ref], done, alone=len(names) == 1)

        await asyncio.gather(*(one(ref) for ref in names))
        return found

    found = on_fleet(all_of)
    if len(names) == 1:
        result = found[names[0]]
        if isinstance(result, CliError):
            result.about(names[0])
            raise result
        context.emit(result, "")
        return OK
    rows = [(ref, found[ref]) for ref in names]
    if context.json:
        context.emit(
            [
                {"ref": ref, "error": result.as_json()} if isinstance(result, CliError) else result
                for ref, result in rows
            ],
            "",
        )
    return max(result.exit_code if isinstance(result, CliError) else OK for _, result in rows)


def _tell(context: Context, ref: str, result: Json | CliError, done: str, *, alone: bool) -> None:
    if isinstance(result, CliError):
        if not alone:
            result.about(ref)
            print(f"ccp: {result.words()}", file=sys.stderr, flush=True)
    elif not context.json:
        print(f"{one_line(ref)}: {done}", flush=True)


def as_json(one: Deployment) -> Json:
    """A deployment as scripts get it: SSH goes to ``address`` and ``port``; inside it has an address of its own."""
    return {
        "remote": one.remote, "name": one.name, "ref": one.ref, "state": one.state, "location": one.location,
        "address": one_line(one.host), "port": one.port, "inside_address": one.address,
        "image": one.image, "version": one.version,
        "health": {"gateway": one.gateway, "service": one.service},
        "tasks": dict(one.tasks), "needs_you": one.needs_you,
        "limits": {
            "cpu": one.limits.cpu, "memory": one.limits.memory, "disk": one.limits.disk,
            "processes": one.limits.processes,
        },
        "used": {"cpu": one.cpu_used, "memory": one.memory_used, "disk": one.disk_used},
        "snapshots": [
            {"name": each.name, "created_at": each.created_at, "size": each.size} for each in one.snapshots
        ],
        "created_at": one.created_at, "note": one.note,
    }  # fmt: skip


def unavailable(remote: RemoteState) -> CliError:
    """Why nothing can be asked of a remote."""
    words = one_line(remote.words) or f"{remote.name} is {remote.state}."
    code = "NOT_ALLOWED" if remote.state == "refused" else "UNAVAILABLE"
    return CliError(code, words, {"fix": remote.fix or None})


async def found(fleet: Fleet, ref: str) -> Deployment:
    """One deployment as it is now. Raises CliError when there is none of the name, or its remote is out of reach."""
    deployments, remotes = await fleet.list()
    for each in deployments:
        if each.ref == ref or f"{each.remote}:{each.name}" == ref:
            return each
    name = ref.rpartition(":")[0] or "local"
    for remote in remotes:
        if remote.name == name and remote.state != "ready":
            raise unavailable(remote)
    raise CliError("NOT_FOUND", f"{ref} is not a deployment.", {"fix": "ccp fleet list shows them."})


def size(count: float | None) -> str:
    """Bytes in a few cells; nothing when that is not known."""
    if count is None:
        return ""
    for unit, name in ((2**30, "G"), (2**20, "M")):
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return f"{count / 2**10:.0f}k"
