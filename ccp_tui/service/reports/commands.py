"""Which sessions have a shell command running, as the gateway shows it: what a report is checked against.

A token in a prompt can be copied by another agent that reads the file or the transcript it stands in. So a report
counts only while a command of the very session that the token was made for is running. Live tool events tell; after a
restart of the service in the middle of a command, or of the line to the gateway, the session's history does.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import OrderedDict
from dataclasses import dataclass, field

from ccp_tui.gateway import (
    GatewayError,
    GatewayEvent,
    History,
    RemoteMessage,
    RunAborted,
    RunFailed,
    RunFinal,
    ToolEvent,
)
from ccp_tui.service.context import Context

PATIENCE_S = 3.0  # the event of a command may come after the report that the command makes
REMEMBERED = 1024  # sessions; the one that was heard of longest ago is forgotten
HISTORY_ROWS = 50
# What OpenClaw calls its shell, and a command in it that was left running when its call returned (after 10 s, unless
# the agent asked for longer).
_SHELLS = frozenset({"exec", "bash"})
_LEFT_RUNNING = re.compile(r"Command still running \(session ")


@dataclass
class Shells:
    """The commands of one session: those whose call is open, and the runs that left one in the background."""

    calls: dict[str, str] = field(default_factory=dict)  # call id → run id
    behind: set[str] = field(default_factory=set)  # run ids

    @property
    def running(self) -> bool:
        return bool(self.calls or self.behind)


class Commands:
    """Takes the gateway's events, of whatever session: it is not known yet which one a report will be for."""

    def __init__(self, context: Context) -> None:
        self._c = context
        self._sessions: OrderedDict[str, Shells] = OrderedDict()
        self._began = asyncio.Event()

    def event(self, event: GatewayEvent) -> None:
        match event:
            case ToolEvent() if event.name in _SHELLS:
                self._tool(event)
            case RunFinal() | RunAborted() | RunFailed():
                self._ended(event)

    def forget(self) -> None:
        """After a connect: ends were missed, so what ran before is asked of the history."""
        self._sessions.clear()

    async def running(self, session_key: str) -> bool:
        """Whether the gateway shows a command of this session running; waits some seconds for it to show up."""
        if not self._c.connected:
            return False
        if self._shows(session_key) or await self._in_history(session_key):
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not self._shows(session_key):
                    self._began.clear()
                    await self._began.wait()
        return self._shows(session_key)

    def _shows(self, session_key: str) -> bool:
        shells = self._sessions.get(session_key)
        return shells is not None and shells.running

    def _tool(self, event: ToolEvent) -> None:
        shells = self._sessions.setdefault(event.session_key, Shells())
        self._sessions.move_to_end(event.session_key)
        if len(self._sessions) > REMEMBERED:
            self._sessions.popitem(last=False)
        if event.phase == "result":
            shells.calls.pop(event.call_id, None)
            if _LEFT_RUNNING.search(event.output or ""):
                shells.behind.add(event.run_id)
            return
        shells.calls[event.call_id] = event.run_id
        # Everybody who waits looks; each clears it again before it waits on.
        self._began.set()

    def _ended(self, event: GatewayEvent) -> None:
        """No command outlives its run here: one in the background is on nobody's behalf any more."""
        if shells := self._sessions.get(event.session_key):
            shells.calls = {call: run for call, run in shells.calls.items() if run != event.run_id}
            shells.behind.discard(event.run_id)

    async def _in_history(self, session_key: str) -> bool:
        try:
            history = await self._c.gateway.calls.chat_history(session_key, limit=HISTORY_ROWS)
        except GatewayError:
            return False
        return shows_command(history)


def shows_command(history: History) -> bool:
    """Whether a session's history shows a command of the run in flight that has not returned, or was left running."""
    flight = history.in_flight
    if flight is None:
        return False
    of_run = [one for one in history.messages if one.run_id in (flight.run_id, None)]
    results = {one.tool_call_id: one for one in of_run if one.role == "tool"}
    calls = [one for one in of_run if any(name in _SHELLS for _, name, _ in one.tool_calls)]
    if calls and any(name in _SHELLS and call not in results for call, name, _ in calls[-1].tool_calls):
        return _last_of_all(history.messages, calls[-1])
    ours = [one for one in results.values() if one.run_id == flight.run_id]
    return any(_LEFT_RUNNING.search(one.text) for one in ours)


def _last_of_all(messages: list[RemoteMessage], call: RemoteMessage) -> bool:
    """Nothing but results came after the call: one before it that a crash cut off never gets its result."""
    after = messages[messages.index(call) + 1 :]
    return all(one.role == "tool" for one in after)
