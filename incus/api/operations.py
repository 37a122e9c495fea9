"""Operations: what Incus does in the background after it has said yes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ccp_tui.incus.api import events, words
from ccp_tui.incus.api.connection import CALL_S, Connection, Json
from ccp_tui.incus.api.events import Happened
from ccp_tui.incus.errors import FleetError

# One wait is one request; a longer one is cut into pieces so that a daemon that died is noticed.
PIECE_S = 30
ENDED = ("Success", "Failure", "Cancelled")


async def wait(connection: Connection, operation: Json, within: float) -> Json:
    """The operation when it has ended well. Raises FleetError: its error in words, or TIMEOUT after ``within`` s.

    It goes on after a TIMEOUT: most operations can't be cancelled.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    path = f"/1.0/operations/{operation['id']}/wait"
    found = operation
    while True:
        left = end - loop.time()
        if found.get("status_code", 103) >= 200:
            return checked(found)
        if left <= 0:
            raise FleetError("TIMEOUT", f"{described(operation)} took more than {within:.0f} s.")
        piece = max(1, min(PIECE_S, round(left)))
        try:
            found = await connection.get(path, {"timeout": piece}, within=piece + CALL_S)
        except FleetError as error:
            if error.message != words.WAITED:  # how Incus says that it goes on
                raise


async def run(
    connection: Connection,
    method: str,
    path: str,
    body: Any = None,
    *,
    params: Mapping[str, str | int] | None = None,
    within: float = 60.0,
) -> Json:
    """A background call and the wait for its end: the ended operation. Raises FleetError."""
    operation = await connection.call(method, path, body, params=params)
    if not isinstance(operation, dict) or "id" not in operation:
        return operation if isinstance(operation, dict) else {}
    return await wait(connection, operation, within)


def checked(operation: Json) -> Json:
    """An ended operation, when it ended well; otherwise its reason as a FleetError."""
    if operation.get("status_code") == 200:
        return operation
    raise words.refusal(str(operation.get("err") or operation.get("status") or ""))


def described(operation: Json) -> str:
    """What the operation does, in Incus's words. Its metadata holds secrets and is never shown."""
    return str(operation.get("description") or "The operation")


class Runner:
    """Runs operations whose ends come by the event stream; should that break, they are waited for one by one."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.on_progress: Callable[[str], None] = lambda _words: None
        self._ended: dict[str, Happened] = {}
        self._waiting: dict[str, asyncio.Future[Happened | None]] = {}
        self._lost = False

    async def run(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str | int] | None = None,
        within: float = 60.0,
    ) -> None:
        """A background call and the event of its end. Raises FleetError as :func:`run` does.

        A cancellation leaves the operation running, but not before Incus has answered the call.
        """
        asked = asyncio.ensure_future(self.connection.call(method, path, body, params=params))
        try:
            operation = await asyncio.shield(asked)
        except asyncio.CancelledError:
            await asyncio.wait([asked])
            if not asked.cancelled():
                asked.exception()
            raise
        await self._end(operation, within)

    async def _end(self, operation: Json, within: float) -> None:
        identity = str(operation["id"])
        future: asyncio.Future[Happened | None] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = future
        if identity in self._ended:
            future.set_result(self._ended[identity])
        elif self._lost:
            future.set_result(None)
        try:
            async with asyncio.timeout(within):
                ended = await future
        except TimeoutError:
            raise FleetError("TIMEOUT", f"{described(operation)} took more than {within:.0f} s.") from None
        finally:
            del self._waiting[identity]
        if ended is None:
            await wait(self.connection, operation, within)
        elif ended.status != "Success":
            raise words.refusal(ended.error or ended.status)

    async def read(self, stream: AsyncIterator[Happened]) -> None:
        """Reads the event stream to its end and settles what waits."""
        try:
            async for happened in stream:
                if happened.kind != "operation":
                    continue
                if happened.status in ENDED:
                    self._ended[happened.id] = happened
                    waiting = self._waiting.get(happened.id)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(happened)
                elif happened.id in self._waiting:
                    for said in happened.progress.values():
                        self.on_progress(said)
        finally:
            self._lost = True
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_result(None)


@asynccontextmanager
async def runner(connection: Connection) -> AsyncIterator[Runner]:
    """A runner on an open event stream. Raises FleetError when the stream can't be opened."""
    async with events.opened(connection, "operation") as stream:
        found = Runner(connection)
        reading = asyncio.create_task(found.read(stream))
        try:
            yield found
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
