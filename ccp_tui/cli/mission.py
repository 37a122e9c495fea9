"""``ccp mission``: the boards that tasks stand on."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli import mission_policy, mission_read
from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import usage
from ccp_tui.cli.output import table
from ccp_tui.cli.parser import Parser, nouns_of, verb
from ccp_tui.text import one_line

Json = dict[str, Any]


def add_options(parser: Parser) -> None:
    nouns = nouns_of(parser)
    listing = verb(nouns, "list", "All missions, with the number of tasks in each state.", _list)
    listing.add_argument("--archived", action="store_true", help="archived ones too")
    create = verb(nouns, "create", "A new mission.", _create)
    create.add_argument("title", metavar="TITLE", nargs="+")
    create.add_argument("--slug", help="its short name; made from the title by default")
    create.add_argument("--prefix", help="what the references of its tasks begin with: WEB gives WEB-1")
    create.add_argument("--icon", help="one character shown before the title")
    edit = verb(nouns, "edit", "Change a mission's title or icon.", _edit)
    edit.add_argument("slug", metavar="MISSION")
    edit.add_argument("--title")
    edit.add_argument("--icon")
    for name, help, archived in (
        ("archive", "Put a mission away; its tasks stay as they are.", True),
        ("restore", "Bring an archived mission back.", False),
    ):
        one = verb(nouns, name, help, _archive)
        one.add_argument("slug", metavar="MISSION")
        one.set_defaults(archived=archived)
    mission_policy.add_options(nouns)
    mission_read.add_options(nouns)


def _list(context: Context, args: argparse.Namespace) -> None:
    missions: list[Json] = context.call("mission.list", archived=args.archived or None)["missions"]
    context.emit(
        missions, lambda: _table(missions) if missions else "No missions yet: ccp mission create TITLE"
    )


def _table(missions: list[Json]) -> str:
    rows = []
    for mission in missions:
        counts: dict[str, int] = mission.get("counts") or {}
        open_tasks = sum(number for state, number in counts.items() if state not in ("done", "cancelled"))
        title = f"{mission.get('icon') or ''} {mission['title']}" + (
            " (archived)" if mission.get("archived") else ""
        )
        rows.append((mission["slug"], mission.get("prefix"), open_tasks, counts.get("done", 0), title))
    return table(("MISSION", "PREFIX", "OPEN", "DONE", "TITLE"), rows)


def _create(context: Context, args: argparse.Namespace) -> None:
    answer = context.call(
        "mission.create", title=" ".join(args.title), slug=args.slug, icon=args.icon, prefix=args.prefix
    )
    _emit(context, answer["mission"])


def _edit(context: Context, args: argparse.Namespace) -> None:
    if args.title is None and args.icon is None:
        raise usage("nothing to change: give --title or --icon")
    _emit(
        context, context.call("mission.update", slug=args.slug, title=args.title, icon=args.icon)["mission"]
    )


def _archive(context: Context, args: argparse.Namespace) -> None:
    _emit(context, context.call("mission.update", slug=args.slug, archived=args.archived)["mission"])


def _emit(context: Context, mission: Json) -> None:
    archived = " (archived)" if mission.get("archived") else ""
    context.emit(mission, f"{mission['slug']}: {one_line(mission['title'])}{archived}")
