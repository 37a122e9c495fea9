"""The one dispatcher: starts what is queued as soon as its gates hold, and says of the rest why it waits."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.lifecycle import BUDGET, TEMPORARY, Refused, State, Trigger, fire
from ccp_tui.model import Hold, HoldKind
from ccp_tui.service.background import TROUBLE_AGAIN_S, Background, survive, unforeseen
from ccp_tui.service.board.moves import SERVICE, Row, facts_of, move, record
from ccp_tui.service.context import Context
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution import prompts, results, spending, starting
from ccp_tui.service.execution.predecessors import Deferred, Predecessors
from ccp_tui.service.reports.tokens import Tokens, hash_of
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.feedback import send_back
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.service.verification.deliverables import there_already
from ccp_tui.store import Store
from ccp_tui.wire import Json

log = logging.getLogger(__name__)

AGAIN_S = 5.0
_OPENS = TEMPORARY | {starting.DEFERRED}  # what a task waits for without being held


class Dispatcher:
    """Woken whenever a gate may have opened: a move, an agent that is free, a gateway that is back."""

    def __init__(
        self, context: Context, tokens: Tokens, runs: Runs, deliveries: Deliveries, background: Background
    ) -> None:
        self._c = context
        self._tokens = tokens
        self._runs = runs
        self._deliveries = deliveries
        self._background = background
        self._predecessors = Predecessors(context, runs)
        # Queued tasks that can't start yet though their gates hold, and why.
        self._deferred: dict[int, str] = {}
        self._wakeup = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def start(self) -> None:
        self._background.start(self._loop(), "dispatcher")

    def wake(self) -> None:
        self._wakeup.set()

    def methods(self) -> dict[str, Method]:
        return {"dispatch.plan": self.plan}

    async def plan(self, _: Json) -> Json:
        """A dry run: what would start now, and of every other assigned task the reason why not."""
        return await self._c.db(lambda store: starting.explained(store, self._planned(store)))

    async def consider(self, ref: str) -> None:
        """Starts this task now if its turn has come; otherwise it stays queued, with the reason on its card."""
        async with self._one_at_a_time:
            task = await self._c.db(lambda store: store.tasks.by_ref(ref))
            if task["queued_at"] and task["state"] == State.ASSIGNED and not task["hold_kind"]:
                await self._go_through()

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            async with self._one_at_a_time:
                await survive(self._go_through(), "going through the queue")

    def _planned(self, store: Store) -> starting.Plan:
        return starting.plan(store, self._c.settings, self._c.gateway_problem, self._deferred)

    async def _go_through(self) -> None:
        """Starts what may start, the most pressing first, and says of the rest why it waits.

        What turns out to be deferred takes nobody's place: the queue is gone through again without it.
        """
        await self._look_at_deferred()
        while True:
            found = await self._c.db(self._planned)
            await self._wait(*((one.task, one.reason) for one in found.waiting if one.gate in _OPENS))
            for one in found.waiting:
                if one.gate not in _OPENS:
                    await self._refuse(one.task, one.gate, one.reason)
            before = set(self._deferred)
            for task in found.would:
                await self._try(task)
            if before.issuperset(self._deferred):
                return

    async def _look_at_deferred(self) -> None:
        """Those whose last attempt is over by now are deferred no more, and have their place in the queue again."""
        if not self._deferred or self._c.gateway_problem:
            return
        queued = await self._c.db(lambda store: {task["id"]: task for task in store.tasks.queued()})
        for task_id in list(self._deferred):
            if (task := queued.get(task_id)) is None:
                del self._deferred[task_id]
            else:
                await survive(self._look_at(task), f"looking at {task['ref']}")

    async def _look_at(self, task: Row) -> None:
        try:
            await self._predecessors.over(task)
        except Deferred as deferred:
            self._defer(task, str(deferred), deferred.again)
        except GatewayUnavailable:
            self._defer(task, self._deferred[task["id"]], AGAIN_S if self._c.connected else 0.0)
        else:
            del self._deferred[task["id"]]

    def _defer(self, task: Row, reason: str, again: float) -> None:
        """A task waits for something of its own. ``again``: in how many seconds to look; 0 when that is settled."""
        self._deferred[task["id"]] = reason
        if again:
            self._background.start(self._wake_later(again), "dispatch again")

    async def _try(self, task: Row) -> None:
        """Starts a task, or says why it waits."""
        try:
            await self._start(task)
        except Refused as refusal:  # something happened since the queue was looked at
            if refusal.gate in TEMPORARY:
                await self._wait((task, refusal.reason))
            else:
                await self._refuse(task, refusal.gate, refusal.reason)
        except Deferred as deferred:
            self._defer(task, str(deferred), deferred.again)
        except GatewayUnavailable:
            await self._wait((task, self._c.gateway_problem or "the gateway did not answer"))
            if self._c.connected:
                self._background.start(self._wake_later(AGAIN_S), "dispatch again")
        except GatewayError as error:
            if error.retryable:  # the gateway's word that it passes by itself
                self._defer(task, f"the gateway can't start it now: {error.message}", AGAIN_S)
                return
            release = "Retry, or assign another agent."
            await self._hold(
                task, Hold(HoldKind.ERROR, f"the gateway refused to start: {error.message}", release)
            )
        except Exception as error:
            log.exception("dispatching %s failed", task["ref"])
            why = f"it could not be started ({unforeseen(error)}); it is tried again"
            self._defer(task, why, TROUBLE_AGAIN_S)

    async def _refuse(self, task: Row, gate: str, reason: str) -> None:
        """A gate that does not open by itself: the task is held, unless it was only moved meanwhile."""
        if gate != "state":
            held = Hold(HoldKind.ERROR, reason, "Mend it, then retry.")
            if gate == BUDGET.name:
                held = Hold(HoldKind.BUDGET, reason, spending.WAY_ON)
            await self._hold(task, held)

    async def _start(self, task: Row) -> None:
        """Gates, session, then attempt, prompt and move in one transaction. Raises Refused or GatewayError."""

        def look(store: Store) -> str:
            row = store.tasks.get(task["id"])
            known = self._known(store, row)
            fire(State(row["state"]), Trigger.DISPATCH, SERVICE, facts_of(store, row, **known))
            return f"ccp-{row['ref'].lower()}-{store.attempts.next_number(row['id'])}-{self._c.home_id}"

        await self._predecessors.over(task)
        key = await self._c.db(look)
        session_key = await self._c.gateway.calls.session_create(task["agent_id"], key)
        there = await self._there_already(task)
        attempt = await self._c.db(lambda store: self._open(store, task, session_key, there))
        if attempt is not None:
            self._runs.learn(session_key, task["agent_id"], task["ref"], attempt)
        self._c.live.waiting.pop(task["ref"], None)
        self._c.live.activity.pop(task["ref"], None)  # what was told of an earlier attempt
        self._deliveries.wake()

    async def _there_already(self, task: Row) -> list[str]:
        """The deliverables that stand in the workspace although nobody has worked on the task yet."""

        def wanted(store: Store) -> tuple[str | None, list[str]]:
            spec = store.specs.approved(task["id"])
            if spec is None or store.attempts.latest(task["id"]):
                return None, []
            workspace = store.agents.row(task["agent_id"])["workspace"]
            return workspace, [one["path"] for one in spec["deliverables"]]

        workspace, paths = await self._c.db(wanted)
        return await asyncio.to_thread(there_already, Path(workspace), paths) if workspace else []

    def _open(self, store: Store, asked: Row, session_key: str, there: list[str]) -> int | None:
        task_id = asked["id"]
        task = store.tasks.get(task_id)
        if not task["queued_at"] or task["queued_at"] != asked["queued_at"]:
            return None  # taken back while the session was made, or asked for anew: that is another dispatch
        spec = store.specs.approved(task_id)
        assert spec is not None, "only an approved spec gets a task assigned"
        token = hash_of(self._tokens.of(session_key))
        attempt_id = store.attempts.open(task_id, task["agent_id"], spec["id"], session_key, token)
        store.rounds.start(attempt_id, task_id)
        attempt = store.attempts.get(attempt_id)
        store.sessions.note(
            session_key,
            task["agent_id"],
            title=f"{task['ref']} {task['title']}",
            purpose="work",
            task=task_id,
            attempt=attempt_id,
        )
        prompt = prompts.dispatch(
            task,
            attempt["number"],
            spec,
            self._deliveries.report,
            reopened=results.sent_back(store, task),
            earlier=results.earlier(store, task, attempt["number"]),
            needed=results.of_needs(store, task),
            there=there,
        )
        send_back(store, attempt, "dispatch", prompt)
        text = f"was dispatched to {task['agent_id']}"
        move(store, task, Trigger.DISPATCH, SERVICE, text, **self._known(store, task))
        if there:
            words = (
                f"warning: the workspace of {task['agent_id']} held {', '.join(there)} before the work began"
            )
            record(store, task, SERVICE, "workspace_warned", words)
        return attempt_id

    def _known(self, store: Store, task: Row) -> dict[str, Any]:
        return starting.Line(store, self._c.settings, self._c.gateway_problem).known(task)

    async def _wait(self, *waiting: tuple[Row, str]) -> None:
        """Puts the reasons on the cards; those that are on theirs already are no news."""
        told = self._c.live.waiting
        news = [(task, reason) for task, reason in waiting if told.get(task["ref"]) != reason]
        if news:
            told.update({task["ref"]: reason for task, reason in news})
            await self._c.db(lambda store: store.touched.tasks.update(task["id"] for task, _ in news))

    async def _hold(self, task: Row, hold: Hold) -> None:
        """Holds a task whose dispatch was refused, unless that was taken back, or asked for anew, meanwhile."""

        def work(store: Store) -> None:
            now = store.tasks.get(task["id"])
            if now["state"] != State.ASSIGNED or now["queued_at"] != task["queued_at"]:
                return
            if store.tasks.hold(task["id"], hold):
                record(store, task, SERVICE, "held", f"is held: {hold.reason}", reason=hold.reason)

        await self._c.db(work)

    async def _wake_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.wake()
