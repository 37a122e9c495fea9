"""File descriptors: as many as the system lets this process have, and few words in the log when they run out."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import math
import resource
import time
from collections.abc import Iterator
from typing import Any

log = logging.getLogger(__name__)

MOST = 65_536  # as many as a service can have use for; some systems' own limit is a billion
QUIET = 60.0  # seconds until a shortage that lasts is told again
_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def raise_limit() -> None:
    """Lifts this process's soft limit of open files to the hard one; what can't be lifted stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def told_once() -> Iterator[None]:
    """While it lasts, connections that the running loop can't accept for want of descriptors are one line in the log.

    asyncio tells each with a traceback, some hundred in a second, which rotates everything else out of the log.
    """
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    last = -math.inf

    def handle(on: asyncio.AbstractEventLoop, trouble: dict[str, Any]) -> None:
        nonlocal last
        error = trouble.get("exception")
        if isinstance(error, OSError) and error.errno in _SHORTAGE:
            if time.monotonic() - last >= QUIET:
                last = time.monotonic()
                log.error("new connections wait: %s", error.strerror)
        elif before is not None:
            before(on, trouble)
        else:
            on.default_exception_handler(trouble)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(before)
