"""The whole board in a few numbers, pushed when they change: what a list of many deployments shows of each."""

from __future__ import annotations

import asyncio

from ccp_tui import __version__
from ccp_tui.gateway import GatewayState
from ccp_tui.service.background import Background, survive
from ccp_tui.service.context import Context
from ccp_tui.service.door.methods import Method
from ccp_tui.service.questions.attention import Attention
from ccp_tui.wire import Json

# Whoever watches this in place of a session gets the event "summary" at each change, and none of the board's.
TOPIC = "board:summary"
EVERY_S = 0.5  # at most one telling in this time
_GATEWAY = {
    GatewayState.CONNECTED: "ready",
    GatewayState.CONNECTING: "starting",
    GatewayState.STARTING: "starting",
}


class Summary:
    """The method ``summary``. While nobody watches, nothing is counted."""

    def __init__(self, context: Context, attention: Attention, background: Background) -> None:
        self._c = context
        self._attention = attention
        self._background = background
        self._wakeup = asyncio.Event()
        self._told: Json | None = None
        attention.on_told = self.wake

    def methods(self) -> dict[str, Method]:
        return {"summary": self.summary}

    def start(self) -> None:
        self._background.start(self._loop(), "summary")

    def wake(self) -> None:
        """Something changed that may be in it."""
        self._wakeup.set()

    async def summary(self, _: Json) -> Json:
        """``{service, gateway, tasks: {state: how many}, needs_you, shortages: [{kind, times, at}], version}``;
        service and gateway in a word: ready, starting or down. A shortage is of ``memory`` or ``processes``."""
        tasks = await self._c.db(lambda store: store.tasks.counts())
        return {
            "service": "ready",
            "gateway": _GATEWAY.get(self._c.gateway.status.state, "down"),
            "tasks": tasks,
            "needs_you": len(self._attention.told),
            "shortages": [
                {key: one[key] for key in ("kind", "times", "at")} for one in self._c.live.shortages.values()
            ],
            "version": __version__,
        }

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            if self._c.hub.watched(TOPIC):
                await survive(self._tell(), "telling the summary")
                await asyncio.sleep(EVERY_S)

    async def _tell(self) -> None:
        found = await self.summary({})
        if found != self._told:
            self._told = found
            self._c.hub.publish("summary", found, session=TOPIC)
