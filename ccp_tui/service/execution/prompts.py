"""The words that reach a worker: its task with the spec verbatim, how to report, and what is sent back to it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ccp_tui.service.reports.tokens import PLACEHOLDER

Row = dict[str, Any]


def report_command(ccp: str, socket: Path) -> str:
    """The command line that the agent's shell runs to report; the token is filled in when the prompt is sent.

    OpenClaw blacks out what looks like a secret in the words that reach an agent: what follows ``--token``, an
    assignment to ``…TOKEN`` or ``…KEY``. So the token follows ``--attempt``.
    """
    return f"{ccp} report --socket {shlex.quote(str(socket))} --attempt {PLACEHOLDER}"


def dispatch(
    task: Row,
    attempt: int,
    spec: Row,
    report: str,
    *,
    reopened: str = "",
    earlier: str = "",
    needed: str = "",
    there: Sequence[str] = (),
) -> str:
    """The first message of an attempt.

    ``reopened`` is why done work was not enough, ``earlier`` how the attempts before this one ended, ``needed`` the
    results that the task builds on, ``there`` the deliverables that stood in the workspace before the first attempt.
    """
    deliverables = "\n".join(f"- {one['path']}{_tail(one['description'])}" for one in spec["deliverables"])
    criteria = "\n".join(f"- {one}" for one in spec["success_criteria"])
    checks = "\n".join(f"- {one['name']}: `{one['command']}`" for one in spec["checks"]) or "- none"
    before = (
        f"\nThis task was done before and was sent back:\n{_block('reason', reopened)}" if reopened else ""
    )
    if earlier:
        before += "\nIt was tried before; do not begin anew what is good already:\n"
        before += _block("earlier attempts", earlier)
    if needed:
        before += (
            "\nWhat your work builds on is done; read these files where they are, and do not change them:\n"
        )
        before += needed
    if there:
        before += "\nYour workspace holds these already, from before this task; make sure that they become its own:\n"
        before += "".join(f"- {path}\n" for path in there)
    return f"""\
You have been assigned a task. Do it now, completely, and report it with the command below.

Task: {task["ref"]} {task["title"]}
Attempt: {attempt}
Round: 1
{before}{_described(task)}
The approved specification, verbatim:
{_block("spec", spec["text"])}
What must exist when you submit (paths are relative to your workspace, your current folder; put files there):
{deliverables}

What makes it good:
{criteria}

What will be run in your workspace to verify it; every command must exit 0:
{checks}

How to report. Run this in your shell, with one of the words below after it:
Report command: {report}
- `progress "what you are doing"` now and then, so that people see it
- `deliver PATH` for each deliverable, once its file is there
- `submit --summary "what you made and how"` when everything is delivered
- `ask "a question" --option "an answer" --option "another"` when a person must decide; then end your run: the answer
  comes here, and you go on
- `subtask "title" --description "what and why"` for work that somebody else should do; a person approves it first
- `block "what you need"` if you cannot go on without a person
Run it yourself and in the foreground: a report counts only while your own shell runs it.
The token is yours alone and for this task only: do not write it to a file or show it.

What happens next: after `submit` the files and the checks are verified. If one fails you get its output here and
submit again. If all pass, the work is reviewed; you may get it back with a reason. Ending without `submit`,
`ask` or `block` leaves the task undone.
"""


def checks_failed(task: Row, number: int, results: list[Row], report: str) -> str:
    """What a failed round sends back: the exact output of what failed.

    The words must not say ``pass:`` before something: OpenClaw takes what follows for a password and blacks it out.
    """
    failed = [one for one in results if one["exit_code"] != 0]
    parts = "\n".join(
        f"Check: {one['name']}\nCommand: {one['command']}\nResult: {outcome(one)}\n{_block('output', one['output'])}"
        for one in failed
    )
    return f"""\
Of the checks of your submission of {task["ref"]}, {len(failed)} of {len(results)} failed. Mend it and submit again.

Task: {task["ref"]} {task["title"]}
Round: {number}

{parts}
Report command: {report}
Deliver what you changed, then run it with `submit --summary "what you mended"`.
"""


def rejected(task: Row, number: int, reason: str, report: str) -> str:
    """What a rejection sends back: the reviewer's words, verbatim."""
    return f"""\
Your submission of {task["ref"]} was reviewed and sent back. Mend it and submit again.

Task: {task["ref"]} {task["title"]}
Round: {number}
{_block("reason", reason)}
Report command: {report}
Deliver what you changed, then run it with `submit --summary "what you mended"`.
"""


def nudge(task: Row, number: int, report: str) -> str:
    """What a worker is told, once, when its run ended without a submission."""
    return f"""\
Your run ended and {task["ref"]} is not submitted. If the work is finished, deliver its files and submit it; if it is
not, go on with it. If you cannot, say why with `block`.

Task: {task["ref"]} {task["title"]}
Round: {number}
Report command: {report}
"""


def needed_again(task: Row, number: int, need: Row, result: str, report: str) -> str:
    """What a worker is told when something that its work builds on was reopened and is done again."""
    return f"""\
{need["ref"]}, which your work builds on, was reopened and is done again. Look at its new result, bring your work in
line with it, deliver what you changed, and submit.

Task: {task["ref"]} {task["title"]}
Round: {number}
{result}
Report command: {report}
"""


def go_on(task: Row, number: int, why: str, report: str) -> str:
    """What a worker is told whose run was cut off: by the service, by the person, or by the provider."""
    return f"""\
{why} Go on with {task["ref"]} where you were: look at what is there already, finish it, deliver its files and submit.

Task: {task["ref"]} {task["title"]}
Round: {number}
Report command: {report}
"""


def sign_of_life(task: Row, number: int, silent: str, report: str) -> str:
    """What a worker is asked, once, whose run has not been heard of for long."""
    return f"""\
Nothing was heard of {task["ref"]} for {silent}. Say with `progress` how far you are; if you cannot go on, say why with
`block`; if it is done, deliver its files and submit.

Task: {task["ref"]} {task["title"]}
Round: {number}
Report command: {report}
"""


def outcome(check: Row) -> str:
    """How a check ended, in words."""
    if check["timed_out"]:
        return "stopped: it ran longer than its time limit"
    return "could not be run" if check["exit_code"] is None else f"exit code {check['exit_code']}"


def _block(name: str, text: str) -> str:
    return f"--- {name} ---\n{text.rstrip()}\n--- end of {name} ---\n"


def _tail(description: str) -> str:
    return f": {description}" if description else ""


def _described(task: Row) -> str:
    return f"\n{task['description'].strip()}\n" if task["description"].strip() else ""
