"""``ccp login``: what a login over SSH is (sshd's ForceCommand): the board, or one verb that only reads.

The words of ``ssh HOST VERB …`` come in SSH_ORIGINAL_COMMAND. They are never given to a shell: they are split here, and
what is not on the list below is refused. The list names every option that is let through, in full: argparse takes
``--ho`` for ``--home``, so nothing that merely begins like an option passes.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from typing import NamedTuple

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import CliError, usage
from ccp_tui.cli.output import print_json
from ccp_tui.cli.parser import Parser
from ccp_tui.text import clean, one_line

LONGEST = 8192  # characters of a command

EPILOG = """\
For sshd_config: ForceCommand ccp login. Without a command it opens the board; with one it runs a verb that only reads:
status, summary, task list, and so on. Nothing else can be run this way: no shell, no sftp, no scp.
"""


class Reads(NamedTuple):
    """The options of a verb that only read: those that stand alone, and those that take a value."""

    flags: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()


def _reads(flags: str = "", values: str = "") -> Reads:
    return Reads(frozenset(flags.split()), frozenset(values.split()))


EVERYWHERE = frozenset(("--json", "--help", "-h"))
# None of these writes a file, reads one that is named, or starts a service. A test goes through all of them.
ALLOWED: dict[tuple[str, ...], Reads] = {
    ("status",): _reads(),
    ("summary",): _reads("--follow -f"),
    ("doctor",): _reads(),
    ("dispatch-plan",): _reads(),
    ("search",): _reads(values="--limit"),
    ("events",): _reads(values="--mission --task --agent --kind --limit"),
    ("task", "list"): _reads("--held", "--mission -m --state -s --agent -a --text --limit"),
    ("task", "show"): _reads(),
    ("task", "history"): _reads(values="--limit"),
    ("mission", "list"): _reads("--archived"),
    ("mission", "costs"): _reads(),
    ("mission", "export"): _reads(values="--format -f"),
    ("agent", "list"): _reads(),
    ("agent", "show"): _reads(),
    ("question", "list"): _reads(values="--task -t --state -s"),
}


def add_options(parser: Parser) -> None:
    """No options of its own."""


def run(context: Context, args: argparse.Namespace) -> int:
    """The board on a terminal, or the verb that was asked for. Never starts a service: systemd does."""
    from ccp_tui.cli import main

    asked = os.environ.pop("SSH_ORIGINAL_COMMAND", "")
    for name in ("VISUAL", "EDITOR"):  # an editor of one's own is a shell; the board has one that is none
        os.environ.pop(name, None)
    home = ["--home", str(context.home.root)] if getattr(args, "home", None) else []
    if not asked.strip():
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise usage(
                "the board needs a terminal: ssh -t, without a command. Or a verb: ssh HOST status --json"
            )
        return main([*home, "--no-start"])
    try:
        words = allowed(asked)
    except CliError as error:
        if "--json" in asked.split():
            print_json({"error": error.as_json()})
        print(f"ccp: {error.words()}", file=sys.stderr)
        return error.exit_code
    return main([*home, "--no-start", *words])


def allowed(asked: str) -> list[str]:
    """The words of a command that may be run. Raises CliError (NOT_ALLOWED) for any other."""
    if len(asked) > LONGEST:
        raise _no("That command is too long.")
    if clean(asked) != asked or "\n" in asked or "\r" in asked or "\t" in asked:
        raise _no("A command is one line of plain text.")
    try:
        words = shlex.split(asked)
    except ValueError as error:
        raise _no(f"That command can't be read: {error}.") from None
    if words[:1] == ["ccp"]:
        del words[0]
    if words in (["--help"], ["-h"], ["--version"], ["help"]):
        return ["--version"] if words == ["--version"] else ["login", "--help"]
    verb = next((verb for verb in ALLOWED if tuple(words[: len(verb)]) == verb), None)
    if verb is None:
        raise _no(f"{one_line(words[0], 60) if words else 'That'} can't be run over SSH.")
    _look_at(words[len(verb) :], ALLOWED[verb], " ".join(verb))
    return words


def _look_at(words: Sequence[str], reads: Reads, verb: str) -> None:
    """Every word must be an option of the list, the value of one, or no option at all."""
    rest = iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        if not word.startswith("-"):
            continue
        if name in reads.values and (equals and name.startswith("--")):
            continue
        if word in reads.values:
            value = next(rest, "")
            if value.startswith("-"):
                raise _no(f"{one_line(word, 40)} needs a value that is no option.")
            continue
        if word not in reads.flags | EVERYWHERE:
            raise _no(f"ccp {verb} can't be given {one_line(name, 40)} over SSH.")


def _no(words: str) -> CliError:
    verbs = ", ".join(" ".join(verb) for verb in ALLOWED)
    return CliError("NOT_ALLOWED", words, {"fix": f"Only what reads: {verbs}. Without a command: the board."})
