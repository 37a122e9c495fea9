"""What every verb gets: the home, the line to the service (started when absent), and how to print."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ccp_tui.cli import output
from ccp_tui.cli.errors import CliError, usage
from ccp_tui.cli.line import Line, NoService
from ccp_tui.paths import Home, HomeError

Json = dict[str, Any]

_START_SECONDS = 30.0


class Context:
    """One run of ``ccp``: the options that all verbs share, and one connection, made at the first call."""

    def __init__(self, home: Home, *, json: bool = False, autostart: bool = True) -> None:
        self.home = home
        self.json = json
        self.autostart = autostart
        self._line: Line | None = None

    @property
    def line(self) -> Line:
        """The connection to the service. Raises CliError (UNAVAILABLE) when there is none to be had."""
        if self._line is None:
            self._line = self._connect()
        return self._line

    def call(self, method: str, timeout: float = 60.0, /, **params: Any) -> Json:
        """One request; parameters that are None are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self.line.call(method, given, timeout)

    def emit(self, document: Any, words: str | Callable[[], str]) -> None:
        """The one result of a verb: the document with ``--json``, else the words."""
        if self.json:
            output.print_json(document)
            return
        text = words if isinstance(words, str) else words()
        if text:
            print(text, flush=True)

    def note(self, words: str) -> None:
        """A word on the side, to the standard error stream, so that results stay clean."""
        print(words, file=sys.stderr, flush=True)

    def ensure_service(self) -> None:
        """Starts the service when it is absent, for those who then connect by themselves."""
        _ = self.line

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _connect(self) -> Line:
        path = self.home.control_socket
        try:
            return Line(path)
        except NoService:
            if not self.autostart:
                raise CliError(
                    "UNAVAILABLE", "The control service is not running.", {"fix": "Start it: ccp serve"}
                ) from None
        self._start()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                return Line(path)
            except NoService:
                time.sleep(0.05)
        raise CliError(
            "UNAVAILABLE",
            f"The control service did not start within {_START_SECONDS:.0f} s.",
            {"fix": f"See {self.home.logs / 'serve.log'}, or start it in sight: ccp serve"},
        )

    def _start(self) -> None:
        from ccp_tui.service.host.lock import LockError
        from ccp_tui.service.host.spawn import ServiceStartError, spawn_background

        try:
            spawn_background(self.home.prepare())
        except HomeError as error:
            raise CliError("UNAVAILABLE", str(error)) from None
        except (ServiceStartError, LockError) as error:
            raise CliError("UNAVAILABLE", str(error), {"fix": "Start it in sight: ccp serve"}) from None


def read_text(source: str, what: str) -> str:
    """The text of a file, or of standard input for ``-``. Raises CliError (USAGE) when it can't be read."""
    try:
        if source == "-":
            return sys.stdin.read()
        return Path(source).expanduser().read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise usage(f"{what}: {source} is not UTF-8 text.") from None
    except OSError as error:
        raise usage(f"{what}: {source} can't be read ({error.strerror}).") from None


def autostart_wanted(no_start: bool) -> bool:
    """Whether an absent service may be started: neither ``--no-start`` nor ``CCP_NO_AUTOSTART`` says no."""
    return not no_start and os.environ.get("CCP_NO_AUTOSTART", "") in ("", "0")
