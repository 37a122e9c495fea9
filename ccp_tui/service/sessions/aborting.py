"""Aborting what goes on in a session at the gateway, and below it, for as long as nothing may run there.

A gateway that is away is asked again. What was stopped may have been let go meanwhile (the emergency stop was lifted, a
budget was raised): then the run of that session is a new one, and nobody wishes its end.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.service.background import Background
from ccp_tui.service.context import Context
from ccp_tui.service.execution.goingon import held_back
from ccp_tui.store import Store

log = logging.getLogger(__name__)
Row = dict[str, Any]

TRIES = 5
AGAIN_S = 2.0  # twice as long after each try


class Aborts:
    """Ends runs, in the background."""

    def __init__(self, context: Context, background: Background) -> None:
        self._c = context
        self._background = background

    def abort(self, session_key: str) -> None:
        """Aborts what runs in a session whose work ended or is held back, and below it."""
        self._background.start(self._all(session_key), f"abort {session_key}")

    async def _all(self, session_key: str) -> None:
        for attempt in range(TRIES):
            keys = await self._c.db(lambda store: self._to_end(store, session_key))
            try:
                for key in keys:
                    await end_run(self._c, key)
                return
            except GatewayUnavailable:
                await asyncio.sleep(AGAIN_S * 2**attempt)

    def _to_end(self, store: Store, session_key: str) -> list[str]:
        """The session and those at work below it; none when what goes on there may go on."""
        stopped = store.emergency() or held_back(store, session_key, self._c.settings.policy)
        if not stopped and not over(store, session_key, store.attempts.by_session(session_key)):
            return []
        return [session_key, *store.sessions.at_work_below(session_key)]


async def end_run(context: Context, session_key: str) -> None:
    """Asks the gateway once to abort what runs in a session; a refusal is logged. Raises GatewayUnavailable."""
    try:
        await context.gateway.calls.chat_abort(session_key)
    except GatewayUnavailable:
        raise
    except GatewayError as error:
        log.warning("abort of %s: %s", session_key, error.message)


def over(store: Store, session_key: str, attempt: Row | None) -> bool:
    """Whether this attempt, or the planning or review that has the session, has ended."""
    owners = (attempt, store.plannings.by_session(session_key), store.review_requests.by_session(session_key))
    return any(one is not None and one["ended_at"] is not None for one in owners)
