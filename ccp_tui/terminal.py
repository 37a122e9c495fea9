"""The person's terminal: lent to another program and given back whole, and never outlived."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

# What a program that was killed leaves on: synchronised drawing, the mouse, words about focus and size, bracketed
# paste, the Kitty keyboard protocol, the other screen, a scroll region, other keys, no wrapping, no cursor, colours,
# line drawing. All of it does nothing where it is off already: the cursor is saved before what would move it.
WHOLE = (
    "\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2048l\x1b[?2004l\x1b[<u"
    "\x1b7\x1b[?1049l\x1b7\x1b[r\x1b8\x1b[?1l\x1b>\x1b[?7h\x1b[?25h\x1b[0m\x1b(B\x0f"
)
# What `incus exec` answers for a program that was killed, or whose container is gone.
KILLED = (129, 137, 143, 255)


# Whoever is told that the terminal is gone (SIGHUP) has so long to end in good order.
GONE_S = 3.0


def end_with_it() -> None:
    """Ends this process some seconds after its terminal is gone, if nothing else does; without one, nothing is done.

    What draws on a terminal that is gone waits for ever, and what reads from one never waits: neither hears a signal.
    """
    with contextlib.suppress(ValueError, OSError):
        if sys.__stdin__ is not None and sys.__stdin__.isatty():
            terminal = sys.__stdin__.fileno()
            threading.Thread(target=_outlived, args=(terminal,), name="terminal", daemon=True).start()


def _outlived(terminal: int) -> None:
    poller = select.poll()
    poller.register(terminal, 0)  # its end is told unasked
    poller.poll()
    time.sleep(GONE_S)
    os._exit(128 + signal.SIGHUP)


def was_cut_off(code: int) -> bool:
    """Whether a program that ended with this code may not have ended by itself."""
    return code < 0 or code in KILLED


def run(command: Sequence[str]) -> int:
    """Runs a program on this terminal to its end; its exit code, negative for a signal. Raises OSError."""
    with lent():
        process = subprocess.Popen(command)
        # Whoever ends us ends what has the terminal; it is mended then, too.
        with handled(signal.SIGTERM, lambda *_: process.terminate()):
            code = process.wait()
    if code:
        mend()
    return code


@contextlib.contextmanager
def lent() -> Iterator[None]:
    """While another program has the terminal Ctrl-C is for that one alone; afterwards its modes are as before."""
    # Where the program leaves Ctrl-C to the terminal it reaches us too. A handler of ours, unlike "ignore", is not
    # inherited.
    with handled(signal.SIGINT, lambda *_: None):
        try:
            before = termios.tcgetattr(sys.__stdin__) if sys.__stdin__ else None
        except (termios.error, ValueError):  # no terminal, or closed
            before = None
        try:
            yield
        finally:
            if before is not None and sys.__stdin__:
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(sys.__stdin__, termios.TCSADRAIN, before)


def mend() -> None:
    """Takes back what a program that could not tidy up has set in the terminal."""
    if sys.__stdout__ is not None and sys.__stdout__.isatty():
        sys.__stdout__.write(WHOLE)
        sys.__stdout__.flush()


@contextlib.contextmanager
def handled(number: int, handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Within, a signal goes to this handler."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)
