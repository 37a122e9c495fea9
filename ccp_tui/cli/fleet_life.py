"""The verbs that change deployments which are there: start to delete, limits, snapshots. Most take several names."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import usage
from ccp_tui.cli.fleet_base import Json, for_each, found, on_fleet, size
from ccp_tui.cli.fleet_create import add_limits, limits_of
from ccp_tui.cli.output import local_time, table
from ccp_tui.cli.parser import Nouns, Parser, nouns_of, verb
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.incus import Fleet, Snapshot

# verb → the fleet's method, what it does, what is then so.
PLAIN = {
    "start": ("start_one", "Start deployments.", "started"),
    "restart": ("restart", "Restart deployments; runs of agents are aborted first.", "restarted"),
    "freeze": ("freeze", "Halt everything in deployments where it is.", "frozen"),
    "unfreeze": ("unfreeze", "Let frozen deployments go on.", "running"),
}


def add_options(nouns: Nouns) -> None:
    for name, (method, help, done) in PLAIN.items():
        plain = _several(nouns, name, help, _plain)
        plain.set_defaults(method=method, done=done)
    stop = _several(nouns, "stop", "Stop deployments; runs of agents are aborted first.", _stop)
    stop.add_argument("--force", action="store_true", help="end what does not stop by itself")
    delete = _several(nouns, "delete", "Delete deployments with all that is in them.", _delete)
    delete.add_argument("--yes", action="store_true", help="do not ask for the name")
    resize = _several(nouns, "resize", "Change limits; they take effect at once.", _resize)
    add_limits(resize)
    rename = verb(nouns, "rename", "Give a deployment another name.", _rename)
    rename.add_argument("ref", metavar="NAME")
    rename.add_argument("new", metavar="NEW")
    snapshots = nouns_of(verb(nouns, "snapshot", "Snapshots: list, create, delete.", _plain))
    listing = verb(snapshots, "list", "The snapshots of a deployment.", _snapshots)
    listing.add_argument("ref", metavar="NAME")
    create = _several(snapshots, "create", "Take a snapshot, with the board's data consistent.", _snapshot)
    create.add_argument("--name", default="", help="what it is called; the time by default")
    remove = verb(snapshots, "delete", "Delete a snapshot.", _delete_snapshot)
    restore = verb(nouns, "restore", "Put a deployment back to a snapshot.", _restore)
    for each in (remove, restore):
        each.add_argument("ref", metavar="NAME")
        each.add_argument("snapshot", metavar="SNAPSHOT")


def _several(nouns: Nouns, name: str, help: str, run: Callable[[Context, argparse.Namespace], int]) -> Parser:
    parser = verb(nouns, name, help, run)
    parser.add_argument("names", nargs="+", metavar="NAME")
    return parser


def _plain(context: Context, args: argparse.Namespace) -> int:
    return for_each(context, args.names, lambda fleet, ref: getattr(fleet, args.method)(ref), args.done)


def _stop(context: Context, args: argparse.Namespace) -> int:
    return for_each(context, args.names, lambda fleet, ref: fleet.stop_one(ref, args.force), "stopped")


def _resize(context: Context, args: argparse.Namespace) -> int:
    changes = limits_of(args)
    if not changes:
        raise usage("nothing to change: give --cpu, --memory, --disk or --processes")

    async def act(fleet: Fleet, ref: str) -> Json:
        limits = await fleet.resize(ref, **changes)
        return {
            "limits": {"cpu": limits.cpu, "memory": limits.memory, "disk": limits.disk,
                       "processes": limits.processes}
        }  # fmt: skip

    return for_each(context, args.names, act, "resized")


def _delete(context: Context, args: argparse.Namespace) -> int:
    names = list(dict.fromkeys(args.names))
    if not args.yes:
        if context.json or not sys.stdin.isatty():
            raise usage("delete asks for the name on a terminal; elsewhere say --yes")
        for ref in names:
            name = ref.rpartition(":")[2]
            said = input(
                f"{ref} is lost with its board, its agents and their files. Type {name} to delete it: "
            )
            if said.strip() != name:
                raise usage(f"that is not {name}; nothing was deleted")
    return for_each(context, names, lambda fleet, ref: fleet.delete(ref), "deleted")


def _rename(context: Context, args: argparse.Namespace) -> int:
    return _one(context, args.ref, lambda fleet: fleet.rename(args.ref, args.new), f"is now {args.new}")


def _restore(context: Context, args: argparse.Namespace) -> int:
    done = f"is as it was at {args.snapshot}"
    return _one(context, args.ref, lambda fleet: fleet.restore(args.ref, args.snapshot), done)


def _delete_snapshot(context: Context, args: argparse.Namespace) -> int:
    done = f"the snapshot {args.snapshot} is deleted"
    return _one(context, args.ref, lambda fleet: fleet.delete_snapshot(args.ref, args.snapshot), done)


def _one(context: Context, ref: str, act: Callable[[Fleet], Awaitable[Any]], done: str) -> int:
    async def once(fleet: Fleet, _: str) -> None:
        await act(fleet)

    return for_each(context, [ref], once, done)


def _snapshot(context: Context, args: argparse.Namespace) -> int:
    async def act(fleet: Fleet, ref: str) -> Json:
        taken = await fleet.snapshot(ref, args.name)
        return {"snapshot": snapshot_json(taken)}

    return for_each(context, args.names, act, "snapshot taken")


def _snapshots(context: Context, args: argparse.Namespace) -> None:
    one = on_fleet(partial(found, ref=args.ref))
    newest = sorted(one.snapshots, key=lambda each: each.created_at, reverse=True)
    context.emit(
        [snapshot_json(each) for each in newest],
        lambda: _table(newest) if newest else f"No snapshots yet: ccp fleet snapshot create {args.ref}",
    )


def snapshot_json(one: Snapshot) -> Json:
    return {"name": one.name, "created_at": one.created_at, "size": one.size}


def _table(snapshots: list[Snapshot]) -> str:
    rows = [(one_line(each.name), local_time(each.created_at), size(each.size)) for each in snapshots]
    return table(("SNAPSHOT", "TAKEN", "SIZE"), rows)
