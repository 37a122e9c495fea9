"""A reviewer's verdict, as its report command brings it: once, for the round that it was asked to read.

What becomes of it is the mission's policy: an approval finishes the task, or waits for the person beside it; a
rejection goes to the worker, until the rounds are used up and the person must say how it goes on.
"""

from __future__ import annotations

from typing import Any

from ccp_tui.lifecycle import EVIDENCE, Actor, ActorKind, Refused
from ccp_tui.model import HoldKind, Verdict
from ccp_tui.policy import ReviewBy
from ccp_tui.service.board.moves import Row, note_refusal, policy_facts
from ccp_tui.service.context import Context
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import not_allowed, usage
from ccp_tui.service.door.methods import as_error
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.reports.tokens import hide
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.verification import evidence, judging
from ccp_tui.service.verification.reviewing import end_silent
from ccp_tui.store import Store
from ccp_tui.text import clean
from ccp_tui.wire import Json

LONGEST_REASON = 4_000
STOP = "Stop working."


class Verdicts:
    """Takes the verdicts of reviewer agents."""

    def __init__(self, context: Context, deliveries: Deliveries) -> None:
        self._c = context
        self._deliveries = deliveries

    async def verdict(self, params: Json, request: Row, task: Row) -> str:
        """The words that the reviewer gets. ``request``: the row of ``review_requests`` that the token belongs to.

        Raises ServiceError: the verdict makes no sense, comes too late, or a gate does not let it through.
        """
        verdict = _verdict(params)
        reason = clean(hide(p.maybe_text(params, "reason") or p.maybe_text(params, "text") or "")).strip()
        reason = reason[:LONGEST_REASON]
        actor = Actor(ActorKind.REVIEWER, request["agent_id"])
        problem = await self._changes(request) if verdict is Verdict.APPROVE else ""
        try:
            words = await self._c.db(lambda store: self._take(store, request, verdict, reason, problem))
        except Refused as refusal:
            kept = met = refusal
            await self._c.db(lambda store: self._refuse(store, request, actor, met))
            if refusal.gate == EVIDENCE.name:
                words = f"{refusal.reason}: a person looks at it. {STOP}"
                kept = Refused(refusal.gate, words, refusal.state, refusal.trigger)
            raise as_error(kept) from refusal
        self._deliveries.wake()
        return words

    async def _changes(self, request: Row) -> str:
        """What of the round's deliverables is not on disk any more as it was checked."""

        def work(store: Store) -> tuple[str | None, list[Row]]:
            worker = store.review_requests.context(request["id"])["worker"]
            return store.agents.row(worker)["workspace"], store.rounds.delivered(request["round_id"])

        return await evidence.changed_in(*await self._c.db(work))

    def _take(self, store: Store, request: Row, verdict: Verdict, reason: str, problem: str) -> str:
        """The verdict through the lifecycle, in one transaction. Raises Refused, or ServiceError for a late one."""
        request = store.review_requests.context(request["id"])
        _in_time(request)
        task = store.tasks.get(request["task_id"])
        actor = Actor(ActorKind.REVIEWER, request["agent_id"])
        seen = (request["attempt"], request["round"])
        policy = store.missions.policy(task["mission_id"], self._c.settings.policy)
        # Who was asked may reject, also where the person asked against the policy, or changed it since.
        known: dict[str, Any] = {
            **policy_facts(policy, auto=bool(task["auto"])),
            "reviewer_asked": True,
            "evidence_problem": problem,
        }
        store.review_requests.end(request["id"], "given")
        if verdict is Verdict.APPROVE:
            done = policy.review is ReviewBy.AGENT and not store.dependencies.unmet(task["id"])
            _approve(store, task, actor, seen, reason, known, done=done)
        else:
            self._reject(store, task, actor, seen, reason, known)
        return f"Your verdict on round {request['round']} of {task['ref']} is recorded. {STOP}"

    def _reject(
        self,
        store: Store,
        task: Row,
        actor: Actor,
        seen: judging.Round,
        reason: str,
        known: dict[str, Any],
    ) -> None:
        """To the worker, while it has rounds left; after the last one the person says how it goes on."""
        if seen[1] < self._c.settings.most_rounds:
            judging.reject(store, task, actor, seen, reason, self._deliveries.report, **known)
            return
        text = f"round {seen[1]} was rejected by {actor.name}, and it was the last"
        judging.advise(store, task, actor, Verdict.REJECT, seen, reason, text, **known)
        told = f"{actor.name} rejected round {seen[1]} of {self._c.settings.most_rounds}: {reason}"
        way_on = "Approve it all the same, send it back once more yourself, or stop it."
        hold(store, task, HoldKind.STALLED, told, way_on)

    def _refuse(self, store: Store, request: Row, actor: Actor, refusal: Refused) -> None:
        """Records a refusal. Files that changed since they were checked are for the person to approve."""
        context = store.review_requests.context(request["id"])
        note_refusal(store, store.tasks.get(context["task_id"]), actor, refusal)
        if refusal.gate == EVIDENCE.name and not context["ended_at"]:
            reason = f"{actor.name} approved round {context['round']}, but {refusal.reason}"
            end_silent(store, store.tasks.get(context["task_id"]), context, reason)


def _approve(
    store: Store,
    task: Row,
    actor: Actor,
    seen: judging.Round,
    reason: str,
    known: dict[str, Any],
    *,
    done: bool,
) -> None:
    """Done, where the policy lets the reviewer decide and nothing is missing; else the person has the last word."""
    if done:
        judging.approve(store, task, actor, seen, reason, **known)
        return
    text = f"round {seen[1]} was approved by {actor.name}; the last word is the person's"
    facts = {**known, "reviewer_decides": True, "unmet_dependencies": ()}
    judging.advise(store, task, actor, Verdict.APPROVE, seen, reason, text, **facts)


def _verdict(params: Json) -> Verdict:
    given = params.get("verdict")
    if given not in list(Verdict):
        raise usage('say `verdict approve "why"` or `verdict reject "what is missing"`', field="verdict")
    return Verdict(given)


def _in_time(request: Row) -> None:
    """Raises ServiceError when this request takes no verdict any more, in words that the reviewer understands."""
    if not request["ended_at"]:
        return
    said = {
        "given": f"your verdict on round {request['round']} is in already, and only the first counts.",
        "silent": f"nobody waits for your verdict on round {request['round']} any more: a person was asked.",
        "void": f"round {request['round']} does not stand any more: nobody waits for a verdict on it.",
    }
    raise not_allowed(f"{said[request['state']]} {STOP}")
