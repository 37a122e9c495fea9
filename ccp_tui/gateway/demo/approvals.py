"""What waits for a person: exec approvals of guarded sessions, and questions of agents."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ccp_tui.gateway.demo.connection import Connection
from ccp_tui.gateway.demo.protocol import APPROVALS, QUESTIONS, Json, Method, Refusal
from ccp_tui.gateway.demo.rows import now_ms

if TYPE_CHECKING:
    from ccp_tui.gateway.demo.world import World

APPROVAL_MS = 30 * 60_000
QUESTION_MS = 15 * 60_000
DECISIONS = ("allow-once", "deny")


@dataclass
class Waiting:
    """One thing that waits, as its event told of it, and where its answer goes."""

    body: Json
    answer: asyncio.Future[Json]


class Desk:
    """Everything that waits for an answer, by id."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.approvals: dict[str, Waiting] = {}
        self.questions: dict[str, Waiting] = {}
        self.ended: dict[str, Json] = {}  # questions of this life that were answered or given up

    async def approve(self, request: Json) -> bool:
        """Puts a shell command to whoever takes approvals; whether it may run. With nobody there it may not."""
        if not any(connection.takes_approvals for connection in self._world.connections):
            return False
        body = {
            "approvalKind": "exec",
            "id": str(uuid.uuid4()),
            "request": {**request, "allowedDecisions": list(DECISIONS)},
            "createdAtMs": now_ms(),
            "expiresAtMs": now_ms() + APPROVAL_MS,
        }
        self._world.tell("exec.approval.requested", body, lambda connection: connection.takes_approvals)
        outcome: Json = {"decision": "deny", "resolvedBy": "approval-scope-closed"}
        try:
            outcome = await self._wait(self.approvals, body, APPROVAL_MS)
        except TimeoutError:
            outcome = {"decision": "deny", "resolvedBy": "expired"}
        finally:
            resolved = {"id": body["id"], **outcome, "request": body["request"], "ts": now_ms()}
            self._world.tell(
                "exec.approval.resolved", resolved, lambda connection: connection.takes_approvals
            )
        return bool(outcome["decision"] == "allow-once")

    async def ask(self, where: Json, questions: list[Json]) -> Json:
        """Puts questions to the person; their answers by question id, empty when nobody answered in time."""
        now = now_ms()
        body = {
            "id": f"ask_{uuid.uuid4().hex}",
            "questions": questions,
            **where,
            "createdAtMs": now,
            "expiresAtMs": now + QUESTION_MS,
            "status": "pending",
        }
        self._world.tell("question.requested", body, lambda connection: connection.takes_questions)
        answers: Json = {}
        try:
            answers = await self._wait(self.questions, body, QUESTION_MS)
        except TimeoutError:
            answers = {}
        finally:
            resolved = {"id": body["id"], **where, "status": "answered" if answers else "cancelled"}
            resolved |= {"answers": {"answers": answers}} if answers else {}
            self.ended[body["id"]] = {**body, **resolved}
            self._world.tell("question.resolved", resolved, lambda connection: connection.takes_questions)
        return answers

    def answered_by(self, session_key: str, text: str) -> bool:
        """Whether a question of the session waited for this message: what a person writes there is the answer."""
        for entry in self.questions.values():
            if entry.body.get("sessionKey") == session_key and not entry.answer.done():
                entry.answer.set_result({one["questionId"]: [text] for one in entry.body["questions"]})
                return True
        return False

    async def _wait(self, waiting: dict[str, Waiting], body: Json, ms: int) -> Json:
        entry = Waiting(body, asyncio.get_running_loop().create_future())
        waiting[body["id"]] = entry
        try:
            return await asyncio.wait_for(entry.answer, ms / 1000)
        finally:
            del waiting[body["id"]]


async def _approvals(world: World, connection: Connection, params: Json) -> Json:
    return {"approvals": [entry.body for entry in world.desk.approvals.values()]}


async def _approve(world: World, connection: Connection, params: Json) -> Json:
    entry = world.desk.approvals.get(params["id"])
    if entry is None or entry.answer.done():
        raise Refusal("unknown or expired approval id", details={"reason": "APPROVAL_NOT_FOUND"})
    decision = params["decision"]
    if decision == "allow-always":
        raise Refusal(
            "allow-always is unavailable for this command",
            details={"reason": "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"},
        )
    if decision not in DECISIONS:
        raise Refusal("invalid decision")
    entry.answer.set_result(
        {"decision": decision, "resolvedBy": connection.grant.client_id if connection.grant else ""}
    )
    return {"ok": True}


async def _questions(world: World, connection: Connection, params: Json) -> Json:
    return {"questions": [entry.body for entry in world.desk.questions.values()]}


async def _question(world: World, connection: Connection, params: Json) -> Json:
    waiting, ended = world.desk.questions.get(params["id"]), world.desk.ended.get(params["id"])
    if waiting is None and ended is None:
        raise Refusal("unknown or expired question id")
    return {"question": waiting.body if waiting else ended}


async def _answer(world: World, connection: Connection, params: Json) -> Json:
    entry = world.desk.questions.get(params["id"])
    if entry is None or entry.answer.done():
        raise Refusal("unknown or expired question id")
    if params.get("cancel"):
        entry.answer.set_result({})
        return {"status": "cancelled"}
    answers = params.get("answers", {}).get("answers")
    if not isinstance(answers, dict) or not answers:
        raise Refusal("invalid question.resolve params: at /answers: must have required property 'answers'")
    several = {one.get("questionId") for one in entry.body["questions"] if one.get("multiSelect")}
    for name, values in answers.items():
        if len(values) > 1 and name not in several:
            raise Refusal(f"question '{name}' does not allow multiple answers")
    entry.answer.set_result(answers)
    return {"status": "answered"}


METHODS = {
    "exec.approval.list": Method(APPROVALS, _approvals),
    "exec.approval.resolve": Method(
        APPROVALS, _approve, {"id": str, "decision": str}, {"reviewer": dict, "grantExpiresInDays": int}
    ),
    "question.list": Method(QUESTIONS, _questions),
    "question.get": Method(QUESTIONS, _question, {"id": str}),
    "question.resolve": Method(
        QUESTIONS,
        _answer,
        {"id": str},
        {
            "answers": dict,
            "cancel": bool,
            "resolvedBy": str,
            "secretStoreAllowedHosts": dict,
            "resolutionId": str,
        },
    ),
}
