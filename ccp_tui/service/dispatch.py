"""The one dispatcher: starts what is queued as soon as its gates hold, and says of the rest why it waits."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.lifecycle import AGENT_FREE, TEMPORARY, Refused, State, Trigger, fire
from ccp_tui.model import Hold, HoldKind
from ccp_tui.service import prompts
from ccp_tui.service.background import Background, survive
from ccp_tui.service.context import Context
from ccp_tui.service.delivery import Deliveries
from ccp_tui.service.feedback import send_back
from ccp_tui.service.moves import SERVICE, Row, facts_of, move, record
from ccp_tui.service.runs import Runs
from ccp_tui.service.tokens import Tokens, hash_of
from ccp_tui.store import Store

log = logging.getLogger(__name__)


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
        self._wakeup = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()

    def start(self) -> None:
        self._background.start(self._loop(), "dispatcher")

    def wake(self) -> None:
        self._wakeup.set()

    async def consider(self, ref: str) -> None:
        """Starts this task now if it can; otherwise it stays queued, with the reason on its card."""
        async with self._one_at_a_time:
            task = await self._c.db(lambda store: store.tasks.by_ref(ref))
            if task["queued_at"] and task["state"] == State.ASSIGNED and not task["hold_kind"]:
                await self._try(task, {})

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            async with self._one_at_a_time:
                await self._look_through(await self._c.db(lambda store: store.tasks.queued()))

    async def _look_through(self, queued: list[Row]) -> None:
        """Tries each, the most pressing first. Nobody overtakes: whoever frees the agent meanwhile wakes us again."""
        busy: dict[str, str] = {}
        for task in queued:
            if task["agent_id"] in busy:
                await self._wait(task, busy[task["agent_id"]])
            else:
                await survive(self._try(task, busy), f"dispatching {task['ref']}")

    async def _try(self, task: Row, busy: dict[str, str]) -> None:
        """Starts a task, or says why it waits; an agent that has no room left is noted in ``busy``."""
        try:
            await self._start(task)
        except Refused as refusal:
            if refusal.gate in TEMPORARY:
                if refusal.gate == AGENT_FREE.name:
                    busy[task["agent_id"]] = refusal.reason
                await self._wait(task, refusal.reason)
            elif refusal.gate != "state":  # moved meanwhile: nothing to say
                kind = HoldKind.BUDGET if refusal.gate == "budget_left" else HoldKind.ERROR
                await self._hold(task, Hold(kind, refusal.reason, "Mend it, then retry."))
        except GatewayUnavailable:
            await self._wait(task, self._c.gateway_problem or "the gateway did not answer")
            if self._c.connected:
                self._background.start(self._wake_later(), "dispatch again")
        except GatewayError as error:
            release = "Retry, or assign another agent."
            await self._hold(
                task, Hold(HoldKind.ERROR, f"the gateway refused to start: {error.message}", release)
            )

    async def _start(self, task: Row) -> None:
        """Gates, session, then attempt, prompt and move in one transaction. Raises Refused or GatewayError."""

        def look(store: Store) -> str:
            row = store.tasks.get(task["id"])
            fire(State(row["state"]), Trigger.DISPATCH, SERVICE, facts_of(store, row, **self._known()))
            return f"ccp-{row['ref'].lower()}-{store.attempts.next_number(row['id'])}-{self._c.home_id}"

        key = await self._c.db(look)
        session_key = await self._c.gateway.calls.session_create(task["agent_id"], key)
        attempt = await self._c.db(lambda store: self._open(store, task, session_key))
        if attempt is not None:
            self._runs.learn(session_key, task["agent_id"], task["ref"], attempt)
        self._c.live.waiting.pop(task["ref"], None)
        self._deliveries.wake()

    def _open(self, store: Store, asked: Row, session_key: str) -> int | None:
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
            session_key, task["agent_id"], title=f"{task['ref']} {task['title']}", attempt=attempt_id
        )
        reopened = _sent_back(store, task)
        prompt = prompts.dispatch(task, attempt["number"], spec, self._deliveries.report, reopened=reopened)
        send_back(store, attempt, "dispatch", prompt)
        move(store, task, Trigger.DISPATCH, SERVICE, f"was dispatched to {task['agent_id']}", **self._known())
        return attempt_id

    def _known(self) -> dict[str, Any]:
        return {"gateway_problem": self._c.gateway_problem, "agent_limit": self._c.settings.agent_limit}

    async def _wait(self, task: Row, reason: str) -> None:
        if self._c.live.waiting.get(task["ref"]) == reason:
            return
        self._c.live.waiting[task["ref"]] = reason
        await self._c.db(lambda store: store.touched.tasks.add(task["id"]))

    async def _hold(self, task: Row, hold: Hold) -> None:
        def work(store: Store) -> None:
            if store.tasks.hold(task["id"], hold):
                record(store, task, SERVICE, "held", f"is held: {hold.reason}", reason=hold.reason)

        await self._c.db(work)

    async def _wake_later(self) -> None:
        await asyncio.sleep(5.0)
        self.wake()


def _sent_back(store: Store, task: Row) -> str:
    """The reason of the latest reopening, which every attempt since has to answer; empty for work never done."""
    reopened = store.events.page({"task": task["ref"], "kind": "reopened"}, limit=1)
    return str(reopened[-1]["reason"]) if reopened else ""
