"""The moves of a task that a person makes, each through the lifecycle, in one transaction with its event."""

from __future__ import annotations

from collections.abc import Callable

from ccp_tui import lifecycle
from ccp_tui.lifecycle import Refused, State, Trigger
from ccp_tui.model import Outcome
from ccp_tui.service.board.moves import Row, decide, end_attempt, move
from ccp_tui.service.board.tasks import Tasks
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution.dispatch import Dispatcher
from ccp_tui.service.execution.needing import note_reopened
from ccp_tui.service.execution.queueing import queue, queue_if_auto
from ccp_tui.service.planning import crew, plansteps
from ccp_tui.service.planning.planning import Planning
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.verification import judging
from ccp_tui.service.verification.evidence import changed_in
from ccp_tui.store import Store
from ccp_tui.text import clean
from ccp_tui.wire import Json


class Decisions:
    """The methods ``task.*`` that move a task."""

    def __init__(
        self,
        context: Context,
        tasks: Tasks,
        dispatcher: Dispatcher,
        deliveries: Deliveries,
        planning: Planning,
    ) -> None:
        self._c = context
        self._tasks = tasks
        self._dispatcher = dispatcher
        self._deliveries = deliveries
        self._planning = planning

    def methods(self) -> dict[str, Method]:
        return {
            "task.plan": self.plan,
            "task.replan": self.replan,
            "task.drop_plan": self.drop_plan,
            "task.unassign": self._simple(Trigger.UNASSIGN, "was unassigned"),
            "task.restore": self._simple(Trigger.RESTORE, "was restored"),
            "task.stop": self.stop,
            "task.cancel": self.cancel,
            "task.reopen": self.reopen,
            "task.approve_spec": self.approve_spec,
            "task.assign": self.assign,
            "task.dispatch": self.dispatch,
            "task.retry": self.retry,
            "task.approve": self.approve,
            "task.reject": self.reject,
            "task.move": self.move,
        }

    async def _do(self, params: Json, work: Callable[[Store, Row], str | None]) -> Json:
        """One move in one transaction; a refusal is recorded. An attempt that it ended is aborted in the gateway."""
        ref = p.text(params, "ref")
        ended = await decide(self._c.db, ref, work)
        if ended:
            self._deliveries.abort(ended)
        self._dispatcher.wake()
        self._deliveries.wake()
        return await self._tasks.card(ref)

    def _queue(self, store: Store, task: Row) -> None:
        """What was just assigned starts by itself, unless its mission's policy says otherwise."""
        queue_if_auto(store, task, store.missions.policy(task["mission_id"], self._c.settings.policy))

    def _simple(self, trigger: Trigger, text: str) -> Method:
        async def method(params: Json) -> Json:
            def work(store: Store, task: Row) -> None:
                move(store, task, trigger, person(), text)

            return await self._do(params, work)

        return method

    async def plan(self, params: Json) -> Json:
        return await self._do(params, self._planning.plan(params))

    async def replan(self, params: Json) -> Json:
        return await self._do(params, self._planning.replan(params))

    async def drop_plan(self, params: Json) -> Json:
        def work(store: Store, task: Row) -> str | None:
            move(store, task, Trigger.DROP_PLAN, person(), "left Planning")
            return plansteps.end(store, task, "dropped")

        return await self._do(params, work)

    async def stop(self, params: Json) -> Json:
        return await self._do(params, lambda store, task: stop(store, task))

    async def cancel(self, params: Json) -> Json:
        reason = clean(p.maybe_text(params, "reason") or "")

        def work(store: Store, task: Row) -> str | None:
            move(store, task, Trigger.CANCEL, person(), "was cancelled", reason=reason)
            ended = end_attempt(store, task["id"], Outcome.CANCELLED)
            planner = plansteps.end(store, task, "cancelled")
            return ended["session_key"] if ended else planner

        return await self._do(params, work)

    async def reopen(self, params: Json) -> Json:
        reason = clean(p.maybe_text(params, "reason") or "")

        def work(store: Store, task: Row) -> None:
            move(store, task, Trigger.REOPEN, person(), "was reopened", reason=reason)
            note_reopened(store, task, reason)
            self._queue(store, task)

        return await self._do(params, work)

    async def approve_spec(self, params: Json) -> Json:
        return await self._do(params, self._planning.approve(params))

    async def assign(self, params: Json) -> Json:
        """Gives a task to an agent; a held one is taken from the agent that could not go on."""
        named = p.maybe_text(params, "agent")

        def work(store: Store, task: Row) -> str | None:
            agent = store.agents.find(named) if named else task["agent_id"]
            other = agent != task["agent_id"]
            ended = None
            if other and task["hold_kind"] and State(task["state"]) in (State.IN_PROGRESS, State.TESTING):
                ended = stop(store, task)
                task = store.tasks.get(task["id"])
            if other and task["state"] == State.ASSIGNED:
                move(store, task, Trigger.UNASSIGN, person(), f"was taken from {task['agent_id']}")
                task = store.tasks.get(task["id"])
            move(store, task, Trigger.ASSIGN, person(), f"was assigned to {agent}", agent=agent)
            store.tasks.edit(task["id"], agent_id=agent)
            self._queue(store, task)
            return ended

        return await self._do(params, work)

    async def dispatch(self, params: Json) -> Json:
        """Asks for a dispatch: it starts now, or as soon as the gate that is named opens."""
        ref = p.text(params, "ref")

        def work(store: Store, task: Row) -> None:
            queue(store, task, person())

        await self._do(params, work)
        await self._dispatcher.consider(ref)
        return await self._tasks.card(ref)

    async def retry(self, params: Json) -> Json:
        """A held task once more: its planner or the agents of its plan are asked again, or it gets a new attempt."""
        ref = p.text(params, "ref")

        def work(store: Store, task: Row) -> str | None:
            ended = None
            if task["state"] == State.PLANNING:
                plansteps.retry(store, task, person())
                return None
            if crew.try_again(store, task):
                return None
            if State(task["state"]) in (State.IN_PROGRESS, State.TESTING):
                if not task["hold_kind"]:
                    reason = "it is not held; stop it first if you want a new attempt"
                    raise Refused("held", reason, State(task["state"]), Trigger.DISPATCH)
                ended = stop(store, task)
            queue(store, store.tasks.get(task["id"]), person())
            return ended

        await self._do(params, work)
        await self._dispatcher.consider(ref)
        return await self._tasks.card(ref)

    async def approve(self, params: Json) -> Json:
        """The person's approval of a round, of the files as they were checked; or, when told so, as they are now."""
        verdict = (p.number(params, "attempt"), p.number(params, "round"))
        reason = clean(p.maybe_text(params, "reason") or "")
        accepts = p.maybe_bool(params, "accept_changes") or False
        changed = await self._changes(p.text(params, "ref"))
        problem = f"{changed}: look at it, then approve it as it is now, or send it back" if changed else ""

        def work(store: Store, task: Row) -> None:
            note = f"; accepted as it is now: {changed}" if accepts and changed else ""
            known = "" if accepts else problem
            judging.approve(store, task, person(), verdict, reason, note=note, evidence_problem=known)

        return await self._do(params, work)

    async def _changes(self, ref: str) -> str:
        """What of the round in Review is not on disk any more as it was checked."""

        def work(store: Store) -> tuple[str | None, list[Row]]:
            task = store.tasks.by_ref(ref)
            if task["state"] != State.REVIEW:
                return None, []
            attempt, current = judging.standing(store, task)
            workspace = store.agents.row(attempt["agent_id"])["workspace"]
            return workspace, store.rounds.delivered(current["id"])

        return await changed_in(*await self._c.db(work))

    async def reject(self, params: Json) -> Json:
        verdict = (p.number(params, "attempt"), p.number(params, "round"))
        reason = clean(p.maybe_text(params, "reason") or "")

        def work(store: Store, task: Row) -> None:
            judging.reject(store, task, person(), verdict, reason, self._deliveries.report)

        return await self._do(params, work)

    async def move(self, params: Json) -> Json:
        """A column move: the trigger that leads from the task's state to the wanted one."""
        ref, to = p.text(params, "ref"), p.text(params, "to")
        if to not in list(State):
            raise usage(f"there is no column {to!r}", field="to")
        task = await self._c.db(lambda store: store.tasks.by_ref(ref))
        source, target = State(task["state"]), State(to)
        trigger = lifecycle.trigger_between(source, target)
        if trigger is None:
            here = ", ".join(dict.fromkeys(m.target.label for m in lifecycle.moves_from(source)))
            reason = f"no move from {source.label} to {target.label}; from here to: {here}"
            leads_there = next(m.trigger for m in lifecycle.TABLE if m.target is target)
            return await self._do(params, refuse(Refused("state", reason, source, leads_there)))
        if trigger is Trigger.APPROVE_SPEC:
            newest = await self._c.db(lambda store: store.specs.newest(task["id"]))
            params = {**params, "version": newest["version"] if newest else 0}
        if trigger in (Trigger.APPROVE, Trigger.REJECT) and not {"attempt", "round"} <= params.keys():
            reason = "open the task and look at the round first"
            return await self._do(params, refuse(Refused("this_round", reason, source, trigger)))
        method = self.methods().get(f"task.{trigger.value}")
        if method is None:
            who = next(m for m in lifecycle.moves_from(source) if m.trigger is trigger).actors[0]
            reason = f"{trigger.words} is for the {who.value}"
            return await self._do(params, refuse(Refused("actor", reason, source, trigger)))
        return await method(params)


def refuse(refusal: Refused) -> Callable[[Store, Row], None]:
    """Work that only refuses: what was asked is refused before the lifecycle sees it, and recorded all the same."""

    def work(store: Store, task: Row) -> None:
        raise refusal

    return work


def stop(store: Store, task: Row) -> str | None:
    """Takes a task from its agent's hands; the session whose run must be aborted."""
    move(store, task, Trigger.STOP, person(), "was stopped")
    ended = end_attempt(store, task["id"], Outcome.STOPPED)
    return ended["session_key"] if ended else None
