"""``ccp backup``: a copy of the database, made while it is in use."""

from __future__ import annotations

import argparse
from pathlib import Path

from ccp_tui.cli.context import Context
from ccp_tui.cli.parser import Parser


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "path", metavar="PATH", nargs="?", help="where to; by default into the backups of the home"
    )


def run(context: Context, args: argparse.Namespace) -> None:
    """Has the service make the copy and says where it lies."""
    path = str(Path(args.path).expanduser().absolute()) if args.path else None
    answer = context.call("backup", 600, path=path)
    context.emit(answer, f"{answer['path']} ({answer['bytes']:,} bytes)")
