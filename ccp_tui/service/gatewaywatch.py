"""What the gateway's coming and going means for tasks: held while it is away, compared and let go when it is back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import Any

from ccp_tui import __version__, clock
from ccp_tui.gateway import (
    AgentsChanged,
    GatewayError,
    GatewayEvent,
    GatewayState,
    GatewayStatus,
    GatewayUnavailable,
    Hello,
)
from ccp_tui.lifecycle import State
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background
from ccp_tui.service.board.agents import Agents
from ccp_tui.service.board.moves import SERVICE, record
from ccp_tui.service.context import Context
from ccp_tui.service.execution.dispatch import Dispatcher
from ccp_tui.service.execution.outcomes import Outcomes, hold
from ccp_tui.service.questions.attention import Attention
from ccp_tui.service.sessions.aborting import end_run
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.store import Store

log = logging.getLogger(__name__)
Row = dict[str, Any]

# The gateway's list of agents follows a change of its configuration after some moments.
AGENTS_SETTLE_S = 1.5
# How often, within the grace, it is looked whether a restarted gateway took up a turn that was stopped meanwhile.
RESUME_LOOKS = 6
# The connection is lost some moments after what the kernel killed, or before that is counted.
KILLED_BEFORE_S = 5.0


class GatewayWatch:
    """Takes the client's status and its word that a connection stands."""

    def __init__(
        self,
        context: Context,
        runs: Runs,
        outcomes: Outcomes,
        agents: Agents,
        attention: Attention,
        deliveries: Deliveries,
        dispatcher: Dispatcher,
        background: Background,
    ) -> None:
        self._c = context
        self._runs = runs
        self._outcomes = outcomes
        self._agents = agents
        self._attention = attention
        self._deliveries = deliveries
        self._dispatcher = dispatcher
        self._background = background
        self._away: asyncio.Task[Any] | None = None
        self._look: asyncio.Task[Any] | None = None
        self._first = True

    def status(self, status: GatewayStatus) -> None:
        """Tells everybody, and starts the clock when the gateway goes away."""
        connected = status.state is GatewayState.CONNECTED
        changed = connected != self._c.live.connected
        (self._c.live.up.set if connected else self._c.live.up.clear)()
        self.tell()
        if changed:
            self._background.start(self._tell_agents(), "agents' live state")
        if connected and self._away:
            self._away.cancel()
            self._away = None
        elif not connected and self._away is None and status.state is not GatewayState.STOPPED:
            self._away = self._background.start(self._hold_all(), "gateway away")

    def tell(self) -> None:
        """Tells everybody how service and gateway are."""
        self._c.hub.publish("health", {"health": health(self._c)})

    def event(self, event: GatewayEvent) -> None:
        """Agents that are made, changed or deleted elsewhere: looked at again, once for changes that come together."""
        if isinstance(event, AgentsChanged) and (self._look is None or self._look.done()):
            self._look = self._background.start(self._look_at_agents(), "looking at the agents")

    async def connected(self, hello: Hello) -> None:
        """After every connect: histories, runs, agents and requests as the gateway has them; then all goes on."""
        await self._agents.refresh()
        # A restarted gateway takes interrupted turns up again by itself, under new run ids: give it the time. At our
        # own start nobody knows whether it was restarted too.
        wait = self._c.settings.resume_grace if hello.restarted or self._first else 1.0
        self._first = False
        open_ones = await self._c.db(lambda store: store.attempts.open_ones())
        for session_key in [*(attempt["session_key"] for attempt in open_ones), *self._runs.owned()]:
            with contextlib.suppress(GatewayError):
                await self._deliveries.send_lost(session_key, self._c.gateway.status.since)
        for attempt in open_ones:
            await self._compare(attempt)
        for session_key in self._runs.owned():
            self._runs.settle_later(session_key, wait)
        for run in list(self._c.live.runs.values()):
            with contextlib.suppress(GatewayError):
                await self._runs.sync(run.session_key)
        self._background.start(self._agents.files.refresh(), "reading the agents' files")
        self._background.start(self._end_stopped(), "ending the runs of stopped attempts")
        await self._attention.reconcile()
        await self._c.db(_release)
        # Not before the hold is gone: nobody judges what is held. All of them: a run may have ended since it was seen.
        for attempt in open_ones:
            self._runs.settle_later(attempt["session_key"], wait)
        self._deliveries.wake()
        self._dispatcher.wake()

    async def _compare(self, attempt: Row) -> None:
        """Compares an attempt's runs with the gateway's."""
        # Only these can be lost: a run that begins while the history is read is not in it.
        before = await self._c.db(lambda store: store.attempts.running(attempt["id"]))
        try:
            running = (await self._runs.sync(attempt["session_key"])).run_id
        except GatewayUnavailable:
            return
        except GatewayError as error:
            log.info("history of %s: %s", attempt["session_key"], error.message)
            running = None

        def work(store: Store) -> None:
            for run_id in before:
                if run_id != running:
                    store.attempts.run_ended(attempt["id"], run_id, "lost")
            # A turn that the gateway took up and finished before we were back is known by its answers alone.
            for run_id in store.messages.runs_in(attempt["session_key"]):
                if run_id != running and store.attempts.run_seen(attempt["id"], run_id):
                    store.attempts.run_ended(attempt["id"], run_id, "final")

        await self._c.db(work)

    async def _end_stopped(self) -> None:
        """Aborts the runs of attempts that were stopped while nobody could reach the gateway.

        More than once: a restarted gateway takes them up again by itself, some moments after it is back.
        """
        left = await self._c.db(lambda store: store.attempts.left_running())
        for look in range(RESUME_LOOKS if left else 0):
            await asyncio.sleep(self._c.settings.resume_grace / RESUME_LOOKS if look else 0)
            for attempt in left:
                try:
                    await end_run(self._c, attempt["session_key"])
                except GatewayUnavailable:
                    return  # the next connect begins anew

        def work(store: Store) -> None:
            for attempt in left:
                for run_id in store.attempts.running(attempt["id"]):
                    store.attempts.run_ended(attempt["id"], run_id, "aborted")

        await self._c.db(work)

    async def _look_at_agents(self) -> None:
        await asyncio.sleep(AGENTS_SETTLE_S)
        await self._agents.refresh()
        await self._agents.files.refresh()

    async def _hold_all(self) -> None:
        since = clock.after(-KILLED_BEFORE_S)
        await asyncio.sleep(self._c.settings.gateway_grace)
        status = self._c.gateway.status
        reason = f"the gateway is away: {status.detail}"
        if self._c.live.short_since.get("memory", "") > since:
            reason = f"{reason.rstrip('.')}; when it went, the kernel killed a program for want of memory"

        def work(store: Store) -> None:
            for task in store.tasks.in_states(State.IN_PROGRESS):
                if not task["hold_kind"]:
                    hold(
                        store,
                        task,
                        HoldKind.GATEWAY,
                        reason,
                        f"It goes on when the gateway is back. {status.fix}".strip(),
                    )

        await self._c.db(work)

    async def _tell_agents(self) -> None:
        await self._c.db(lambda store: store.touched.agents.update(row["id"] for row in store.agents.all()))


def _release(store: Store) -> None:
    for task in store.tasks.in_states(State.IN_PROGRESS, State.ASSIGNED):
        if task["hold_kind"] == HoldKind.GATEWAY:
            store.tasks.hold(task["id"], None)
            record(store, task, SERVICE, "released", "goes on: the gateway is back")


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


def health(context: Context) -> Row:
    """The truth about service and gateway, with the fix."""
    status = context.gateway.status
    return {
        "service": {
            "pid": os.getpid(),
            "version": __version__,
            "home": str(context.home.root),
            "started_at": context.started_at,
            "demo": context.settings.demo,
            "paths": {
                "agents_socket": str(context.home.agents_socket),
                "checks_socket": _text(context.settings.checks_socket),
                "workspaces": _text(context.settings.workspaces),
            },
        },
        "gateway": {
            "state": status.state.value,
            "url": status.url,
            "detail": status.detail,
            "fix": status.fix,
            "version": status.version,
            "since": status.since,
            "retry_at": status.retry_at,
        },
        "emergency": context.live.emergency,
        "shortages": list(context.live.shortages.values()),
        "skill": context.live.skill,
    }
