"""``ccp fleet``: deployments, each in a container of its own. With no verb: the screen."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ccp_tui import doors
from ccp_tui.cli import fleet_attach, fleet_create, fleet_image, fleet_life, fleet_move
from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import CliError, usage
from ccp_tui.cli.fleet_base import as_json, on_fleet, size, unavailable
from ccp_tui.cli.output import table
from ccp_tui.cli.parser import Parser, verb
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.incus import Deployment, RemoteState

EPILOG = """\
With no verb, ccp fleet opens its screen. A deployment is named NAME, or REMOTE:NAME on another Incus remote.
Verbs that take several names act on some at a time; one that fails stops no other.
"""
OPEN = ("planning", "inbox", "assigned", "in_progress", "testing", "review")


def add_options(parser: Parser) -> None:
    nouns = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=Parser)
    listing = verb(nouns, "list", "All deployments, and how they are.", _list)
    listing.add_argument("--remote", help="of this Incus remote only")
    fleet_create.add_options(nouns)
    fleet_life.add_options(nouns)
    fleet_move.add_options(nouns)
    fleet_attach.add_options(nouns)
    fleet_image.add_options(nouns)
    verb(nouns, "remotes", "The Incus remotes, and whether they answer.", _remotes)


def run(context: Context, args: argparse.Namespace) -> int:
    """The screen."""
    if context.json:
        raise usage("the fleet's screen has no JSON; see: ccp fleet list --json")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise usage("the fleet's screen needs a terminal; for scripts see: ccp fleet --help")
    from ccp_tui.cli.fleet_base import cli_error
    from ccp_tui.fleet_app import run_fleet
    from ccp_tui.incus import Fleet, FleetError

    try:
        fleet = Fleet()
    except FleetError as error:
        raise cli_error(error) from None
    return run_fleet(fleet, context.home)


def _list(context: Context, args: argparse.Namespace) -> None:
    deployments, remotes = on_fleet(lambda fleet: fleet.list(), only=[args.remote] if args.remote else ())
    if args.remote and not any(each.name == args.remote for each in remotes):
        fix = {"fix": "ccp fleet remotes shows them."}
        raise CliError("NOT_FOUND", f"There is no Incus remote named {args.remote}.", fix)
    away = [each for each in remotes if each.state != "ready"]
    if away and not deployments and len(away) == len(remotes):
        raise unavailable(away[0])
    for each in away:
        error = unavailable(each)
        error.about(each.name)
        context.note(f"ccp: {error.words()}")
    context.emit(
        [as_json(each) for each in deployments],
        lambda: _table(deployments) if deployments else "No deployments yet: ccp fleet create NAME",
    )


def _table(deployments: tuple[Deployment, ...]) -> str:
    rows = []
    for each in deployments:
        door = doors.door(one_line(each.host), each.port)
        health = f"{each.gateway}/{each.service}" if each.state == "running" else ""
        running = each.tasks.get("in_progress", 0) + each.tasks.get("testing", 0)
        total = sum(each.tasks.get(state, 0) for state in OPEN)
        tasks = f"{running}/{total}" if each.tasks else ""
        rows.append(
            (each.ref, each.state, door, health, tasks, each.needs_you or "", each.limits.cpu,
             _used(each.memory_used, each.limits.memory), _used(each.disk_used, each.limits.disk), each.version,
             each.location, each.note)
        )  # fmt: skip
    heads = [
        "NAME",
        "STATE",
        "SSH",
        "GATEWAY/SERVICE",
        "RUN/OPEN",
        "YOU",
        "CPUS",
        "MEMORY",
        "DISK",
        "VERSION",
        "LOCATION",
        "NOTE",
    ]
    # Columns with nothing in them say nothing.
    kept = [at for at in range(len(heads)) if at < 3 or any(row[at] for row in rows)]
    return table([heads[at] for at in kept], [[row[at] for at in kept] for row in rows])


def _used(used: int | None, limit: str) -> str:
    return f"{size(used)}/{limit}" if used is not None else ""


def _remotes(context: Context, args: argparse.Namespace) -> None:
    _, remotes = on_fleet(lambda fleet: fleet.list())
    context.emit([_remote(each) for each in remotes], lambda: _remotes_table(remotes))


def _remote(each: RemoteState) -> dict[str, object]:
    return {
        "name": each.name, "url": each.url, "state": each.state, "words": each.words, "fix": each.fix,
        "since": each.since,
    }  # fmt: skip


def _remotes_table(remotes: tuple[RemoteState, ...]) -> str:
    rows = [(each.name, each.state, each.url, one_line(f"{each.words} {each.fix}")) for each in remotes]
    return table(("REMOTE", "STATE", "ADDRESS", ""), rows)
