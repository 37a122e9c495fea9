"""``ccp stop-work``: the emergency stop. It aborts every run and lets nothing start; ``ccp resume-work`` ends it."""

from __future__ import annotations

import argparse

from ccp_tui.cli.context import Context
from ccp_tui.cli.parser import Parser
from ccp_tui.text import one_line


def add_options(parser: Parser) -> None:
    """No options of its own."""


def run(context: Context, args: argparse.Namespace) -> None:
    """Stops everything; a second time changes nothing."""
    answer = context.call("emergency.stop")
    by = one_line(str((answer.get("emergency") or {}).get("by") or "you"))
    context.emit(answer, f"Everything is stopped, by {by}. Nothing starts until: ccp resume-work")
