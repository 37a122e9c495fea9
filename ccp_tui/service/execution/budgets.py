"""Budgets: work that has spent what it may is stopped, and goes on in the same session when it may spend more."""

from __future__ import annotations

import asyncio

from ccp_tui.lifecycle import State
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background, survive
from ccp_tui.service.context import Context
from ccp_tui.service.execution import spending
from ccp_tui.service.execution.goingon import idle, release, running, sessions_of
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.store import Committed, Store

WHY = "You were stopped because the budget was spent; it was raised."


class Budgets:
    """Looks whenever something was spent, a task began to spend, or a budget was changed."""

    def __init__(self, context: Context, deliveries: Deliveries, background: Background) -> None:
        self._c = context
        self._deliveries = deliveries
        self._background = background
        self._wakeup = asyncio.Event()
        self._seen: dict[str, tuple[object, ...]] = {}

    def start(self) -> None:
        self._background.start(self._loop(), "budgets")
        self._wakeup.set()

    def wake(self) -> None:
        self._wakeup.set()

    def committed(self, committed: Committed) -> None:
        """Called after every commit: most of them say nothing about money."""
        if committed.missions:
            self._wakeup.set()
        for card in committed.tasks:
            seen = tuple(card[key] for key in ("state", "tokens", "cost_usd", "budget_tokens", "budget_usd"))
            seen += (card["hold"] and card["hold"]["kind"], card["planning"], card["reviewer"])
            if self._seen.get(card["ref"]) != seen:
                self._seen[card["ref"]] = seen
                self._wakeup.set()

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            await survive(self._look(), "looking at the budgets")

    async def _look(self) -> None:
        stopped, released = await self._c.db(self._compare)
        for session_key in stopped:
            self._deliveries.abort(session_key)
        if released:
            self._deliveries.wake()

    def _compare(self, store: Store) -> tuple[list[str], bool]:
        """Holds what may spend no more and lets go what may again: the sessions to abort, and whether any was."""
        released = False
        for task in store.tasks.held(HoldKind.BUDGET):
            if not spending.problem(store, task, self._c.settings.policy):
                release(store, task, "goes on: its budget allows it", WHY, self._deliveries.report)
                released = True
        sessions: list[str] = []
        purse = spending.Purse(store, self._c.settings.policy)
        for task in store.tasks.spending():
            going, runs = sessions_of(store, task), running(store, task)
            if not (going or runs) or not (problem := purse.problem(task)):
                continue
            attempt = store.attempts.of_task(task["id"])
            if runs and attempt:
                going.append(
                    attempt["session_key"]
                )  # whatever column it is in: a run that submitted may go on
            if task["hold_kind"] != HoldKind.BUDGET or runs:
                sessions += going
            if task["state"] != State.TESTING and sessions_of(store, task) and not idle(store, task):
                hold(store, task, HoldKind.BUDGET, problem, spending.WAY_ON)
        return list(dict.fromkeys(sessions)), released
