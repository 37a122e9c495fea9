"""``agents.sock``: what an agent's shell reaches. It takes reports and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

from ccp_tui import wire
from ccp_tui.service.errors import Code, ServiceError, not_allowed
from ccp_tui.service.hub import Outbox
from ccp_tui.service.sockets import DEADLINE, Caller, Handler, SocketServer
from ccp_tui.wire import Json

MAX_REPORT = 256 * 2**10  # bytes of one request of an agent
REPORT_RATE, REPORT_BURST = 5.0, 20  # an agent's reports: per second in the long run, and at once


class AgentsServer(SocketServer):
    """The agents' socket: ``report`` and nothing else, at a bounded rate. The handler checks the token.

    ``mode`` is 0600 where agents run as the service's own user; 0660 with a shared group where they do not.
    """

    def __init__(self, path: Path, report: Handler, *, mode: int = 0o600, deadline: float = DEADLINE) -> None:
        super().__init__(path, mode=mode, max_frame=MAX_REPORT, deadline=deadline)
        self._report = report
        self._rates: dict[Outbox, _Rate] = {}

    def _join(self) -> Outbox:
        outbox = super()._join()
        self._rates[outbox] = _Rate()
        return outbox

    def _leave(self, outbox: Outbox) -> None:
        self._rates.pop(outbox, None)

    async def _answer(self, request: wire.Request, caller: Caller, outbox: Outbox) -> str:
        async def handle(params: Json, who: Caller) -> Json:
            if request.method != "report":
                raise not_allowed("An agent may only report its own work here.")
            rate = self._rates.get(outbox)
            if rate is not None and not rate.take():
                raise ServiceError(
                    Code.UNAVAILABLE, "Too many reports at once.", {"fix": "wait a second, then report."}
                )
            return await self._report(params, who)

        return await self._call(request, handle, caller)


class _Rate:
    """A bucket of reports that fills again with time."""

    def __init__(self) -> None:
        self._left = float(REPORT_BURST)
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(REPORT_BURST, self._left + (now - self._at) * REPORT_RATE)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
