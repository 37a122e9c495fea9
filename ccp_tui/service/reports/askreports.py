"""A worker's reports that want something of the person: that it is stuck, a question, a sub-task it proposes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from ccp_tui import lifecycle, spec
from ccp_tui.lifecycle import Facts
from ccp_tui.model import HoldKind
from ccp_tui.service.board.moves import record
from ccp_tui.service.context import Context
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import usage
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.questions.answers import answer_lines, lettered, one_line_of
from ccp_tui.service.questions.questions import release
from ccp_tui.service.reports.reporter import LONGEST_WORDS, at_work, worker
from ccp_tui.service.reports.tokens import hide
from ccp_tui.service.sessions.feedback import send_back
from ccp_tui.store import NotFound, Store
from ccp_tui.text import clean, one_line
from ccp_tui.wire import Json

Row = dict[str, Any]

MOST_OPTIONS = 8
LONGEST_OPTION = 300  # characters
MOST_OPEN = 5  # questions of one attempt at a time
MOST_SUBTASKS = 20  # of one attempt
LONGEST_TITLE = 500
LONGEST_DESCRIPTION = 20_000


class AskReports:
    """The verbs block, ask and subtask."""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def block(self, params: Json, attempt: Row, _: Row) -> str:
        reason = one_line(hide(p.text(params, "text")), LONGEST_WORDS)

        def work(store: Store) -> None:
            task = at_work(store, attempt)
            record(store, task, worker(attempt), "blocked", f"is blocked: {reason}", reason=reason)
            way_on = "Answer it in its chat, or retry, assign another agent, or cancel."
            hold(store, task, HoldKind.QUESTION, f"{attempt['agent_id']} is blocked: {reason}", way_on)

        await self._c.db(work)
        return "A person is told. Stop working; you get the answer here."

    async def ask(self, params: Json, attempt: Row, _: Row) -> str:
        """A question with options or without; the same one again is the same, and says what was answered."""
        text = clean(hide(p.text(params, "text"))).strip()[:LONGEST_WORDS]
        options = _options(params)
        free = p.maybe_bool(params, "free")
        if free is False and not options:
            raise usage("a question without options needs an answer in words", field="free")
        key = f"report:{attempt['id']}:{_digest(text, *options)}"

        def work(store: Store) -> Row | None:
            task = at_work(store, attempt)
            if known := store.questions.known(key):
                return known
            if len(store.questions.open_of_task(task["id"])) >= MOST_OPEN:
                raise usage(f"{MOST_OPEN} of your questions are open: stop working, you get the answers here")
            question = store.questions.ask(
                "report",
                key,
                attempt["session_key"],
                attempt["agent_id"],
                text,
                options=lettered([(one, "") for one in options]),
                free=int(free is not False),
                task_id=task["id"],
                attempt_id=attempt["id"],
            )
            line = one_line(text, 300)
            record(store, task, worker(attempt), "asked", f"asks: {line}", question=question)
            reason = f"{attempt['agent_id']} asks: {line}"
            hold(store, task, HoldKind.QUESTION, reason, "It goes on when you answer the question.")
            return None

        known = await self._c.db(work)
        if known and known["state"] in ("answered", "waived"):
            return f"This was asked before. The answer is: {one_line_of(known['answer'])}"
        return "A person is asked. End your run now: you get the answer here as a message, and go on then."

    async def subtask(self, params: Json, attempt: Row, _: Row) -> str:
        """A task that the worker proposes: it waits in Inbox until the person approves a spec of it."""
        title = one_line(hide(p.text(params, "title")), LONGEST_TITLE)
        description = clean(hide(p.maybe_text(params, "description") or ""))[:LONGEST_DESCRIPTION]
        text, agent = p.maybe_text(params, "spec"), p.maybe_text(params, "agent")
        parsed = spec.parse(hide(text)) if text is not None else None
        actor = worker(attempt)

        def work(store: Store) -> str:
            task = at_work(store, attempt)
            if store.tasks.captured_by(task["id"], attempt["started_at"]) >= MOST_SUBTASKS:
                raise usage(
                    f"this attempt has {MOST_SUBTASKS} sub-tasks already: do the rest yourself, or block"
                )
            state = lifecycle.capture(Facts(title=title), actor)
            ref = store.missions.next_ref(task["mission_id"])
            made = store.tasks.capture(
                state,
                task["mission_id"],
                ref,
                title,
                description=description,
                priority=task["priority"],
                parent_id=task["id"],
                wanted_agent=_agent(store, agent),
            )
            row = store.tasks.get(made)
            store.touched.tasks.add(task["id"])
            record(store, row, actor, "captured", f"captured as a part of {task['ref']}: {title}")
            record(store, task, actor, "subtask", f"got the sub-task {ref}: {title}", subtask=ref)
            if parsed:
                store.specs.add(made, parsed, actor.name)
                record(store, row, actor, "spec_written", "got its spec, version 1")
            return ref

        ref = await self._c.db(work)
        return f"{ref} is captured. A person approves it before anybody starts it: do not wait for it."


def answerer(report: str) -> Callable[[Store, Row], None]:
    """Delivers the answer to a worker's question: a message into its session, and the task goes on."""

    def deliver(store: Store, question: Row) -> None:
        attempt = store.attempts.get(question["attempt_id"])
        task = store.tasks.get(attempt["task_id"])
        number = store.rounds.current(attempt["id"])["number"]
        send_back(store, attempt, f"answer-{question['id']}", answered(task, number, question, report))
        release(store, question)

    return deliver


def answered(task: Row, number: int, question: Row, report: str) -> str:
    """What a worker is told of an answer: the option's words too, not its letter alone."""
    return f"""\
Your question about {task["ref"]} was answered. Go on with the work.

Task: {task["ref"]} {task["title"]}
Round: {number}
Your question was answered
{answer_lines(question)}

Report command: {report}
"""


def _options(params: Json) -> list[str]:
    options = [one_line(hide(one)) for one in p.texts(params, "options")]
    if any(not one or len(one) > LONGEST_OPTION for one in options):
        raise usage(f"an option has 1 to {LONGEST_OPTION} characters", field="options")
    if len(options) > MOST_OPTIONS or len(set(options)) < len(options):
        raise usage(f"a question has at most {MOST_OPTIONS} options, each another", field="options")
    return options


def _agent(store: Store, named: str | None) -> str | None:
    """The agent that is to do a sub-task, by its id. Raises a usage error in words."""
    if named is None:
        return None
    there = {agent["id"]: agent["duty"] for agent in store.agents.all()}
    others = ", ".join(agent for agent, duty in there.items() if not duty)
    try:
        found = store.agents.find(named)
    except NotFound as error:
        raise usage(f"{error}; there are: {others}", field="agent") from None
    if there[found]:
        raise usage(f"{found} does no work of a task; there are: {others}", field="agent")
    return found


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
