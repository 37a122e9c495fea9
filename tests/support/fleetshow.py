"""The fleet of the README's pictures: an owl reserve's deployments on two machines."""

from __future__ import annotations

from typing import Any

from ccp_tui.incus import Deployment, Limits, RemoteState, Snapshot
from tests.support.fakefleet import DAY, GIB, LOCAL, MIB, FakeFleet, deployment

BARN = RemoteState("barn", "https://192.0.2.40:8443", "ready")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFubiBhbmQgaGVyIG93bHMgaW4gdGhlIHdvb2Rz ann@owls"


def _one(name: str, port: int, **more: Any) -> Deployment:
    return deployment(name, port=port, **more)


def fleet() -> FakeFleet:
    """Six: at work, waiting for the person, being stopped, at rest, short of memory, and on another machine."""
    return FakeFleet(
        [
            _one("archive", 2203, state="stopped", cpu_used=None, memory_used=None, tasks={}, needs_you=None,
                 gateway="unknown", service="unknown", disk_used=int(3.4 * GIB)),
            _one("lab", 2204, state="stopping", cpu_used=0.3, tasks={"assigned": 1, "done": 6}),
            _one("owls", 2201, cpu_used=1.4, memory_used=int(1.3 * GIB), limits=Limits("4", "4GiB", "20GiB"),
                 disk_used=int(6.2 * GIB), needs_you=3,
                 tasks={"planning": 3, "inbox": 3, "assigned": 3, "in_progress": 3, "testing": 1, "review": 2,
                        "done": 41},
                 snapshots=(Snapshot("before-upgrade", DAY.format(2, 10), 121 * MIB),
                            Snapshot("open-day", DAY.format(1, 8), 340 * MIB))),
            _one("shop", 2202, cpu_used=0.9, memory_used=int(1.85 * GIB), needs_you=1,
                 tasks={"inbox": 5, "in_progress": 2, "review": 1, "done": 18}),
            _one("barn-owls", 2201, remote="barn", host="192.0.2.40", cpu_used=0.2,
                 tasks={"inbox": 1, "in_progress": 1, "done": 7}),
            _one("feeding", 2202, remote="barn", host="192.0.2.40", gateway="starting", version="0.1.0",
                 tasks={"inbox": 2}, cpu_used=0.6),
        ],
        (LOCAL, BARN),
    )  # fmt: skip
