"""``agents.sock``: what an agent's shell reaches. It takes reports and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from ccp_tui import wire
from ccp_tui.service.door.errors import Code, ServiceError, not_allowed
from ccp_tui.service.door.hub import Outbox
from ccp_tui.service.door.sockets import DEADLINE, Caller, Handler, SocketServer
from ccp_tui.service.reports.tokens import hash_of
from ccp_tui.wire import Json

MAX_REPORT = 256 * 2**10  # bytes of one request of an agent
REPORT_RATE, REPORT_BURST = 5.0, 20  # an agent's reports: per second in the long run, and at once
MOST_OPEN = 64  # connections at a time; one more is answered 503
MOST_ACCEPTED = 2 * MOST_OPEN  # with those that have not said yet what they want; one more is cut
LIFETIME = 120.0  # seconds after which a connection makes room for others, whatever it does
MOST_RATES = 1024  # tokens whose reports are counted


class AgentsServer(SocketServer):
    """The agents' socket: ``report`` and nothing else, at a bounded rate, over few connections that do not stay.
    The handler checks the token.

    Its mode is 0600 where agents run as the service's own user; 0660 with the shared ``group`` where they do not.
    """

    def __init__(self, path: Path, report: Handler, *, group: str = "", deadline: float = DEADLINE) -> None:
        super().__init__(
            path,
            mode=0o660 if group else 0o600,
            max_frame=MAX_REPORT,
            deadline=deadline,
            accepted=MOST_ACCEPTED,
            group=group,
        )
        self._report = report
        self._rates: OrderedDict[str, _Rate] = OrderedDict()

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        if len(self._open) < MOST_OPEN:
            return None
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections: try again.\n")

    async def _connection(self, connection: ServerConnection) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIFETIME):
                await super()._connection(connection)

    async def _answer(self, request: wire.Request, caller: Caller, outbox: Outbox) -> str:
        async def handle(params: Json, who: Caller) -> Json:
            if request.method != "report":
                raise not_allowed("An agent may only report its own work here.")
            if not self._rate(params.get("token")).take():
                raise ServiceError(
                    Code.UNAVAILABLE, "Too many reports at once.", {"fix": "wait a second, then report."}
                )
            return await self._report(params, who)

        return await self._call(request, handle, caller)

    def _rate(self, token: object) -> _Rate:
        """The bucket of the attempt with this token, over all its connections: ``ccp report`` makes one per call."""
        key = hash_of(str(token))
        rate = self._rates.setdefault(key, _Rate())
        self._rates.move_to_end(key)
        if len(self._rates) > MOST_RATES:
            self._rates.popitem(last=False)
        return rate


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
