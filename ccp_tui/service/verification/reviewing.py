"""Reviewer agents: a round that wants one is read in a session of its own, by an agent that did not do the work.

The requests in the database are all there is to know: each step is decided from them, and may be taken again after a
crash. An agent that gives no verdict is asked once more; then the person is told. That is never a rejection.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ccp_tui import clock
from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.lifecycle import Refused, State, Trigger
from ccp_tui.model import HoldKind
from ccp_tui.policy import Policy, ReviewBy
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import SERVICE, Row, decide, record
from ccp_tui.service.board.tasks import Tasks
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution.goingon import held_back
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.execution.quiet import quiet
from ccp_tui.service.planning.duties import REVIEWER, Duties
from ccp_tui.service.reports.tokens import Tokens, hash_of
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.feedback import say
from ccp_tui.service.sessions.runs import Runs
from ccp_tui.service.verification import reviewprompts
from ccp_tui.service.verification.judging import standing
from ccp_tui.store import Committed, NotFound, Store
from ccp_tui.text import one_line
from ccp_tui.wire import Json

WAY_ON = "Review it yourself, or ask a reviewer again."
AGAIN_S = 5.0
# How long a message may have been with the gateway before its run shows.
BEGINS_S = 5.0
# How old a given-up review may be whose run is ended when the gateway is back.
LEFT_S = 3600.0
LONGEST_DETAIL = 300


def ask(store: Store, task: Row, round_id: int, policy: Policy) -> None:
    """Asks for a reviewer as the policy has it, in the transaction that takes the task to Review."""
    if policy.review is not ReviewBy.PERSON:
        store.review_requests.open(round_id)
        store.touched.tasks.add(task["id"])


class Reviewing:
    """The duty, and the method ``task.review``. Woken by commits, by a connect, and by the end of a reviewer's run."""

    def __init__(
        self,
        context: Context,
        tasks: Tasks,
        tokens: Tokens,
        duties: Duties,
        runs: Runs,
        deliveries: Deliveries,
        background: Background,
    ) -> None:
        self._c = context
        self._tasks = tasks
        self._tokens = tokens
        self._duties = duties
        self._runs = runs
        self._deliveries = deliveries
        self._background = background
        self._wakeup = asyncio.Event()
        self._followed: set[str] = set()

    def methods(self) -> dict[str, Method]:
        return {"task.review": self.review}

    def start(self) -> None:
        self._background.start(self._loop(), "reviewing")
        self.wake()

    def wake(self) -> None:
        self._wakeup.set()

    def committed(self, committed: Committed) -> None:
        """Called after every commit: a task came to Review or left it, or what was stopped may go on."""
        resumed = any(event["kind"] == "emergency_resumed" for event in committed.events)
        if resumed or any(task["attempt"] for task in committed.tasks):
            self.wake()

    async def connected(self) -> None:
        """After a connect: what could not be asked is asked, and no given-up review goes on."""
        since = clock.after(-LEFT_S)
        for session_key in await self._c.db(lambda store: store.review_requests.void_since(since)):
            self._deliveries.abort(session_key)
        self.wake()

    async def review(self, params: Json) -> Json:
        """Asks a reviewer for a verdict on the round that stands, or asks again after one that gave none."""
        ref = p.text(params, "ref")

        def work(store: Store, task: Row) -> None:
            if task["state"] != State.REVIEW:
                state = State(task["state"])
                reason = f"it is in {state.label}: a reviewer reads what is in Review"
                raise Refused("state", reason, state, Trigger.APPROVE)
            _, current = standing(store, task)
            latest = store.review_requests.latest(current["id"])
            if latest and not latest["ended_at"] and quiet(task):
                store.review_requests.end(
                    latest["id"], "void"
                )  # nobody waits for it any more: its run is ended
            elif latest and not latest["ended_at"]:
                reason = f"{latest['agent_id'] or 'a reviewer'} is asked already: wait for the verdict, or give yours"
                raise Refused("reviewing", reason, State.REVIEW, Trigger.APPROVE)
            if given := store.rounds.reviewed_by(current["id"], "reviewer"):
                reason = f"{given['actor']} gave a verdict on this round already: yours decides"
                raise Refused("reviewed", reason, State.REVIEW, Trigger.APPROVE)
            store.review_requests.open(current["id"])
            if task["hold_kind"] in (HoldKind.STALLED, HoldKind.ERROR):
                store.tasks.hold(task["id"], None)
            store.tasks.edit(task["id"])
            record(
                store, task, person(), "review_asked", f"a reviewer is asked for round {current['number']}"
            )

        await decide(self._c.db, ref, work)
        self.wake()
        return await self._tasks.card(ref)

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            await survive(self._look(), "looking at the reviews")

    async def _look(self) -> None:
        requests = await self._c.db(lambda store: store.review_requests.open_ones())
        await self._leave(self._followed - {request["session_key"] for request in requests})
        for request in requests:
            if request["session_key"]:
                self._follow(request)
            else:
                await survive(self._open(request["id"]), f"opening review {request['id']}")

    async def _leave(self, sessions: set[str]) -> None:
        """Reviews that are over: one that was given up is aborted, once nothing of it is on its way."""

        def work(store: Store) -> list[tuple[str, bool]]:
            over = [key for key in sessions if not store.outbox.unsent_in(key)]
            rows = [(key, store.review_requests.by_session(key)) for key in over]
            return [(key, row is not None and row["state"] == "void") for key, row in rows]

        for session_key, void in await self._c.db(work) if sessions else ():
            self._followed.discard(session_key)
            self._runs.forget_owner(session_key)
            if void:
                self._deliveries.abort(session_key)

    def _follow(self, request: Row) -> None:
        """Hears of the end of this session's runs. At the service's start the run may have ended unseen."""
        session_key = request["session_key"]
        if session_key not in self._followed:
            self._followed.add(session_key)
            self._runs.learn(session_key, request["agent_id"], None, None, self._settled)
            if self._c.connected:
                self._runs.settle_later(session_key, self._c.settings.resume_grace)

    async def _open(self, request_id: int) -> None:
        """Chooses the reviewer, makes the session, and puts the prompt on its way."""
        found = await self._c.db(lambda store: self._wanted(store, request_id))
        if found is None or self._c.gateway_problem:
            return  # not wanted now; the next commit or connect wakes us
        request, ref, policy = found
        try:
            reviewer = await self._duties.agent_for(REVIEWER, policy)
            if reviewer == request["worker"]:
                whose = (
                    "the mission's policy names it as the" if policy.reviewer else "it is the service's own"
                )
                reason = f"{reviewer} did this work, and {whose} reviewer"
                await self._give_up(request_id, reason, f"Name another reviewer in the policy. {WAY_ON}")
                return
            key = (
                f"ccp-{ref.lower()}-review-{request['attempt']}-{request['round']}-{request['number']}"
                f"-{self._c.home_id}"
            )
            session_key = await self._c.gateway.calls.session_create(reviewer, key)
        except NotFound as error:
            await self._give_up(request_id, f"there is no reviewer: {error}", f"Name another. {WAY_ON}")
        except GatewayUnavailable:
            if self._c.connected:  # no connect will wake us
                self._background.start(self._wake_later(), "ask a reviewer again")
        except GatewayError as error:
            await self._give_up(
                request_id, f"the gateway refused to start the review: {error.message}", WAY_ON
            )
        else:
            if await self._c.db(lambda store: self._begin(store, request_id, reviewer, session_key)):
                self._followed.add(session_key)
                self._runs.learn(session_key, reviewer, None, None, self._settled)
                self._deliveries.wake()

    def _wanted(self, store: Store, request_id: int) -> tuple[Row, str, Policy] | None:
        """The request with its task's ref and policy; None when nothing is to be started for it now."""
        request = store.review_requests.context(request_id)
        task = store.tasks.get(request["task_id"])
        if request["ended_at"] or store.emergency():
            return None
        if task["state"] != State.REVIEW or not request["stands"] or request["attempt_ended"]:
            store.review_requests.end(request_id, "void")
            return None
        return request, task["ref"], store.missions.policy(task["mission_id"], self._c.settings.policy)

    def _begin(self, store: Store, request_id: int, reviewer: str, session_key: str) -> bool:
        found = self._wanted(store, request_id)
        if found is None or found[0]["session_key"]:
            return False
        request, ref, _ = found
        task = store.tasks.get(request["task_id"])
        store.review_requests.change(
            request_id,
            agent_id=reviewer,
            session_key=session_key,
            token_hash=hash_of(self._tokens.of(session_key)),
            state="reviewing",
        )
        title = f"{ref} review of round {request['round']}"
        store.sessions.note(session_key, reviewer, title=title, purpose="review", task=task["id"])
        text = reviewprompts.review(store, request, self._deliveries.report)
        say(store, session_key, reviewer, "review", text)
        record(store, task, SERVICE, "review_began", f"round {request['round']} is read by {reviewer}")
        return True

    async def _settled(self, session_key: str) -> bool:
        """Nothing goes on in a reviewer's session: what follows. False to be asked again in some seconds."""

        def work(store: Store) -> bool:
            found = store.review_requests.by_session(session_key)
            if found is None or found["ended_at"]:
                return True
            if held_back(store, session_key, self._c.settings.policy):
                return True  # whoever holds it back asks it to go on
            if store.sessions.at_work_below(session_key):
                return True  # asked again when they end
            if store.outbox.unsent_in(session_key) or self._begins(store, session_key):
                return False
            self._judge(store, store.review_requests.context(found["id"]))
            return True

        settled = await self._c.db(work)
        self._deliveries.wake()
        self.wake()
        return settled

    def _begins(self, store: Store, session_key: str) -> bool:
        """Whether the last message may be the beginning of a run that has not shown yet."""
        last = store.outbox.latest_in(session_key)
        if last is None or not last["sent_at"] or not last["run_id"] or self._runs.is_over(last["run_id"]):
            return False
        return clock.after(-BEGINS_S) < str(last["sent_at"])

    def _judge(self, store: Store, request: Row) -> None:
        """The run of a reviewer has ended without a verdict."""
        task = store.tasks.get(request["task_id"])
        if task["state"] != State.REVIEW or not request["stands"]:
            store.review_requests.end(request["id"], "void")
            return
        reviewer, session_key = request["agent_id"], request["session_key"]
        last = store.outbox.latest_in(session_key)
        if last and last["state"] == "failed":
            refused = f"{reviewer} could not be asked for round {request['round']}: {last['error']}"
            end_silent(store, task, request, refused)
        elif not request["nudged"]:
            store.review_requests.change(request["id"], nudged=1)
            text = reviewprompts.nudge(store, request, self._deliveries.report)
            say(store, session_key, reviewer, "nudge", text)
            record(
                store, task, SERVICE, "nudged", f"{reviewer} ended its review without a verdict; it was told"
            )
        else:
            words = f"{reviewer} gave no verdict on round {request['round']}, also after it was told"
            detail = _failure(store, session_key)
            end_silent(store, task, request, f"{words}: {detail}" if detail else words)

    async def _give_up(self, request_id: int, reason: str, release: str) -> None:
        """A review that can't begin: the person is told, and may ask again."""

        def work(store: Store) -> None:
            if found := self._wanted(store, request_id):
                store.review_requests.end(request_id, "void")
                task = store.tasks.get(found[0]["task_id"])
                hold(store, task, HoldKind.ERROR, one_line(reason, 1000), release)

        await self._c.db(work)

    async def _wake_later(self) -> None:
        await asyncio.sleep(AGAIN_S)
        self.wake()


def end_silent(store: Store, task: Row, request: Row, reason: str) -> None:
    """No verdict comes of this request: the person is told why, unless the task is held for something else."""
    store.review_requests.end(request["id"], "silent")
    if task["hold_kind"]:
        record(store, task, SERVICE, "review_silent", f"has no verdict: {reason}", reason=reason)
    else:
        hold(store, task, HoldKind.STALLED, reason, WAY_ON)


def _failure(store: Store, session_key: str) -> str:
    """How the last run failed, when that is the last thing that its transcript says."""
    rows: list[dict[str, Any]] = store.messages.page(session_key, limit=1)[0]
    return one_line(rows[-1]["text"], LONGEST_DETAIL) if rows and rows[-1]["role"] == "system" else ""
