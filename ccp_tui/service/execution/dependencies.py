"""What tasks need of each other: said by the person, and followed when what was needed ends, or is done no more."""

from __future__ import annotations

import asyncio

from ccp_tui.lifecycle import State
from ccp_tui.model import Hold, HoldKind, Outcome
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import SERVICE, Row, decide, record
from ccp_tui.service.board.tasks import Tasks
from ccp_tui.service.context import Context
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution import goingon, prompts, results
from ccp_tui.service.execution.needing import forget, need
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.sessions.feedback import send_back
from ccp_tui.store import Store
from ccp_tui.wire import Json


class Dependencies:
    """``task.depend``, and the duty that holds and releases what builds on work that is not done any more.

    Woken by every change of a task; decides from the database alone, so a crash between a change and what follows
    from it loses nothing. Meanwhile the lifecycle's gates let nothing through.
    """

    def __init__(
        self, context: Context, tasks: Tasks, deliveries: Deliveries, background: Background
    ) -> None:
        self._c = context
        self._tasks = tasks
        self._deliveries = deliveries
        self._background = background
        self._wakeup = asyncio.Event()

    def methods(self) -> dict[str, Method]:
        return {"task.depend": self.depend}

    def start(self) -> None:
        self._background.start(self._loop(), "dependencies")
        self.wake()

    def wake(self) -> None:
        self._wakeup.set()

    async def depend(self, params: Json) -> Json:
        """A task waits for others from here on, or, with ``remove``, does not any more."""
        ref, needs = p.text(params, "ref"), p.texts(params, "needs")
        if not needs:
            raise usage("name the tasks that it needs", field="needs")
        remove = p.maybe_bool(params, "remove") or False

        def work(store: Store, task: Row) -> None:
            for name in needs:
                (forget if remove else need)(store, task, store.tasks.by_ref(name))

        await decide(self._c.db, ref, work)
        return await self._tasks.card(ref)

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            await survive(self._look(), "looking at dependencies")

    async def _look(self) -> None:
        report = self._deliveries.report

        def work(store: Store) -> bool:
            touched = [_follow(store, task, report) for task in store.dependencies.at_stake()]
            return any(touched)

        if await self._c.db(work):
            self._deliveries.wake()


def _follow(store: Store, task: Row, report: str) -> bool:
    """Holds or releases one task as what it needs has come to be; whether a worker is sent something."""
    attempt = store.attempts.of_task(task["id"])
    hold = _gone(store, task) or (_undone(store, task, attempt) if attempt else None)
    held = task["hold_kind"] == HoldKind.DEPENDENCY
    if hold:
        if (held or not task["hold_kind"]) and store.tasks.hold(task["id"], hold):
            record(
                store,
                task,
                SERVICE,
                "held",
                f"is held: {hold.reason}",
                reason=hold.reason,
                hold=hold.kind.value,
            )
        return False
    told = _tell_again(store, task, attempt, report) if attempt else False
    if held:
        words = (
            "goes on: what it needs is done" if attempt else "is held no more: nothing it needs is cancelled"
        )
        if task["state"] == State.IN_PROGRESS:
            goingon.release(store, task, words, "Nothing that your work needs is missing any more.", report)
        else:  # nobody was cut off: a planner or a reviewer that is at it goes on by itself
            store.tasks.hold(task["id"], None)
            record(store, task, SERVICE, "released", words)
        _ask_reviewer_again(store, task, attempt)
        return True
    return told


def _ask_reviewer_again(store: Store, task: Row, attempt: Row | None) -> None:
    """A reviewer that could not approve meanwhile, and gave up, gets another go."""
    if attempt and task["state"] == State.REVIEW:
        current = store.rounds.current(attempt["id"])
        latest = store.review_requests.latest(current["id"])
        if latest and latest["state"] == "silent":
            store.review_requests.open(current["id"])
            record(store, task, SERVICE, "review_asked", f"a reviewer is asked for round {current['number']}")


def _gone(store: Store, task: Row) -> Hold | None:
    """The hold of a task that needs a cancelled one: time alone will not bring that."""
    gone = [row["ref"] for row in store.dependencies.of(task["id"]) if row["state"] == State.CANCELLED]
    if not gone:
        return None
    refs = ", ".join(gone)
    them = "it" if len(gone) == 1 else "them"
    return Hold(
        HoldKind.DEPENDENCY,
        f"it needs {refs}, which {'was' if len(gone) == 1 else 'were'} cancelled",
        f"Restore {refs}, or remove {them} from what it needs.",
    )


def _undone(store: Store, task: Row, attempt: Row) -> Hold | None:
    """The hold of work that builds on a result which was sent back since it began."""
    for row in store.dependencies.unmet(task["id"]):
        reopened = store.events.page({"task": row["ref"], "kind": "reopened"}, limit=1)
        if reopened and reopened[-1]["at"] > attempt["started_at"]:
            ref, reason = row["ref"], reopened[-1]["reason"]
            return Hold(
                HoldKind.DEPENDENCY,
                f"{ref} was reopened: {reason}",
                f"It goes on when {ref} is done again, or does not need it any more.",
            )
    return None


def _tell_again(store: Store, task: Row, attempt: Row, report: str) -> bool:
    """Tells a worker, once, of each result that is newer than its attempt."""
    if task["state"] != State.IN_PROGRESS:
        return False  # it has submitted; if that is sent back, it is told then
    told = False
    for row in store.dependencies.of(task["id"]):
        made = store.attempts.latest(row["id"])
        if row["state"] != State.DONE or made is None or made["outcome"] != Outcome.DONE:
            continue
        purpose = f"needs-{row['ref'].lower()}-{made['number']}"
        known = store.outbox.has(f"{attempt['session_key']}:{purpose}")
        if made["ended_at"] > attempt["started_at"] and not known:
            number = store.rounds.current(attempt["id"])["number"]
            text = prompts.needed_again(task, number, row, results.of(store, row), report)
            send_back(store, attempt, purpose, text)
            told = True
    return told
