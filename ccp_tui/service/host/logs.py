"""The service's log: rotated, private, and without secrets."""

from __future__ import annotations

import logging
import os
import re
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

from ccp_tui.paths import Home
from ccp_tui.text import clean

MAX_BYTES, FILES = 2**20, 5  # one file's size, and how many there are with the current one

# An attempt's token. Long enough not to be a module of ours ("ccp_tui") in a traceback.
_TOKEN = re.compile(r"ccp_[A-Za-z0-9_-]{12,}")
_HIDDEN = "[hidden]"


class LogFormatter(logging.Formatter):
    """One line per record, times in UTC; tokens, named secrets and control characters are taken out of all of it,
    a traceback included."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        self.converter = time.gmtime
        self._secrets: set[str] = set()

    def hide(self, secret: str) -> None:
        """Keeps one more word out of the log: the gateway's token. Short words would blank the log and are ignored."""
        if len(secret) >= 6:
            self._secrets.add(secret)

    def format(self, record: logging.LogRecord) -> str:
        text = without_tokens(super().format(record))
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return clean(text)


class PrivateRotatingHandler(RotatingFileHandler):
    """A rotating log file that only this user may read, from birth."""

    def _open(self) -> TextIO:  # type: ignore[override]
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")


def without_tokens(text: str) -> str:
    """Text in which no attempt's token stands."""
    return _TOKEN.sub(_HIDDEN, text)


def log_file(home: Home) -> Path:
    """Where the service writes its log."""
    return home.logs / "serve.log"


def start_log(home: Home, *, level: int = logging.INFO) -> PrivateRotatingHandler:
    """Sends what this process logs to the home's log. Close it with :func:`stop_log`."""
    handler = PrivateRotatingHandler(log_file(home), maxBytes=MAX_BYTES, backupCount=FILES - 1, delay=True)
    handler.setFormatter(LogFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("websockets").setLevel(logging.WARNING)
    return handler


def stop_log(handler: logging.Handler) -> None:
    """Ends :func:`start_log`."""
    logging.getLogger().removeHandler(handler)
    handler.close()


def hide(secret: str | None) -> None:
    """Keeps a secret out of every log that is open."""
    for handler in logging.getLogger().handlers:
        if secret and isinstance(handler.formatter, LogFormatter):
            handler.formatter.hide(secret)


def last_lines(home: Home, count: int = 12) -> list[str]:
    """What the service printed at its start in the background, else the end of its log: for the words of a failure."""
    for path in (home.logs / "serve.out", log_file(home)):
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - 16_384))
                found = without_tokens(clean(file.read().decode("utf-8", "replace"))).splitlines()
        except OSError:
            continue
        if found:
            return found[-count:]
    return []
