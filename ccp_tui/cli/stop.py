"""``ccp stop``: ends the control service. The gateway and its agents go on."""

from __future__ import annotations

import argparse

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import CliError
from ccp_tui.cli.parser import Parser


def add_options(parser: Parser) -> None:
    """No options of its own."""


def run(context: Context, args: argparse.Namespace) -> None:
    """Asks the service to end and waits until it has; nothing to stop is fine too."""
    from ccp_tui.service.host.lock import LockError
    from ccp_tui.service.host.spawn import ServiceStopError, stop_running

    try:
        pid = stop_running(context.home)
    except (ServiceStopError, LockError) as error:
        raise CliError("FAILED", str(error)) from None
    words = (
        "The control service is not running."
        if pid is None
        else f"Stopped (pid {pid}). Runs in the gateway go on."
    )
    context.emit({"stopped": pid is not None, "pid": pid}, words)
