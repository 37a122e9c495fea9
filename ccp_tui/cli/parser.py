"""The command line's grammar: a parser that fails as all verbs do, and options that stand before or after a verb."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from ccp_tui.cli.errors import usage

if TYPE_CHECKING:
    from ccp_tui.cli.context import Context

Run = Callable[["Context", argparse.Namespace], "int | None"]


class Parser(argparse.ArgumentParser):
    """An argument parser that raises CliError (USAGE) where argparse would write and leave."""

    def error(self, message: str) -> NoReturn:
        raise usage(f"{message}. See: {self.prog} --help")


Nouns = Any  # argparse's own name for what add_subparsers returns is private


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options of every verb. Absent ones leave no trace, so that a place further left keeps its value."""
    group = parser.add_argument_group("everywhere")
    group.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON, nothing else"
    )
    group.add_argument("--home", metavar="DIR", default=argparse.SUPPRESS, help="instead of CCP_HOME")
    group.add_argument(
        "--no-start",
        action="store_true",
        default=argparse.SUPPRESS,
        help="never start the service in the background",
    )


def nouns_of(parser: argparse.ArgumentParser, title: str = "verbs") -> Nouns:
    """Where the verbs of a noun are added with :func:`verb`."""
    return parser.add_subparsers(title=title, metavar="VERB", required=True, parser_class=Parser)


def verb(nouns: Nouns, name: str, help: str, run: Run, *, epilog: str | None = None) -> Parser:
    """Adds one verb with the common options; ``run`` does it."""
    parser: Parser = nouns.add_parser(
        name, help=help, description=help, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common(parser)
    parser.set_defaults(run=run)
    return parser


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def seconds(text: str) -> float:
    """A time span in seconds, for argparse."""
    number = float(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return number
