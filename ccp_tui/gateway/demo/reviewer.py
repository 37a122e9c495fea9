"""The scripted reviewer: it reads what was delivered, then gives its verdict through the report command.

Of the spec it follows only its own directives, which tests and demonstrations put there: ``!review approve``,
``!review reject REASON`` (in the first round), ``!review silent`` (no verdict, not even when it is asked again) and
``!review late`` (none until it is asked again). A criterion with the words "second look" is a reason to send the
first round back.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from ccp_tui.gateway.demo.brief import Brief, leaves
from ccp_tui.gateway.demo.steps import Exec, Say, Step

_DIRECTIVE = re.compile(r"^\s*!review\s+(approve|reject|silent|late)\b[ \t]*(.*)$")
_WORKSPACE = re.compile(r"^Workspace: (/.*)$", re.MULTILINE)
_HEAD_LINES = 20


def review(brief: Brief) -> Iterator[Step]:
    """The steps of one review, or of the answer to being asked again."""
    silence = f".reviewer/{brief.mark}"
    if not brief.spec:
        yield Say(f"I had not given a verdict on {brief.ref}: I do it now.")
        verdict = f"approve {shlex.quote('Looked at it again; it meets the spec.')}"
        yield Exec(f"test -e {silence} || {brief.report} verdict {verdict}")
        return
    order, reason = _told(brief)
    yield Say(
        f"I review {brief.ref} “{brief.title}”, round {brief.round}: first the files, then the criteria."
    )
    yield Exec(_look(brief))
    if order in ("silent", "late"):
        if order == "silent":
            yield Exec(f"mkdir -p .reviewer && : > {silence}")
        yield Say("I have read it all and have nothing to say yet.")
        return
    verdict, reason = _verdict(brief, order, reason)
    yield Exec(f"{brief.report} verdict {verdict} {shlex.quote(reason)}")
    yield Say(f"My verdict on {brief.ref}, round {brief.round}: **{verdict}**. {reason}")


def _told(brief: Brief) -> tuple[str, str]:
    for line in leaves(brief.spec):
        if match := _DIRECTIVE.match(line):
            return match[1], match[2].strip()
    return "", ""


def _verdict(brief: Brief, order: str, reason: str) -> tuple[str, str]:
    first = brief.round <= 1
    wary = next((line for line in brief.criteria if "second look" in line.lower()), "")
    if first and order == "reject":
        return "reject", reason or "It does not meet the spec yet."
    if first and not order and wary:
        return "reject", f"This needs a second look: {wary}"
    read = "1 file" if len(brief.paths) == 1 else f"{len(brief.paths)} files"
    met = (
        "its criterion is met" if len(brief.criteria) == 1 else f"all {len(brief.criteria)} criteria are met"
    )
    return "approve", reason if order == "approve" and reason else f"Read {read}; {met}."


def _look(brief: Brief) -> str:
    where = _WORKSPACE.search(brief.frame)
    listed = " ".join(shlex.quote(path) for path in brief.paths) or "."
    look = f'ls -ld -- {listed}; for path in {listed}; do head -n {_HEAD_LINES} -- "$path"; done; true'
    return f"cd {shlex.quote(where[1].strip())} && {{ {look}; }}" if where else look
