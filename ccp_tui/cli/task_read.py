"""The verbs of ``ccp task`` that only look: list, show, history."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli.context import Context
from ccp_tui.cli.events import line_of
from ccp_tui.cli.output import age, table
from ccp_tui.cli.several import for_each
from ccp_tui.cli.task_words import detail
from ccp_tui.text import one_line

Json = dict[str, Any]


def list_tasks(context: Context, args: argparse.Namespace) -> None:
    """Prints the cards that match; with ``--json`` an array of them."""
    tasks: list[Json] = context.call(
        "task.list",
        mission=args.mission,
        state=args.state,
        agent=args.agent,
        held=args.held or None,
        text=args.text,
        limit=args.limit,
    )["tasks"]
    asked = args.mission or args.state or args.agent or args.held or args.text
    nothing = "No task matches." if asked else "No tasks yet: ccp task add TITLE"
    context.emit(tasks, lambda: _table(tasks) if tasks else nothing)


def show(context: Context, args: argparse.Namespace) -> int:
    """Prints everything about each task."""
    return for_each(context, args.refs, lambda ref: context.call("task.show", ref=ref)["task"], detail)


def history(context: Context, args: argparse.Namespace) -> None:
    """Prints the events of one task."""
    answer = context.call("task.history", ref=args.refs[0], limit=args.limit)
    events: list[Json] = sorted(answer["events"], key=lambda event: int(event["id"]))
    context.emit(events, lambda: "\n".join(map(line_of, events)) or "Nothing has happened yet.")


def _table(tasks: list[Json]) -> str:
    rows = [
        (
            task["ref"],
            task["state"].replace("_", " "),
            "" if task.get("priority") == "normal" else task.get("priority"),
            task.get("agent_name") or task.get("agent"),
            age(task.get("state_since")),
            mark(task),
            task["title"],
        )
        for task in tasks
    ]
    return table(("REF", "STATE", "PRIORITY", "AGENT", "SINCE", "", "TITLE"), rows)


def mark(task: Json) -> str:
    """Why a task needs a look: its hold, or that it waits for its dispatch."""
    if hold := task.get("hold"):
        return f"held: {one_line(hold.get('kind') or '')}"
    return "queued" if task.get("queued") else ""
