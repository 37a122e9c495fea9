"""The moves of a task that a person makes, each through the lifecycle, in one transaction with its event."""

from __future__ import annotations

from collections.abc import Callable

from ccp_tui import clock, lifecycle
from ccp_tui.lifecycle import Refused, State, Trigger
from ccp_tui.model import Outcome, Verdict
from ccp_tui.service import params as p
from ccp_tui.service.context import Context, person
from ccp_tui.service.delivery import Deliveries
from ccp_tui.service.dispatch import Dispatcher
from ccp_tui.service.errors import usage
from ccp_tui.service.feedback import send_back
from ccp_tui.service.methods import Method
from ccp_tui.service.moves import SERVICE, Row, decide, end_attempt, move, record
from ccp_tui.service.prompts import rejected
from ccp_tui.service.tasks import Tasks
from ccp_tui.store import Store
from ccp_tui.text import clean
from ccp_tui.wire import Json


class Decisions:
    """The methods ``task.*`` that move a task."""

    def __init__(
        self, context: Context, tasks: Tasks, dispatcher: Dispatcher, deliveries: Deliveries
    ) -> None:
        self._c = context
        self._tasks = tasks
        self._dispatcher = dispatcher
        self._deliveries = deliveries

    def methods(self) -> dict[str, Method]:
        return {
            "task.plan": self._simple(Trigger.PLAN, "moved to Planning"),
            "task.drop_plan": self._simple(Trigger.DROP_PLAN, "left Planning"),
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

    def _simple(self, trigger: Trigger, text: str) -> Method:
        async def method(params: Json) -> Json:
            def work(store: Store, task: Row) -> None:
                move(store, task, trigger, person(), text)

            return await self._do(params, work)

        return method

    async def stop(self, params: Json) -> Json:
        return await self._do(params, lambda store, task: stop(store, task))

    async def cancel(self, params: Json) -> Json:
        reason = clean(p.maybe_text(params, "reason") or "")

        def work(store: Store, task: Row) -> str | None:
            move(store, task, Trigger.CANCEL, person(), "was cancelled", reason=reason)
            ended = end_attempt(store, task["id"], Outcome.CANCELLED)
            return ended["session_key"] if ended else None

        return await self._do(params, work)

    async def reopen(self, params: Json) -> Json:
        reason = clean(p.maybe_text(params, "reason") or "")

        def work(store: Store, task: Row) -> None:
            move(store, task, Trigger.REOPEN, person(), "was reopened", reason=reason)

        return await self._do(params, work)

    async def approve_spec(self, params: Json) -> Json:
        version = p.number(params, "version")

        def work(store: Store, task: Row) -> None:
            newest = store.specs.newest(task["id"])
            if newest and newest["version"] != version:
                reason = f"version {newest['version']} is the newest: read it first"
                raise Refused("spec_version", reason, State(task["state"]), Trigger.APPROVE_SPEC)
            move(store, task, Trigger.APPROVE_SPEC, person(), f"spec version {version} was approved")
            if newest:
                store.specs.approve(newest["id"], task["id"], person().name)

        return await self._do(params, work)

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
            return ended

        return await self._do(params, work)

    async def dispatch(self, params: Json) -> Json:
        """Asks for a dispatch: it starts now, or as soon as the gate that is named opens."""
        ref = p.text(params, "ref")

        def work(store: Store, task: Row) -> None:
            queue(store, task)

        await self._do(params, work)
        await self._dispatcher.consider(ref)
        return await self._tasks.card(ref)

    async def retry(self, params: Json) -> Json:
        """A new attempt for a held task: what runs is stopped, and it is dispatched again."""
        ref = p.text(params, "ref")

        def work(store: Store, task: Row) -> str | None:
            ended = None
            if State(task["state"]) in (State.IN_PROGRESS, State.TESTING):
                if not task["hold_kind"]:
                    reason = "it is not held; stop it first if you want a new attempt"
                    raise Refused("held", reason, State(task["state"]), Trigger.DISPATCH)
                ended = stop(store, task)
            queue(store, store.tasks.get(task["id"]))
            return ended

        await self._do(params, work)
        await self._dispatcher.consider(ref)
        return await self._tasks.card(ref)

    async def approve(self, params: Json) -> Json:
        verdict = (p.number(params, "attempt"), p.number(params, "round"))
        reason = clean(p.maybe_text(params, "reason") or "")

        def work(store: Store, task: Row) -> None:
            approve(store, task, verdict, reason)

        return await self._do(params, work)

    async def reject(self, params: Json) -> Json:
        verdict = (p.number(params, "attempt"), p.number(params, "round"))
        reason = clean(p.maybe_text(params, "reason") or "")

        def work(store: Store, task: Row) -> None:
            actor = person()
            text = f"was sent back in round {verdict[1]}"
            move(store, task, Trigger.REJECT, actor, text, reason=reason, verdict_round=verdict)
            attempt, current = _standing(store, task)
            store.rounds.review(current["id"], Verdict.REJECT, actor.kind.value, actor.name, reason)
            store.rounds.finish(current["id"], "rejected")
            number = store.rounds.start(attempt["id"], task["id"])
            send_back(
                store, attempt, f"reject-{number}", rejected(task, number, reason, self._deliveries.report)
            )

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


def queue(store: Store, task: Row) -> None:
    """Asks for a dispatch. Raises Refused unless the task is assigned."""
    if task["state"] != State.ASSIGNED:  # the machine has the words for it
        lifecycle.fire(State(task["state"]), Trigger.DISPATCH, SERVICE, lifecycle.Facts())
    store.tasks.hold(task["id"], None)
    if not task["queued_at"]:
        store.tasks.edit(task["id"], queued_at=clock.now())
        record(store, task, person(), "dispatch_asked", f"is to be dispatched to {task['agent_id']}")


def approve(store: Store, task: Row, verdict: tuple[int, int], reason: str) -> None:
    """The approval of one round: the task is done."""
    actor = person()
    move(
        store,
        task,
        Trigger.APPROVE,
        actor,
        f"was approved in round {verdict[1]}",
        reason=reason,
        verdict_round=verdict,
    )
    _, current = _standing(store, task)
    store.rounds.review(current["id"], Verdict.APPROVE, actor.kind.value, actor.name, reason)
    store.rounds.finish(current["id"], "approved")
    end_attempt(store, task["id"], Outcome.DONE)


def _standing(store: Store, task: Row) -> tuple[Row, Row]:
    attempt = store.attempts.of_task(task["id"])
    assert attempt is not None, "the lifecycle lets no verdict through without an attempt"
    return attempt, store.rounds.current(attempt["id"])
