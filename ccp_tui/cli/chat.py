"""``ccp chat``: say something to an agent, read what was said, follow what is being said."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ccp_tui.cli import chat_live
from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import usage
from ccp_tui.cli.output import local_time, paragraph
from ccp_tui.cli.parser import Parser, positive, seconds
from ccp_tui.text import one_line

Json = dict[str, Any]


def add_options(parser: Parser) -> None:
    parser.add_argument("agent", metavar="AGENT")
    parser.add_argument("text", metavar="TEXT", nargs="*", help="what to say; - reads standard input")
    parser.add_argument(
        "--attach", metavar="FILE", action="append", help="send a file along; may be repeated"
    )
    parser.add_argument("--session", metavar="KEY", help="another session than the agent's chat with you")
    parser.add_argument(
        "--mode", choices=("steer", "followup", "interrupt"), help="what to do while the agent works"
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", default=20, help="show the latest N (default 20)"
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--wait", type=seconds, metavar="SECONDS", nargs="?", const=300.0, help="wait for the answer"
    )
    ways.add_argument("--follow", "-f", action="store_true", help="go on showing what is said")
    ways.add_argument("--abort", action="store_true", help="stop what the agent is doing in this session")


def run(context: Context, args: argparse.Namespace) -> None:
    """Sends, waits, follows or aborts as asked; with nothing to say it shows the latest messages."""
    text = _text(args.text)
    if args.wait is not None and text is None:
        raise usage("--wait waits for an answer: say something")
    chat = context.call("chat.open", agent=args.agent, session_key=args.session)
    key: str = chat["session_key"]
    if args.abort:
        answer = context.call("chat.abort", session_key=key)
        context.emit(answer, "Aborted." if answer.get("aborted") else "Nothing was running.")
        return
    if args.wait is not None or args.follow:
        context.call("watch", session_key=key)
    sent = _send(context, args, key, text) if text is not None else None
    if args.follow:
        chat_live.follow(context, key, [] if sent else chat["messages"][-args.limit :])
    elif sent and args.wait is not None:
        chat_live.wait(context, sent, args.wait)
    elif sent:
        context.emit(sent, f"{sent.get('status')}  {one_line(sent.get('text') or '', 100)}")
    else:
        messages: list[Json] = chat["messages"][-args.limit :]
        context.emit(messages, lambda: "\n".join(map(words_of, messages)) or "Nothing was said yet.")


def _text(words: list[str]) -> str | None:
    if not words:
        return None
    if words == ["-"]:
        import sys

        text = sys.stdin.read()
    else:
        text = " ".join(words)
    if not text.strip():
        raise usage("the message is empty")
    return text


def _send(context: Context, args: argparse.Namespace, key: str, text: str) -> Json:
    attachments = [str(Path(name).expanduser().absolute()) for name in args.attach or ()]
    for name in attachments:
        if not Path(name).is_file():
            raise usage(f"{name} is no file")
    sent: Json = context.call(
        "chat.send", session_key=key, text=text, attachments=attachments or None, mode=args.mode
    )["message"]
    return sent


def words_of(message: Json) -> str:
    """One message for a person: who and when, then what was said or run."""
    tool = message.get("tool")
    if tool:
        mark = "failed " if tool.get("is_error") else ""
        return f"{local_time(message.get('at'))}  {mark}tool {one_line(tool.get('name') or '')}: {_arguments(tool)}"
    who = "you" if message.get("role") == "user" else message.get("agent") or message.get("role")
    status = message.get("status")
    note = f" ({status})" if status in ("queued", "sending", "steered", "partial", "error") else ""
    return (
        f"{local_time(message.get('at'))}  {one_line(str(who))}{note}\n{paragraph(message.get('text') or '')}"
    )


def _arguments(tool: Json) -> str:
    arguments = tool.get("args")
    if isinstance(arguments, dict):
        arguments = arguments.get("command") or ", ".join(
            f"{key}={value}" for key, value in arguments.items()
        )
    return one_line(str(arguments or ""), 120)
