"""A mission that runs itself: from capture to done over several agents, and how much of the time is the service's.

On the embedded gateway fifty tasks over eight agents; on the real one, where it is installed, six over three, with
the scripted provider behind it. The floor of a hand-over is one task's checks and the gateway's own start of a run.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ccp_tui.client import ServiceClient
from ccp_tui.paths import Home
from tests.bench.figures import Figure
from tests.bench.homes import serving
from tests.support.embedded import EmbeddedGateway
from tests.support.provider import Provider
from tests.support.realgateway import RealGateway, RealGatewayMissing

SECONDS = 900.0
SPEED = 20.0
Json = dict[str, Any]


def run() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="ccp") as folder:
        gateway = EmbeddedGateway(Path(folder), speed=SPEED)
        gateway.start()
        try:
            yield from _figures("embedded", Path(folder), gateway.url, gateway.token, tasks=50, agents=8)
        finally:
            gateway.stop()
    with tempfile.TemporaryDirectory(prefix="ccp") as folder, Provider() as provider:
        try:
            real = RealGateway(Path(folder), provider.url)
        except RealGatewayMissing:
            return
        real.start()
        try:
            yield from _figures("real", Path(folder), real.url, real.token, tasks=6, agents=3)
        finally:
            real.stop()


def _figures(name: str, folder: Path, url: str, token: str, *, tasks: int, agents: int) -> Iterator[Figure]:
    home = Home(folder / "home").prepare()
    settings = {"CCP_AUTO": "dispatch", "CCP_MOST_RUNNING": str(agents)}
    with serving(home, CCP_GATEWAY_URL=url, CCP_GATEWAY_TOKEN=token, **settings) as process:
        before = _cpu_s(process.pid)
        wall, histories = asyncio.run(_mission(home, tasks, agents))
        cpu, memory = _cpu_s(process.pid) - before, _resident_mb(process.pid)
    what = f"{tasks} tasks over {agents} agents, {name} gateway"
    handed, ours, worked = _hand_overs(histories)
    yield Figure(f"{what}: tasks per minute", tasks / wall * 60, "tasks/min")
    yield Figure(f"{what}: submission to the agent's next dispatch, median", handed * 1000, "ms")
    yield Figure(f"{what}: share of a task's time that is ours", 100 * ours / (ours + worked), "%")
    yield Figure(f"{what}: CPU of the service", cpu / tasks * 1000, "ms/task")
    yield Figure(f"{what}: memory of the service at the end", memory, "MB")


async def _mission(home: Home, tasks: int, agents: int) -> tuple[float, list[list[Json]]]:
    """Captures and assigns all tasks, then approves each round as it comes; the seconds, and the histories."""
    client = ServiceClient(home.control_socket)
    await client.connect()
    async with asyncio.timeout(SECONDS):
        await client.call("model.list", timeout=60)  # waits for the gateway
        names = [
            (await client.call("agent.create", {"name": f"Worker {n}"}, timeout=90))["agent"]["id"]
            for n in range(agents)
        ]
        await client.subscribe()
        began = time.perf_counter()
        refs = [await _captured(client, number, names[number % agents]) for number in range(tasks)]
        open_ones = set(refs)
        async for event in client.events():
            task = event.payload.get("task") if event.name == "task.changed" else None
            if task and task["state"] == "review":
                verdict = {key: task[key] for key in ("ref", "attempt", "round")}
                await client.call("task.approve", verdict)
            elif task and task["state"] == "done":
                open_ones.discard(task["ref"])
            if not open_ones:
                break
        wall = time.perf_counter() - began
    histories = [(await client.call("task.history", {"ref": ref}))["events"] for ref in refs]
    await client.close()
    return wall, histories


async def _captured(client: ServiceClient, number: int, agent: str) -> str:
    spec = {
        "title": f"Write part {number}",
        "deliverables": [{"path": f"part-{number}.md"}],
        "success_criteria": ["it is there"],
        "checks": [f"test -s part-{number}.md"],
    }
    added = await client.call("task.add", {"title": f"Write part {number}", "spec": json.dumps(spec)})
    ref = str(added["task"]["ref"])
    await client.call("task.approve_spec", {"ref": ref, "version": 1})
    await client.call("task.assign", {"ref": ref, "agent": agent})
    return ref


def _hand_overs(histories: list[list[Json]]) -> tuple[float, float, float]:
    """The median of submission to next dispatch of an agent; the seconds that were ours, and those of the workers."""
    lanes: dict[str, list[tuple[float, float, float]]] = {}
    for events in histories:
        at = {event["kind"]: _seconds(event["at"]) for event in events}
        agent = next(event["agent"] for event in events if event["kind"] == "dispatched")
        lanes.setdefault(agent, []).append((at["dispatched"], at["submitted"], at["checks_passed"]))
    gaps = []
    for lane in lanes.values():
        lane.sort()
        gaps += [after[0] - before[1] for before, after in itertools.pairwise(lane)]
    worked = sum(submitted - dispatched for lane in lanes.values() for dispatched, submitted, _ in lane)
    return statistics.median(gaps), sum(gaps), worked


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
