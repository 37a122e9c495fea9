"""``ccp resume-work``: the end of the emergency stop. What it held goes on where it was."""

from __future__ import annotations

import argparse

from ccp_tui.cli.context import Context
from ccp_tui.cli.parser import Parser


def add_options(parser: Parser) -> None:
    """No options of its own."""


def run(context: Context, args: argparse.Namespace) -> None:
    """Lets everything go on; it is fine when nothing was stopped."""
    answer = context.call("emergency.resume")
    context.emit(answer, "Everything goes on.")
