"""``ccp events``: what happened, and with ``--follow`` what happens."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli.context import Context
from ccp_tui.cli.output import local_time, print_ndjson
from ccp_tui.cli.parser import Parser, positive
from ccp_tui.text import one_line

Json = dict[str, Any]

_CATCH_UP = 500


def add_options(parser: Parser) -> None:
    parser.add_argument("--mission", metavar="MISSION")
    parser.add_argument("--task", metavar="REF", type=str.upper)
    parser.add_argument("--agent", metavar="AGENT")
    parser.add_argument("--kind", metavar="KIND", help="for example: moved, refused, report")
    parser.add_argument("--limit", type=positive, default=50, metavar="N", help="the latest N (default 50)")
    parser.add_argument(
        "--follow", "-f", action="store_true", help="go on with new ones; one JSON a line with --json"
    )


def run(context: Context, args: argparse.Namespace) -> None:
    """Lists the latest events, oldest first; follows them when asked to."""
    if not args.follow:
        events = _page(context, args, limit=args.limit)
        context.emit(events, lambda: "\n".join(map(line_of, events)) or "Nothing has happened yet.")
        return
    context.call("subscribe")
    last = 0
    for event in _page(context, args, limit=args.limit):
        last = _show(context, event, last)
    while (pushed := context.line.next_event()) is not None:
        if pushed.name == "feed":
            event = pushed.payload.get("event") or {}
            if _wanted(event, args):
                last = _show(context, event, last)
        elif pushed.name == "resync":
            # We read too slowly and events were dropped: ask for those after the last one we have.
            context.call("subscribe")
            while missed := _page(context, args, after=last, limit=_CATCH_UP):
                for event in missed:
                    last = _show(context, event, last)
                if len(missed) < _CATCH_UP:
                    break


def _page(context: Context, args: argparse.Namespace, **bounds: int) -> list[Json]:
    answer = context.call(
        "events.list", mission=args.mission, task=args.task, agent=args.agent, kind=args.kind, **bounds
    )
    return sorted(answer["events"], key=lambda event: int(event["id"]))


def _wanted(event: Json, args: argparse.Namespace) -> bool:
    asked = {"mission": args.mission, "task": args.task, "agent": args.agent, "kind": args.kind}
    return all(value is None or event.get(name) == value for name, value in asked.items())


def _show(context: Context, event: Json, last: int) -> int:
    """Prints an event that is newer than the last one shown; answers which is now the last."""
    if (number := int(event.get("id") or 0)) <= last:
        return last
    if context.json:
        print_ndjson(event)
    else:
        print(line_of(event), flush=True)
    return number


def line_of(event: Json) -> str:
    """One event as one line for a person."""
    words = one_line(event.get("text") or event.get("kind") or "")
    if (reason := one_line(event.get("reason") or "", 200)) and reason not in words:
        words += f": {reason}"
    ref = event.get("task") or ""
    if ref and not words.startswith(ref):
        words = f"{ref} {words}"
    return (
        f"{local_time(event.get('at'), seconds=True)}  {one_line(event.get('actor') or '', 16):<16}  {words}"
    )
