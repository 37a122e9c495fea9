"""Questions to the person, whoever asked them: one table, one way to answer, and no answer that gets lost.

An answer is committed together with what delivers it: for a planner or a worker that is a message in the outbox; for
the gateway's own questions the row itself stays undelivered until the gateway has taken it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ccp_tui.lifecycle import Actor
from ccp_tui.model import HoldKind
from ccp_tui.service.board.moves import record
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import Code, ServiceError, usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.questions.answers import one_line_of, read_answer, shown
from ccp_tui.service.questions.gatewayquestions import GatewayQuestions
from ccp_tui.store import Store
from ccp_tui.text import one_line
from ccp_tui.wire import Json

Row = dict[str, Any]
Deliver = Callable[[Store, Row], None]

STATES = ("open", "answered", "waived", "gone")
ALL = "all"
_OVER = {
    "answered": "it is answered already: {answer}",
    "waived": "it was waived already",
    "gone": "nobody waits for an answer to it any more",
}


class Questions:
    """The methods ``question.*``.

    ``deliver``: per kind (planning, report), what puts the answer on its way, in the transaction that stores it; the
    row it gets is the answered one. ``wake`` is called after the commit.
    """

    def __init__(
        self,
        context: Context,
        gateway: GatewayQuestions,
        deliver: Mapping[str, Deliver],
        wake: Callable[[], None],
    ) -> None:
        self._c = context
        self._gateway = gateway
        self._deliver = deliver
        self._wake = wake

    def methods(self) -> dict[str, Method]:
        return {"question.list": self.list, "question.answer": self.answer, "question.waive": self.waive}

    async def list(self, params: Json) -> Json:
        """The questions of a task, or of all; open ones unless another state (or ``all``) is named."""
        ref, state = p.maybe_text(params, "ref"), p.maybe_text(params, "state")
        state = state or (ALL if ref else "open")
        limit = p.limit(params, 500, 5000)
        if state not in (*STATES, ALL):
            raise usage(f"there is no state {state!r}; states: {', '.join((*STATES, ALL))}", field="state")

        def work(store: Store) -> list[Row]:
            task = store.tasks.by_ref(ref)["id"] if ref else None
            return store.questions.select(task=task, state=None if state == ALL else state, limit=limit)

        return {"questions": [shown(row) for row in await self._c.db(work)]}

    async def answer(self, params: Json) -> Json:
        """Stores an answer, and has it delivered. Refused when there is one, or when nobody waits for it."""
        number = p.number(params, "id")
        return await self._close(number, lambda question: read_answer(question, params))

    async def waive(self, params: Json) -> Json:
        """Leaves the decision to whoever asked, who is to state what it assumed."""
        return await self._close(p.number(params, "id"), _waive)

    async def _close(self, number: int, decide: Callable[[Row], Row | None]) -> Json:
        actor = person()

        def work(store: Store) -> Row:
            question = store.questions.get(number)
            if question["state"] != "open":
                raise _refused(question)
            answer = decide(question)
            store.questions.answer(number, answer, actor.name)
            answered = store.questions.get(number)
            _note(store, answered, actor)
            if question["kind"] != "gateway":
                self._deliver[question["kind"]](store, answered)
                store.questions.delivered(number)  # the outbox does not lose it any more
            return answered

        answered = await self._c.db(work)
        self._wake()
        self._gateway.changed()
        if answered["kind"] == "gateway":
            await self._gateway.answered(answered)
        return {"question": shown(await self._c.db(lambda store: store.questions.get(number)))}


def release(store: Store, question: Row) -> None:
    """The task that waited for this answer goes on, unless it waits for another one."""
    if question["task_id"] is None or store.questions.open_of_task(question["task_id"]):
        return
    task = store.tasks.get(question["task_id"])
    if task["hold_kind"] == HoldKind.QUESTION:
        store.tasks.hold(task["id"], None)
        record(store, task, person(), "released", "was answered and goes on")


def _waive(question: Row) -> None:
    if question["kind"] == "gateway":
        raise usage("a question of the gateway can't be waived: answer it, in words if no option fits")


def _refused(question: Row) -> ServiceError:
    answer = one_line(one_line_of(question["answer"]), 200)
    reason = _OVER[question["state"]].format(answer=answer)
    details = {"gate": "open", "state": question["state"], "trigger": "answer", "reason": reason}
    return ServiceError(Code.REFUSED, reason, details)


def _note(store: Store, question: Row, actor: Actor) -> None:
    """The answer as an event: of its task, or of the agent that asked."""
    words = one_line(one_line_of(question["answer"]), 300)
    kind = question["state"]
    text = f"{question['agent_id']} is answered: {words}" if kind == "answered" else "a question was waived"
    if question["task_id"] is not None:
        record(store, store.tasks.get(question["task_id"]), actor, kind, text, question=question["id"])
    else:
        data = {"question": question["id"]}
        store.events.add(actor, kind, text, agent=question["agent_id"] or None, data=data)
