"""Proof that nothing of a task's last attempt runs any more, before another one begins."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import NoReturn

from ccp_tui import clock
from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.service.board.moves import Row
from ccp_tui.service.context import Context
from ccp_tui.service.sessions.aborting import end_run
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.store import Store

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 2.0
LONGEST_WAIT_S = 60.0


class Deferred(Exception):
    """A dispatch that waits for the end of the attempt before it.

    ``again`` is in how many seconds to look again; 0 when that is settled already.
    """

    def __init__(self, reason: str, again: float) -> None:
        super().__init__(f"deferred: {reason}")
        self.again = again


@dataclass(frozen=True)
class Look:
    """How often a session was looked at in vain, when to look again (monotonic), and what was found."""

    times: int
    again: float
    reason: str


class Predecessors:
    """Asks the gateway, whose word is the proof; what it still runs is aborted, and waited for."""

    def __init__(self, context: Context, runs: Runs) -> None:
        self._c = context
        self._runs = runs
        self._looks: dict[str, Look] = {}

    async def over(self, task: Row) -> None:
        """Returns when the task's last attempt is surely over. Raises Deferred, or GatewayUnavailable."""
        last, begun, unsent = await self._c.db(lambda store: _last(store, task["id"]))
        if last is None:
            return
        session, number = last["session_key"], last["number"]
        if (looked := self._looks.get(session)) and time.monotonic() < looked.again and begun:
            raise Deferred(looked.reason, 0.0)  # woken for another reason, and nothing was heard of its end
        if wait := self._may_come_back(begun):
            reason = f"the gateway was just started and may take up attempt {number} again"
            self._looks[session] = Look(0, time.monotonic() + wait, reason)
            raise Deferred(reason, wait)
        if unsent:
            self._defer(session, f"a message of attempt {number} is still on its way")
        if await self._goes_on(session):
            await end_run(self._c, session)
            if await self._goes_on(session):
                self._defer(session, f"attempt {number} still runs at the gateway, and was told to end")
        self._looks.pop(session, None)

    def _defer(self, session: str, reason: str) -> NoReturn:
        times = self._looks[session].times + 1 if session in self._looks else 0
        wait = min(LOOK_AGAIN_S * 2.0**times, LONGEST_WAIT_S)
        self._looks[session] = Look(times, time.monotonic() + wait, reason)
        raise Deferred(reason, wait)

    def _may_come_back(self, begun: str | None) -> float:
        """For how long yet a restarted gateway may take up a run that began before this connection stood."""
        since = self._c.gateway.status.since
        if begun is None or begun > since:
            return 0.0
        return max(0.0, self._c.settings.resume_grace - clock.seconds_since(since))

    async def _goes_on(self, session: str) -> bool:
        try:
            going = await self._runs.sync(session)
        except GatewayUnavailable:
            raise
        except GatewayError as error:
            if error.retryable:
                self._defer(session, f"the gateway can't say what runs ({error.message})")
            log.info("history of %s: %s", session, error.message)
            return False  # a session that is gone runs nothing
        return going.run_id is not None or going.pending or await self._runs.comes_back(session)


def _last(store: Store, task: int) -> tuple[Row | None, str | None, bool]:
    """The last attempt; since when a run of it goes on whose end nobody saw; whether a message is on its way."""
    last = store.attempts.latest(task)
    if last is None:
        return None, None, False
    return last, store.attempts.running_since(last["id"]), store.outbox.unsent_of(last["id"])
