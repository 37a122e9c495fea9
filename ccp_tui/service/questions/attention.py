"""The needs-you queue: what waits for the person, the most urgent first, pushed whole when it changes.

An item's key stands for one transition: the same hold after a release has another one, so that whoever rings a bell
for a key that is new rings it once for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ccp_tui import clock, wire
from ccp_tui.gateway import (
    ApprovalRequested,
    ApprovalResolved,
    GatewayError,
    GatewayEvent,
)
from ccp_tui.gateway.events import Reader
from ccp_tui.gateway.nouns import mapping, sequence
from ccp_tui.lifecycle import State
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background
from ccp_tui.service.context import Context
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import not_found, usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.questions.answers import shown
from ccp_tui.service.reports.tokens import hide
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
    "plan": 6,
    "review": 6,
    "gateway": 7,
}
# An agent is asked for its verdict: the person's turn comes after it, if at all.
_WITH_REVIEWER = ("opening", "reviewing")
SETTLE_S = 0.05


class Attention:
    """Built anew from the held tasks, the open questions, the reviews and the gateway's open approvals whenever one
    of them changes."""

    def __init__(self, context: Context, background: Background) -> None:
        self._c = context
        self._background = background
        self._changed = asyncio.Event()
        self.told: list[Row] = []  # the queue as subscribers know it; the next change is told as it comes
        self.on_told: Callable[[], None] = lambda: None

    def methods(self) -> dict[str, Method]:
        return {"attention.list": self._list, "approval.resolve": self._resolve}

    def start(self) -> None:
        self._background.start(self._loop(), "attention")

    def changed(self) -> None:
        self._changed.set()

    def event(self, event: GatewayEvent) -> None:
        """The gateway's requests for an approval come and go; resolved elsewhere, they disappear here."""
        live = self._c.live
        match event:
            case ApprovalRequested():
                live.approvals[event.id] = _approval(event)
            case ApprovalResolved():
                live.approvals.pop(event.id, None)
            case _:
                return
        self._background.start(self._tell({event.session_key}), "telling of a request")

    async def reconcile(self) -> None:
        """After a connect: the approvals that are open now, and no others."""
        try:
            approvals = await self._c.gateway.calls.approvals_list()
        except GatewayError:
            return  # asked again at the next connect
        before = {one["session_key"] for one in self._c.live.approvals.values()}
        self._c.live.approvals.clear()
        reader = Reader()
        for row in approvals:
            for event in reader.read(wire.Event("exec.approval.requested", row)):
                self.event(event)
        await self._tell(before)

    async def items(self) -> list[Row]:
        return await self._c.db(self.read)

    def read(self, store: Store) -> list[Row]:
        """The queue, within a transaction."""
        items = [_held(card) for card in store.cards.select({}, held=True) if not _asks(card)]
        items += [_question(row) for row in store.questions.open()]
        items += [
            _review(card)
            for card in store.cards.select({"state": State.REVIEW.value})
            if not card["hold"] and card["review"] not in _WITH_REVIEWER
        ]
        items += [
            _plan(card, store.plannings.of_task(card["id"]))
            for card in store.cards.select({"state": State.PLANNING.value})
            if not card["hold"] and card["planning"] == "proposed"
        ]
        secrets = [one for one in self._c.live.questions.values() if one["secret"]]
        for request in (*self._c.live.approvals.values(), *secrets):
            attempt = store.attempts.by_session(request["session_key"])
            ref = store.tasks.get(attempt["task_id"])["ref"] if attempt else None
            items.append({**_secret(request), "ref": ref} if "secret" in request else {**request, "ref": ref})
        return sorted(items, key=lambda item: (item["urgency"], item["since"], item["key"]))

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
                self.on_told()


def _asks(card: Row) -> bool:
    """Whether a card is held for questions that are in the queue themselves."""
    return bool(card["hold"]["kind"] == HoldKind.QUESTION and card["questions"] > 0)


def _held(card: Row) -> Row:
    hold = card["hold"]
    key = f"{card['ref']}:{hold['kind']}:{hold['since']}"
    return _item(key, hold["kind"], card, hold["reason"], hold["since"])


def _plan(card: Row, planning: Row | None) -> Row:
    text = f"the plan, version {card['spec_version']}, waits for your approval"
    proposal = f"{planning['number']}:{planning['seen_key']}" if planning else ""
    key = f"{card['ref']}:plan:{proposal}"
    return _item(key, "plan", card, text, card["updated_at"])


def _review(card: Row) -> Row:
    text = f"round {card['round']} waits for your review"
    if card["review"] == "given":
        text = f"round {card['round']} was approved by the reviewer and waits for you"
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
            "risk": _risk(request),
            "host": one_line(str(request.get("host") or ""), 60),
            "expires_at": clock.from_ms(event.expires_at_ms) if event.expires_at_ms else None,
        },
    }


def _question(row: Row) -> Row:
    return {
        "key": f"question:{row['id']}",
        "urgency": URGENCY["question"],
        "kind": "question",
        "ref": row["ref"],
        "agent": row["agent_id"] or None,
        "text": f"{row['agent_id'] or 'an agent'} asks: {one_line(row['text'], 300)}",
        "since": row["asked_at"],
        "session_key": row["session_key"],
        "answer": {"method": "question.answer", "question": shown(row)},
    }


def _secret(request: Row) -> Row:
    """A question for a secret: it goes from the person straight to the gateway, and not through a database of ours."""
    shown_of = {key: value for key, value in request.items() if key != "secret"}
    text = f"{request['text']} (a secret: answer it in OpenClaw's own interface)"
    return {**shown_of, "urgency": URGENCY["question"], "text": text, "answer": None}


def _risk(request: Json) -> list[str]:
    """What the gateway's own look at the command says of it, in its words; nothing where it has no opinion."""
    analysis = mapping(request.get("commandAnalysis"))
    warnings = [request.get("warningText"), *sequence(analysis.get("warningLines"))]
    kinds = [str(one).replace("-", " ") for one in sequence(analysis.get("riskKinds")) if one]
    said = [one_line(hide(str(one)), 300) for one in warnings if one]
    return [*dict.fromkeys(said), *([f"risk: {', '.join(kinds)}"] if kinds else [])]


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
