"""What was cut off goes on in the session it was cut off in: the worker, planner or reviewer is asked to, once."""

from __future__ import annotations

from ccp_tui.lifecycle import State
from ccp_tui.model import HoldKind
from ccp_tui.policy import Policy
from ccp_tui.service.board.moves import SERVICE, Row, record
from ccp_tui.service.execution import prompts, spending
from ccp_tui.service.sessions.feedback import say, send_back
from ccp_tui.store import Store

SIGN = "sign"  # the purpose of a message that asks for a sign of life
# Sessions that the service itself started work in. A chat is the person's: nothing of this touches it.
OURS = ("work", "plan", "review")
# Holds that are not about a run: what they wait for comes first.
_WAITS = (HoldKind.QUESTION, HoldKind.APPROVAL, HoldKind.DEPENDENCY, HoldKind.BUDGET)


def sessions_of(store: Store, task: Row) -> list[str]:
    """The sessions in which something goes on for a task now, those of its sub-agents last."""
    keys: list[str | None] = []
    attempt = store.attempts.of_task(task["id"])
    match State(task["state"]):
        case State.IN_PROGRESS if attempt:
            keys.append(attempt["session_key"])
        case State.REVIEW if attempt:
            request = store.review_requests.latest(store.rounds.current(attempt["id"])["id"])
            keys.append(request["session_key"] if request and not request["ended_at"] else None)
        case State.PLANNING:
            planning = store.plannings.of_task(task["id"])
            keys.append(planning["session_key"] if planning and planning["state"] == "planner" else None)
    keys += [one["session_key"] for one in store.sessions.children(task["id"]) if one["state"] == "running"]
    return [key for key in keys if key]


def idle(store: Store, task: Row) -> bool:
    """Whether a task stands still for a reason of its own: that one stays, whatever stops the others."""
    if task["hold_kind"] in _WAITS:
        return True
    return task["hold_kind"] in (HoldKind.ERROR, HoldKind.STALLED) and not running(store, task)


def running(store: Store, task: Row) -> bool:
    """Whether a run of the task's open attempt goes on."""
    attempt = store.attempts.of_task(task["id"])
    return bool(attempt and store.attempts.running(attempt["id"]))


def release(store: Store, task: Row, words: str, why: str, report: str) -> None:
    """Lets a held task go on, with an event and with ``why`` for whoever was cut off."""
    store.tasks.hold(task["id"], None)
    record(store, task, SERVICE, "released", words)
    lead_on(store, task, why, report)


def lead_on(store: Store, task: Row, why: str, report: str) -> None:
    """Asks whoever works on the task to go on. A message that is on its way already does that."""
    state = State(task["state"])
    attempt = store.attempts.of_task(task["id"])
    if state is State.IN_PROGRESS and attempt:
        if not store.outbox.unsent_of(attempt["id"]):
            number = store.rounds.current(attempt["id"])["number"]
            text = prompts.go_on(task, number, why, report)
            send_back(store, attempt, purpose(store, attempt["session_key"], "go-on"), text)
    elif state is State.PLANNING:
        planning = store.plannings.of_task(task["id"])
        if planning and planning["state"] == "planner":
            ask_again(store, planning["session_key"], why)
    elif state is State.REVIEW and attempt:
        request = store.review_requests.latest(store.rounds.current(attempt["id"])["id"])
        if request and request["state"] == "reviewing":
            ask_again(store, request["session_key"], why)


def ask_again(store: Store, session_key: str | None, why: str) -> None:
    """The last message of a session once more: whoever was cut off over it has not answered it."""
    last = store.outbox.latest_in(session_key) if session_key else None
    if last is None or session_key is None or store.outbox.unsent_in(session_key):
        return
    text = f"{why} You had not answered this yet; go on with it:\n\n{_without(last['text'])}"
    say(store, session_key, last["agent_id"], purpose(store, session_key, "go-on"), text)


def alive(store: Store, attempt: Row) -> None:
    """A worker that was asked for a sign of life gave one, or has no run any more to give one of."""
    if attempt["stalled_at"]:
        store.attempts.change(attempt["id"], stalled_at=None)
        task = store.tasks.get(attempt["task_id"])
        if task["hold_kind"] == HoldKind.STALLED:
            store.tasks.hold(task["id"], None)
            record(store, task, SERVICE, "released", f"goes on: {attempt['agent_id']} gave a sign of life")


def purpose(store: Store, session_key: str, kind: str) -> str:
    """A purpose that no message of the session has yet: ``go-on-1``, ``go-on-2``."""
    return f"{kind}-{store.outbox.count_in(session_key, kind) + 1}"


def asked_for_sign(store: Store, session_key: str) -> bool:
    """Whether the last words that a session was sent ask for a sign of life."""
    last = store.outbox.latest_in(session_key)
    return bool(last and last["idempotency_key"].startswith(f"{session_key}:{SIGN}-"))


def held_back(store: Store, session_key: str, base: Policy) -> bool:
    """Whether words for this session must wait: everything is stopped, or its task has spent its budget."""
    session = store.sessions.find(session_key)
    if session is None or session["purpose"] not in OURS:
        return False
    if store.emergency():
        return True
    task = store.tasks.get(session["task_id"]) if session["task_id"] else None
    return bool(task and (task["hold_kind"] == HoldKind.BUDGET or spending.problem(store, task, base)))


def _without(text: str) -> str:
    """A message without the words that an earlier going on put before it."""
    return text.split("go on with it:\n\n", 1)[-1]
