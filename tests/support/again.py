"""A test that passed only when it was tried again: why it failed before is told, like any other failure."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A section for them, before the short summary."""
    again = terminalreporter.getreports("rerun")
    if again:
        terminalreporter.section("tried again")
    for report in again:
        terminalreporter.write_sep("_", f"{report.nodeid} ({report.when})")
        terminalreporter.write_line(report.longreprtext)
