"""``ccp question``: what agents ask, and the person's answers."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli.context import Context, read_text
from ccp_tui.cli.errors import usage
from ccp_tui.cli.output import age, table
from ccp_tui.cli.parser import Parser, nouns_of, positive, verb
from ccp_tui.text import one_line

Json = dict[str, Any]

EPILOG = """\
Questions come from planners, from workers (ccp report ask) and from OpenClaw itself; all are answered the same way.
An answer is stored before it is sent, so it survives whatever happens next.
"""
STATES = ("open", "answered", "waived", "gone", "all")


def add_options(parser: Parser) -> None:
    nouns = nouns_of(parser)
    listing = verb(nouns, "list", "The open questions, with their options.", _list)
    listing.add_argument(
        "--task", "-t", metavar="REF", type=str.upper, help="those of one task, answered ones too"
    )
    listing.add_argument("--state", "-s", choices=STATES, help="default: open; of a task: all")
    answer = verb(nouns, "answer", "Answer a question by its options, in words, or both.", _answer)
    answer.add_argument("id", metavar="ID", type=positive)
    answer.add_argument(
        "--option", "-o", metavar="ID", action="append", help="the letter of an option; repeatable"
    )
    answer.add_argument("--text", metavar="TEXT", help="in your own words; - reads standard input")
    waive = verb(nouns, "waive", "Let the agent decide by itself and state its assumption.", _waive)
    waive.add_argument("id", metavar="ID", type=positive)


def _list(context: Context, args: argparse.Namespace) -> None:
    questions: list[Json] = context.call("question.list", ref=args.task, state=args.state)["questions"]
    context.emit(questions, lambda: _table(questions) if questions else "No question is open.")


def _table(questions: list[Json]) -> str:
    rows: list[tuple[object, ...]] = []
    for one in questions:
        state = "" if one.get("state") == "open" else one.get("state")
        rows.append(
            (one["id"], one.get("ref"), one.get("agent"), age(one.get("asked_at")), state, one.get("text"))
        )
        chosen = {each.get("id") for each in (one.get("answer") or {}).get("options") or ()}
        for option in one.get("options") or ():
            about = f": {option['description']}" if option.get("description") else ""
            mark = "*" if option["id"] in chosen else " "
            rows.append(("", "", "", "", "", f"{mark} {option['id']}) {option.get('label')}{about}"))
        if words := (one.get("answer") or {}).get("text"):
            rows.append(("", "", "", "", "", f"* {words}"))
    return table(("ID", "TASK", "AGENT", "ASKED", "", "QUESTION"), rows)


def _answer(context: Context, args: argparse.Namespace) -> None:
    if not args.option and args.text is None:
        raise usage("answer with --option, with --text, or with both")
    text = read_text("-", "--text").strip() if args.text == "-" else args.text
    _emit(context, context.call("question.answer", id=args.id, options=args.option, text=text)["question"])


def _waive(context: Context, args: argparse.Namespace) -> None:
    _emit(context, context.call("question.waive", id=args.id)["question"])


def _emit(context: Context, question: Json) -> None:
    context.emit(question, lambda: _words(question))


def _words(question: Json) -> str:
    answer = question.get("answer") or {}
    said = [f"{each['id']}) {one_line(each.get('label') or '')}" for each in answer.get("options") or ()]
    if answer.get("text"):
        said.append(one_line(answer["text"], 80))
    told = ", ".join(said)
    return f"question {question['id']}  {question.get('state')}" + (f"  {told}" if told else "")
