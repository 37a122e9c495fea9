"""Judging an attempt whose runs have ended: told once that nothing was submitted, then held with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ccp_tui.lifecycle import State
from ccp_tui.model import Hold, HoldKind
from ccp_tui.service.board.moves import SERVICE, record
from ccp_tui.service.context import Context
from ccp_tui.service.execution import prompts, retries
from ccp_tui.service.execution.goingon import alive
from ccp_tui.service.sessions.feedback import send_back
from ccp_tui.service.settings import Settings
from ccp_tui.store import Store

Row = dict[str, Any]

AGAIN = "-again"
WAY_ON = "Retry, assign another agent, or cancel."


class Outcomes:
    """Decides what follows when the gateway shows no run of an attempt any more."""

    def __init__(self, context: Context, report: str, wake: Callable[[], None]) -> None:
        self._c = context
        self._report = report
        self._wake = wake

    async def run_ended(self, attempt_id: int) -> bool:
        """A run of the attempt ended: what follows. False while another goes on or a message is on its way."""

        def work(store: Store) -> bool:
            attempt = store.attempts.get(attempt_id)
            going = bool(store.attempts.running(attempt_id) or store.outbox.unsent_of(attempt_id))
            if not attempt["ended_at"] and not going:
                _is_over(store, attempt)
            task = store.tasks.get(attempt["task_id"])
            if attempt["ended_at"] or task["state"] != State.IN_PROGRESS or task["hold_kind"]:
                return True
            if going:
                return False
            if store.sessions.at_work_below(attempt["session_key"]):
                return True  # asked again when they end: the run that announces it comes after
            _judge(store, task, store.attempts.get(attempt_id), self._report, self._c.settings)
            return True

        settled = await self._c.db(work)
        self._wake()
        return settled


def _is_over(store: Store, attempt: Row) -> None:
    """Nothing runs any more: nobody is waited for to give a sign, and after a success failures count anew."""
    alive(store, attempt)
    last = store.attempts.last_run(attempt["id"])
    if attempt["retries"] and last and last["state"] == "final":
        store.attempts.change(attempt["id"], retries=0, retry_at=None)


def _judge(store: Store, task: Row, attempt: Row, report: str, settings: Settings) -> None:
    last = store.attempts.last_run(attempt["id"])
    number = store.rounds.current(attempt["id"])["number"]
    agent = attempt["agent_id"]
    if last and last["state"] == "superseded" and _send_again(store, attempt):
        record(
            store,
            task,
            SERVICE,
            "resent",
            "was sent again: the gateway took up a changed configuration just then",
        )
    elif last and last["state"] in ("error", "superseded"):
        _failed(store, task, attempt, last["detail"], settings)
    elif last and last["state"] == "aborted":
        hold(store, task, HoldKind.ERROR, f"the run of {agent} was aborted")
    elif attempt["nudged_round"] < number:
        store.attempts.nudged(attempt["id"], number)
        send_back(store, attempt, f"nudge-{number}", prompts.nudge(task, number, report))
        record(store, task, SERVICE, "nudged", f"ended its run without submitting; {agent} was told")
    else:
        reason = f"{agent} ended its run without submitting, also after it was told"
        hold(store, task, HoldKind.STALLED, reason)


def _failed(store: Store, task: Row, attempt: Row, detail: str, settings: Settings) -> None:
    """A run failed: it is tried again when that may help, and held with the reason either way."""
    reason = f"the run failed: {retries.words_of(detail) or 'the provider gave no reason'}"
    if when := retries.next_try(store, attempt, detail, settings):
        hold(store, task, HoldKind.ERROR, f"{reason.rstrip('.')}; {when}", retries.RELEASE)
    elif tries := attempt["retries"]:
        after = f"also when it was tried {'once' if tries == 1 else f'{tries} times'} more"
        hold(store, task, HoldKind.ERROR, f"{reason.rstrip('.')}, {after}")
    else:
        hold(store, task, HoldKind.ERROR, reason)


def _send_again(store: Store, attempt: Row) -> bool:
    """The last message once more, under a key of its own; False when that was tried already."""
    last = store.outbox.latest_of(attempt["id"])
    if last is None or last["idempotency_key"].endswith(AGAIN):
        return False
    purpose = last["idempotency_key"].removeprefix(f"{attempt['session_key']}:")
    send_back(store, attempt, f"{purpose}{AGAIN}", last["text"])
    return True


def hold(store: Store, task: Row, kind: HoldKind, reason: str, release: str = WAY_ON) -> None:
    """Holds a task with an event, once: the same hold again says nothing."""
    if store.tasks.hold(task["id"], Hold(kind, reason, release)):
        record(store, task, SERVICE, "held", f"is held: {reason}", reason=reason, hold=kind.value)
