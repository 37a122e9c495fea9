"""``ccp report``: what an agent's shell can reach. It needs the token of its attempt or review, and no other right.

The service answers with words that an agent can act on; they are printed as they come.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from ccp_tui.cli.context import Context, read_text
from ccp_tui.cli.errors import CliError, usage
from ccp_tui.cli.line import Line, Lost, NoService
from ccp_tui.cli.parser import Nouns, Parser, verb
from ccp_tui.text import clean, one_line

EPILOG = """\
The token and the socket stand in the prompt of the task; CCP_TOKEN and CCP_AGENTS_SOCKET serve too.
Submit once every deliverable is there: the checks of the spec run, and then the work is reviewed.
An answer to what you ask comes as a new message; a verdict is for reviewers, once for the round they read.
"""

Json = dict[str, Any]

# A service that is being restarted is back within this time; the agent need not learn to wait for it.
_PATIENCE_SECONDS = 15.0
# Reports that say the same when they are made twice; a line of progress would stand there twice.
_REPEATABLE = frozenset({"deliver", "submit", "block", "ask", "verdict"})
# What a report that may not be made twice has come to when its answer was lost.
_UNSURE = {
    "progress": ("the progress may be noted", "Go on with your work. It need not be said again."),
    "subtask": ("the sub-task may be captured", "Go on with your work, and name it in your summary."),
}


def add_options(parser: Parser) -> None:
    _add_access(parser)
    nouns: Nouns = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=Parser)
    progress = _kind(nouns, "progress", "Say in a line how far you are.")
    progress.add_argument("text", metavar="TEXT", nargs="+")
    deliver = _kind(nouns, "deliver", "Say that a deliverable of the spec is there.")
    deliver.add_argument("path", metavar="PATH")
    deliver.add_argument("--description", "-d", metavar="TEXT", nargs="+")
    submit = _kind(nouns, "submit", "Hand the work in for its checks and the review.")
    submit.add_argument("--summary", "-s", metavar="TEXT", nargs="+")
    block = _kind(nouns, "block", "Say what keeps you from going on; a person is asked.")
    block.add_argument("text", metavar="REASON", nargs="+")
    ask = _kind(nouns, "ask", "Ask the person; the answer comes into this session.")
    ask.add_argument("text", metavar="TEXT", nargs="+")
    ask.add_argument(
        "--option", "-o", metavar="TEXT", action="append", help="an answer to choose from; repeatable"
    )
    subtask = _kind(nouns, "subtask", "Propose a task of its own for a part of this one.")
    subtask.add_argument("title", metavar="TITLE", nargs="+")
    what = subtask.add_mutually_exclusive_group()
    what.add_argument("--description", "-d", metavar="TEXT")
    what.add_argument("--spec", metavar="FILE", help="its spec in YAML; - reads standard input")
    verdict = _kind(nouns, "verdict", "For reviewers: whether the round is good.")
    verdict.add_argument("verdict", metavar="approve|reject", choices=("approve", "reject"))
    verdict.add_argument("reason", metavar="REASON", nargs="*", help="needed to reject: what is missing")


def _kind(nouns: Nouns, name: str, help: str) -> Parser:
    parser = verb(nouns, name, help, run)
    _add_access(parser)
    parser.set_defaults(kind=name)
    return parser


def _add_access(parser: Parser) -> None:
    # Two names: the gateway blacks out whatever follows --token in the words that an agent gets.
    parser.add_argument(
        "--attempt",
        "--token",
        dest="token",
        metavar="TOKEN",
        default=argparse.SUPPRESS,
        help="the token of the attempt; or CCP_TOKEN",
    )
    parser.add_argument(
        "--socket",
        metavar="PATH",
        default=argparse.SUPPRESS,
        help="the service's agents.sock; or CCP_AGENTS_SOCKET",
    )


def run(context: Context, args: argparse.Namespace) -> None:
    """Hands one report in and prints the service's words."""
    token = getattr(args, "token", None) or os.environ.get("CCP_TOKEN", "")
    if not token.strip():
        raise CliError(
            "NOT_ALLOWED",
            "A report needs the token of its attempt.",
            {"fix": "Use the report command of your task."},
        )
    socket = getattr(args, "socket", None) or os.environ.get("CCP_AGENTS_SOCKET", "")
    path = Path(socket).expanduser() if socket else context.home.agents_socket
    answer = _send(path, {"token": token.strip(), "kind": args.kind, **_what(args)})
    context.emit(answer, clean(str(answer.get("message") or "Reported.")).strip())


def _what(args: argparse.Namespace) -> Json:
    if args.kind == "deliver":
        described = {"description": " ".join(args.description)} if args.description else {}
        return {"path": _path(args.path), **described}
    if args.kind == "submit":
        return {"summary": " ".join(args.summary)} if args.summary else {}
    if args.kind == "verdict":
        reason = " ".join(args.reason).strip()
        if args.verdict == "reject" and not reason:
            raise usage("say what is missing: verdict reject REASON")
        return {"verdict": args.verdict, **({"reason": reason} if reason else {})}
    if args.kind == "subtask":
        params = {"title": _said(args.title)}
        if args.description:
            params["description"] = args.description
        if args.spec:
            params["spec"] = read_text(args.spec, "--spec")
        return params
    text = _said(args.text)
    return {"text": text, "options": args.option} if args.kind == "ask" and args.option else {"text": text}


def _said(words: list[str]) -> str:
    text = " ".join(words).strip()
    if not text:
        raise usage("say something: the text is empty")
    return text


def _path(named: str) -> str:
    """The file as this shell sees it, wherever in the workspace it stands; else the path as it was typed."""
    if not os.path.lexists(named):
        return named
    folder, name = os.path.split(os.path.abspath(named))
    return os.path.join(os.path.realpath(folder), name)


def _send(path: Path, params: Json) -> Json:
    """Hands the report in, over a restart of the service too: nobody need know that it happened."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    perhaps_done = False
    while True:
        line = None
        try:
            line = Line(path)
            return line.call("report", params)
        except NoService:
            trouble = "it does not run"
        except CliError as error:
            if perhaps_done and _arrived(params["kind"], error):
                return {
                    "ok": True,
                    "message": "Your submission is in. Stop working; you are told here what comes.",
                }
            lost = isinstance(error, Lost)
            perhaps_done = perhaps_done or (lost and line is not None)
            if not lost and error.code != "UNAVAILABLE":
                raise
            if line is not None and params["kind"] not in _REPEATABLE:
                raise _unsure(params["kind"]) if lost else error from None
            trouble = error.message
        finally:
            if line is not None:
                line.close()
        if time.monotonic() > deadline:
            raise _gone(trouble, perhaps_done)
        time.sleep(0.25)


def _arrived(kind: str, error: CliError) -> bool:
    """Whether a repeated submission is refused because the first one, whose answer was lost, was taken."""
    state = error.details.get("state")
    return kind == "submit" and error.code == "REFUSED" and state in ("testing", "review", "done")


def _unsure(kind: str) -> CliError:
    perhaps, fix = _UNSURE[kind]
    lost = "The control service was lost before it answered"
    return CliError("UNAVAILABLE", f"{lost}: {perhaps}, or not.", {"fix": fix})


def _gone(trouble: str, perhaps_done: bool) -> CliError:
    known = "whether the report was taken is not known" if perhaps_done else "nothing was reported"
    return CliError(
        "UNAVAILABLE",
        f"The control service does not answer; {known} ({one_line(trouble, 200)}).",
        {"fix": "Wait a minute, then run the same command again; twice does no harm."},
    )
