"""Work that takes a while (a new deployment, an upgrade, an image): it goes on whatever screen is on top."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ccp_tui.incus import FleetError, Stage
from ccp_tui.screens.fleet import words
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.screens.fleet.draft import Draft

log = logging.getLogger(__name__)

LINES_KEPT = 500
CLEANUP_S = 150.0  # how long a cancelled work may take to remove what it made

State = Literal["running", "cancelling", "done", "failed", "cancelled"]
Act = Callable[["Work"], Awaitable[Any]]


class Work:
    """One piece of work: its stages with their times, or its lines, and how it ended."""

    def __init__(
        self, title: str, act: Act, *, ref: str = "", stages: Sequence[str] = (), draft: Draft | None = None
    ) -> None:
        self.title, self.ref = title, ref
        self.draft = draft  # what was asked for, to be mended when it fails
        self.stages: dict[str, Stage | None] = dict.fromkeys(stages)
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.state: State = "running"
        self.words = ""  # where it is, then how it ended
        self.note = ""  # what must be said though it went well
        self.result: Any = None
        self.error: FleetError | None = None
        self._act = act
        self._began: dict[str, float] = {}
        self._start = time.monotonic()
        self._end: float | None = None
        self._listeners: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins. Must be called on the event loop."""
        self._task = asyncio.create_task(self._run())

    def on_stage(self, stage: Stage) -> None:
        """A stage began, went on or ended."""
        self.stages[stage.name] = stage
        self._began.setdefault(stage.name, time.monotonic())
        self._changed()

    def on_line(self, line: str) -> None:
        """A line of what it prints."""
        self.lines.append(one_line(line))
        self._changed()

    def progress(self, count: int) -> None:
        """How many bytes went through."""
        self.say(f"{words.size(count)} so far")

    def say(self, text: str) -> None:
        """Where it is, in words; the last said stands."""
        self.words = one_line(text)
        self._changed()

    @property
    def running(self) -> bool:
        return self.state in ("running", "cancelling")

    @property
    def seconds(self) -> float:
        """How long it takes, or took."""
        return (self._end or time.monotonic()) - self._start

    def stage_seconds(self, stage: Stage) -> float:
        """How long a stage took, or has been going on."""
        if stage.seconds is not None:
            return stage.seconds
        return (self._end or time.monotonic()) - self._began.get(stage.name, self._start)

    def cancel(self) -> None:
        """Stops it; what it made is removed before it ends."""
        if self.state == "running" and self._task is not None:
            self.state = "cancelling"
            self._task.cancel()
            self._changed()

    async def ended(self) -> None:
        """Waits until it is over."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls back on the loop at each change; answers how to end that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def _run(self) -> None:
        try:
            self.result = await self._act(self)
        except FleetError as error:
            self.error = error
            self._over("failed", words.failure(error))
        except asyncio.CancelledError as error:  # its words say what could not be removed
            self._over(
                "cancelled",
                f"Cancelled. {error}" if str(error) else "Cancelled; what it had made is removed.",
            )
        except Exception as error:
            log.exception("%s failed", self.title)
            self._over("failed", one_line(str(error)) or type(error).__name__)
        else:
            self._over("done", self.note)

    def _over(self, state: State, text: str) -> None:
        self.state, self._end = state, time.monotonic()
        if text:
            self.words = text
        self._changed()

    def _changed(self) -> None:
        for listener in tuple(self._listeners):
            listener()


class Works:
    """Everything that was begun on this screen, the newest last."""

    KEPT = 20

    def __init__(self, changed: Callable[[], None]) -> None:
        self.all: list[Work] = []
        self._changed = changed

    def begin(self, work: Work) -> Work:
        self.all.append(work)
        if len(self.all) > self.KEPT:
            over = next((each for each in self.all if not each.running), None)
            if over is not None:
                self.all.remove(over)
        work.subscribe(self._changed)
        work.start()
        return work

    @property
    def running(self) -> list[Work]:
        return [work for work in self.all if work.running]

    def of(self, ref: str) -> Work | None:
        """What goes on with a deployment, if anything does."""
        return next((work for work in reversed(self.all) if work.ref == ref and work.running), None)

    async def cancel_all(self) -> None:
        """Cancels everything and waits, not for ever, until it is cleaned up."""
        works = self.running
        for work in works:
            work.cancel()
        if works:
            await asyncio.wait([asyncio.ensure_future(work.ended()) for work in works], timeout=CLEANUP_S)
