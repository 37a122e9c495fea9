"""Answering "why is it not moving?" and "what may I do now?" for one task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ccp_tui import spec as specs
from ccp_tui.lifecycle import Actor, ActorKind, Move, Refused, State, Trigger, fire, moves_from
from ccp_tui.model import HoldKind
from ccp_tui.service.board.moves import facts_of, stopped
from ccp_tui.service.execution.quiet import quiet
from ccp_tui.service.execution.starting import Line
from ccp_tui.service.live import NOT_ASKED
from ccp_tui.service.planning import crew, plansteps
from ccp_tui.store import Store
from ccp_tui.text import one_line, slug

Row = dict[str, Any]

_SERVICE = Actor(ActorKind.SERVICE, "ccp")


def why_not_moving(card: Row, spec: Row | None, planning: str = "") -> str:
    """Why the task stands still and what would move it; empty when it moves or is over.

    ``planning``: how its planning stands, see :func:`why_planning`.
    """
    if card["hold"]:
        return f"{card['hold']['reason'].rstrip('.')}. {card['hold']['release']}".strip()
    if card["waiting"] and card["state"] != State.ASSIGNED:
        return str(card["waiting"])  # the gateway does not take what it is to be told
    match State(card["state"]):
        case State.INBOX | State.PLANNING:
            return planning or _before_work(card, spec)
        case State.ASSIGNED:
            if card["queued"]:
                return f"queued: {card['waiting'] or 'it starts in a moment'}"
            return f"{NOT_ASKED}{_besides(card)}"
        case State.REVIEW:
            return f"{_in_review(card)}{_besides(card)}"
    return ""


def why_planning(store: Store, task: Row) -> str:
    """Whose turn it is while a task is planned, or which agent of an approved plan is still to be made."""
    planning = store.plannings.of_task(task["id"])
    if planning is None:
        return _waits_for_agent(store, task)
    match planning["state"]:
        case "opening":
            return f"the planner is being called in{_unless_stopped(store)}"
        case "planner":
            return f"the planner is thinking{_unless_stopped(store)}"
        case "person":
            asked = [one for one in store.questions.open_of_task(task["id"]) if one["kind"] == "planning"]
            return f"it waits for your answer to: {one_line(asked[0]['text'], 300)}" if asked else ""
        case "proposed":
            newest = store.specs.newest(task["id"])
            return f"its plan, spec version {newest['version'] if newest else 1}, waits for your approval"
    return (
        "the planner's reply could not be read: answer it in words, write the spec by hand, or drop the plan"
    )


def _waits_for_agent(store: Store, task: Row) -> str:
    """Which agent of its approved plan a task waits for; empty when it waits for something else."""
    wanted, newest = task["wanted_agent"], store.specs.newest(task["id"])
    if (
        not wanted
        or task["agent_id"]
        or task["state"] != State.INBOX
        or not (newest and newest["approved_at"])
    ):
        return ""
    if any(slug(one["name"], 64) == slug(wanted, 64) for one in store.crew.wanted()):
        return f"it waits for its agent {wanted}, which is being made"
    return f"it waits for an agent {wanted}, and nobody makes it: add one of that name, or assign another"


def _unless_stopped(store: Store) -> str:
    return f": {why}" if (why := stopped(store)) else ""


def _in_review(card: Row) -> str:
    """Whose turn it is: a reviewer's, as long as one is asked, or the person's."""
    match card["review"]:
        case "opening":
            return f"a reviewer is being asked to read round {card['round']}"
        case "reviewing":
            return f"{card['reviewer']} is reading round {card['round']}"
        case "given":
            return f"the reviewer approved round {card['round']}; it waits for you"
        case "silent":
            return f"the reviewer gave no verdict: it waits for your review of round {card['round']}"
    return f"it waits for your review of round {card['round']}"


def _besides(card: Row) -> str:
    """What is missing besides, whatever is done about the rest."""
    return f"; besides, {', '.join(card['waits_for'])} must be done first" if card["waits_for"] else ""


def _before_work(card: Row, spec: Row | None) -> str:
    if spec is None:
        return "it needs a spec: write one"
    if problem := specs.incomplete(spec["deliverables"], spec["success_criteria"]):
        return f"{problem}: edit it"
    if not card["spec_approved"]:
        return f"spec version {spec['version']} waits for your approval"
    return "it waits to be assigned to an agent"


def moves_of(store: Store, task: Row, line: Line) -> list[Row]:
    """The moves that the person may ask for now, each with the gate that would refuse it, if one would."""
    state = State(task["state"])
    facts = facts_of(store, task, reason="given", **line.known(task))
    facts = replace(facts, verdict_round=facts.round)
    asked: dict[Trigger, Row] = {}
    for move in moves_from(state):
        dispatch = move.trigger is Trigger.DISPATCH
        if (ActorKind.PERSON not in move.actors and not dispatch) or move.trigger in asked:
            continue
        actor = _SERVICE if dispatch else Actor(ActorKind.PERSON, "person")
        asked[move.trigger] = _asked(move, state, actor, facts)
    return [*_ways_on(store, task, state), *asked.values()]


def _ways_on(store: Store, task: Row, state: State) -> list[Row]:
    """What may be asked for beside the table's moves: whoever was asked and did not help is asked again."""
    match state:
        case State.PLANNING:
            ways = _of_planning(store, task)
        case State.INBOX:
            ways = [("retry", "make its agents again", state)] if crew.failed(store, task) else []
        case State.REVIEW:
            ways = _of_review(store, task)
        case State.ASSIGNED | State.IN_PROGRESS | State.TESTING if task["hold_kind"]:
            # Each is a stop and then moves of the table.
            ways = [("retry", "retry", State.IN_PROGRESS), ("assign", "assign another agent", State.ASSIGNED)]
            if task["hold_kind"] == HoldKind.DEPENDENCY:
                ways = ways[1:]  # a new attempt would miss the same
        case _:
            ways = []
    return [
        {"trigger": trigger, "label": label, "target": target.value, "gate": None, "reason": None}
        for trigger, label, target in ways
    ]


def _of_planning(store: Store, task: Row) -> list[tuple[str, str, State]]:
    planning = store.plannings.of_task(task["id"])
    match planning["state"] if planning else "":
        case "raw":
            by_hand = ("set_spec", "write the spec by hand", State.PLANNING)
            return [("replan", "answer in words", State.PLANNING), by_hand]
        case "proposed":
            return [("replan", "ask for changes", State.PLANNING)]
    held = task["hold_kind"] in plansteps.OURS
    return [("plan", "ask the planner again", State.PLANNING)] if held else []


def _of_review(store: Store, task: Row) -> list[tuple[str, str, State]]:
    """A reviewer that was asked, and gave no verdict, may be asked again."""
    attempt = store.attempts.of_task(task["id"])
    current = store.rounds.current(attempt["id"])["id"] if attempt else 0
    latest = store.review_requests.latest(current)
    if (
        latest is None
        or (not latest["ended_at"] and not quiet(task))
        or store.rounds.reviewed_by(current, "reviewer")
    ):
        return []
    return [("review", "ask a reviewer again", State.REVIEW)]


def _asked(move: Move, state: State, actor: Actor, facts: Any) -> Row:
    row: Row = {"trigger": move.trigger.value, "label": move.trigger.words, "gate": None, "reason": None}
    try:
        return {**row, "target": fire(state, move.trigger, actor, facts).value}
    except Refused as refusal:
        return {**row, "target": move.target.value, "gate": refusal.gate, "reason": refusal.reason}
