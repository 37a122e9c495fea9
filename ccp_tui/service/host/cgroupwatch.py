"""Being told that a counter of the container's control groups may have changed, without asking.

Of cgroup v2 inotify tells: the kernel makes a modification event of ``memory.events`` and ``pids.events``, at most one
in 10 ms. Of v1 an eventfd tells that memory ran out, just before the kill, and not how many programs are killed. The
right to ask for it, that is to write ``cgroup.event_control``, is root's; the image's unit gives that of the agents'
slice to the service. Of v1's processes nothing tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ccp_tui.service.host.cgroups import Counter

log = logging.getLogger(__name__)

# linux/inotify.h; they are the same on every machine that Linux runs on.
_MODIFY, _CREATE = 0x2, 0x100
_EVENT = struct.Struct("iIII")
_EVENT_CONTROL = "cgroup.event_control"


class Woken(Protocol):
    """Called on the loop when a counter may have changed; ``ran_out``: v1 says that memory did."""

    def __call__(self, *, ran_out: bool) -> None: ...


class Watch:
    """Listens to what tells of these counters."""

    def __init__(self, counters: Iterable[Counter], woken: Woken) -> None:
        self._counters = tuple(counters)
        self._woken = woken
        self._inotify = -1
        self._eventfds: list[int] = []

    def start(self) -> None:
        """Begins to listen, to what can be listened to."""
        loop = asyncio.get_running_loop()
        if any(one.tells for one in self._counters):
            self._inotify = _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            if self._inotify < 0:
                log.warning("inotify: %s", os.strerror(ctypes.get_errno()))
            else:
                self._add()
                loop.add_reader(self._inotify, self._changed)
        for one in self._counters:
            if one.file == "memory.oom_control" and (asked := _ask(one)) is not None:
                self._eventfds.append(asked)
                loop.add_reader(asked, self._ran_out, asked)

    def stop(self) -> None:
        """Listens no more."""
        loop = asyncio.get_running_loop()
        for number in (*self._eventfds, self._inotify):
            if number >= 0:
                loop.remove_reader(number)
                os.close(number)
        self._eventfds, self._inotify = [], -1

    def _add(self) -> None:
        """Watches every group that there is; one that is watched already stays so."""
        for one in self._counters:
            for group in one.groups() if one.tells else ():
                if one.deep:
                    _libc().inotify_add_watch(self._inotify, os.fsencode(group), _CREATE)
                _libc().inotify_add_watch(self._inotify, os.fsencode(group / one.file), _MODIFY)

    def _changed(self) -> None:
        masks = 0
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._inotify, 65536)
            at = 0
            while at < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, at)
                masks |= mask
                at += _EVENT.size + length
        if masks & _CREATE:
            self._add()
        self._woken(ran_out=False)

    def _ran_out(self, eventfd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(eventfd, 8)
            self._woken(ran_out=True)


def _ask(counter: Counter) -> int | None:
    """An eventfd that tells when memory runs out in the highest group that we may ask of, or below it (v1)."""
    for group in counter.groups():
        if not os.access(group / _EVENT_CONTROL, os.W_OK):
            continue
        eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            _register(group, counter.file, eventfd)
        except OSError as error:
            log.info("%s: %s", group / _EVENT_CONTROL, error)
            os.close(eventfd)
            continue
        return eventfd
    return None


def _register(group: Path, file: str, eventfd: int) -> None:
    with (group / file).open() as asked, (group / _EVENT_CONTROL).open("w") as control:
        control.write(f"{eventfd} {asked.fileno()}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
