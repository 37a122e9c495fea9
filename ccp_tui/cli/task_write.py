"""The verbs of ``ccp task`` that write what a task is: add, edit, spec."""

from __future__ import annotations

import argparse
from datetime import date
from typing import Any

from ccp_tui.cli.amounts import given
from ccp_tui.cli.context import Context, read_text
from ccp_tui.cli.errors import usage
from ccp_tui.cli.output import print_raw
from ccp_tui.cli.several import for_each
from ccp_tui.cli.task_words import short

Json = dict[str, Any]


def add(context: Context, args: argparse.Namespace) -> None:
    """Captures a task; a spec that can't be read captures nothing. Without a title, the spec's counts."""
    if not args.title and not args.spec:
        raise usage("give it a title")
    task = context.call(
        "task.add",
        title=" ".join(args.title) or None,
        mission=args.mission,
        agent=args.agent,
        priority=args.priority,
        description=args.description,
        due=due_day(args.due) if args.due else None,
        spec=read_text(args.spec, "--spec") if args.spec else None,
        auto=args.auto or None,
        needs=args.needs,
        parent=args.parent,
        **{name: value for name, value in _budgets(args).items() if value is not None},
    )["task"]
    context.emit(task, lambda: short(task))


def edit(context: Context, args: argparse.Namespace) -> int:
    """Changes what is given and leaves the rest."""
    changes: Json = {
        name: value
        for name in ("title", "description", "priority")
        if (value := getattr(args, name)) is not None
    }
    if args.due is not None:
        changes["due"] = due_day(args.due)
    changes |= _budgets(args)
    if not changes:
        raise usage("nothing to change: give --title, --description, --priority, --due or a budget")

    def change(ref: str) -> Json:
        # Not through Context.call, which leaves out what is None: a budget of None is one that is taken away.
        task: Json = context.line.call("task.edit", {"ref": ref, **changes})["task"]
        return task

    return for_each(context, args.refs, change, short)


def spec(context: Context, args: argparse.Namespace) -> None:
    """Prints a version of the spec as it was written, or stores a new one."""
    if args.template:
        from ccp_tui.spec import TEMPLATE

        context.emit({"template": TEMPLATE}, TEMPLATE.format(title="what is to be made").rstrip())
        return
    if not args.ref:
        raise usage("name a task, or ask for --template")
    if args.file:
        stored = context.call("task.set_spec", ref=args.ref, text=read_text(args.file, "--file"))["spec"]
        words = f"{args.ref}  spec version {stored['version']} stored; approve it: ccp task approve-spec {args.ref}"
        context.emit(stored, words)
        return
    found = context.call("task.spec", ref=args.ref, version=args.version)["spec"]
    if context.json:
        context.emit(found, "")
    elif found:
        print_raw(found["text"])
    else:
        context.note(f"{args.ref} has no spec yet: ccp task spec --template > spec.yaml")


def _budgets(args: argparse.Namespace) -> Json:
    """The budgets that were given; None for one that is taken away."""
    budgets = {name: getattr(args, name) for name in ("budget_usd", "budget_tokens")}
    return {name: given(value) for name, value in budgets.items() if value is not None}


def due_day(text: str) -> str:
    """A day as the service takes it; ``none`` is the empty text, which takes the due day away."""
    text = text.strip()
    if text.lower() in ("", "none"):
        return ""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise usage(f"{text!r} is no day: write 2026-12-24, or none") from None
