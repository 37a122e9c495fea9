"""The command ``ccp``: verbs for people and scripts, and with no verb the board.

Verbs start in some tens of milliseconds: only the module of the noun that was asked for is loaded, and none of
them loads Textual.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from ccp_tui import __version__
from ccp_tui.cli import output
from ccp_tui.cli.context import Context, autostart_wanted
from ccp_tui.cli.errors import INTERRUPTED, OK, CliError, usage
from ccp_tui.cli.parser import Parser, add_common, verb
from ccp_tui.paths import Home, HomeError

# noun → what it is for. The module ccp_tui.cli.<noun> has add_options(parser), and run() when it has no verbs.
NOUNS = {
    "mission": "missions: the boards that tasks stand on",
    "task": "tasks: capture, specify, assign, dispatch, review",
    "agent": "agents: list, create, import, their files and models",
    "chat": "talk with an agent",
    "question": "questions of agents: list, answer, waive",
    "events": "what happened, and what happens (--follow)",
    "search": "find tasks, specs, messages and events",
    "status": "the service, the gateway and the tasks in one look",
    "summary": "the same as one line of JSON, and one at each change (--follow)",
    "dispatch-plan": "what would start now, and why the rest does not",
    "stop-work": "emergency stop: abort every run, start nothing",
    "resume-work": "let everything go on after stop-work",
    "report": "for agents: report on the attempt whose token you hold",
    "serve": "run the control service in the foreground",
    "stop": "end the control service",
    "backup": "copy the database while it is in use",
    "fleet": "deployments, each in a container of its own: create, watch, attach",
    "doctor": "what is missing here, and how to mend it",
    "login": "for SSH's forced command: the board, or a verb that only reads",
    "check-runner": "for systemd: run one check that comes on standard input",
    "demo": "a board that moves by itself, in a throw-away home",
}

_EPILOG = """\
With no verb, ccp opens the board. Verbs start the control service in the background when it is not running.

exit codes:
  0  done                        4  refused by a gate (error.gate names it)
  1  failed                      5  service or gateway unavailable
  2  called wrongly, bad spec    6  not allowed
  3  not found

With --json a verb prints exactly one JSON document (a line per item with --follow); a failure prints
{"error": {"code", "message", …}}. Environment: CCP_HOME, CCP_GATEWAY_URL, CCP_GATEWAY_TOKEN, CCP_NO_AUTOSTART,
CCP_BELL=off (the board rings and notifies no more), and for agents CCP_TOKEN, CCP_AGENTS_SOCKET.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and answers its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    as_json = "--json" in arguments
    try:
        return _run(arguments)
    except CliError as error:
        if as_json:
            output.print_json({"error": error.as_json()})
        print(f"ccp: {error.words()}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has what it wanted (… | head); Python must not complain about it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _run(arguments: list[str]) -> int:
    args = _parser(_wanted_noun(arguments)).parse_args(arguments)
    named = getattr(args, "home", None)
    try:
        home = Home.find({"CCP_HOME": named}) if named else Home.find()
    except HomeError as error:
        raise CliError("UNAVAILABLE", str(error)) from None
    context = Context(
        home, json=getattr(args, "json", False), autostart=autostart_wanted(getattr(args, "no_start", False))
    )
    try:
        return args.run(context, args) or OK
    finally:
        context.close()


def _parser(wanted: str | None) -> Parser:
    parser = Parser(
        prog="ccp",
        description="Mission control for OpenClaw agents, in the terminal.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ccp {__version__}")
    add_common(parser)
    parser.set_defaults(run=_board)
    nouns = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=Parser)
    for noun, help in NOUNS.items():
        if noun != wanted:
            nouns.add_parser(noun, help=help, add_help=False)
            continue
        module = import_module(f"ccp_tui.cli.{noun.replace('-', '_')}")
        own = verb(nouns, noun, help, getattr(module, "run", _board), epilog=getattr(module, "EPILOG", None))
        module.add_options(own)
    return parser


def _wanted_noun(arguments: Sequence[str]) -> str | None:
    """The first word that is no option: the only noun whose module is needed."""
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--home":
            skip = True
        elif not argument.startswith("-"):
            return argument
    return None


def _board(context: Context, args: argparse.Namespace) -> int:
    if context.json:
        raise usage("the board has no JSON; see: ccp status --json, ccp task list --json")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise usage("the board needs a terminal; for scripts see: ccp --help")
    if context.autostart:
        context.ensure_service()
        context.close()

    from ccp_tui.app import run_board

    return run_board(context.home)
