"""Deployments in words and figures: sizes, states, addresses, and what stands in the way of an action."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rich.style import Style

from ccp_tui import clock, doors
from ccp_tui.incus import Deployment, FleetError, RemoteState
from ccp_tui.screens.widgets.glyphs import Glyphs
from ccp_tui.screens.widgets.palette import Palette
from ccp_tui.text import one_line

Mark = tuple[str, Style]
MIB, GIB, TIB = 2**20, 2**30, 2**40
LASTING = ("running", "stopped", "frozen", "error")
# The columns of the board, shortest names that still say which.
TASKS = {
    "planning": "pln", "inbox": "inb", "assigned": "asg", "in_progress": "wrk", "testing": "tst", "review": "rev",
    "done": "don",
}  # fmt: skip
OPEN = ("planning", "inbox", "assigned", "in_progress", "testing", "review")
RUNNING = ("in_progress", "testing")
LONG = {"in_progress": "in progress"}
STATE_WORDS = {"snapshotting": "snapshot", "unfreezing": "thawing"}


def size(count: float | None, fine: bool = False) -> str:
    """Bytes in at most five cells: ``1.9G``, ``12G``. ``fine``: ``812M`` too, for what does not move all the time."""
    if count is None:
        return "?"
    if count < (1000 if fine else 100) * MIB:
        return f"{count / MIB:.0f}M"
    for unit, name in ((GIB, "G"), (TIB, "T")):
        if count < 9.95 * unit:
            return f"{count / unit:.1f}{name}"
        if count < 1000 * unit or unit == TIB:
            return f"{count / unit:.0f}{name}"
    return "?"


def limit(text: str) -> str:
    """A limit as a table shows it: ``2GiB`` → ``2G``."""
    return text.replace("iB", "").removesuffix("B")


def cores(used: float | None) -> str:
    """Cores in use, to a tenth."""
    return "?" if used is None else f"{used:.1f}"


def state_word(state: str) -> str:
    return STATE_WORDS.get(state, one_line(state, 12))


def lasting(deployment: Deployment) -> bool:
    """Whether its state is one it stays in, not something that is being done to it."""
    return deployment.state in LASTING


def state_mark(state: str, palette: Palette, glyphs: Glyphs) -> Mark:
    """The sign of a state and how it looks."""
    marks = {"running": (glyphs.dot, palette.good), "stopped": (glyphs.ring, palette.dim),
             "frozen": (glyphs.held, palette.accent), "error": (glyphs.cross, palette.bad)}  # fmt: skip
    return marks.get(state, (glyphs.words, palette.warn))


def health_mark(health: str, palette: Palette, glyphs: Glyphs) -> Mark:
    """The sign of what runs inside and how it looks."""
    marks = {"ready": (glyphs.dot, palette.good), "starting": (glyphs.ring, palette.warn),
             "down": (glyphs.cross, palette.bad)}  # fmt: skip
    return marks.get(health, (glyphs.between, palette.dim))


def remote_mark(state: str, palette: Palette, glyphs: Glyphs) -> Mark:
    """The sign of a remote's state and how it looks."""
    marks = {"ready": (glyphs.dot, palette.good), "connecting": (glyphs.ring, palette.warn)}
    return marks.get(state, (glyphs.cross, palette.bad))


def door(deployment: Deployment) -> str:
    """Where SSH reaches it: ``host:port``; empty when nowhere."""
    return doors.door(one_line(deployment.host), deployment.port)


def login(deployment: Deployment) -> str:
    """The command that opens its board from anywhere; empty when nothing does."""
    return doors.login(one_line(deployment.host), deployment.port)


def open_tasks(tasks: Mapping[str, int]) -> int:
    return sum(tasks.get(state, 0) for state in OPEN)


def running_tasks(tasks: Mapping[str, int]) -> int:
    return sum(tasks.get(state, 0) for state in RUNNING)


def tasks_words(tasks: Mapping[str, int]) -> str:
    """The tasks by state in one line, those that move first."""
    order = ("in_progress", "testing", "review", "planning", "assigned", "inbox", "done")
    return ", ".join(f"{tasks[state]} {LONG.get(state, state)}" for state in order if tasks.get(state))


def where(deployment: Deployment) -> str:
    """The remote and, in a cluster, the member."""
    return " ".join(filter(None, (deployment.remote, deployment.location)))


def when(at: str) -> str:
    """A moment on the person's own clock, with the day unless it is today: an age would be wrong when it is read."""
    try:
        moment, today = clock.parse(at).astimezone(), clock.parse(clock.now()).astimezone()
    except ValueError:
        return one_line(at, 20)
    return _moment(moment, today)


def _moment(moment: datetime, today: datetime) -> str:
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    if moment.year == today.year:
        return f"{moment:%b} {moment.day} {moment:%H:%M}"
    return f"{moment:%Y-%m-%d}"


def remote_words(remote: RemoteState) -> str:
    """A remote's state in one line."""
    stale = ", as last seen" if remote.stale else ""
    return f"{one_line(remote.name)} {remote.state}{stale}"


def failure(error: FleetError) -> str:
    """What went wrong and how to mend it, in one line."""
    return one_line(str(error))


def elapsed(seconds: float) -> str:
    """A time span as people read it: ``0.3 s``, ``12 s``, ``2 min 05 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
