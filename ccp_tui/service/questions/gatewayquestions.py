"""Questions that agents ask through the gateway: its requests as rows of ours, a row for each question of one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ccp_tui import clock, wire
from ccp_tui.gateway import (
    GatewayError,
    GatewayEvent,
    QuestionRequested,
    QuestionResolved,
)
from ccp_tui.gateway.events import Reader
from ccp_tui.gateway.nouns import mapping, sequence
from ccp_tui.lifecycle import Actor, ActorKind
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import record
from ccp_tui.service.context import Context
from ccp_tui.service.questions.answers import lettered
from ccp_tui.service.questions.gatewayanswers import GatewayAnswers, request_of, show, task_of
from ccp_tui.service.reports.tokens import hide
from ccp_tui.store import Store
from ccp_tui.text import clean, one_line

Row = dict[str, Any]
Work = Callable[[], Awaitable[None]]

LONGEST_QUESTION = 4_000  # characters
LONGEST_LABEL = 300
ANSWER_PATIENCE_S = 10.0  # how long a person's call waits to see what the gateway says
EXPIRY_MARGIN_S = 5.0  # the gateway tells by itself that a request has expired, unless it is away


class GatewayQuestions:
    """Keeps the rows of the gateway's requests, and delivers the answers.

    ``wake`` is called after a row of the outbox, ``changed`` whenever what waits for the person may be another.
    """

    def __init__(
        self,
        context: Context,
        background: Background,
        wake: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._c = context
        self._background = background
        self._answers = GatewayAnswers(context, wake)
        self.changed = changed
        self._work: asyncio.Queue[Work] = asyncio.Queue()
        self._expiry: dict[str, float] = {}

    def start(self) -> None:
        self._background.start(self._loop(), "the gateway's questions")
        self._work.put_nowait(self._remember)

    def event(self, event: GatewayEvent) -> None:
        """A request came, or is over, wherever it was answered. Events are kept in their order."""
        match event:
            case QuestionRequested():
                self._asked(event)
            case QuestionResolved():
                self._c.live.questions.pop(event.id, None)
                self._expiry.pop(event.id, None)
                self._work.put_nowait(partial(self._over, event.id))

    async def reconcile(self) -> None:
        """After a connect: the requests that are open now; those that are not, and the answers nobody has taken."""

        def before(store: Store) -> tuple[list[Row], list[Row]]:
            waiting = [row for row in store.questions.open() if row["kind"] == "gateway"]
            return waiting, [row for row in store.questions.undelivered() if row["kind"] == "gateway"]

        # Read first: a request that comes while the gateway makes its list is not in the list, and not over either.
        known, answered = await self._c.db(before)
        try:
            listed = await self._c.gateway.calls.questions_list()
        except GatewayError:
            return  # asked again at the next connect
        reader = Reader()
        for body in listed:
            for event in reader.read(wire.Event("question.requested", body)):
                self.event(event)
        there = {str(body.get("id") or "") for body in listed}
        for request in sorted({request_of(row) for row in (*known, *answered)}):
            self._work.put_nowait(
                partial(self._answers.deliver if request in there else self._answers.lost, request)
            )
        for request in [one for one in self._c.live.questions if one not in there]:
            self._c.live.questions.pop(request, None)

    async def answered(self, question: Row) -> None:
        """A question of a request was answered: the request is resolved if that was the last one."""
        request = request_of(question)
        task = self._background.start(self._answers.deliver(request), f"answer to {request}")
        await asyncio.wait({task}, timeout=ANSWER_PATIENCE_S)

    # -- what the gateway tells -------------------------------------------------------------------------------

    def _asked(self, event: QuestionRequested) -> None:
        if event.expires_at_ms:
            self._expiry[event.id] = event.expires_at_ms / 1000
        secret = any(one.get("isSecret") for one in event.questions)
        texts = "; ".join(_words(one) for one in event.questions)
        self._c.live.questions[event.id] = {
            "key": f"question:{event.id}",
            "kind": "question",
            "agent": event.agent_id or None,
            "text": f"{event.agent_id or 'an agent'} asks: {one_line(hide(texts), 300)}",
            "since": clock.now(),
            "session_key": event.session_key,
            "secret": secret,
        }
        # A secret goes from the person straight to the gateway: it is not for a database of ours.
        self._work.put_nowait(partial(self._tell if secret else self._keep, event))

    async def _keep(self, event: QuestionRequested) -> None:
        expires = clock.from_ms(event.expires_at_ms) if event.expires_at_ms else None

        def work(store: Store) -> None:
            task = task_of(store, event.session_key)
            attempt = store.attempts.by_session(event.session_key)
            for at, one in enumerate(event.questions):
                key = f"{event.id}:{one.get('questionId') or one.get('id') or at}"
                if store.questions.known(key):
                    continue
                text = clean(hide(_words(one)))[:LONGEST_QUESTION]
                store.questions.ask(
                    "gateway",
                    key,
                    event.session_key,
                    event.agent_id,
                    text,
                    header=one_line(hide(str(one.get("header") or "")), 60),
                    options=lettered(_options(one)),
                    multiple=int(one.get("multiSelect") is True),
                    free=int(one.get("isOther") is True or not _options(one)),
                    task_id=task["id"] if task else None,
                    attempt_id=attempt["id"] if attempt else None,
                    expires_at=expires,
                )
                _note(store, task, event.agent_id, "asked", f"asks: {one_line(text, 300)}")
            if not [row for row in store.questions.of_request(event.id) if row["state"] == "open"]:
                self._c.live.questions.pop(event.id, None)
            show(store, event.session_key)

        await self._c.db(work)

    async def _tell(self, event: QuestionRequested) -> None:
        await self._c.db(lambda store: show(store, event.session_key))

    async def _over(self, request: str) -> None:
        """The gateway says that a request is over: by our answer, by somebody else's, or because nobody came."""
        await self._answers.settled(request)

        def work(store: Store) -> bool:
            rows = store.questions.of_request(request)
            for row in rows:
                if row["state"] == "open":
                    store.questions.gone(row["id"])
            for key in {row["session_key"] for row in rows}:
                show(store, key)
            return any(row["state"] == "answered" and not row["delivered_at"] for row in rows)

        if await self._c.db(work):
            await self._answers.lost(request)

    # -- keeping time -----------------------------------------------------------------------------------------

    async def _remember(self) -> None:
        """The deadlines of the requests that were open when the last service ended."""
        for row in await self._c.db(lambda store: store.questions.open()):
            if row["kind"] == "gateway" and row["expires_at"]:
                self._expiry.setdefault(request_of(row), clock.parse(row["expires_at"]).timestamp())

    async def _loop(self) -> None:
        while True:
            next_one = min(self._expiry.values(), default=None)
            wait = None if next_one is None else max(0.0, next_one + EXPIRY_MARGIN_S - time.time())
            try:
                async with asyncio.timeout(wait):
                    work = await self._work.get()
            except TimeoutError:
                work = self._expire
            await survive(work(), "a question of the gateway")
            self.changed()

    async def _expire(self) -> None:
        due = [one for one, at in self._expiry.items() if at + EXPIRY_MARGIN_S <= time.time()]
        for request in due:
            del self._expiry[request]
            self._c.live.questions.pop(request, None)
            await self._over(request)


def _words(question: Row) -> str:
    return str(question.get("question") or question.get("header") or "").strip() or "a question without words"


def _options(question: Row) -> list[tuple[str, str]]:
    """The options of a question of the gateway, exactly as it will want its labels back."""
    found = [mapping(one) for one in sequence(question.get("options"))]
    return [
        (str(one["label"]), one_line(hide(str(one.get("description") or "")), LONGEST_LABEL))
        for one in found
        if one.get("label")
    ]


def _note(store: Store, task: Row | None, agent: str, kind: str, text: str) -> None:
    actor = Actor(ActorKind.WORKER, agent or "an agent")
    if task:
        record(store, task, actor, kind, text)
    else:
        store.events.add(actor, kind, f"{agent or 'an agent'} {text}", agent=agent or None)
