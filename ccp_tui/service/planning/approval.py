"""Approving a spec: all that a plan asks for comes to be in the transaction of the approval, and nothing before it."""

from __future__ import annotations

from typing import Any

from ccp_tui import lifecycle, spec
from ccp_tui.lifecycle import Actor, Facts, Refused, State, Trigger
from ccp_tui.policy import Policy
from ccp_tui.service.board.moves import SERVICE, Row, move, policy_facts, record
from ccp_tui.service.execution.queueing import queue_if_auto
from ccp_tui.service.planning import plansteps
from ccp_tui.service.planning.planagents import board_agent, not_for_a_plan, unknown_agents
from ccp_tui.store import Store


def approve_spec(store: Store, task: Row, version: int, actor: Actor, policy: Policy) -> str | None:
    """Approves the newest version of a spec: its agents are asked for, its sub-tasks captured and approved with it.

    An approval that was given already changes nothing. The session of a planner that is still at it, if there is one.
    Raises Refused.
    """
    newest = store.specs.newest(task["id"])
    state = State(task["state"])
    if newest and newest["version"] != version:
        reason = f"version {newest['version']} is the newest: read it first"
        raise Refused("spec_version", reason, state, Trigger.APPROVE_SPEC)
    if newest and newest["approved_at"] and state is State.INBOX:
        return None
    if newest and (taken := not_for_a_plan(newest["agents"])):
        reason = (
            f"the plan would make {', '.join(taken)}, which is a name of the board's own: give it another"
        )
        raise Refused("agent", reason, state, Trigger.APPROVE_SPEC)
    if newest and (unknown := unknown_agents(store, newest["agent"], newest["agents"], newest["tasks"])):
        reason = f"the plan gives work to {', '.join(unknown)}: neither on the board nor among its new agents"
        raise Refused("agent", reason, state, Trigger.APPROVE_SPEC)
    agent = task["agent_id"] or (board_agent(store, newest["agent"]) if newest else None)
    facts: dict[str, Any] = policy_facts(policy, auto=bool(task["auto"]))
    text = f"spec version {version} was approved"
    target = move(store, task, Trigger.APPROVE_SPEC, actor, text, agent=agent, **facts)
    if newest is None:
        return None
    store.specs.approve(newest["id"], task["id"], actor.name)
    if target is State.ASSIGNED:
        store.tasks.edit(task["id"], agent_id=agent)
    elif not task["agent_id"]:
        store.tasks.edit(task["id"], wanted_agent=newest["agent"] or None)
    store.crew.want(task["id"], [_member(store, one) for one in newest["agents"]])
    _capture_parts(store, task, newest, actor, policy)
    queue_if_auto(store, task, policy)
    return plansteps.end(store, task, "approved")


def _member(store: Store, one: Row) -> Row:
    """An agent of the plan; one that the board has already is taken as it is."""
    columns = {key: one[key] for key in ("name", "role", "emoji", "soul")}
    return {**columns, "model": one["model"] or None, "agent_id": board_agent(store, one["name"])}


def _capture_parts(store: Store, task: Row, plan: Row, actor: Actor, policy: Policy) -> None:
    """The sub-tasks, each with its own approved spec, in the order that they need; those there already stay."""
    there = {
        one["title"]: one["ref"] for one in store.details.subtasks(task["id"]) if one["state"] != "cancelled"
    }
    ids: dict[str, int] = {}
    for part in plan["tasks"]:
        known = there.get(part["title"])
        ids[part["key"]] = (
            store.tasks.by_ref(known)["id"] if known else _capture(store, task, plan, part, actor, policy)
        )
    for part in plan["tasks"]:
        for key in part["needs"]:
            store.dependencies.add(ids[part["key"]], ids[key])
        store.dependencies.add(task["id"], ids[part["key"]])


def _capture(store: Store, parent: Row, plan: Row, part: Row, actor: Actor, policy: Policy) -> int:
    state = lifecycle.capture(Facts(title=part["title"]), SERVICE)
    child = store.tasks.capture(
        state,
        parent["mission_id"],
        store.missions.next_ref(parent["mission_id"]),
        part["title"],
        parent_id=parent["id"],
        auto=parent["auto"],
        priority=parent["priority"],
        due=parent["due"],
        wanted_agent=part["agent"] or plan["agent"] or None,
    )
    row = store.tasks.get(child)
    record(store, row, SERVICE, "captured", f"captured as a part of {parent['ref']}: {part['title']}")
    store.specs.add(child, spec.parse(spec.written(part)), plan["author"])
    facts: dict[str, Any] = policy_facts(policy, auto=bool(parent["auto"]))
    move(
        store,
        row,
        Trigger.APPROVE_SPEC,
        actor,
        f"spec was approved with the plan of {parent['ref']}",
        **facts,
    )
    newest = store.specs.newest(child)
    assert newest is not None
    store.specs.approve(newest["id"], child, actor.name)
    return child
