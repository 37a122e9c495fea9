"""``ccp mission policy``: what a mission lets happen by itself, shown and set."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli.amounts import dollars, given, whole
from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import CliError
from ccp_tui.cli.output import table
from ccp_tui.cli.parser import Nouns, verb
from ccp_tui.text import one_line

Json = dict[str, Any]

REVIEWS = ("person", "agent", "agent_then_person")
AUTOS = ("off", "dispatch", "full")
# setting → what it is, and how it is typed.
LIMITS: dict[str, tuple[str, Any]] = {
    "concurrency": ("how many of its tasks run at a time", whole),
    "budget_usd": ("dollars for everything in it", dollars),
    "budget_tokens": ("tokens for everything in it: 500k, 2M", whole),
    "task_budget_usd": ("dollars for each of its tasks", dollars),
    "task_budget_tokens": ("tokens for each of its tasks", whole),
}
DUTIES = ("planner", "reviewer")

_EPILOG = """\
Without options the policy is printed: what the mission sets itself is marked with *. A limit or an agent
is taken away with: none
"""


def add_options(nouns: Nouns) -> None:
    parser = verb(
        nouns, "policy", "Show or set who reviews, what starts by itself, limits.", run, epilog=_EPILOG
    )
    parser.add_argument("slug", metavar="MISSION")
    parser.add_argument("--review", type=_review, metavar="WHO", help="person, agent, or agent_then_person")
    parser.add_argument(
        "--auto", choices=AUTOS, help="off: dispatch is asked for; full: --auto specs approve themselves"
    )
    for name, (about, kind) in LIMITS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=about)
    for name in DUTIES:
        parser.add_argument(
            f"--{name}", metavar="AGENT", help=f"the agent that is its {name}; default: the service's"
        )


def run(context: Context, args: argparse.Namespace) -> None:
    """Sets what is given and prints the whole policy."""
    changes: Json = {
        name: given(value)
        for name in ("review", "auto", *LIMITS)
        if (value := getattr(args, name)) is not None
    }
    for name in DUTIES:
        if (agent := getattr(args, name)) is not None:
            changes[name] = None if agent.lower() in ("", "none") else agent
    if changes:
        mission = context.call("mission.update", slug=args.slug, policy=changes)["mission"]
    else:
        mission = _find(context, args.slug)
    context.emit(_policy(mission), lambda: _words(mission))


def _find(context: Context, named: str) -> Json:
    missions: list[Json] = context.call("mission.list", archived=True)["missions"]
    found = next((one for one in missions if named in (one["slug"], one.get("prefix"))), None)
    if found is None:
        raise CliError(
            "NOT_FOUND",
            f"There is no mission {one_line(named)}.",
            {"fix": "See: ccp mission list --archived"},
        )
    return found


def _policy(mission: Json) -> Json:
    return {
        "slug": mission["slug"],
        "policy": mission.get("policy") or {},
        "effective": mission.get("effective") or {},
    }


def _words(mission: Json) -> str:
    own, all_of_it = mission.get("policy") or {}, mission.get("effective") or {}
    rows = [
        (name.replace("_", " "), "none" if value is None else value, "*" if name in own else "")
        for name, value in all_of_it.items()
    ]
    return table(("SETTING", "HOLDS", "OWN"), rows)


def _review(text: str) -> str:
    name = text.replace("-", "_").lower()
    if name not in REVIEWS:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(REVIEWS)}")
    return name
