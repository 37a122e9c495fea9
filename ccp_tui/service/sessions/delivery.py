"""Sending the outbox to the gateway: every message once, whatever breaks on the way, and no session behind another.

A row is marked ``sending`` before the gateway hears of it. If then the connection or a process dies, nobody knows
whether it arrived; so the session's history is asked for the row's idempotency key before it is sent again (a gateway
that was restarted does not recognise the key of a resend by itself).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

from ccp_tui import clock
from ccp_tui.gateway import GatewayError, GatewayUnavailable, History, SendAck
from ccp_tui.model import Delivery, Hold, HoldKind, MessageStatus
from ccp_tui.service.background import TROUBLE_AGAIN_S, Background, survive, unforeseen
from ccp_tui.service.board.moves import SERVICE, record
from ccp_tui.service.context import Context
from ccp_tui.service.execution.goingon import held_back
from ccp_tui.service.execution.prompts import report_command
from ccp_tui.service.reports.tokens import Tokens
from ccp_tui.service.sessions.aborting import Aborts, over
from ccp_tui.service.sessions.throttle import Throttles
from ccp_tui.store import Store

log = logging.getLogger(__name__)
Row = dict[str, Any]

SEND_TRIES = 5
AGAIN_S = 5.0
HISTORY_ROWS = 200


class Deliveries:
    """The one sender of messages. :meth:`wake` it after a commit that put something into the outbox.

    Those of a session go out in their order, one after the other; those of several sessions at the same time.
    ``settle`` is called with a session whose message was sent: nothing was judged while it was on its way.
    """

    def __init__(
        self,
        context: Context,
        tokens: Tokens,
        background: Background,
        settle: Callable[[str], Awaitable[object]],
    ) -> None:
        self._c = context
        self._settle = settle
        self._tokens = tokens
        self._background = background
        self._wakeup = asyncio.Event()
        self._unstuck: set[int] = set()
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._missed: set[str] = set()  # sessions that were to be looked at while they were being sent to
        self._aborts = Aborts(context, background)
        self._throttles = Throttles(context, background, self.wake)
        self.report = report_command(context.settings.ccp_command, context.home.agents_socket)

    def start(self) -> None:
        self._background.start(self._loop(), "deliveries")

    def wake(self) -> None:
        self._wakeup.set()

    async def quiet(self) -> None:
        """Returns once the messages that are on their way, if any are, have been answered."""
        if sending := list(self._sending.values()):
            await asyncio.wait(sending)

    def abort(self, session_key: str) -> None:
        """Aborts what runs in a session whose work ended or is held back, and below it."""
        self._aborts.abort(session_key)

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            await survive(self._look(), "looking for messages")

    async def _look(self) -> None:
        """Starts sending to every session that has a message and is not sent to already."""
        for session_key in await self._c.db(self._ready):
            if session_key in self._sending:
                self._missed.add(session_key)
            elif not self._c.gateway_problem:  # the next connect wakes us
                sending = self._background.start(self._send_all(session_key), f"sending to {session_key}")
                self._sending[session_key] = sending

    async def _send_all(self, session_key: str) -> None:
        try:
            for row in await self._c.db(lambda store: self._to_send(store, session_key)):
                if self._c.gateway_problem or not await self._tried(row):
                    break
        finally:
            del self._sending[session_key]
            if session_key in self._missed:
                self._missed.discard(session_key)
                self.wake()

    async def _tried(self, row: Row) -> bool:
        """:meth:`_deliver`; what nobody foresaw is told like any other reason to wait."""
        try:
            return await self._deliver(row)
        except Exception as error:
            log.exception("sending %s failed", row["idempotency_key"])
            await self._throttles.wait(row, unforeseen(error), TROUBLE_AGAIN_S, counts=False)
            return False

    def _ready(self, store: Store) -> list[str]:
        """The sessions whose oldest unsent message may go now."""
        first: dict[str, Row] = {}
        for row in store.outbox.open():
            first.setdefault(row["session_key"], row)
        return [session_key for session_key, row in first.items() if not self._waits(store, row)]

    def _to_send(self, store: Store, session_key: str) -> list[Row]:
        """What goes out now in a session, in its order: nothing goes before a message that waits."""
        rows = store.outbox.open_in(session_key)
        return list(takewhile(lambda row: not self._waits(store, row), rows))

    def _waits(self, store: Store, row: Row) -> bool:
        """Whether a message must not be tried now; one that nobody must hear any more is taken back at once."""
        return self._throttles.waiting(row["session_key"]) and not _over(store, row)

    async def _deliver(self, row: Row) -> bool:
        """Sends one message, if it may go; False when what comes behind it has to wait."""
        try:
            if row["state"] == Delivery.SENDING and await self._arrived(row):
                ack = SendAck(row["idempotency_key"], "arrived")
            elif await self._claim(row):
                ack = await self._send(row)
            else:
                await self._throttles.over(row)
                return True
        except GatewayUnavailable as error:
            if not error.sent:
                await self._mark(row, Delivery.PENDING)
            if self._c.connected:  # no connect will wake us
                await self._throttles.wait(row, error.message, AGAIN_S, counts=False)
            return False
        except GatewayError as error:
            if error.retryable and self._throttles.refused(row) + 1 < SEND_TRIES:
                await self._throttles.wait(row, error.message, error.retry_after_s)
                return False
            await self._failed(row, error.message)
            return True
        except OSError as error:  # the file that the person attached
            await self._failed(row, f"{error.filename or 'an attached file'}: {error.strerror or error}")
            return True
        await self._throttles.over(row)
        await self._sent(row, ack)
        return True

    async def _claim(self, row: Row) -> bool:
        """Marks a row as being sent; False when its attempt ended meanwhile, or when it must wait for a release."""

        def work(store: Store) -> bool:
            if store.outbox.get(row["id"])["state"] not in (Delivery.PENDING, Delivery.SENDING):
                return False
            if held_back(store, row["session_key"], self._c.settings.policy):
                store.outbox.mark(row["id"], Delivery.PENDING)  # it did not arrive: the history was asked
                return False
            if _over(store, row):
                store.outbox.mark(row["id"], Delivery.VOID)
                store.messages.set_status(row["idempotency_key"], MessageStatus.ERROR)
                return False
            store.outbox.mark(row["id"], Delivery.SENDING)
            return True

        return await self._c.db(work, durable=True)  # what the gateway hears outlives a power cut

    async def send_lost(self, session_key: str, connected_at: str) -> None:
        """After a connect: what the gateway acknowledged before and does not know any more is sent again.

        A gateway that is killed right after its acknowledgement has not written the message yet. A history that is
        not whole proves nothing. Raises GatewayError.
        """
        sent = await self._c.db(lambda store: store.outbox.sent_before(session_key, connected_at))
        if not sent:
            return
        history = await self._c.gateway.calls.chat_history(session_key, limit=HISTORY_ROWS)
        lost = [row for row in sent if not history.has_more and not _shows(history, row["idempotency_key"])]
        for row in lost:
            log.info("%s was acknowledged and lost: it is sent again", row["idempotency_key"])
            await self._mark(row, Delivery.PENDING)

    async def send_stuck(self, session_key: str) -> bool:
        """Sends again, once, what the gateway keeps waiting although nothing runs; whether there was such a message.

        A gateway that is killed between its acknowledgement and the run's first step keeps the message, and starts
        nothing with it when it is back.
        """
        history = await self._c.gateway.calls.chat_history(session_key, limit=HISTORY_ROWS)
        sent = await self._c.db(lambda store: store.outbox.sent_before(session_key, clock.now()))
        said = {message.idempotency_key for message in history.messages}
        stuck = [
            row
            for row in sent
            if row["id"] not in self._unstuck
            and row["idempotency_key"] not in said
            and history.in_flight is None
            and any(row["idempotency_key"] in str(item) for item in history.pending)
        ]
        for row in stuck:
            self._unstuck.add(row["id"])
            log.info("%s waits at the gateway and nothing runs: it is sent again", row["idempotency_key"])
            await self._mark(row, Delivery.PENDING)
        if stuck:
            self.wake()
        return bool(stuck)

    async def _arrived(self, row: Row) -> bool:
        """Whether the session's history shows this message."""
        history = await self._c.gateway.calls.chat_history(row["session_key"], limit=HISTORY_ROWS)
        return _shows(history, row["idempotency_key"])

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

        def work(store: Store) -> bool:
            store.outbox.mark(row["id"], Delivery.SENT, run_id=ack.run_id)
            store.messages.set_status(row["idempotency_key"], status)
            if row["attempt_id"] and ack.status not in ("ok", "arrived"):
                store.attempts.run_seen(row["attempt_id"], ack.run_id)
            return _over(store, row)

        if await self._c.db(work):
            self.abort(row["session_key"])  # stopped while the message was on its way: nothing may run
        elif ack.status != "arrived":
            await self._settle(row["session_key"])  # the run that took the message may be over already

    async def _mark(self, row: Row, state: Delivery) -> None:
        await self._c.db(lambda store: store.outbox.mark(row["id"], state))

    async def _failed(self, row: Row, reason: str) -> None:
        await self._throttles.over(row)

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
        if not row["attempt_id"]:
            await self._settle(row["session_key"])  # whoever owns the session learns that it is not delivered


def _shows(history: History, key: str) -> bool:
    """Whether a history knows of the message with this key: said, running, or waiting behind a run."""
    pending = any(key in str(item) for item in history.pending)
    running = history.in_flight is not None and history.in_flight.run_id == key
    return pending or running or any(message.idempotency_key == key for message in history.messages)


def _over(store: Store, row: Row) -> bool:
    """Whether what a message belongs to has ended: nobody must hear it any more."""
    attempt = store.attempts.get(row["attempt_id"]) if row["attempt_id"] else None
    return over(store, row["session_key"], attempt)
