"""``ccp demo``: everything at once in a throw-away home, with the embedded gateway and scripted agents."""

from __future__ import annotations

import argparse

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import usage
from ccp_tui.cli.parser import Parser, positive, seconds

EPILOG = """\
Nothing of it touches your own home or gateway, and nothing of it remains. For a real gateway: start OpenClaw's, then
run ccp. With --headless the exit code is 0 only if tasks went all the way to done.
"""


def add_options(parser: Parser) -> None:
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--headless", type=seconds, metavar="SECONDS", help="without a terminal, for so long at most"
    )
    ways.add_argument("--gateway-only", action="store_true", help="serve just the embedded gateway")
    parser.add_argument(
        "--port", type=positive, metavar="N", help="the embedded gateway's port (default: a free one)"
    )


def run(context: Context, args: argparse.Namespace) -> int:
    """Runs the demo; its exit code is that of the verb."""
    if context.json:
        raise usage("the demo prints no JSON; see: ccp demo --headless SECONDS")
    from ccp_tui.demo import main

    return main(headless=args.headless, gateway_only=args.gateway_only, port=args.port)
