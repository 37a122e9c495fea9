"""What ran short is told: once for each time, in the history, on the board, in the summary, over restarts."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ccp_tui.incus.deployments import health
from ccp_tui.paths import Home
from ccp_tui.service import shortages
from ccp_tui.service.host.cgroups import Lack
from ccp_tui.wire import Json
from tests.service.board import Board, board_on, until
from tests.service.cgroups import Groups, old, pure


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortages, "SETTLE_S", 0.05)
    monkeypatch.setattr(shortages, "LOOK_S", 0.1)
    monkeypatch.setattr(socket, "gethostname", lambda: "demo")


@pytest.fixture(params=[pure, old], ids=["v2", "v1"])
def groups(request: pytest.FixtureRequest, tmp_path: Path) -> Groups:
    root = tmp_path / "cgroup"
    root.mkdir()
    make: Callable[[Path], Groups] = request.param
    return make(root)


@pytest.fixture
async def board(home: Home, groups: Groups, tmp_path: Path) -> AsyncIterator[Board]:
    async with board_on(home, cgroups=tmp_path / "cgroup") as made:
        await made.client.keep()
        yield made


async def events(board: Board, kind: str) -> list[Json]:
    rows: list[Json] = (await board.call("events.list", kind=kind))["events"]
    return rows


async def told(board: Board, kind: str, count: int) -> list[Json]:
    async def there() -> list[Json] | None:
        rows = await events(board, kind)
        return rows if len(rows) >= count else None

    found: list[Json] = await until(there, told=f"{count} times {kind}")
    assert len(found) == count
    return found


async def test_a_program_that_was_killed_is_told_with_the_fix(board: Board, groups: Groups) -> None:
    groups.killed(1)
    (event,) = await told(board, "out_of_memory", 1)
    assert event["text"] == (
        "a program was killed for want of memory (limit 2 GiB). "
        "Give it more memory on the host: ccp fleet resize demo --memory 4GiB"
    )
    assert (event["actor"], event["data"]["times"]) == ("ccp", 1)
    (short,) = (await board.call("status"))["shortages"]
    assert short["text"] == "a program was killed for want of memory (limit 2 GiB)."
    assert short["fix"].endswith("ccp fleet resize demo --memory 4GiB")
    assert board.client.named("health")[-1]["health"]["shortages"] == [short]
    summary = await board.call("summary")
    assert summary["shortages"] == [{"kind": "memory", "times": 1, "at": short["at"]}]
    note = health.parse(json.dumps(summary))
    assert note is not None
    assert note.note.startswith("Out of memory at ")
    assert note.note.endswith(": a program was killed.")


async def test_a_fork_bomb_is_one_event_and_then_one_for_what_came_meanwhile(
    board: Board, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortages, "APART_S", 1.5)
    groups.refused(35)
    (first,) = await told(board, "out_of_processes", 1)
    for times in range(36, 5000, 400):
        groups.refused(times)
        await asyncio.sleep(0.02)
    groups.refused(5000)
    assert len(await events(board, "out_of_processes")) == 1
    one, two = await told(board, "out_of_processes", 2)
    assert one == first
    assert one["data"]["times"] + two["data"]["times"] == 5000
    assert "there were too many processes (limit 400)" in one["text"]
    assert "--processes 800" in one["text"]


async def test_nothing_is_told_while_nothing_happens(board: Board) -> None:
    await asyncio.sleep(0.3)
    before = len(board.client.got)
    await asyncio.sleep(0.5)
    assert len(board.client.got) == before
    assert not await events(board, "out_of_memory")
    assert not await events(board, "out_of_processes")


async def test_a_restart_repeats_nothing_and_misses_nothing(board: Board, groups: Groups) -> None:
    groups.killed(2)
    await told(board, "out_of_memory", 1)
    await board.restart_service()
    await asyncio.sleep(0.4)
    assert len(await events(board, "out_of_memory")) == 1
    assert (await board.call("summary"))["shortages"] == []
    await board.stop_service()
    groups.killed(5)
    groups.refused(3)
    await board.start_service()
    _, missed = await told(board, "out_of_memory", 2)
    assert missed["data"]["times"] == 3
    assert missed["text"].startswith("3 programs were killed")
    assert (await told(board, "out_of_processes", 1))[0]["data"]["times"] == 3


async def test_what_is_old_is_not_shown_any_more(
    board: Board, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortages, "OLD_S", 0.5)
    groups.killed(1)
    await told(board, "out_of_memory", 1)

    async def gone() -> bool:
        return not (await board.call("summary"))["shortages"]

    await until(gone)
    assert board.client.named("health")[-1]["health"]["shortages"] == []
    assert len(await events(board, "out_of_memory")) == 1, "the history keeps it"


async def test_a_gateway_that_was_killed_says_why_it_is_away(board: Board, groups: Groups) -> None:
    ref = await board.dispatched()
    groups.killed(1)
    await board.gateway.kill()
    task = await board.reach(ref, "held")
    assert task["hold"]["kind"] == "gateway"
    assert "the kernel killed a program for want of memory" in task["hold"]["reason"]


async def test_a_gateway_that_went_by_itself_blames_no_memory(board: Board) -> None:
    ref = await board.dispatched()
    await board.gateway.kill()
    assert "memory" not in (await board.reach(ref, "held"))["hold"]["reason"]


async def test_v1_says_that_memory_ran_out_though_the_victims_group_is_gone(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortages, "LOOK_S", 60)
    old(tmp_path)
    async with board_on(home, cgroups=tmp_path) as board:
        board.service._shortages._happened(ran_out=True)
        (event,) = await told(board, "out_of_memory", 1)
        assert event["data"]["times"] == 1


@pytest.mark.parametrize(
    ("lack", "times", "limit", "words"),
    [
        (Lack.MEMORY, 2, 1500 * 2**20, ("2 programs were killed for want of memory (limit 1500 MiB)", "3000MiB")),
        (Lack.MEMORY, 1, None, ("a program was killed for want of memory", "--memory SIZE")),
        (Lack.PROCESSES, 1, None, ("there were too many processes: another one was refused once", "N")),
    ],
)  # fmt: skip
def test_the_words(lack: Lack, times: int, limit: int | None, words: tuple[str, str]) -> None:
    what, fix = shortages.words(lack, times, limit)
    assert what == words[0]
    assert fix.endswith(words[1])


@pytest.mark.parametrize(
    "given",
    [
        None, "x", [1], [{"kind": "memory"}], [{"kind": "rm", "at": "2026-11-23T18:06:34.421Z", "times": 1}],
        [{"kind": "memory", "at": "\x1b[31m", "times": 1}], [{"kind": ["memory"], "at": 3, "times": {}}],
    ],
)  # fmt: skip
def test_the_fleet_takes_no_nonsense_from_inside(given: object) -> None:
    found = health.parse(json.dumps({"service": "ready", "shortages": given}))
    assert found == health.Health(service="ready")
