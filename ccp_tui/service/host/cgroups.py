"""How often the kernel refused a container's programs what they asked for: the counters of its control groups.

Of the kernel's cgroup-v2.rst, cgroup-v1/memory.rst and pids.rst; what is said of v1 was measured in a deployment, as
its user ``ccp``, on Linux 6.18:

- v2: ``oom_kill`` in ``memory.events`` counts for a group and all below it, so the container's own group has the total.
  ``max`` in ``pids.events`` does so where a ``pids.events.local`` is beside it (from Linux 6.11 on); before, it counts
  in the group of the program that was refused. Each change is an inotify event of the file.
- v1: ``oom_kill`` in ``memory.oom_control`` and ``max`` in ``pids.events`` count in the group of the victim alone, and
  are gone with it. No change of ``pids.events`` is an event: there was none in 4,763 of them. An eventfd tells of the
  first, see :mod:`ccp_tui.service.host.cgroupwatch`.

What Incus tells of an instance from outside has neither counter: only the peak of its memory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

# A group's inode tells it apart from an earlier one of the same name, whose counter began at 0 too.
Counts = dict[str, tuple[int, int]]  # group → its inode, its count

DEEP = 2  # of groups that count for themselves: a slice and its services
NO_LIMIT = 2**60  # v1 says about 2**63 where there is none


class Lack(StrEnum):
    """What was lacking: memory, so that a program was killed, or processes, so that none could be started."""

    MEMORY = "memory"
    PROCESSES = "processes"


# For each: the file of v2, its counter; the controller of v1, its file; the files of the limit in v2 and v1.
_FILES = {
    Lack.MEMORY: ("memory.events", "oom_kill", "memory.oom_control", "memory.max", "memory.limit_in_bytes"),
    Lack.PROCESSES: ("pids.events", "max", "pids.events", "pids.max", "pids.max"),
}
_CONTROLLERS = {Lack.MEMORY: "memory", Lack.PROCESSES: "pids"}


@dataclass(frozen=True)
class Counter:
    """One counter: the highest group that has it, its file and key, the limit's file; ``deep``: groups below count
    for themselves; ``tells``: a change is an inotify event."""

    top: Path
    file: str
    key: str
    limit_file: str
    deep: bool
    tells: bool

    def groups(self) -> Iterator[Path]:
        """The groups whose counts make the total."""
        return _groups(self.top, DEEP if self.deep else 0)

    def read(self) -> Counts:
        """What was counted so far, group by group, without those at 0."""
        found: Counts = {}
        for group in self.groups():
            with contextlib.suppress(OSError, ValueError):  # it may have gone just now
                count = _field(group / self.file, self.key)
                if count:
                    found[str(group.relative_to(self.top))] = (group.stat().st_ino, count)
        return found

    def limit(self) -> int | None:
        """The container's limit, in bytes or processes; None where it has none."""
        try:
            limit = int((self.top / self.limit_file).read_text())
        except (OSError, ValueError):  # "max"
            return None
        return limit if limit < NO_LIMIT else None


def counters(root: Path) -> dict[Lack, Counter]:
    """The counters of a container whose groups are at ``root`` (``/sys/fs/cgroup``); those that there are."""
    found = {}
    for lack, (file, key, old_file, limit, old_limit) in _FILES.items():
        old = root / _CONTROLLERS[lack]
        if (root / file).exists():
            deep = lack is Lack.PROCESSES and not (root / f"{file}.local").exists()
            found[lack] = Counter(root, file, key, limit, deep=deep, tells=True)
        elif (old / old_file).exists():
            found[lack] = Counter(old, old_file, key, old_limit, deep=True, tells=False)
    return found


def grown(before: Mapping[str, tuple[int, int]], now: Mapping[str, tuple[int, int]]) -> int:
    """How much was counted between two readings. What a group counted that is gone by now is not in it."""
    total = 0
    for group, (inode, count) in now.items():
        known, was = before.get(group, (inode, 0))
        total += max(0, count - (was if known == inode else 0))
    return total


def _groups(top: Path, depth: int) -> Iterator[Path]:
    yield top
    if depth:
        with contextlib.suppress(OSError), os.scandir(top) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _groups(Path(entry.path), depth - 1)


def _field(path: Path, key: str) -> int:
    for line in path.read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0
