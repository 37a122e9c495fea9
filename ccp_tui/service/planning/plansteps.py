"""The steps of a planning, each in the caller's transaction: begun, answered, read, changed, tried again, ended."""

from __future__ import annotations

from typing import Any

from ccp_tui.lifecycle import Actor, Refused, State, Trigger
from ccp_tui.model import Delivery, HoldKind, MessageStatus
from ccp_tui.service.board.moves import SERVICE, move, record, stopped
from ccp_tui.service.execution.goingon import SIGN, asked_for_sign, purpose
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.planning import planprompts as prompts
from ccp_tui.service.planning import planreplies as replies
from ccp_tui.service.planning.planagents import not_for_a_plan, unknown_agents
from ccp_tui.service.sessions.feedback import say
from ccp_tui.store import Store
from ccp_tui.text import one_line

Row = dict[str, Any]

MOST_INVALID = 2  # replies in a row that are sent back; the next one is the person's to read
MOST_QUESTIONS = 20
AGAIN = "-again"
WAY_ON = "Plan again to ask the planner once more, or drop the plan."
_RAW_WAY_ON = "Read it, then answer in words, write the spec by hand, or drop the plan."
# Holds that a planning sets itself, and that its next sign of life releases.
OURS = (HoldKind.QUESTION, HoldKind.ERROR, HoldKind.STALLED)


def begin(store: Store, task: Row, actor: Actor, *, auto: bool) -> None:
    """A new planning of a task, or another go of the one that is held. Raises Refused."""
    planning = store.plannings.of_task(task["id"])
    if planning and task["state"] == State.PLANNING and task["hold_kind"] in OURS:
        return retry(store, task, actor)
    if planning or task["state"] != State.PLANNING:
        move(store, task, Trigger.PLAN, actor, "moved to Planning")
    if bool(task["auto"]) != auto:
        store.tasks.edit(task["id"], auto=int(auto))
    store.plannings.open(task["id"], auto=auto)


def end(store: Store, task: Row, outcome: str) -> str | None:
    """Ends the open planning, if there is one: its questions and unsent messages are void.

    The session whose run must be aborted, if the planner is still at it.
    """
    planning = store.plannings.of_task(task["id"])
    if planning is None:
        return None
    store.plannings.end(planning["id"], outcome)
    for question in store.questions.of_planning(planning["id"]):
        if question["state"] == "open":
            store.questions.gone(question["id"])
    key = planning["session_key"]
    for message in store.outbox.void_session(key) if key else ():
        store.messages.set_status(message, MessageStatus.ERROR)
    return key if planning["state"] == "planner" else None


def opened(store: Store, planning_id: int, agent: str, session_key: str) -> bool:
    """The planner's session is there: it gets the first message. False when the planning was ended meanwhile."""
    planning = store.plannings.get(planning_id)
    if planning["state"] != "opening":
        return False
    task = store.tasks.get(planning["task_id"])
    store.plannings.change(planning_id, agent_id=agent, session_key=session_key, state="planner", problem="")
    title = f"{task['ref']} plan {planning['number']}: {task['title']}"
    store.sessions.note(session_key, agent, title=title, purpose="plan", task=task["id"])
    agents = [one for one in store.agents.all() if one["on_gateway"] and not one["duty"]]
    text = prompts.opening(task, planning, agents, store.specs.newest(task["id"]))
    say(store, session_key, agent, "plan", text)
    record(store, task, SERVICE, "planning", f"is being planned by {agent}", planning=planning["number"])
    return True


def failed(store: Store, planning: Row, reason: str) -> None:
    """The planner can't be asked: held with the reason until the person has it tried again."""
    task = store.tasks.get(planning["task_id"])
    if planning["problem"] != reason:
        store.plannings.change(planning["id"], problem=reason)
    hold(store, task, HoldKind.ERROR, reason, WAY_ON)


def newest_reply(store: Store, planning: Row) -> Row | None:
    """What came last since the planner was asked: its reply, or the service's note of how its run went wrong."""
    rows = [
        row
        for row in store.messages.since_ours(planning["session_key"])
        if _is_note(row) or (row["role"] == "assistant" and row["status"] == MessageStatus.FINAL)
    ]
    spoken = [row for row in rows if row["text"].strip()]
    last = spoken[-1] if spoken else None
    return None if last is None or last["gateway_key"] == (planning["seen_key"] or "") else last


def _is_note(row: Row) -> bool:
    return row["role"] == "system" and row["gateway_key"] is None


def readable(reply: Row | None) -> bool:
    """Whether a reply is a question or a plan, and not words on the way to one."""
    try:
        return reply is not None and bool(replies.read(reply["text"]))
    except replies.ReplyError:
        return False


def take_reply(store: Store, planning: Row, reply: Row) -> None:
    """Reads the planner's reply, once: a question for the person, a plan as a spec, or words that nobody can read."""
    task = store.tasks.get(planning["task_id"])
    store.plannings.change(planning["id"], seen_key=reply["gateway_key"], nudged=0, problem="")
    if task["hold_kind"] in OURS:
        store.tasks.hold(task["id"], None)
    try:
        read = replies.read(reply["text"])
        if isinstance(read, replies.Question):
            _ask(store, planning, task, reply, read)
        else:
            _propose(store, planning, task, read)
    except replies.ReplyError as error:
        _unreadable(store, planning, task, reply, str(error))


def _ask(store: Store, planning: Row, task: Row, reply: Row, question: replies.Question) -> None:
    asked = len(store.questions.of_planning(planning["id"]))
    if planning["invalid"] < MOST_INVALID:
        if planning["auto"]:
            raise replies.ReplyError("no questions: decide yourself, and state it under assumptions")
        if asked >= MOST_QUESTIONS:
            raise replies.ReplyError("enough questions were asked: answer with the plan")
    key, agent = planning["session_key"], planning["agent_id"]
    store.questions.ask(
        "planning",
        f"{key}:{reply['gateway_key']}",
        key,
        agent,
        f"{question.text}\n\n{question.why}" if question.why else question.text,
        header=question.header,
        options=[{"id": o.id, "label": o.label, "description": o.description} for o in question.options],
        multiple=int(question.multiple),
        task_id=task["id"],
        planning_id=planning["id"],
    )
    store.plannings.change(planning["id"], state="person", invalid=0)
    record(store, task, SERVICE, "asked", f"{agent} asks: {one_line(question.text, 300)}")


def _propose(store: Store, planning: Row, task: Row, plan: replies.Plan) -> None:
    agents = [{"name": one.name} for one in plan.spec.agents]
    tasks = [{"agent": one.agent} for one in plan.spec.tasks]
    if taken := not_for_a_plan(agents):
        raise replies.ReplyError(f"no new agent may be called {', '.join(taken)}: the board has its own")
    if unknown := unknown_agents(store, plan.spec.agent, agents, tasks):
        names = ", ".join(unknown)
        raise replies.ReplyError(
            f"the plan gives work to {names}, which is neither on the board nor in its agents"
        )
    version = store.specs.add(task["id"], plan.spec, planning["agent_id"])
    store.plannings.change(planning["id"], state="proposed", invalid=0)
    parts = len(plan.spec.tasks)
    told = f"has a plan: spec version {version}" + (f", {parts} sub-tasks" if parts else "")
    record(store, task, SERVICE, "plan_proposed", told, version=version)


def _unreadable(store: Store, planning: Row, task: Row, reply: Row, error: str) -> None:
    if planning["invalid"] >= MOST_INVALID:
        store.plannings.change(planning["id"], state="raw", raw=reply["text"], problem=error)
        hold(store, task, HoldKind.QUESTION, f"the planner's reply could not be read: {error}", _RAW_WAY_ON)
        return
    store.plannings.change(planning["id"], invalid=planning["invalid"] + 1, problem=error)
    _tell(store, planning, f"correct-{reply['gateway_key']}", prompts.correction(task, planning, error))
    record(store, task, SERVICE, "reply_refused", f"planner's reply was sent back: {one_line(error, 300)}")


def take_failure(store: Store, planning: Row, note: str) -> None:
    """The planner's run failed: asked the same once more by itself, then held."""
    task = store.tasks.get(planning["task_id"])
    if task["hold_kind"] or stopped(store):
        return
    last = store.outbox.latest_in(planning["session_key"])
    retried = last is None or last["idempotency_key"].endswith(AGAIN)
    if note.startswith("the run failed") and not retried:
        say_again(store, planning)
        record(store, task, SERVICE, "resent", f"planner was asked again: {one_line(note, 300)}")
    else:
        failed(store, planning, f"{planning['agent_id']}: {note}")


def take_silence(store: Store, planning: Row) -> None:
    """The planner's run ended without a reply: it is told once, then the task is held."""
    task = store.tasks.get(planning["task_id"])
    if task["hold_kind"] or stopped(store):
        return
    agent = planning["agent_id"]
    if planning["nudged"]:
        reason = f"{agent} ended its run without a reply, also after it was told"
        hold(store, task, HoldKind.STALLED, reason, WAY_ON)
        return
    store.plannings.change(planning["id"], nudged=1)
    last = store.outbox.latest_in(planning["session_key"])
    _tell(store, planning, f"nudge-{last['id'] if last else 0}", prompts.nudge(task, planning))
    record(store, task, SERVICE, "nudged", f"{agent} ended its run without a reply and was told")


def say_again(store: Store, planning: Row) -> None:
    """The last message once more, under a key of its own; in place of a run that gives no sign of life."""
    key = planning["session_key"]
    if asked_for_sign(store, key) and (before := store.outbox.latest_but(key, SIGN)):
        anew = purpose(store, key, "anew")
        say(store, key, planning["agent_id"], anew, before["text"], mode="interrupt")
        return
    last = store.outbox.latest_in(key)
    if last and last["state"] not in (Delivery.PENDING, Delivery.SENDING):
        same = last["idempotency_key"].removeprefix(f"{key}:")
        say(store, key, planning["agent_id"], f"{same}{AGAIN}", last["text"])


def retry(store: Store, task: Row, actor: Actor) -> None:
    """The person has a held planning tried again. Raises Refused when only words can lead it on."""
    planning = store.plannings.of_task(task["id"])
    if planning is None or task["hold_kind"] not in OURS:
        raise Refused("held", "its planning is not held", State(task["state"]), Trigger.PLAN)
    if planning["state"] == "raw":
        reason = "the planner's reply could not be read: answer it in words, or write the spec"
        raise Refused("planning", reason, State.PLANNING, Trigger.PLAN)
    store.tasks.hold(task["id"], None)
    store.plannings.change(planning["id"], nudged=0, problem="")
    if planning["state"] == "planner":
        say_again(store, planning)
    record(store, task, actor, "retried", "planner is asked again")


def deliver_answer(store: Store, question: Row) -> None:
    """Puts the answer to a planning question, or that it was waived, into the planner's session."""
    planning = store.plannings.get(question["planning_id"])
    if planning["ended_at"]:
        return
    task = store.tasks.get(planning["task_id"])
    ids = [one["id"] for one in store.questions.of_planning(planning["id"])]
    number = ids.index(question["id"]) + 1
    _tell(store, planning, f"answer-{question['id']}", prompts.answer(task, planning, number, question))
    store.questions.delivered(question["id"])


def replan(store: Store, task: Row, words: str, actor: Actor) -> None:
    """The person's words about a plan, or about a reply that nobody could read. Raises Refused."""
    planning = store.plannings.of_task(task["id"])
    if planning is None or planning["state"] not in ("proposed", "raw"):
        reason = "there is no plan to change yet" if planning else "it is not being planned: plan it first"
        raise Refused("planning", reason, State(task["state"]), Trigger.PLAN)
    if not planning["session_key"]:
        raise Refused("planning", "the planner has not been asked yet", State(task["state"]), Trigger.PLAN)
    raw = planning["state"] == "raw"
    newest = store.specs.newest(task["id"])
    edited = newest if newest and newest["author"] != planning["agent_id"] else None
    text = prompts.in_words(task, planning, words) if raw else prompts.changes(task, planning, words, edited)
    store.plannings.change(planning["id"], invalid=0, raw=None, problem="")
    if task["hold_kind"] in OURS:
        store.tasks.hold(task["id"], None)
    _tell(store, planning, f"changes-{planning['seen_key']}", text)
    record(
        store,
        task,
        actor,
        "changes_wanted",
        f"plan was answered in words: {one_line(words, 300)}",
        reason=words,
    )


def written_by_hand(store: Store, task: Row) -> None:
    """The person wrote the spec that the planner could not: it is a proposal like any other."""
    planning = store.plannings.of_task(task["id"])
    if planning and planning["state"] == "raw":
        store.plannings.change(planning["id"], state="proposed", problem="")
        if task["hold_kind"] == HoldKind.QUESTION:
            store.tasks.hold(task["id"], None)


def _tell(store: Store, planning: Row, purpose: str, text: str) -> None:
    """Words for the planner: it is its turn from here on."""
    store.plannings.change(planning["id"], state="planner")
    say(store, planning["session_key"], planning["agent_id"], purpose, text)
