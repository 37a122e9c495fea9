"""``ccp task``: capture, specify, assign, dispatch, review. The grammar; what the verbs do is in ``task_*``."""

from __future__ import annotations

from ccp_tui.cli import task_moves, task_read, task_write
from ccp_tui.cli.amounts import dollars, whole
from ccp_tui.cli.parser import Nouns, Parser, Run, nouns_of, positive, seconds, verb

STATES = ("planning", "inbox", "assigned", "in_progress", "testing", "review", "done", "cancelled")
PRIORITIES = ("low", "normal", "high", "urgent")

EPILOG = """\
REF is a task's reference, like WEB-12, in any case. Where a verb takes several, it goes on after a failure, and
its exit code is that of the first one. With --json one REF gives an object, several give an array.
"""

_SPEC_EPILOG = """\
A spec is YAML: title, summary, deliverables (path, description), success_criteria, checks (name, command,
timeout_s), constraints. Start from: ccp task spec --template > spec.yaml
"""


def add_options(parser: Parser) -> None:
    nouns = nouns_of(parser)
    _capture(nouns)
    _reading(nouns)
    _specs(nouns)
    _planning(nouns)
    _agents(nouns)
    _moves(nouns)
    _reviews(nouns)
    _order(nouns)


def _capture(nouns: Nouns) -> None:
    add = verb(nouns, "add", "Capture a task into the inbox.", task_write.add)
    add.add_argument("title", metavar="TITLE", nargs="*", help="may be left out with a spec that has one")
    add.add_argument(
        "--mission", "-m", metavar="MISSION", help="its slug; may be left out while there is only one"
    )
    add.add_argument("--agent", "-a", metavar="AGENT", help="who shall do it, once its spec is approved")
    add.add_argument("--priority", "-p", choices=PRIORITIES)
    add.add_argument("--description", "-d", metavar="TEXT")
    add.add_argument("--due", metavar="DAY", help="2026-12-24")
    add.add_argument("--spec", metavar="FILE", help="a spec in YAML; - reads standard input")
    add.add_argument(
        "--auto", action="store_true", help="plan it at once, by stated assumptions instead of questions"
    )
    add.add_argument(
        "--needs",
        metavar="REF",
        type=str.upper,
        nargs="+",
        action="extend",
        help="tasks that must be done before it",
    )
    add.add_argument("--parent", metavar="REF", type=str.upper, help="the task that this one is a part of")
    edit = _several(
        nouns, "edit", "Change a task's title, description, priority or due date.", task_write.edit
    )
    edit.add_argument("--title")
    edit.add_argument("--description", "-d", metavar="TEXT")
    edit.add_argument("--priority", "-p", choices=PRIORITIES)
    edit.add_argument("--due", metavar="DAY", help="2026-12-24, or none")
    for one in (add, edit):
        one.add_argument(
            "--budget-usd", metavar="N", type=dollars, help="dollars it may cost; none: no limit"
        )
        one.add_argument(
            "--budget-tokens", metavar="N", type=whole, help="tokens it may use: 500k, 2M; none: no limit"
        )


def _reading(nouns: Nouns) -> None:
    listing = verb(nouns, "list", "Tasks, in the order of the board.", task_read.list_tasks)
    listing.add_argument("--mission", "-m", metavar="MISSION")
    listing.add_argument("--state", "-s", choices=STATES)
    listing.add_argument("--agent", "-a", metavar="AGENT")
    listing.add_argument("--held", action="store_true", help="only those that can't move")
    listing.add_argument("--text", metavar="TEXT", help="only those whose title or reference contains it")
    listing.add_argument("--limit", type=positive, metavar="N")
    _several(nouns, "show", "Everything about a task.", task_read.show)
    history = _one(nouns, "history", "What happened to a task, oldest first.", task_read.history)
    history.add_argument("--limit", type=positive, metavar="N")


def _specs(nouns: Nouns) -> None:
    spec = verb(
        nouns,
        "spec",
        "Print a task's spec, or store a new version of it.",
        task_write.spec,
        epilog=_SPEC_EPILOG,
    )
    spec.add_argument("ref", metavar="REF", type=str.upper, nargs="?")
    spec.add_argument(
        "--file", "-f", metavar="FILE", help="store this as a new version; - reads standard input"
    )
    spec.add_argument(
        "--version", type=positive, metavar="N", help="print this version (default: the latest)"
    )
    spec.add_argument("--template", action="store_true", help="print a commented spec to start from")
    approve = _one(nouns, "approve-spec", "Approve a version of the spec.", task_moves.approve_spec)
    approve.add_argument("--version", type=positive, metavar="N", help="default: the latest")


def _planning(nouns: Nouns) -> None:
    plan = _several(nouns, "plan", "Let the planner make a spec, by questions to you.", task_moves.plan)
    plan.add_argument(
        "--auto",
        action="store_true",
        default=None,
        help="no questions: it decides and states its assumptions",
    )
    replan = _one(nouns, "replan", "Tell the planner what its plan shall be instead.", task_moves.replan)
    replan.add_argument("text", metavar="TEXT", nargs="+", help="what is to change; - reads standard input")
    depend = _one(nouns, "depend", "Make a task wait until others are done.", task_moves.depend)
    depend.add_argument("--needs", metavar="REF", type=str.upper, nargs="+", action="extend", required=True)
    depend.add_argument("--remove", action="store_true", default=None, help="it waits for these no more")


def _agents(nouns: Nouns) -> None:
    assign = verb(
        nouns, "assign", "Give tasks to an agent: assign REF … AGENT, or with --agent.", task_moves.assign
    )
    assign.add_argument(
        "refs", metavar="REF", nargs="+", help="the last word is the agent, unless --agent names it"
    )
    assign.add_argument("--agent", "-a", metavar="AGENT")


def _moves(nouns: Nouns) -> None:
    dispatch = _several(
        nouns, "dispatch", "Start the agent; the task waits by itself while the agent or gateway is busy.",
        task_moves.dispatch,
    )  # fmt: skip
    dispatch.add_argument(
        "--wait",
        type=seconds,
        metavar="SECONDS",
        help="tell how it goes until it needs a person (or is done)",
    )
    wait = _several(nouns, "wait", "Tell how it goes until it needs a person (or is done).", task_moves.wait)
    wait.add_argument("--timeout", type=seconds, metavar="SECONDS", default=600.0, help="default 600")
    for name, help in (
        ("unassign", "Take a task from its agent, back to the inbox."),
        ("drop-plan", "End planning, back to the inbox; the transcript is kept."),
        ("review", "Ask an agent for its review again, after one that gave no verdict."),
        ("stop", "Abort the run and end the attempt, back to assigned."),
        ("restore", "Bring a cancelled task back to the inbox."),
        ("retry", "Let a held task go on."),
    ):
        _several(nouns, name, help, task_moves.move).set_defaults(method=f"task.{name.replace('-', '_')}")
    for name, help, required in (
        ("cancel", "Cancel a task; a run of it is aborted.", False),
        ("reopen", "Open a done task again, with the reason; the next dispatch is a new attempt.", True),
    ):
        parser = _several(nouns, name, help, task_moves.move)
        parser.add_argument("--reason", "-r", metavar="TEXT", required=required)
        parser.set_defaults(method=f"task.{name}")


def _reviews(nouns: Nouns) -> None:
    for name, help, required in (
        ("approve", "Approve what was submitted: the task is done.", False),
        ("reject", "Send it back; the reason reaches the agent word for word.", True),
    ):
        parser = _one(nouns, name, help, task_moves.verdict)
        parser.add_argument(
            "--round", type=positive, metavar="N", help="the round you looked at (default: the latest)"
        )
        parser.add_argument("--attempt", type=positive, metavar="N", help="its attempt (default: the latest)")
        parser.add_argument("--reason", "-r", metavar="TEXT", required=required)
        parser.set_defaults(method=f"task.{name}", accept_changes=None)
        if name == "approve":
            parser.add_argument(
                "--accept-changes",
                action="store_true",
                default=None,
                help="also when files were changed after their checks ran",
            )


def _order(nouns: Nouns) -> None:
    move = _several(
        nouns, "move", "Move to another column, if the life cycle has that move.", task_moves.move
    )
    move.add_argument("--to", choices=STATES, required=True)
    move.add_argument("--reason", "-r", metavar="TEXT")
    move.set_defaults(method="task.move")
    place = _one(nouns, "place", "Order a task within its column.", task_moves.move)
    where = place.add_mutually_exclusive_group(required=True)
    where.add_argument("--before", metavar="REF", type=str.upper)
    where.add_argument("--after", metavar="REF", type=str.upper)
    place.set_defaults(method="task.place")


def _one(nouns: Nouns, name: str, help: str, run: Run) -> Parser:
    parser = verb(nouns, name, help, run)
    parser.add_argument("refs", metavar="REF", type=str.upper, nargs=1)
    return parser


def _several(nouns: Nouns, name: str, help: str, run: Run) -> Parser:
    parser = verb(nouns, name, help, run, epilog=EPILOG)
    parser.add_argument("refs", metavar="REF", type=str.upper, nargs="+")
    return parser
