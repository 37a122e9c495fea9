"""``ccp summary``: service, gateway and tasks as one line of JSON; with ``--follow`` one more at each change.

A program reads it, for many deployments at a time, so it stays small: it loads neither a screen nor an event loop, and
while nothing changes it does nothing.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from typing import Any

from ccp_tui import __version__
from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import CliError
from ccp_tui.cli.line import Line, NoService
from ccp_tui.cli.output import print_ndjson
from ccp_tui.cli.parser import Parser
from ccp_tui.paths import Home

Json = dict[str, Any]

TOPIC = "board:summary"
EVERY_S = 0.5  # at most one line in this time
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 5.0
_ANSWER_S = 10.0
_SETTLE_S = 0.05  # what comes within it is one change

EPILOG = """\
{"service", "gateway", "tasks": {state: how many}, "needs_you", "shortages", "version"}; service and gateway are ready,
starting or down; a shortage is {kind, times, at}: what of memory or processes it ran short of within the hour. Of a
service that is not there the rest is not known, which is no failure of this verb; it is never started by it. With
--follow it goes on until nobody reads it any more, over restarts of the service too.
"""


class Unread(Exception):
    """Nobody reads what is written any more."""


def add_options(parser: Parser) -> None:
    parser.add_argument("--follow", "-f", action="store_true", help="go on with one line at each change")


def run(context: Context, args: argparse.Namespace) -> None:
    """Prints how things stand, as JSON in any case; follows them when asked to."""
    if not args.follow:
        print_ndjson(_look(context.home))
        return
    try:
        _Follower(context.home).follow()
    except (Unread, BrokenPipeError):
        # Nothing more can be told; Python must not try it at its exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _look(home: Home) -> Json:
    try:
        line = Line(home.control_socket)
        try:
            return line.call("summary", timeout=_ANSWER_S)
        finally:
            line.close()
    except (NoService, CliError):
        return _away(home)


def _away(home: Home) -> Json:
    """What can be told without a service: whether one is just starting, or stopping."""
    from ccp_tui.service.host.lock import LockError, is_held

    try:
        state = "starting" if is_held(home.lock) else "down"
    except LockError:
        state = "down"
    unknown: Json = {"gateway": "unknown", "tasks": {}, "needs_you": None, "shortages": []}
    return {"service": state, **unknown, "version": __version__}


class _Follower:
    """Keeps itself connected, and says what changed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._told: Json | None = None
        self._at = 0.0
        self._out = sys.stdout.fileno()

    def follow(self) -> None:
        """Until nobody reads. Raises Unread."""
        pause = FIRST_RETRY_S
        while True:
            began = time.monotonic()
            try:
                self._stay(Line(self._home.control_socket))
            except (NoService, CliError):
                self._tell(_away(self._home))
            if time.monotonic() - began > LAST_RETRY_S:
                pause = FIRST_RETRY_S  # it had lasted: this is a new loss
            self._wait(pause)
            pause = min(pause * 2, LAST_RETRY_S)

    def _stay(self, line: Line) -> None:
        """Follows one connection to its end. Raises CliError when it is lost."""
        try:
            line.call("watch", {"session_key": TOPIC}, _ANSWER_S)
            self._tell(line.call("summary", timeout=_ANSWER_S))
            while True:
                found: Json | None = None
                while event := line.next_event(time.monotonic() + _SETTLE_S):
                    if event.name == "summary":
                        found = event.payload
                    elif event.name == "resync":
                        line.call("watch", {"session_key": TOPIC}, _ANSWER_S)
                        found = line.call("summary", timeout=_ANSWER_S)
                if found is not None:
                    self._tell(found)
                self._wait(None, line.fileno())
        finally:
            line.close()

    def _tell(self, summary: Json) -> None:
        """One line, if it says anything new."""
        if summary == self._told:
            return
        self._wait(self._at + EVERY_S - time.monotonic())
        print_ndjson(summary)
        self._told, self._at = summary, time.monotonic()

    def _wait(self, seconds: float | None, *sources: int) -> None:
        """Waits for one of the sources, or so long. Raises Unread when standard output was closed at the other end."""
        poll = select.poll()
        poll.register(self._out, 0)
        for source in sources:
            poll.register(source, select.POLLIN)
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return
            found = dict(poll.poll(None if left is None else left * 1000))
            if found.get(self._out, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
                raise Unread
            if found:
                return
