"""From a submission to Review, or back to the worker: every check of the spec runs, and its result decides."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from ccp_tui.lifecycle import State, Trigger
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background, unforeseen
from ccp_tui.service.board.moves import SERVICE, move
from ccp_tui.service.context import Context
from ccp_tui.service.execution import prompts
from ccp_tui.service.execution.outcomes import WAY_ON, hold
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.feedback import send_back
from ccp_tui.service.verification import checks, checksocket
from ccp_tui.service.verification.reviewing import ask
from ccp_tui.store import Committed, Store

log = logging.getLogger(__name__)
Row = dict[str, Any]


class Verification:
    """Verifies submitted rounds, several tasks at a time, each once."""

    def __init__(self, context: Context, deliveries: Deliveries, background: Background) -> None:
        self._c = context
        self._deliveries = deliveries
        self._background = background
        self._running: dict[int, asyncio.Task[None]] = {}
        self._checking: dict[
            int, str
        ] = {}  # of these attempts, those whose checks run; the refs of their tasks

    def verify(self, attempt: int) -> None:
        """Starts the checks of the attempt's current round, unless they run already."""
        if attempt not in self._running:
            started = self._background.start(self._verify(attempt), f"checks of attempt {attempt}")
            self._running[attempt] = started

    def committed(self, committed: Committed) -> None:
        """A task that leaves Testing by another's hand: its checks are ended, for the next attempt works there too."""
        left = {card["ref"] for card in committed.tasks if card["state"] != State.TESTING}
        for attempt, ref in self._checking.items():
            if ref in left:
                self._running[attempt].cancel()

    async def _verify(self, attempt: int) -> None:
        try:
            if await self._run(attempt):
                self._deliveries.wake()
        except Exception as error:
            log.exception("the checks of attempt %s", attempt)
            await self._cannot(attempt, f"the checks broke off ({unforeseen(error)})")
        finally:
            del self._running[attempt]

    async def _run(self, attempt: int) -> bool:
        """Runs every check, also after one failed: the worker gets all of it at once."""
        ref, current, spec, workspace = await self._c.db(lambda store: _brief(store, attempt))
        results: list[Row] = []
        self._checking[attempt] = ref
        try:
            for position, check in enumerate(spec["checks"]):
                results.append(await self._check(check, workspace))
                await self._keep(attempt, current["id"], position, results[-1])
        except checks.CannotRun as error:
            await self._cannot(attempt, str(error))
            return False
        finally:
            del self._checking[attempt]
        return await self._c.db(lambda store: self._decide(store, attempt, current, results))

    async def _check(self, check: Row, workspace: Path) -> Row:
        settings = self._c.settings
        if settings.checks_socket:
            return await checksocket.run(check, workspace, settings.checks_socket)
        return await checks.run(check, workspace, settings.checks_user)

    async def _cannot(self, attempt: int, reason: str) -> None:
        """No check can be run here: not the worker's fault, so the round stands and the person is told."""

        def work(store: Store) -> None:
            task = store.tasks.get(store.attempts.get(attempt)["task_id"])
            if task["state"] == State.TESTING:
                release = "Mend it and start the service again: the checks then run."
                hold(store, task, HoldKind.ERROR, reason, release)

        await self._c.db(work)

    async def _keep(self, attempt: int, round_id: int, position: int, result: Row) -> None:
        def work(store: Store) -> None:
            store.rounds.checked(round_id, position, result)
            store.touched.tasks.add(store.attempts.get(attempt)["task_id"])

        await self._c.db(work)

    def _decide(self, store: Store, attempt_id: int, current: Row, results: list[Row]) -> bool:
        """The move that the results call for; True when the worker is sent something."""
        attempt = store.attempts.get(attempt_id)
        task = store.tasks.get(attempt["task_id"])
        stands = store.rounds.current(attempt_id)["id"] == current["id"]
        if attempt["ended_at"] or task["state"] != State.TESTING or not stands:
            return False
        failed = [one["name"] for one in results if one["exit_code"] != 0]
        if not failed:
            text = f"passed {len(results)} of {len(results)} checks" if results else "has no checks to pass"
            move(store, task, Trigger.PASS, SERVICE, text, checks_problem="")
            store.rounds.finish(current["id"], "passed")
            policy = store.missions.policy(task["mission_id"], self._c.settings.policy)
            ask(store, task, current["id"], policy)
            return False
        move(
            store,
            task,
            Trigger.FAIL,
            SERVICE,
            f"failed {len(failed)} of {len(results)} checks: {', '.join(failed)}",
        )
        store.rounds.finish(current["id"], "failed")
        if current["number"] >= self._c.settings.most_rounds:
            task = store.tasks.get(task["id"])
            hold(store, task, HoldKind.STALLED, f"{current['number']} rounds did not pass the checks", WAY_ON)
            return False
        number = store.rounds.start(attempt_id, task["id"])
        text = prompts.checks_failed(task, number, results, self._deliveries.report)
        send_back(store, attempt, f"checks-{number}", text)
        return True


def _brief(store: Store, attempt: int) -> tuple[str, Row, Row, Path]:
    row = store.attempts.get(attempt)
    ref = store.tasks.get(row["task_id"])["ref"]
    workspace = store.agents.row(row["agent_id"])["workspace"]
    return ref, store.rounds.current(attempt), store.specs.get(row["spec_id"]), Path(workspace)
