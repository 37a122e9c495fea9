"""The needs-you queue: what waits for the person, the most urgent first, pushed whole when it changes."""

from __future__ import annotations

import asyncio
from typing import Any

from ccp_tui import clock, wire
from ccp_tui.gateway import (
    ApprovalRequested,
    ApprovalResolved,
    GatewayError,
    GatewayEvent,
    QuestionRequested,
    QuestionResolved,
)
from ccp_tui.gateway.events import Reader
from ccp_tui.lifecycle import State
from ccp_tui.service import params as p
from ccp_tui.service.background import Background
from ccp_tui.service.context import Context
from ccp_tui.service.errors import not_found, usage
from ccp_tui.service.methods import Method
from ccp_tui.service.tokens import hide
from ccp_tui.store import Store
from ccp_tui.text import clean, one_line
from ccp_tui.wire import Json

Row = dict[str, Any]

# Lower is more urgent: what blocks a run now, then what failed, then what waits for a look.
URGENCY = {
    "approval": 0,
    "question": 1,
    "error": 2,
    "stalled": 3,
    "budget": 4,
    "dependency": 5,
    "review": 6,
    "gateway": 7,
}
SETTLE_S = 0.05


class Attention:
    """Built anew from the held tasks, the reviews and the gateway's open requests whenever one of them changes."""

    def __init__(self, context: Context, background: Background) -> None:
        self._c = context
        self._background = background
        self._changed = asyncio.Event()
        self.told: list[Row] = []  # the queue as subscribers know it; the next change is told as it comes

    def methods(self) -> dict[str, Method]:
        return {
            "attention.list": self._list,
            "approval.resolve": self._resolve,
            "question.answer": self._answer,
        }

    def start(self) -> None:
        self._background.start(self._loop(), "attention")

    def changed(self) -> None:
        self._changed.set()

    def event(self, event: GatewayEvent) -> None:
        """The gateway's requests for a person come and go; resolved elsewhere, they disappear here."""
        live = self._c.live
        match event:
            case ApprovalRequested():
                live.approvals[event.id] = _approval(event)
            case ApprovalResolved():
                live.approvals.pop(event.id, None)
            case QuestionRequested():
                live.questions[event.id] = _question(event)
            case QuestionResolved():
                live.questions.pop(event.id, None)
            case _:
                return
        self._background.start(self._tell({event.session_key}), "telling of a request")

    async def reconcile(self) -> None:
        """After a connect: the requests that are open now, and no others."""
        calls = self._c.gateway.calls
        try:
            approvals, questions = await calls.approvals_list(), await calls.questions_list()
        except GatewayError:
            return  # asked again at the next connect
        before = {one["session_key"] for one in self._c.live.requests()}
        self._c.live.approvals.clear()
        self._c.live.questions.clear()
        reader = Reader()
        for name, rows in (("exec.approval.requested", approvals), ("question.requested", questions)):
            for row in rows:
                for event in reader.read(wire.Event(name, row)):
                    self.event(event)
        await self._tell(before)

    async def items(self) -> list[Row]:
        return await self._c.db(self.read)

    def read(self, store: Store) -> list[Row]:
        """The queue, within a transaction."""
        items = [_held(card) for card in store.cards.select({}, held=True)]
        items += [
            _review(card) for card in store.cards.select({"state": State.REVIEW.value}) if not card["hold"]
        ]
        for request in self._c.live.requests():
            attempt = store.attempts.by_session(request["session_key"])
            ref = store.tasks.get(attempt["task_id"])["ref"] if attempt else None
            items.append({**request, "ref": ref})
        return sorted(items, key=lambda item: (item["urgency"], item["since"]))

    async def _list(self, _: Json) -> Json:
        return {"attention": await self.items()}

    async def _resolve(self, params: Json) -> Json:
        request, decision = p.text(params, "id"), p.text(params, "decision")
        known = self._c.live.approvals.get(request)
        if known is None:
            raise not_found("this approval is not open any more")
        if decision not in known["answer"]["decisions"]:
            raise usage(f"the gateway offers {', '.join(known['answer']['decisions'])}", field="decision")
        await self._c.gateway.calls.approval_resolve(request, decision)
        return {}

    async def _answer(self, params: Json) -> Json:
        request, answers = p.text(params, "id"), params.get("answers")
        if request not in self._c.live.questions:
            raise not_found("this question is not open any more")
        if not isinstance(answers, dict):
            raise usage(
                "answers must be an object: the question's id, and a list of answers", field="answers"
            )
        await self._c.gateway.calls.question_resolve(request, answers)
        return {}

    async def _tell(self, session_keys: set[str]) -> None:
        """Cards and agents show that they wait, or no longer wait, for the person."""

        def work(store: Store) -> None:
            for key in session_keys:
                if session := store.sessions.find(key):
                    store.touched.agents.add(session["agent_id"])
                    if session["attempt_id"]:
                        store.touched.tasks.add(store.attempts.get(session["attempt_id"])["task_id"])

        await self._c.db(work)
        self.changed()

    async def _loop(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE_S)  # one telling for changes that come together
            self._changed.clear()
            items = await self.items()
            if items != self.told:
                self.told = items
                self._c.hub.publish("attention", {"attention": items})


def _held(card: Row) -> Row:
    hold = card["hold"]
    return _item(f"{card['ref']}:{hold['kind']}", hold["kind"], card, hold["reason"], hold["since"])


def _review(card: Row) -> Row:
    text = f"round {card['round']} waits for your review"
    key = f"{card['ref']}:review:{card['attempt']}:{card['round']}"
    return _item(key, "review", card, text, card["state_since"])


def _item(key: str, kind: str, card: Row, text: str, since: str) -> Row:
    return {
        "key": key,
        "urgency": URGENCY[kind],
        "kind": kind,
        "ref": card["ref"],
        "agent": card["agent"],
        "text": text,
        "since": since,
        "session_key": card["session_key"],
        "answer": None,
    }


def _approval(event: ApprovalRequested) -> Row:
    request = event.request
    command = hide(clean(str(request.get("command") or "")))
    decisions = [str(one) for one in request.get("allowedDecisions") or ("allow-once", "deny")]
    return {
        **_request(event, event.id, "approval", f"wants to run: {one_line(command, 200)}"),
        "answer": {
            "method": "approval.resolve",
            "id": event.id,
            "decisions": decisions,
            "command": command,
            "cwd": clean(str(request.get("cwd") or "")),
            "expires_at": clock.from_ms(event.expires_at_ms) if event.expires_at_ms else None,
        },
    }


def _question(event: QuestionRequested) -> Row:
    texts = "; ".join(
        one_line(str(one.get("question") or one.get("header") or "")) for one in event.questions
    )
    return {
        **_request(event, event.id, "question", f"asks: {one_line(texts, 300)}"),
        "answer": {"method": "question.answer", "id": event.id, "questions": event.questions},
    }


def _request(event: GatewayEvent, request: str, kind: str, text: str) -> Row:
    return {
        "key": f"{kind}:{request}",
        "urgency": URGENCY[kind],
        "kind": kind,
        "agent": event.agent_id or None,
        "text": f"{event.agent_id or 'an agent'} {text}",
        "since": clock.now(),
        "session_key": event.session_key,
    }
