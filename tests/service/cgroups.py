"""Control groups of a container as the kernel shows them, in a folder: what tests of the shortages write into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Groups:
    """The files of one container; ``killed`` and ``refused`` set its counters as the kernel would."""

    memory: Path
    processes: Path
    limits: tuple[Path, Path]
    before: str  # what stands before the kills

    def killed(self, times: int) -> None:
        _put(self.memory, f"{self.before}oom_kill {times}\n")

    def refused(self, times: int) -> None:
        _put(self.processes, f"max {times}\n")

    def limited(self, memory: str, processes: str) -> None:
        for path, text in zip(self.limits, (memory, processes), strict=True):
            path.write_text(f"{text}\n")


def pure(root: Path) -> Groups:
    """cgroup v2, of Linux 6.11 or later."""
    (root / "pids.events.local").write_text("max 0\n")
    return _made(
        Groups(root / "memory.events", root / "pids.events", (root / "memory.max", root / "pids.max"),
               "low 0\nhigh 0\nmax 7\noom 1\n")
    )  # fmt: skip


def old(root: Path) -> Groups:
    """cgroup v1: the agents' slice counts for itself."""
    memory, pids = root / "memory", root / "pids"
    for controller in (memory, pids):
        (controller / "agents.slice").mkdir(parents=True)
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n")
    (pids / "pids.events").write_text("max 0\n")
    return _made(
        Groups(
            memory / "agents.slice" / "memory.oom_control", pids / "agents.slice" / "pids.events",
            (memory / "memory.limit_in_bytes", pids / "pids.max"), "oom_kill_disable 0\nunder_oom 0\n",
        )
    )  # fmt: skip


def _made(groups: Groups) -> Groups:
    groups.killed(0)
    groups.refused(0)
    groups.limited(str(2 * 2**30), "400")
    return groups


def _put(path: Path, text: str) -> None:
    """In one write, so that nobody reads half of it."""
    with path.open("r+" if path.exists() else "w") as file:
        file.write(text)
