"""A scripted stand-in for the LiveClient, and the canned board that screens are tested on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ccp_tui.failures import ServiceFailure
from ccp_tui.mirror import Mirror
from ccp_tui.rows import Link, LinkState
from tests.support import nouns

Json = dict[str, Any]
NOW = "2026-11-23T12:00:00.000Z"
HOUR_AGO = "2026-11-23T11:00:00.000Z"
YESTERDAY = "2026-11-22T12:00:00.000Z"


def refused(gate: str, reason: str, state: str = "inbox", trigger: str = "assign") -> ServiceFailure:
    """The failure that a refusing gate comes as."""
    return ServiceFailure(
        "REFUSED", reason, {"gate": gate, "reason": reason, "state": state, "trigger": trigger}
    )


def card(id: int, state: str, title: str, **more: Any) -> Json:
    """A task object as the service sends it; ``ref`` is made from the id and the mission unless given."""
    ref = f"{more.get('mission', 'web').upper()[:3]}-{id}"
    return nouns.card(id, ref, HOUR_AGO, **({"state": state, "title": title, "created_at": YESTERDAY} | more))


def agent(id: str, name: str, emoji: str = "", **more: Any) -> Json:
    """An agent object as the service sends it."""
    row: Json = {
        "id": id,
        "name": name,
        "role": "",
        "emoji": emoji,
        "model": "openai/gpt-5",
        "workspace": f"/home/openclaw/{id}",
        "on_gateway": True,
        "live": "idle",
        "working_on": None,
        "unread": 0,
        "files": ["SOUL.md", "USER.md", "AGENTS.md"],
        "created_at": YESTERDAY,
        "updated_at": HOUR_AGO,
    }
    return row | more


def health(**gateway: Any) -> Json:
    """A health object, the gateway connected unless said otherwise."""
    return nouns.health(YESTERDAY, **gateway)


def worked(id: str, name: str, emoji: str, attempt: int | None = 1, **more: Any) -> Json:
    """The keys of a card that an agent works on."""
    return {
        "agent": id, "agent_name": name, "agent_emoji": emoji, "attempt": attempt, "round": 1, "spec_version": 1,
        "spec_approved": True, "session_key": f"agent:{id}:ccp-{attempt}", **more,
    }  # fmt: skip


def snapshot() -> Json:
    """A small shop: two missions, three agents, tasks in every column, held, running, queued and urgent ones."""
    fox = ("fox", "Fox", "🦊")
    owl = ("owl", "Owl", "🦉")
    tasks = [
        card(1, "planning", "Choose how customers sign in", priority="high",
             hold={"kind": "question", "reason": "2 planning questions wait for you", "since": HOUR_AGO,
                   "release": "answer them"}),
        card(2, "inbox", "Fix the login page so that it survives a lost session and says what happened",
             priority="urgent", spec_version=1),
        card(3, "inbox", "Write the changelog for the autumn release", due="2026-11-25T00:00:00.000Z"),
        card(4, "inbox", "Idea: dark colours for the invoices", priority="low"),
        card(5, "assigned", "Export orders as CSV", **worked(*fox, attempt=None), queued=True,
             waiting="Fox is working on WEB-7"),
        card(6, "assigned", "Rename the warehouse fields", **worked(*owl, attempt=None)),
        card(7, "in_progress", "Search that forgives typing errors", priority="high", **worked(*fox),
             activity={"kind": "tool", "text": "exec: pytest tests/search -q", "at": NOW}),
        card(8, "in_progress", "Translate the help pages", **worked(*owl),
             hold={"kind": "stalled", "reason": "the run ended without a submission", "since": HOUR_AGO,
                   "release": "retry, reassign or cancel"}),
        card(9, "testing", "Speed up the price list", **worked(*owl, attempt=2),
             activity={"kind": "status", "text": "running check 2 of 3", "at": NOW}),
        card(10, "review", "Receipt with the tax number", **worked(*fox, attempt=2, round=2), state_since=YESTERDAY),
        card(11, "review", "Newsletter opt-out", **worked(*owl)),
        *(card(100 + n, "done", f"Finished work number {n}", **worked(*owl)) for n in range(1, 31)),
        card(12, "cancelled", "Gopher mirror of the shop"),
        card(20, "inbox", "Rotate the backup keys", mission="ops", priority="high"),
    ]  # fmt: skip
    return {
        "missions": [
            {"id": 1, "slug": "web", "title": "Web shop", "icon": "🛒", "prefix": "WEB", "archived": False},
            {"id": 2, "slug": "ops", "title": "Operations", "icon": "🔧", "prefix": "OPS", "archived": False},
        ],
        "agents": [
            agent("fox", "Fox", "🦊", role="coder", live="working", working_on="WEB-7", unread=2),
            agent("owl", "Owl", "🦉", role="writer", live="waiting", working_on="WEB-8"),
            agent("eel", "Eel", "", role="reviewer", live="offline", on_gateway=False),
        ],
        "tasks": tasks,
        "health": health(),
        "attention": [
            {"key": "hold:WEB-1", "urgency": 0, "kind": "question", "ref": "WEB-1", "agent": None,
             "text": "2 planning questions wait for you", "since": HOUR_AGO, "answer": None},
            {"key": "hold:WEB-8", "urgency": 1, "kind": "stalled", "ref": "WEB-8", "agent": "owl",
             "text": "the run ended without a submission", "since": HOUR_AGO, "answer": None},
            {"key": "review:WEB-10", "urgency": 2, "kind": "review", "ref": "WEB-10", "agent": "fox",
             "text": "wait for your review", "since": YESTERDAY, "answer": None},
        ],
    }  # fmt: skip


SPEC: Json = {
    "version": 2,
    "title": "Receipt with the tax number",
    "summary": "Business customers need receipts that carry their tax number, so that their bookkeeping accepts them.",
    "deliverables": [
        {"path": "shop/receipt.py", "description": "prints the number under the address"},
        {"path": "docs/receipts.md", "description": "how to switch it on"},
    ],
    "success_criteria": [
        "A receipt for a business customer shows the tax number.",
        "A receipt for a private customer looks as it did before.",
    ],
    "checks": [
        {"name": "unit tests", "command": "pytest tests/test_receipt.py -q", "timeout_s": 60},
        {"name": "the guide is there", "command": "test -s docs/receipts.md", "timeout_s": 10},
    ],
    "constraints": ["Do not change the numbering of receipts."],
    "text": "title: Receipt with the tax number\ndeliverables:\n  - path: shop/receipt.py\n",
    "created_at": YESTERDAY,
    "author": "ada",
    "approved_at": YESTERDAY,
    "approved_by": "ada",
}


def worked_round(number: int, *, submitted: bool = True, ok: bool = True, **more: Any) -> Json:
    """A round of an attempt with two deliverables and two checks."""
    checks = [
        {"name": "unit tests", "command": "pytest tests/test_receipt.py -q", "exit_code": 0 if ok else 1, "ok": ok,
         "output": "..........\n10 passed in 0.41s" if ok else "F...\ntest_receipt.py:31 AssertionError\n1 failed",
         "duration_ms": 1240, "timed_out": False, "started_at": HOUR_AGO},
        {"name": "the guide is there", "command": "test -s docs/receipts.md", "exit_code": 0, "ok": True, "output": "",
         "duration_ms": 12, "timed_out": False, "started_at": HOUR_AGO},
    ]  # fmt: skip
    deliverables = [
        {"path": "shop/receipt.py", "description": "the number under the address", "present": True, "size": 4312,
         "sha256": "ab" * 32, "reported_at": HOUR_AGO},
        {"path": "docs/receipts.md", "description": "", "present": True, "size": 911, "sha256": "cd" * 32,
         "reported_at": HOUR_AGO},
    ]  # fmt: skip
    return {
        "number": number,
        "summary": f"Round {number}: the tax number stands under the address; private receipts are untouched.",
        "submitted_at": HOUR_AGO if submitted else None,
        "result": "passed" if ok else "failed",
        "deliverables": deliverables,
        "checks": checks,
        "reviews": [],
    } | more


def detail(row: Json, **more: Any) -> Json:
    """The whole of a task around its card: nothing done yet, unless said otherwise."""
    empty: Json = {
        "description": "",
        "why": "",
        "moves": [],
        "spec": None,
        "approved_spec": None,
        "specs": [],
        "attempts": [],
    }
    return row | empty | more


def in_review(rounds: int = 2) -> Json:
    """The detail of WEB-10, in review after ``rounds`` rounds of its second attempt."""
    card_row = next(row for row in snapshot()["tasks"] if row["ref"] == "WEB-10") | {"round": rounds}
    rejected = {
        "verdict": "reject",
        "actor": "ada",
        "reason": "The number is missing\non the second page.",
        "at": HOUR_AGO,
    }
    attempts = [
        {"number": 1, "agent": "fox", "session_key": "agent:fox:ccp-web-10-1", "state": "ended", "outcome": "stopped",
         "started_at": YESTERDAY, "ended_at": YESTERDAY, "tokens": 1200, "cost_usd": 0.02, "run_ids": [],
         "rounds": []},
        {"number": 2, "agent": "fox", "session_key": "agent:fox:ccp-2", "state": "open", "outcome": None,
         "started_at": HOUR_AGO, "ended_at": None, "tokens": 48210, "cost_usd": 0.61, "run_ids": ["r2"],
         "rounds": [worked_round(n, reviews=[rejected] if n < rounds else []) for n in range(1, rounds + 1)]},
    ]  # fmt: skip
    moves = [
        {"trigger": "approve", "target": "done", "label": "approve", "gate": None, "reason": None},
        {"trigger": "reject", "target": "in_progress", "label": "reject", "gate": None, "reason": None},
        {"trigger": "stop", "target": "assigned", "label": "stop", "gate": None, "reason": None},
        {"trigger": "cancel", "target": "cancelled", "label": "cancel", "gate": None, "reason": None},
    ]
    return detail(
        card_row,
        description="Asked for by three customers.\nSee the mail of last week.",
        why=f"it waits for your review of round {rounds}",
        moves=moves,
        spec=SPEC,
        approved_spec=SPEC,
        attempts=attempts,
    )


EVENTS: list[Json] = [
    {"id": n, "at": HOUR_AGO, "actor": actor, "kind": kind, "task": "WEB-10", "mission": "web", "agent": "fox",
     "attempt": 2, "round": 1, "text": text, "reason": reason, "data": {}}
    for n, (actor, kind, text, reason) in enumerate([
        ("ada", "capture", "WEB-10 was captured", None),
        ("ada", "dispatch", "WEB-10 went to Fox, attempt 2", None),
        ("fox", "submit", "Fox submitted round 1 of WEB-10", None),
        ("ada", "reject", "Round 1 of WEB-10 was rejected", "The number is missing\non the second page."),
    ], 1)
]  # fmt: skip


Answer = Json | Exception | Callable[[Json], Json]


class FakeLive:
    """What screens see of a LiveClient: answers as told, remembers what was asked, tells the mirror what it is told to.

    ``answers`` maps a method to its payload, an exception to raise, or a function of the params. A method that is not
    in it answers what the canned board would say, else {}. ``calls`` holds (method, params) in order.
    """

    def __init__(self, mirror: Mirror, board: Json | None = None) -> None:
        self.mirror = mirror
        self.board = board
        self.answers: dict[str, Answer] = {}
        self.calls: list[tuple[str, Json]] = []
        self.watched: list[str] = []
        self.hello: Json = {}

    @property
    def link(self) -> Link:
        return self.mirror.link

    def start(self) -> None:
        if self.board is None:
            return
        self.mirror.set_link(Link(LinkState.CONNECTED, "", "", NOW))
        self.mirror.apply_snapshot(self.board)

    async def stop(self) -> None: ...

    async def call(self, method: str, params: Json | None = None, **_: Any) -> Json:
        self.calls.append((method, params or {}))
        answer = self.answers[method] if method in self.answers else self._usual(method, params or {})
        if isinstance(answer, Exception):
            raise answer
        return answer(params or {}) if callable(answer) else answer

    def _usual(self, method: str, params: Json) -> Json:
        """What the canned board says of itself without being told to."""
        match method:
            case "task.show" if params.get("ref") == "WEB-10":
                return {"task": in_review()}
            case "task.show":
                row = next(
                    (row for row in (self.board or {}).get("tasks", []) if row["ref"] == params.get("ref")),
                    None,
                )
                return {"task": detail(row)} if row else {}
            case "task.history":
                return {"events": EVENTS}
            case "task.transcript":
                return {"messages": [], "session_key": ""}
        return {}

    async def watch(self, session_key: str) -> None:
        self.watched.append(session_key)

    async def unwatch(self, session_key: str) -> None:
        self.watched.remove(session_key)

    def emit(self, event: str, /, **payload: Any) -> None:
        """An event arrives from the service."""
        self.mirror.apply(event, payload)

    def asked(self, method: str) -> list[Json]:
        """The params of every call of one method."""
        return [params for name, params in self.calls if name == method]
