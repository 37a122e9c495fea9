"""One task's whole life, from a typed line to Done, with a line to the gateway that can be cut at any frame of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from ccp_tui.client import ServiceFailure
from ccp_tui.failures import ServiceUnavailable
from ccp_tui.paths import Home
from tests.service.processes import Gateway, Processes
from tests.support.breaker import Breaker, Step

REF = "MAIN-1"
# What happens once in the life of such a task, whatever is killed on the way.
ONCE = [
    "captured", "planned", "plan_proposed", "spec_approved", "assigned", "dispatch_asked", "dispatched", "submitted",
    "checks_passed", "approved",
]  # fmt: skip


class Through:
    """The gateway as the service sees it: by way of the breaker."""

    def __init__(self, gateway: Gateway, breaker: Breaker) -> None:
        self.gateway = gateway
        self.breaker = breaker
        self.token = gateway.token

    @property
    def url(self) -> str:
        return self.breaker.url

    def start(self) -> None:
        self.gateway.start()

    def kill(self) -> None:
        self.gateway.kill()


@dataclass
class Life:
    pair: Processes
    gateway: Gateway
    breaker: Breaker
    judge: str = "reviewer"

    async def cut_at(
        self, step: Step, who: str, title: str, seconds: float, *, judge: str = "reviewer"
    ) -> dict[str, Any]:
        """The task when it is done, although ``who`` (service, gateway or both) was killed at this step.

        One line is planned by assumptions, approved by the person, done by an agent, checked, and judged by another
        agent (``reviewer``) or by the ``person``.
        """
        self.judge = judge
        self.breaker.arm(step, lambda: self.cut(who))
        await self.pair.call("mission.create", title="Main", prefix="MAIN")
        await self.pair.call(
            "mission.update", slug="main", policy={"review": "agent" if judge == "reviewer" else judge}
        )
        await self.pair.call("task.add", title=title, mission="main", auto=True)
        task = await self._lived(who, seconds)
        assert self.breaker.tripped.is_set(), "the step was never reached"
        kinds = Counter(row["kind"] for row in await self.pair.history(REF))
        assert {kind: kinds[kind] for kind in ONCE} == dict.fromkeys(ONCE, 1), await self._history()
        assert not {"nudged", "resent", "refused"} & kinds.keys(), await self._history()
        assert task["hold"] is None
        (attempt,) = task["attempts"]
        (only,) = attempt["rounds"]
        assert [review["actor_kind"] for review in only["reviews"]] == [judge]
        names = [agent["name"] for agent in (await self.pair.call("agent.list"))["agents"]]
        assert names.count("Scribe") == 1
        return task

    async def _lived(self, who: str, seconds: float) -> dict[str, Any]:
        """Whatever was cut is started again at once; the person approves the plan."""
        end = asyncio.get_running_loop().time() + seconds
        task: dict[str, Any] = {}
        while asyncio.get_running_loop().time() < end:
            if self.breaker.tripped.is_set() and who:
                await self._start_again(who)
                who = ""
            with contextlib.suppress(ServiceUnavailable, OSError):
                task = await self.pair.show(REF)
                if task["state"] == "done" and not who:
                    return task
                if task["planning"] == "proposed":
                    await self._do("task.approve_spec", version=task["spec"]["version"])
                elif task["state"] == "review" and self.judge == "person":
                    await self._do("task.approve", attempt=1, round=1)
            await asyncio.sleep(0.05)
        pytest.fail(f"not done: {task.get('state')}, hold {task.get('hold')}; {await self._history()}")

    async def _history(self) -> str:
        """What happened to the task, for whoever reads a failure."""
        rows = await self.pair.history(REF)
        return "its history:\n" + "\n".join(f"{row['at']} {row['kind']}: {row['text']}" for row in rows)

    async def _do(self, method: str, **params: Any) -> None:
        """What the person does; refused when it is done already, or when the gateway is away."""
        try:
            await self.pair.call(method, ref=REF, **params)
        except ServiceFailure as failure:
            if failure.code not in ("UNAVAILABLE", "REFUSED"):
                raise

    async def _start_again(self, who: str) -> None:
        await self.pair.kill_service() if who in ("service", "both") else None
        if who in ("gateway", "both"):
            await asyncio.to_thread(self.gateway.kill)
            await asyncio.to_thread(self.gateway.start)
        if who in ("service", "both"):
            await self.pair.start_service()

    def cut(self, who: str) -> None:
        if who in ("service", "both"):
            self.pair.cut_service()
        if who in ("gateway", "both"):
            self.gateway.kill()


@contextlib.asynccontextmanager
async def life_on(home: Home, gateway: Gateway, **environment: str) -> AsyncIterator[Life]:
    """A service on a gateway by way of a breaker; the service is gone afterwards."""
    async with Breaker(lambda: gateway.url) as breaker:
        pair = Processes(home, Through(gateway, breaker), CCP_AUTO="dispatch", **environment)
        try:
            await pair.start_service()
            await pair.connected()
            yield Life(pair, gateway, breaker)
        finally:
            await pair.kill_service()
