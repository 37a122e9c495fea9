"""The verbs that put a deployment elsewhere: a copy, a file, another member of its cluster."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ccp_tui.cli.context import Context
from ccp_tui.cli.fleet_base import Json, for_each
from ccp_tui.cli.parser import Nouns, verb
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.incus import Fleet


def add_options(nouns: Nouns) -> None:
    copy = verb(nouns, "copy", "Copy a deployment under another name; the copy stays stopped.", _copy)
    copy.add_argument("ref", metavar="NAME")
    copy.add_argument("new", metavar="NEW")
    export = verb(nouns, "export", "Write a deployment into one file, its secrets too.", _export)
    export.add_argument("ref", metavar="NAME")
    export.add_argument("file", metavar="FILE")
    take = verb(nouns, "import", "Make a deployment of an exported file.", _import)
    take.add_argument("file", metavar="FILE")
    take.add_argument("ref", metavar="NAME")
    move = verb(nouns, "move", "Move a deployment to another member of its cluster.", _move)
    move.add_argument("ref", metavar="NAME")
    move.add_argument("target", metavar="MEMBER")


def _copy(context: Context, args: argparse.Namespace) -> int:
    return for_each(
        context, [args.ref], lambda fleet, ref: fleet.copy(ref, args.new), f"copied to {args.new}"
    )


def _export(context: Context, args: argparse.Namespace) -> int:
    path = Path(args.file).expanduser()

    async def act(fleet: Fleet, ref: str) -> Json:
        return {"file": str(path), "bytes": await fleet.export(ref, path)}

    return for_each(context, [args.ref], act, f"exported to {path}")


def _import(context: Context, args: argparse.Namespace) -> int:
    path = Path(args.file).expanduser()

    async def act(fleet: Fleet, ref: str) -> Json:
        left_out = await fleet.import_(path, ref)
        if left_out:
            context.note(f"ccp: {one_line(left_out)}")
        return {"left_out": left_out}

    return for_each(context, [args.ref], act, "imported; it is stopped")


def _move(context: Context, args: argparse.Namespace) -> int:
    done = f"is on {args.target}"
    return for_each(context, [args.ref], lambda fleet, ref: fleet.move(ref, args.target), done)
