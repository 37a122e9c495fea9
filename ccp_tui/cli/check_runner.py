"""``ccp check-runner``: runs one check that comes on standard input, for a service that is another user.

systemd starts it for each connection to the checks' socket (see ``CCP_CHECKS_SOCKET``), with the connection as
standard input and output.
"""

from __future__ import annotations

import argparse
import sys

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import FAILED, OK, usage
from ccp_tui.cli.parser import Parser

EPILOG = """\
One line of JSON comes in, {command, cwd, timeout_s, name}; one goes out, the result. cwd must be a folder under
CCP_WORKSPACES. When standard input ends before the check does, the check is killed.
"""


def add_options(parser: Parser) -> None:
    """No options of its own."""


def run(context: Context, args: argparse.Namespace) -> int:
    """Runs the check and writes its result; exit code 1 when nobody was left to take it."""
    import asyncio

    from ccp_tui.service.settings import Settings
    from ccp_tui.service.verification import checksocket

    try:
        workspaces = Settings.load().workspaces
    except ValueError as error:
        raise usage(str(error)) from None
    reading, writing = sys.stdin.fileno(), sys.stdout.fileno()
    try:
        row = asyncio.run(checksocket.serve_one(reading, workspaces))
    except ValueError:  # asyncio's word for what it can't wait on
        raise usage("standard input must be a socket or a pipe") from None
    return OK if row is not None and checksocket.answer(writing, row) else FAILED
