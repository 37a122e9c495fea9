"""Sending the outbox to the gateway: every message once, whatever breaks on the way.

A row is marked ``sending`` before the gateway hears of it. If then the connection or a process dies, nobody knows
whether it arrived; so the session's history is asked for the row's idempotency key before it is sent again (a gateway
that was restarted does not recognise the key of a resend by itself).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ccp_tui.gateway import GatewayError, GatewayUnavailable, SendAck
from ccp_tui.model import Delivery, Hold, HoldKind, MessageStatus
from ccp_tui.service.background import Background, survive
from ccp_tui.service.context import Context
from ccp_tui.service.moves import SERVICE, record
from ccp_tui.service.prompts import report_command
from ccp_tui.service.tokens import Tokens
from ccp_tui.store import Store

log = logging.getLogger(__name__)
Row = dict[str, Any]

SEND_TRIES = 5
ABORT_TRIES = 5
AGAIN_S = 5.0


class Deliveries:
    """The one sender of messages. :meth:`wake` it after a commit that put something into the outbox.

    ``judge`` is called with an attempt whose message was sent: nothing was judged while it was on its way.
    """

    def __init__(
        self,
        context: Context,
        tokens: Tokens,
        background: Background,
        judge: Callable[[int], Awaitable[object]],
    ) -> None:
        self._c = context
        self._judge = judge
        self._tokens = tokens
        self._background = background
        self._wakeup = asyncio.Event()
        self.report = report_command(context.settings.ccp_command, context.home.agents_socket)

    def start(self) -> None:
        self._background.start(self._loop(), "deliveries")

    def wake(self) -> None:
        self._wakeup.set()

    def abort(self, session_key: str) -> None:
        """Aborts whatever runs in a session whose attempt ended; tried again while the gateway is away."""
        self._background.start(self._abort(session_key), f"abort {session_key}")

    async def _abort(self, session_key: str) -> None:
        for attempt in range(ABORT_TRIES):
            try:
                await self._c.gateway.calls.chat_abort(session_key)
                return
            except GatewayUnavailable:
                await asyncio.sleep(2.0 * 2**attempt)
            except GatewayError as error:
                log.warning("abort of %s: %s", session_key, error.message)
                return

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            for row in await self._c.db(lambda store: store.outbox.open()):
                if self._c.gateway_problem:
                    break  # the next connect wakes us
                await survive(self._deliver(row), "sending a message")

    async def _deliver(self, row: Row) -> None:
        for attempt in range(SEND_TRIES):
            try:
                if row["state"] == Delivery.SENDING and await self._arrived(row):
                    await self._sent(row, SendAck(row["idempotency_key"], "arrived"))
                    return
                if not await self._claim(row):
                    return
                await self._sent(row, await self._send(row))
                return
            except GatewayUnavailable as error:
                if not error.sent:
                    await self._mark(row, Delivery.PENDING)
                if self._c.connected:  # no connect will wake us
                    self._background.start(self._wake_later(), "send again")
                return
            except GatewayError as error:
                if error.retryable and attempt + 1 < SEND_TRIES:
                    await asyncio.sleep(error.retry_after_s or 0.5 * 2**attempt)
                    row = {**row, "state": Delivery.SENDING}
                    continue
                await self._failed(row, error.message)
                return

    async def _wake_later(self) -> None:
        await asyncio.sleep(AGAIN_S)
        self.wake()

    async def _claim(self, row: Row) -> bool:
        """Marks a row as being sent; False when its attempt ended meanwhile."""

        def work(store: Store) -> bool:
            if store.outbox.get(row["id"])["state"] not in (Delivery.PENDING, Delivery.SENDING):
                return False
            if row["attempt_id"] and store.attempts.get(row["attempt_id"])["ended_at"]:
                store.outbox.mark(row["id"], Delivery.VOID)
                store.messages.set_status(row["idempotency_key"], MessageStatus.ERROR)
                return False
            store.outbox.mark(row["id"], Delivery.SENDING)
            return True

        return await self._c.db(work)

    async def _arrived(self, row: Row) -> bool:
        """Whether the session's history shows this message."""
        history = await self._c.gateway.calls.chat_history(row["session_key"], limit=200)
        key = row["idempotency_key"]
        pending = any(key in str(item) for item in history.pending)
        running = history.in_flight is not None and history.in_flight.run_id == key
        return pending or running or any(message.idempotency_key == key for message in history.messages)

    async def _send(self, row: Row) -> SendAck:
        return await self._c.gateway.calls.chat_send(
            row["session_key"],
            self._tokens.fill(row["text"], row["session_key"]),
            row["idempotency_key"],
            attachments=[Path(path) for path in json.loads(row["attachments"])],
            mode=row["mode"],
        )

    async def _sent(self, row: Row, ack: SendAck) -> None:
        busy = self._c.live.run_of(row["session_key"])
        steered = busy is not None and busy.run_id != ack.run_id
        status = MessageStatus.SENT
        if steered:
            status = MessageStatus.QUEUED if row["mode"] == "followup" else MessageStatus.STEERED

        def work(store: Store) -> Row | None:
            store.outbox.mark(row["id"], Delivery.SENT, run_id=ack.run_id)
            store.messages.set_status(row["idempotency_key"], status)
            if row["attempt_id"] and ack.status not in ("ok", "arrived"):
                store.attempts.run_seen(row["attempt_id"], ack.run_id)
            return store.attempts.get(row["attempt_id"]) if row["attempt_id"] else None

        attempt = await self._c.db(work)
        if attempt and attempt["ended_at"]:
            self.abort(row["session_key"])  # stopped while the message was on its way: nothing may run
        elif attempt and ack.status != "arrived":
            await self._judge(attempt["id"])  # the run that took the message may be over already

    async def _mark(self, row: Row, state: Delivery) -> None:
        await self._c.db(lambda store: store.outbox.mark(row["id"], state))

    async def _failed(self, row: Row, reason: str) -> None:
        def work(store: Store) -> None:
            store.outbox.mark(row["id"], Delivery.FAILED, error=reason)
            store.messages.set_status(row["idempotency_key"], MessageStatus.ERROR)
            store.messages.add_note(row["session_key"], f"not delivered: {reason}")
            attempt = store.attempts.get(row["attempt_id"]) if row["attempt_id"] else None
            if attempt and not attempt["ended_at"] and not store.attempts.running(attempt["id"]):
                task = store.tasks.get(attempt["task_id"])
                text = f"the gateway refused the message: {reason}"
                if store.tasks.hold(
                    task["id"], Hold(HoldKind.ERROR, text, "Retry, or stop and assign another agent.")
                ):
                    record(store, task, SERVICE, "held", f"is held: {text}", reason=text)

        await self._c.db(work)
