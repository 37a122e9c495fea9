"""The verbs of ``ccp mission`` that tell what was: costs and export."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import CliError
from ccp_tui.cli.output import print_raw, table
from ccp_tui.cli.parser import Nouns, verb
from ccp_tui.text import clean

Json = dict[str, Any]


def add_options(nouns: Nouns) -> None:
    costs = verb(nouns, "costs", "What a mission has cost, by purpose, agent and task.", _costs)
    costs.add_argument("slug", metavar="MISSION")
    export = verb(nouns, "export", "A mission's history as one readable timeline.", _export)
    export.add_argument("slug", metavar="MISSION")
    export.add_argument("--format", "-f", choices=("md", "json"), help="default: md, or what FILE ends in")
    export.add_argument("--out", "-o", metavar="FILE", help="into a new file instead of standard output")


def _costs(context: Context, args: argparse.Namespace) -> None:
    costs = context.call("mission.costs", slug=args.slug)
    context.emit(costs, lambda: _words(costs))


def _words(costs: Json) -> str:
    total, budget = costs.get("total") or {}, costs.get("budget") or {}
    lines = [f"spent   {_spent(total)}"]
    for key, used, words in (
        ("usd", total.get("cost_usd"), "${:,.2f}"),
        ("tokens", total.get("tokens"), "{:,} tokens"),
    ):
        if of := budget.get(key):
            lines.append(f"budget  {(used or 0) / of * 100:.0f} % of {words.format(of)}")
    for head, rows in (
        ("PURPOSE", [(row.get("purpose"), row) for row in costs.get("by_purpose") or ()]),
        ("AGENT", [(row.get("agent"), row) for row in costs.get("by_agent") or ()]),
        ("TASK", [(f"{row.get('ref')}  {row.get('title')}", row) for row in costs.get("by_task") or ()]),
    ):
        if rows:
            cells = [
                (f"${row.get('cost_usd') or 0:.2f}", f"{row.get('tokens') or 0:,}", name)
                for name, row in rows
            ]
            lines += ["", table(("COST", "TOKENS", head), cells)]
    return "\n".join(lines)


def _spent(total: Json) -> str:
    return f"${total.get('cost_usd') or 0:.2f}, {total.get('tokens') or 0:,} tokens"


def _export(context: Context, args: argparse.Namespace) -> None:
    """Markdown or JSON, to standard output or into a file that is not there yet."""
    path = Path(args.out).expanduser().absolute() if args.out else None
    suffix = path.suffix.lower() if path else ""
    kind = args.format or ("json" if suffix == ".json" or (context.json and path is None) else "md")
    timeline = context.call("mission.timeline", slug=args.slug)
    text = (
        clean(timeline["markdown"])
        if kind == "md"
        else json.dumps(timeline["data"], ensure_ascii=False, indent=2)
    )
    if path is not None:
        written = _write(path, text if text.endswith("\n") else text + "\n")
        context.emit({"path": str(path), "format": kind, "bytes": written}, f"{path} ({written:,} bytes)")
    elif context.json:
        context.emit(timeline["data"] if kind == "json" else {"markdown": timeline["markdown"]}, "")
    else:
        print_raw(text)


def _write(path: Path, text: str) -> int:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CliError(
            "FAILED", f"{path} is there already.", {"fix": "Name a new file with --out."}
        ) from None
    except OSError as error:
        raise CliError("FAILED", f"{path} can't be written ({error.strerror}).") from None
    return len(text.encode())
