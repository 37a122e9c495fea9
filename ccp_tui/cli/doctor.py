"""``ccp doctor``: what is missing here, and how to mend it. It changes nothing and starts nothing."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import FAILED, OK
from ccp_tui.cli.finding import Finding
from ccp_tui.cli.output import bold
from ccp_tui.cli.parser import Parser
from ccp_tui.text import one_line

EPILOG = """\
Each line is ok, warn (it works, with less) or fail (it does not work until mended). Exit code 1 when one fails.
"""


def add_options(parser: Parser) -> None:
    """No options of its own."""


def run(context: Context, args: argparse.Namespace) -> int:
    """Looks at everything and says it in one list."""
    from ccp_tui.cli import doctor_links, doctor_machine, doctor_terminal

    findings = [
        *doctor_machine.findings(context.home),
        *doctor_links.findings(context.home),
        *doctor_terminal.findings(),
    ]
    failed = any(finding.level == "fail" for finding in findings)
    document = {"ok": not failed, "checks": [finding.as_json() for finding in findings]}
    context.emit(document, lambda: "\n".join(_words(findings)))
    return FAILED if failed else OK


def _words(findings: Iterable[Finding]) -> Iterable[str]:
    worst = {"ok": 0, "warn": 0, "fail": 0}
    for finding in findings:
        worst[finding.level] += 1
        level = finding.level if finding.level == "ok" else bold(finding.level)
        yield f"{level}{' ' * (5 - len(finding.level))} {finding.name:<10} {one_line(finding.detail)}"
        if finding.fix:
            yield f"{'':<16} → {one_line(finding.fix)}"
    if worst["fail"]:
        yield f"\n{worst['fail']} to mend, {worst['warn']} to look at."
    else:
        yield "\nAll is well." if not worst["warn"] else f"\nIt works; {worst['warn']} to look at."
