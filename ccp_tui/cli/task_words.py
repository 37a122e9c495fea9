"""Everything about a task in words, for ``ccp task show`` and for what the verbs answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ccp_tui.cli.output import age, local_time, paragraph
from ccp_tui.text import one_line

Json = dict[str, Any]


def short(task: Json) -> str:
    """One line after a change: where the task is now, and what it waits for."""
    words = f"{task['ref']}  {task['state'].replace('_', ' ')}  {one_line(task['title'])}"
    if hold := task.get("hold"):
        words += f"  (held, {one_line(hold.get('kind') or '')}: {one_line(hold.get('reason') or '')})"
    elif task.get("queued"):
        words += f"  (queued: {one_line(task.get('waiting') or 'waits for its turn')})"
    return words


def detail(task: Json) -> str:
    """The whole task on a page."""
    return "\n".join(_lines(task))


def _lines(task: Json) -> Iterator[str]:
    yield f"{task['ref']}  {one_line(task['title'])}"
    agent = task.get("agent_name") or task.get("agent")
    facts = [
        f"{task['state'].replace('_', ' ')} since {age(task.get('state_since'))}",
        f"mission {task.get('mission')}",
        f"agent {one_line(agent)}" if agent else "no agent",
        f"priority {task.get('priority')}",
    ]
    if task.get("subtasks"):
        facts.append(f"{task.get('subtasks_done') or 0}/{task['subtasks']} sub-tasks done")
    if task.get("parent"):
        facts.append(f"part of {task['parent']}")
    if task.get("waits_for"):
        facts.append(f"waits for {' '.join(task['waits_for'])}")
    if task.get("due"):
        facts.append(f"due {local_time(task['due'])}")
    yield "  " + " · ".join(facts)
    why = one_line(task.get("why") or "")
    way_on = one_line((task.get("hold") or {}).get("release") or "")
    if why and (reason := why.removesuffix(way_on).rstrip()):
        yield f"  not moving: {reason}"
    if way_on:
        yield f"  to go on: {way_on}"
    if task.get("description"):
        yield ""
        yield paragraph(task["description"])
    yield from _spec(task)
    for attempt in task.get("attempts") or ():
        yield from _attempt(attempt)
    yield from _moves(task)


def _spec(task: Json) -> Iterator[str]:
    spec = task.get("spec")
    if not spec:
        yield "\nSpec: none yet. Write one and store it:"
        yield f"  ccp task spec --template > spec.yaml; ccp task spec {task['ref']} --file spec.yaml"
        return
    if spec.get("approved_at"):
        standing = f"approved {local_time(spec['approved_at'])} by {one_line(spec.get('approved_by') or '')}"
    else:
        standing = f"not approved yet: ccp task approve-spec {task['ref']}"
    yield f"\nSpec: version {spec.get('version')}, {standing}"
    if spec.get("summary"):
        yield paragraph(spec["summary"])
    for deliverable in spec.get("deliverables") or ():
        words = one_line(deliverable.get("description") or "")
        yield f"  deliverable  {one_line(deliverable['path'])}" + (f": {words}" if words else "")
    for criterion in spec.get("success_criteria") or ():
        yield f"  criterion    {one_line(criterion)}"
    for check in spec.get("checks") or ():
        yield f"  check        {one_line(check['name'])}: {one_line(check['command'], 120)}"
    for constraint in spec.get("constraints") or ():
        yield f"  constraint   {one_line(constraint)}"


def _attempt(attempt: Json) -> Iterator[str]:
    ended = attempt.get("outcome") or "ended" if attempt.get("ended_at") else "open"
    yield (
        f"\nAttempt {attempt['number']}: {ended}, {one_line(attempt.get('agent') or '')}, "
        f"since {local_time(attempt.get('started_at'))}, {attempt.get('tokens') or 0:,} tokens, "
        f"${attempt.get('cost_usd') or 0:.2f}"
    )
    for round in attempt.get("rounds") or ():
        result = f": {one_line(round['result'])}" if round.get("result") else ""
        yield f"  Round {round['number']}{result}"
        if round.get("summary"):
            yield paragraph(round["summary"], "    ")
        for deliverable in round.get("deliverables") or ():
            size = f"{deliverable['size']:,} bytes" if deliverable.get("present") else "missing"
            yield f"    file   {one_line(deliverable['path'])}  {size}"
        for check in round.get("checks") or ():
            yield from _check(check)
        for review in round.get("reviews") or ():
            reason = f": {one_line(review['reason'])}" if review.get("reason") else ""
            yield f"    {one_line(review['verdict'])} by {one_line(review.get('actor') or '')}{reason}"


def _check(check: Json) -> Iterator[str]:
    if check.get("ok"):
        yield f"    check  ok    {one_line(check['name'])}"
        return
    why = "time is up" if check.get("timed_out") else f"exit {check.get('exit_code')}"
    yield f"    check  FAIL  {one_line(check['name'])} ({why})"
    if check.get("output"):
        yield paragraph("\n".join(check["output"].splitlines()[-5:]), "             ")


def _moves(task: Json) -> Iterator[str]:
    moves = task.get("moves") or ()
    if moves:
        yield "\nWhat you can do now"
    for move in moves:
        refused = f"   not yet: {one_line(move.get('reason') or move['gate'])}" if move.get("gate") else ""
        yield f"  {one_line(move.get('label') or move['trigger'])}{refused}"
