"""``ccp fleet attach`` and ``logs``: this terminal on something inside a deployment."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ccp_tui import terminal
from ccp_tui.cli import output
from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import OK, CliError, usage
from ccp_tui.cli.fleet_base import found, on_fleet
from ccp_tui.cli.parser import Nouns, positive, verb
from ccp_tui.text import clean, one_line

if TYPE_CHECKING:
    from ccp_tui.incus import Deployment, Fleet

LOGS = ("gateway", "service", "boot")
USERS = ("openclaw", "ccp", "root")


def add_options(nouns: Nouns) -> None:
    attach = verb(nouns, "attach", "Attach this terminal: the board, a shell, a log.", _attach)
    attach.add_argument("ref", metavar="NAME")
    attach.add_argument("what", nargs="?", choices=("board", "shell", "logs"), default="board")
    attach.add_argument("which", nargs="?", choices=LOGS, help="for logs: gateway (default), service or boot")
    attach.add_argument("--user", choices=USERS, help="for a shell: openclaw (default), ccp or root")
    _log_options(attach)
    logs = verb(nouns, "logs", "The last lines of a log of a deployment.", _logs)
    logs.add_argument("ref", metavar="NAME")
    logs.add_argument("which", nargs="?", choices=LOGS, default="gateway")
    _log_options(logs)


def _log_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--follow", action="store_true", help="go on with every new line")
    parser.add_argument("--lines", type=positive, default=200, metavar="N", help="so many (default: 200)")


def _attach(context: Context, args: argparse.Namespace) -> int:
    if args.which and args.what != "logs":
        raise usage(f"{args.which} is a log: ccp fleet attach {args.ref} logs {args.which}")
    if args.user and args.what != "shell":
        raise usage("--user is for a shell")
    if args.what == "logs":
        args.which = args.which or "gateway"
        _logs(context, args)
        return OK
    if context.json:
        raise usage("attach has no JSON")

    async def work(fleet: Fleet) -> tuple[Deployment, list[str]]:
        return await found(fleet, args.ref), fleet.attach(args.ref, args.what, args.user or "")

    one, command = on_fleet(work)
    if one.state != "running":
        fix = {"fix": f"ccp fleet start {args.ref}"} if one.state == "stopped" else None
        why = f" ({one_line(one.note)})" if one.note else ""
        raise CliError("REFUSED", f"{args.ref} is not running: it is {one.state}{why}.", fix)
    try:
        code = terminal.run(command)
    except OSError as error:
        raise CliError(
            "UNAVAILABLE",
            f"{command[0]} can't be run: {error.strerror}.",
            {"fix": "apt install incus-client"},
        ) from None
    if terminal.was_cut_off(code) and (said := on_fleet(lambda fleet: _fate(fleet, args.ref))):
        context.note(f"ccp: {said}")
    return code if code >= 0 else 128 - code


async def _fate(fleet: Fleet, ref: str) -> str:
    await fleet.start()
    return await fleet.fate(ref)


def _logs(context: Context, args: argparse.Namespace) -> None:
    if args.follow:
        on_fleet(lambda fleet: _follow(context, fleet, args))
        return
    lines = on_fleet(lambda fleet: fleet.log_tail(args.ref, args.which, args.lines))
    document = {"ref": args.ref, "log": args.which, "lines": lines}
    context.emit(document, lambda: "\n".join(clean(line).rstrip() for line in lines))


async def _follow(context: Context, fleet: Fleet, args: argparse.Namespace) -> None:
    from contextlib import aclosing

    def show(line: str) -> None:
        if context.json:
            output.print_ndjson({"log": args.which, "line": line})
        else:
            print(clean(line), flush=True)

    async with aclosing(await fleet.follow_logs(args.ref, args.which, args.lines)) as lines:
        async for line in lines:
            show(line)
