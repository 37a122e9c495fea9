"""The kernel's counters of what it refused, as each version of control groups keeps them, and being told of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ccp_tui.service.host.cgroups import Lack, counters, grown
from ccp_tui.service.host.cgroupwatch import Watch
from tests.service.board import until
from tests.service.cgroups import Groups, old, pure

BOTH = pytest.mark.parametrize("make", [pure, old], ids=["v2", "v1"])


@BOTH
def test_the_counters_are_found_and_read(tmp_path: Path, make: Callable[[Path], Groups]) -> None:
    groups = make(tmp_path)
    found = counters(tmp_path)
    assert {lack: one.read() for lack, one in found.items()} == {Lack.MEMORY: {}, Lack.PROCESSES: {}}
    assert (found[Lack.MEMORY].limit(), found[Lack.PROCESSES].limit()) == (2 * 2**30, 400)
    groups.killed(3)
    groups.refused(4763)
    assert [count for _, count in found[Lack.MEMORY].read().values()] == [3]
    assert [count for _, count in found[Lack.PROCESSES].read().values()] == [4763]
    groups.limited("max", "max") if make is pure else groups.limited("9223372036854771712", "max")
    assert (found[Lack.MEMORY].limit(), found[Lack.PROCESSES].limit()) == (None, None)


def test_a_machine_that_is_no_container_has_none(tmp_path: Path) -> None:
    assert counters(tmp_path) == {}
    assert counters(tmp_path / "none") == {}


def test_before_linux_6_11_each_group_counts_its_own_refusals(tmp_path: Path) -> None:
    pure(tmp_path).refused(2)
    (tmp_path / "pids.events.local").unlink()
    below = tmp_path / "agents.slice" / "openclaw-gateway.service"
    below.mkdir(parents=True)
    (below / "pids.events").write_text("max 40\n")
    counter = counters(tmp_path)[Lack.PROCESSES]
    assert sorted(count for _, count in counter.read().values()) == [2, 40]


def test_where_the_total_is_told_it_is_not_counted_twice(tmp_path: Path) -> None:
    pure(tmp_path).refused(42)
    below = tmp_path / "agents.slice"
    below.mkdir()
    (below / "pids.events").write_text("max 40\n")
    assert grown({}, counters(tmp_path)[Lack.PROCESSES].read()) == 42


def test_what_grew_is_told_apart_from_what_began_anew() -> None:
    assert grown({}, {".": (1, 3)}) == 3
    assert grown({".": (1, 3)}, {".": (1, 5)}) == 2
    assert grown({".": (1, 3)}, {".": (1, 3)}) == 0
    assert grown({".": (1, 3)}, {".": (9, 2)}) == 2, "another group of the same name"
    assert grown({".": (1, 3), "a": (2, 7)}, {".": (1, 4)}) == 1, "one that is gone"


class Told(list[bool]):
    def __call__(self, *, ran_out: bool) -> None:
        self.append(ran_out)


async def test_v2_tells_of_each_change_and_of_nothing_else(tmp_path: Path) -> None:
    groups = pure(tmp_path)
    told = Told()
    watch = Watch(counters(tmp_path).values(), told)
    watch.start()
    try:
        counters(tmp_path)[Lack.MEMORY].read()
        await asyncio.sleep(0.1)
        assert told == []
        groups.killed(1)
        await until(lambda: told)
        before = len(told)
        groups.refused(1)
        await until(lambda: len(told) > before)
        assert not any(told)
    finally:
        watch.stop()
    before = len(told)
    groups.killed(2)
    await asyncio.sleep(0.1)
    assert len(told) == before


async def test_a_group_that_is_made_later_is_watched_too(tmp_path: Path) -> None:
    pure(tmp_path)
    (tmp_path / "pids.events.local").unlink()
    told = Told()
    watch = Watch(counters(tmp_path).values(), told)
    watch.start()
    try:
        below = tmp_path / "agents.slice"
        made = tmp_path.parent / f"{tmp_path.name}-made"
        made.mkdir()
        (made / "pids.events").write_text("max 0\n")
        made.rename(below)
        below.with_name(
            "other"
        ).mkdir()  # the kernel makes a group with its files in it; here one that is made tells
        await until(lambda: told)
        before = len(told)
        (below / "pids.events").write_text("max 9\n")
        await until(lambda: len(told) > before)
    finally:
        watch.stop()


async def test_v1_is_asked_for_an_eventfd_where_that_is_allowed(tmp_path: Path) -> None:
    """The kernel's side is played here: it reads the two numbers and writes into the first."""
    old(tmp_path)
    control = tmp_path / "memory" / "agents.slice" / "cgroup.event_control"
    control.write_text("")
    told = Told()
    watch = Watch(counters(tmp_path).values(), told)
    watch.start()
    try:
        eventfd, _ = map(int, control.read_text().split())
        os.eventfd_write(eventfd, 3)
        await until(lambda: told)
        assert told == [True]
    finally:
        watch.stop()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.eventfd_write(eventfd, 1)
