"""The verbs of ``ccp task`` that move a task through its life. The service's life cycle says yes or no."""

from __future__ import annotations

import argparse
import time
from typing import Any

from ccp_tui.cli.context import Context, read_text
from ccp_tui.cli.errors import CliError, usage
from ccp_tui.cli.events import line_of
from ccp_tui.cli.several import for_each
from ccp_tui.cli.task_words import short

Json = dict[str, Any]

_PARAMETERS = ("reason", "to", "before", "after")
_RUNNING, _RESTING = ("in_progress", "testing"), ("review", "done", "cancelled")
# Where a plan stands while the planner is at it, and while it waits for the person.
_PLANNER_AT_IT, _PERSONS_TURN = ("opening", "planner"), ("person", "proposed")


def move(context: Context, args: argparse.Namespace) -> int:
    """Asks for ``args.method`` on every task, with whatever of its parameters the verb has."""
    params = {name: getattr(args, name) for name in _PARAMETERS if getattr(args, name, None) is not None}
    return for_each(
        context, args.refs, lambda ref: context.call(args.method, ref=ref, **params)["task"], short
    )


def assign(context: Context, args: argparse.Namespace) -> int:
    """Gives tasks to an agent: the one of ``--agent``, else the last word."""
    agent, refs = args.agent, list(args.refs)
    if agent is None:
        if len(refs) < 2:
            raise usage("name the agent: ccp task assign REF AGENT")
        agent = refs.pop()

    def give(ref: str) -> Json:
        task: Json = context.call("task.assign", ref=ref, agent=agent)["task"]
        return task

    return for_each(context, [ref.upper() for ref in refs], give, short)


def approve_spec(context: Context, args: argparse.Namespace) -> int:
    """Approves a version of the spec: the latest, unless one is named."""

    def approve(ref: str) -> Json:
        version = args.version
        if version is None:
            version = context.call("task.show", ref=ref)["task"].get("spec_version")
        if version is None:
            raise CliError(
                "REFUSED",
                "there is no spec yet",
                {"gate": "spec_complete", "fix": f"ccp task spec {ref} --file spec.yaml"},
            )
        task: Json = context.call("task.approve_spec", ref=ref, version=version)["task"]
        return task

    return for_each(context, args.refs, approve, short)


def plan(context: Context, args: argparse.Namespace) -> int:
    """Begins planning; the planner's questions come to ``ccp question list``."""
    return for_each(
        context, args.refs, lambda ref: context.call("task.plan", ref=ref, auto=args.auto)["task"], short
    )


def replan(context: Context, args: argparse.Namespace) -> int:
    """Hands the person's words about a plan to the planner."""
    text = " ".join(args.text)
    text = read_text("-", "TEXT") if text == "-" else text
    if not text.strip():
        raise usage("say what is to change: the text is empty")
    return for_each(
        context, args.refs, lambda ref: context.call("task.replan", ref=ref, text=text.strip())["task"], short
    )


def depend(context: Context, args: argparse.Namespace) -> int:
    """A task waits for others from here on, or for these no more."""

    def act(ref: str) -> Json:
        task: Json = context.call("task.depend", ref=ref, needs=args.needs, remove=args.remove)["task"]
        return task

    return for_each(context, args.refs, act, short)


def verdict(context: Context, args: argparse.Namespace) -> int:
    """Approves or rejects one round: the one that was named, else the one that stands when the command runs."""

    def judge(ref: str) -> Json:
        attempt, round = args.attempt, args.round
        if attempt is None or round is None:
            card = context.call("task.show", ref=ref)["task"]
            attempt = attempt or card.get("attempt") or 0
            round = round or card.get("round") or 0
        verdict = {"attempt": attempt, "round": round, "reason": args.reason}
        task: Json = context.call(args.method, ref=ref, **verdict, accept_changes=args.accept_changes)["task"]
        return task

    return for_each(context, args.refs, judge, short)


def dispatch(context: Context, args: argparse.Namespace) -> int:
    """Starts the agents; with ``--wait`` follows them until each task needs a person or is done."""
    if args.wait is None:
        args.method = "task.dispatch"
        return move(context, args)
    context.call("subscribe")
    deadline = time.monotonic() + args.wait
    failed: dict[str, CliError] = {}
    for ref in args.refs:
        try:
            context.call("task.dispatch", ref=ref)
        except CliError as error:
            failed[ref] = error

    def run(ref: str) -> Json:
        if ref in failed:
            raise failed[ref]
        # Asked anew: its events may have been read while another task was followed.
        return _follow(context, context.call("task.show", ref=ref)["task"], deadline)

    return for_each(context, args.refs, run, short)


def wait(context: Context, args: argparse.Namespace) -> int:
    """Follows tasks that are on their way until each needs a person or is done."""
    context.call("subscribe")
    deadline = time.monotonic() + args.timeout

    def run(ref: str) -> Json:
        return _follow(context, context.call("task.show", ref=ref)["task"], deadline, started=True)

    return for_each(context, args.refs, run, short)


def _follow(context: Context, card: Json, deadline: float, *, started: bool = False) -> Json:
    """The card once it rests; tells on the way what happens. Raises CliError when it is held or time is up."""
    ref = card["ref"]
    while True:
        runs = card["state"] in _RUNNING or card.get("planning") in _PLANNER_AT_IT
        started = started or runs
        if card["state"] in _RESTING or card.get("planning") in _PERSONS_TURN:
            return card
        if hold := card.get("hold"):
            raise CliError(
                "FAILED", f"held: {hold.get('reason')}", {"fix": hold.get("release"), "state": card["state"]}
            )
        if started and not runs and not card.get("queued"):
            where = card["state"].replace("_", " ")
            raise CliError("FAILED", f"it is in {where} and nothing runs", {"state": card["state"]})
        event = context.line.next_event(deadline)
        if event is None:
            raise CliError("FAILED", "still not finished; it goes on by itself", {"state": card["state"]})
        if event.name == "resync":
            context.call("subscribe")
            card = context.call("task.show", ref=ref)["task"]
        elif event.name == "task.changed" and event.payload["task"]["ref"] == ref:
            # What was pushed before the card was read may only now be looked at: the newer one counts.
            card = max(event.payload["task"], card, key=lambda one: str(one["updated_at"]))
        elif event.name == "feed" and (event.payload.get("event") or {}).get("task") == ref:
            context.note(line_of(event.payload["event"]))
