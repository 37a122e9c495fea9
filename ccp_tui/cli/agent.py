"""``ccp agent``: the agents of the gateway that the board works with."""

from __future__ import annotations

import argparse
from typing import Any

from ccp_tui.cli.context import Context, read_text
from ccp_tui.cli.errors import CliError, usage
from ccp_tui.cli.output import local_time, print_raw, table
from ccp_tui.cli.parser import Nouns, Parser, nouns_of, positive, verb
from ccp_tui.text import one_line

Json = dict[str, Any]

FILES = ("SOUL.md", "USER.md", "AGENTS.md")


def add_options(parser: Parser) -> None:
    nouns = nouns_of(parser)
    verb(nouns, "list", "The agents, and what each is doing.", _list)
    show = verb(nouns, "show", "One agent.", _show)
    show.add_argument("agent", metavar="AGENT")
    create = verb(nouns, "create", "A new agent, on the gateway and on the board.", _create)
    create.add_argument("name", metavar="NAME", nargs="+")
    create.add_argument("--soul", metavar="FILE", help="its SOUL.md; - reads standard input")
    edit = verb(nouns, "edit", "Change an agent's name, role, emoji or model.", _edit)
    edit.add_argument("agent", metavar="AGENT")
    edit.add_argument("--name")
    for one in (create, edit):
        one.add_argument("--role")
        one.add_argument("--emoji")
        one.add_argument("--model", metavar="MODEL", help="one of: ccp agent models")
    importing = verb(
        nouns, "import", "Take agents of the gateway onto the board; with no name, list them.", _import
    )
    importing.add_argument("agents", metavar="AGENT", nargs="*")
    importing.add_argument("--all", action="store_true", help="every one that is not on the board yet")
    _files(nouns)
    delete = verb(nouns, "delete", "Delete an agent from the gateway and the board.", _delete)
    delete.add_argument("agent", metavar="AGENT")
    delete.add_argument(
        "--work",
        choices=("stop", "unassign"),
        help="what becomes of its work: stop it too, or take back what has not begun (default: refuse)",
    )
    delete.add_argument("--delete-files", action="store_true", default=None, help="its workspace too")
    delete.add_argument("--yes", action="store_true", help="needed: nothing is asked")
    verb(nouns, "models", "The models that the gateway offers.", _models)


def _files(nouns: Nouns) -> None:
    show = verb(nouns, "file", "Print one of an agent's files.", _file)
    store = verb(
        nouns, "set-file", "Store a new version of one of an agent's files; the gateway gets it.", _set_file
    )
    for one in (show, store):
        one.add_argument("agent", metavar="AGENT")
        one.add_argument("name", metavar="NAME", choices=FILES, help=", ".join(FILES))
    show.add_argument("--version", type=positive, metavar="N", help="default: the latest")
    show.add_argument("--versions", action="store_true", help="list the versions instead")
    store.add_argument("file", metavar="FILE", help="- reads standard input")
    store.add_argument(
        "--force", action="store_true", default=None, help="also over a change that was made on the gateway"
    )


def _list(context: Context, args: argparse.Namespace) -> None:
    agents: list[Json] = context.call("agent.list")["agents"]
    hint = "No agents yet: ccp agent import, or ccp agent create NAME"
    context.emit(agents, lambda: _table(agents) if agents else hint)


def _table(agents: list[Json]) -> str:
    rows = [
        (
            a["id"],
            f"{a.get('emoji') or ''} {a['name']}",
            live(a),
            a.get("model"),
            a.get("unread") or "",
            a.get("role"),
        )
        for a in agents
    ]
    return table(("AGENT", "NAME", "NOW", "MODEL", "UNREAD", "ROLE"), rows)


def live(agent: Json) -> str:
    """What an agent is doing, in a word or two."""
    if not agent.get("on_gateway", True):
        return "not on the gateway"
    working_on = agent.get("working_on")
    return f"{agent.get('live')} on {working_on}" if working_on else str(agent.get("live") or "")


def _show(context: Context, args: argparse.Namespace) -> None:
    agents: list[Json] = context.call("agent.list")["agents"]
    wanted = args.agent.casefold()
    agent = next((one for one in agents if wanted in (one["id"].casefold(), one["name"].casefold())), None)
    if agent is None:
        raise CliError(
            "NOT_FOUND", f"There is no agent {one_line(args.agent)}.", {"fix": "See: ccp agent list"}
        )
    context.emit(agent, lambda: _words(agent))


def _words(agent: Json) -> str:
    lines = [
        f"{agent['id']}  {agent.get('emoji') or ''} {one_line(agent['name'])}",
        f"  now        {live(agent)}",
    ]
    for key in ("role", "model", "workspace", "unread"):
        if agent.get(key):
            lines.append(f"  {key:<10} {one_line(str(agent[key]))}")
    if agent.get("files"):
        lines.append(f"  files      {', '.join(map(one_line, agent['files']))}")
    return "\n".join(lines)


def _create(context: Context, args: argparse.Namespace) -> None:
    soul = read_text(args.soul, "--soul") if args.soul else None
    answer = context.call(
        "agent.create",
        name=" ".join(args.name),
        role=args.role,
        emoji=args.emoji,
        model=args.model,
        soul=soul,
    )
    _emit(context, answer["agent"])


def _edit(context: Context, args: argparse.Namespace) -> None:
    changes = {name: getattr(args, name) for name in ("name", "role", "emoji", "model")}
    if all(value is None for value in changes.values()):
        raise usage("nothing to change: give --name, --role, --emoji or --model")
    _emit(context, context.call("agent.update", id=args.agent, **changes)["agent"])


def _emit(context: Context, agent: Json) -> None:
    context.emit(agent, lambda: _words(agent))


def _import(context: Context, args: argparse.Namespace) -> None:
    ids: list[str] = args.agents
    if args.all or not ids:
        found: list[Json] = context.call("agent.importable")["agents"]
        if not args.all:
            rows = [
                (a["id"], f"{a.get('emoji') or ''} {a['name']}", a.get("model"), a.get("workspace"))
                for a in found
            ]
            context.emit(
                found,
                lambda: (
                    table(("AGENT", "NAME", "MODEL", "WORKSPACE"), rows)
                    if rows
                    else "Every agent of the gateway is on the board."
                ),
            )
            return
        ids = [agent["id"] for agent in found]
    agents = context.call("agent.import", ids=ids)["agents"] if ids else []
    context.emit(agents, lambda: _table(agents) if agents else "Every agent of the gateway is on the board.")


def _file(context: Context, args: argparse.Namespace) -> None:
    found = context.call("agent.file", id=args.agent, name=args.name, version=args.version)
    if context.json:
        context.emit(found, "")
    elif args.versions:
        rows = [(v["version"], local_time(v["created_at"]), v["author"]) for v in found.get("versions") or ()]
        print(table(("VERSION", "WRITTEN", "BY"), rows))
    else:
        print_raw(found.get("content") or "")


def _set_file(context: Context, args: argparse.Namespace) -> None:
    content = read_text(args.file, args.name)
    stored = context.call("agent.set_file", id=args.agent, name=args.name, content=content, force=args.force)
    context.emit(stored, f"{args.agent}  {args.name}  version {stored['version']} stored")


def _delete(context: Context, args: argparse.Namespace) -> None:
    """Deletes an agent; what it did stays in the history."""
    if not args.yes:
        raise usage(f"this deletes {one_line(args.agent)} for good: say --yes")
    answer = context.call("agent.delete", 120, id=args.agent, work=args.work, delete_files=args.delete_files)
    context.emit({"deleted": True, "id": args.agent, **answer}, f"{one_line(args.agent)} is deleted.")


def _models(context: Context, args: argparse.Namespace) -> None:
    models: list[Json] = context.call("model.list")["models"]
    rows = [(model["id"], model.get("provider"), model.get("name")) for model in models]
    context.emit(
        models, lambda: table(("MODEL", "PROVIDER", "NAME"), rows) if rows else "The gateway offers no model."
    )
