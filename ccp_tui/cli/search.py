"""``ccp search``: tasks, specs, messages and events that contain the words."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli.context import Context
from ccp_tui.cli.output import bold, local_time
from ccp_tui.cli.parser import Parser, positive
from ccp_tui.text import one_line

Json = dict[str, Any]

# How the service marks the hit inside a snippet.
_BEGIN, _END = "\x02", "\x03"


def add_options(parser: Parser) -> None:
    parser.add_argument("text", metavar="TEXT", nargs="+")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="at most N hits (default 20)")


def run(context: Context, args: argparse.Namespace) -> None:
    """Finds, and shows each hit in its context; no hit is an empty answer, not a failure."""
    hits: list[Json] = context.call("search", text=" ".join(args.text), limit=args.limit)["hits"]
    plain = [{**hit, "snippet": _unmarked(hit.get("snippet") or "")} for hit in hits]
    context.emit(plain, lambda: "\n".join(map(_words, hits)) or "Nothing found.")


def _words(hit: Json) -> str:
    where = hit.get("ref") or hit.get("agent") or ""
    head = f"{hit['kind']:<8} {where:<8} {one_line(hit.get('title') or '', 70)}  {local_time(hit.get('at'))}"
    snippet = hit.get("snippet") or ""
    parts = []
    for at, part in enumerate(snippet.split(_BEGIN)):
        hit_text, mark, rest = part.partition(_END)
        # one_line strips: the spaces around a hit must stay.
        parts.append(_spaced(part) if at == 0 or not mark else bold(_spaced(hit_text)) + _spaced(rest))
    return f"{head}\n         {''.join(parts).strip()}"


def _spaced(text: str) -> str:
    """One safe line that keeps a space where the text had one at its edges."""
    line = one_line(text)
    if not line:
        return " " if text else ""
    return (" " if text[0].isspace() else "") + line + (" " if text[-1].isspace() else "")


def _unmarked(snippet: str) -> str:
    return snippet.replace(_BEGIN, "").replace(_END, "")
