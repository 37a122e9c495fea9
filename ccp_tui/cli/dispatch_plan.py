"""``ccp dispatch-plan``: a dry run of the dispatcher that explains itself."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli.context import Context
from ccp_tui.cli.output import table
from ccp_tui.cli.parser import Parser

Json = dict[str, Any]


def add_options(parser: Parser) -> None:
    """No options of its own."""


def run(context: Context, args: argparse.Namespace) -> None:
    """Prints what would start now, and of every other assigned task the reason why not. Starts nothing."""
    plan = context.call("dispatch.plan")
    context.emit(plan, lambda: _words(plan))


def _words(plan: Json) -> str:
    would: list[str] = plan.get("would") or []
    waiting: list[Json] = plan.get("waiting") or []
    rows = [(ref, "starts now") for ref in would] + [(one["ref"], one["reason"]) for one in waiting]
    return table(("TASK", "DISPATCH"), rows) if rows else "No task is assigned."
