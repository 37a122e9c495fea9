"""``ccp status``: the service, the gateway and the tasks in one look."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli.context import Context
from ccp_tui.cli.output import age
from ccp_tui.cli.parser import Parser
from ccp_tui.text import one_line

Json = dict[str, Any]

_COLUMNS = ("planning", "inbox", "assigned", "in_progress", "testing", "review", "done", "cancelled")


def add_options(parser: Parser) -> None:
    """No options of its own."""


def run(context: Context, args: argparse.Namespace) -> None:
    """Prints how things stand; a gateway that is away is told, and is no failure of this verb."""
    status = context.call("status")
    context.emit(status, lambda: _words(status))


def _words(status: Json) -> str:
    service, gateway, tasks = status["service"], status["gateway"], status["tasks"]
    kind = "demo service" if service.get("demo") else "service"
    lines = [
        f"{kind}  running, pid {service['pid']}, version {service['version']}, since {age(service['started_at'])}",
        f"home     {one_line(service['home'])}",
        f"gateway  {gateway['state']}  {one_line(gateway.get('url') or '')}"
        + (f"  OpenClaw {one_line(gateway['version'])}" if gateway.get("version") else ""),
    ]
    for key in ("detail", "fix"):
        if gateway["state"] != "connected" and gateway.get(key):
            lines.append(f"         {one_line(gateway[key])}")
    for short in status.get("shortages") or ():
        lines.append(f"short    {age(short['at'])} ago: {one_line(short['text'])} {one_line(short['fix'])}")
    counted = [f"{tasks[state]} {state.replace('_', ' ')}" for state in _COLUMNS if tasks.get(state)]
    lines.append("tasks    " + (", ".join(counted) or "none yet: ccp task add TITLE"))
    if status.get("held"):
        lines.append(f"held     {status['held']}: ccp task list --held")
    if status.get("needs_you"):
        lines.append(f"you      {status['needs_you']} waiting for you")
    return "\n".join(lines)
