"""Answering "why is it not moving?" and "what may I do now?" for one task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ccp_tui import spec as specs
from ccp_tui.lifecycle import Actor, ActorKind, Move, Refused, State, Trigger, fire, moves_from
from ccp_tui.service.moves import facts_of
from ccp_tui.store import Store

Row = dict[str, Any]

_SERVICE = Actor(ActorKind.SERVICE, "ccp")


def why_not_moving(card: Row, spec: Row | None) -> str:
    """Why the task stands still and what would move it; empty when it moves or is over."""
    if card["hold"]:
        return f"{card['hold']['reason'].rstrip('.')}. {card['hold']['release']}".strip()
    match State(card["state"]):
        case State.INBOX | State.PLANNING:
            return _before_work(card, spec)
        case State.ASSIGNED:
            if card["queued"]:
                return f"queued: {card['waiting'] or 'it starts in a moment'}"
            return "it waits for you to dispatch it"
        case State.REVIEW:
            return f"it waits for your review of round {card['round']}"
    return ""


def _before_work(card: Row, spec: Row | None) -> str:
    if spec is None:
        return "it needs a spec: write one"
    if problem := specs.incomplete(spec["deliverables"], spec["success_criteria"]):
        return f"{problem}: edit it"
    if not card["spec_approved"]:
        return f"spec version {spec['version']} waits for your approval"
    return "it waits to be assigned to an agent"


def moves_of(store: Store, task: Row, gateway_problem: str, agent_limit: int) -> list[Row]:
    """The moves that the person may ask for now, each with the gate that would refuse it, if one would."""
    state = State(task["state"])
    facts = facts_of(store, task, gateway_problem=gateway_problem, agent_limit=agent_limit, reason="given")
    facts = replace(facts, verdict_round=facts.round)
    asked: dict[Trigger, Row] = {}
    for move in moves_from(state):
        dispatch = move.trigger is Trigger.DISPATCH
        if (ActorKind.PERSON not in move.actors and not dispatch) or move.trigger in asked:
            continue
        actor = _SERVICE if dispatch else Actor(ActorKind.PERSON, "person")
        asked[move.trigger] = _asked(move, state, actor, facts)
    return [*_ways_on(task, state), *asked.values()]


def _ways_on(task: Row, state: State) -> list[Row]:
    """What a hold leaves open beside the table's moves: each is a stop and then moves of the table."""
    if not task["hold_kind"] or state not in (State.ASSIGNED, State.IN_PROGRESS, State.TESTING):
        return []
    ways = (("retry", "retry", State.IN_PROGRESS), ("assign", "assign another agent", State.ASSIGNED))
    return [
        {"trigger": trigger, "label": label, "target": target.value, "gate": None, "reason": None}
        for trigger, label, target in ways
    ]


def _asked(move: Move, state: State, actor: Actor, facts: Any) -> Row:
    row: Row = {"trigger": move.trigger.value, "label": move.trigger.words, "gate": None, "reason": None}
    try:
        return {**row, "target": fire(state, move.trigger, actor, facts).value}
    except Refused as refusal:
        return {**row, "target": move.target.value, "gate": refusal.gate, "reason": refusal.reason}
