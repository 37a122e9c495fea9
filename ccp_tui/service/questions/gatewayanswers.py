"""Answers to the gateway's questions, back to the gateway: each stored before, and delivered once whatever breaks.

A request holds one to three questions and takes their answers together. The gateway forgets its requests when it is
restarted, and then the run that asked begins anew; an answer that was given meanwhile is sent as a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.gateway.nouns import mapping
from ccp_tui.service.board.moves import SERVICE, record
from ccp_tui.service.context import Context
from ccp_tui.service.questions.answers import answer_lines, gateway_values
from ccp_tui.store import Store

log = logging.getLogger(__name__)
Row = dict[str, Any]

PATIENCE_S = 10.0  # how long the end of a request waits for our own call's answer
HISTORY_ROWS = 200


class GatewayAnswers:
    """Decides from the rows of a request alone. ``wake`` is called after a row of the outbox."""

    def __init__(self, context: Context, wake: Callable[[], None]) -> None:
        self._c = context
        self._wake = wake
        self._resolving: dict[str, asyncio.Event] = {}  # set when the call is over

    async def settled(self, request: str) -> None:
        """Waits for a call of ours that is on its way: its own answer says what became of it."""
        if ours := self._resolving.get(request):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ours.wait(), PATIENCE_S)

    async def deliver(self, request: str) -> None:
        """Resolves a request whose questions are all answered; one at a time, however often it is asked for."""
        if request not in self._resolving:
            over = self._resolving[request] = asyncio.Event()
            try:
                await self._resolve(request)
            finally:
                del self._resolving[request]
                over.set()

    async def _resolve(self, request: str) -> None:
        rows = await self._c.db(lambda store: store.questions.of_request(request))
        if not rows or any(row["state"] != "answered" or row["delivered_at"] for row in rows):
            return
        self._c.live.questions.pop(request, None)
        answers = {question_of(row): gateway_values(row) for row in rows}
        if not self._c.connected:
            return  # the next connect takes it up
        try:
            await self._c.gateway.calls.question_resolve(request, answers)
        except GatewayUnavailable:
            return  # nobody knows whether it arrived: the next connect asks
        except GatewayError as error:
            log.info("answer to %s: %s", request, error.message)
            await self.lost(request)
            return
        await self._delivered(request)

    async def lost(self, request: str) -> None:
        """A request that the gateway does not have open: whether our answer is known to whoever asked."""
        rows = await self._c.db(lambda store: store.questions.of_request(request))
        waiting = [row for row in rows if row["state"] == "answered" and not row["delivered_at"]]
        whole = bool(waiting) and len(waiting) == len(rows)
        if not whole:
            await self._gone(request)
            return
        try:
            ended, answers = await self._ended_as(request)
            took = ended == "answered" and _took(waiting, answers)
            if ended is None:
                took = await self._in_history(waiting)
        except GatewayUnavailable:
            return  # the next connect asks again
        if ended == "pending":
            return  # it is open after all: the next connect delivers
        if took:
            await self._delivered(request)
        elif ended is None:
            await self._as_message(request)
        else:
            await self._gone(request)

    async def _ended_as(self, request: str) -> tuple[str | None, Row]:
        """How the gateway says that a request ended, and its answers; None when it does not know it (any more)."""
        try:
            body = await self._c.gateway.call("question.get", {"id": request})
        except GatewayUnavailable:
            raise
        except GatewayError:
            return None, {}
        kept = mapping(body.get("question"))
        return str(kept.get("status") or "") or None, mapping(mapping(kept.get("answers")).get("answers"))

    async def _in_history(self, rows: list[Row]) -> bool:
        """Whether the session's history has a tool's result with all of our answers."""
        try:
            history = await self._c.gateway.calls.chat_history(rows[0]["session_key"], limit=HISTORY_ROWS)
        except GatewayUnavailable:
            raise
        except GatewayError:
            return False
        results = [one for one in history.messages if one.role == "tool" and one.at >= rows[0]["asked_at"]]
        values = [value for row in rows for value in gateway_values(row)]
        return any('"answered"' in one.text and all(value in one.text for value in values) for one in results)

    async def _as_message(self, request: str) -> None:
        """The answer as a message into the session, where somebody still works in it; otherwise it is gone."""

        def work(store: Store) -> bool:
            rows = store.questions.of_request(request)
            session = store.sessions.find(rows[0]["session_key"])
            attempt = store.attempts.by_session(rows[0]["session_key"])
            if session is None or (attempt and attempt["ended_at"]):
                return False
            key = f"{rows[0]['session_key']}:answer-{rows[0]['id']}"
            told = "\n\n".join(["Your question was answered", *(answer_lines(row) for row in rows)])
            text = f"{told}\n\nGo on with your work.\n"
            store.outbox.put(
                key,
                rows[0]["session_key"],
                session["agent_id"],
                text,
                attempt=attempt["id"] if attempt else None,
            )
            store.messages.add_ours(rows[0]["session_key"], text, key)
            for row in rows:
                store.questions.delivered(row["id"])
            return True

        if await self._c.db(work):
            self._wake()
        else:
            await self._gone(request)

    async def _delivered(self, request: str) -> None:
        def work(store: Store) -> None:
            for row in store.questions.of_request(request):
                if row["state"] == "answered" and not row["delivered_at"]:
                    store.questions.delivered(row["id"])
                    show(store, row["session_key"])

        await self._c.db(work)

    async def _gone(self, request: str) -> None:
        """Nobody waits for an answer any more: said once, in words, where the person had given one."""
        self._c.live.questions.pop(request, None)

        def work(store: Store) -> None:
            for row in store.questions.of_request(request):
                given = row["state"] == "answered" and not row["delivered_at"]
                if row["state"] == "open" or given:
                    store.questions.gone(row["id"])
                    show(store, row["session_key"])
                if given:
                    task = store.tasks.get(row["task_id"]) if row["task_id"] else None
                    text = f"an answer came too late: {row['agent_id']} does not wait for it any more"
                    if task:
                        record(store, task, SERVICE, "not_delivered", text, question=row["id"])
                    else:
                        store.events.add(SERVICE, "not_delivered", text, agent=row["agent_id"] or None)

        await self._c.db(work)


def request_of(row: Row) -> str:
    return str(row["source_key"]).rpartition(":")[0]


def question_of(row: Row) -> str:
    return str(row["source_key"]).rpartition(":")[2]


def task_of(store: Store, session_key: str) -> Row | None:
    session = store.sessions.find(session_key)
    attempt = store.attempts.by_session(session_key)
    task = attempt["task_id"] if attempt else session["task_id"] if session else None
    return store.tasks.get(task) if task else None


def show(store: Store, session_key: str) -> None:
    """Card and agent show whether they wait for the person."""
    session = store.sessions.find(session_key)
    if session and any(agent["id"] == session["agent_id"] for agent in store.agents.all()):
        store.touched.agents.add(session["agent_id"])
    if task := task_of(store, session_key):
        store.touched.tasks.add(task["id"])


def _took(rows: list[Row], answers: Row) -> bool:
    return all(answers.get(question_of(row)) == gateway_values(row) for row in rows)
