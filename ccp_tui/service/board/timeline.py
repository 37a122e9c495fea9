"""The history of a mission as one thing to read, and as data: the method ``mission.timeline``.

Whatever people, agents and checks wrote is data: in the Markdown it is escaped or quoted, so that it can make no
heading, no link and no picture of its own.
"""

from __future__ import annotations

import re
from typing import Any

from ccp_tui import clock
from ccp_tui.service.context import Context
from ccp_tui.service.door import params as p
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution.prompts import outcome
from ccp_tui.service.execution.spending import dollars
from ccp_tui.store import Store
from ccp_tui.text import clean, one_line
from ccp_tui.wire import Json

Row = dict[str, Any]

PAGE = 5000
LONGEST_OUTPUT = 2000
# What means something anywhere in a line of Markdown, or lets HTML in; and what does so at its beginning only.
_SPECIAL = re.compile(r"([\\`*_\[\]<>&~|])")
_FIRST = re.compile(r"^(?=[#+=-])|^(\d+)(?=[.)])")


class Timelines:
    """Reads a whole mission in one transaction: what it says is true of one moment."""

    def __init__(self, context: Context) -> None:
        self._c = context

    def methods(self) -> dict[str, Method]:
        return {"mission.timeline": self.timeline}

    async def timeline(self, params: Json) -> Json:
        slug = p.text(params, "slug")
        data = await self._c.db(lambda store: gather(store, store.missions.by_slug(slug)))
        data["mission"] = self._c.live.mission(data["mission"])
        return {"markdown": markdown(data), "data": data}


def gather(store: Store, mission: int) -> Row:
    """Everything of a mission: every event in its order, and of each task what its events speak of."""
    row = store.missions.row(mission)
    events: list[Row] = []
    while page := store.events.page(
        {"mission": row["slug"]}, after=events[-1]["id"] if events else 0, limit=PAGE
    ):
        events += page
    cards = {card["ref"]: card for card in store.cards.select({"mission": row["slug"]})}
    order = dict.fromkeys(event["task"] for event in events if event["task"])
    return {
        "mission": row,
        "written_at": clock.now(),
        "costs": {
            "total": store.costs.of_mission(mission),
            "by_task": store.costs.by_task(mission),
            "by_agent": store.costs.by_agent(mission),
            "by_purpose": store.costs.by_purpose(mission),
        },
        "tasks": [_task(store, cards[ref]) for ref in dict.fromkeys((*order, *cards)) if ref in cards],
        "events": events,
    }


def _task(store: Store, card: Row) -> Row:
    task, spec = card["id"], store.specs.newest(card["id"])
    return {
        **card,
        "description": store.tasks.get(task)["description"],
        "spec": None if spec is None else {key: spec[key] for key in spec if key not in ("id", "task_id")},
        "needs": [row["ref"] for row in store.dependencies.of(task)],
        "plannings": store.details.plannings(task),
        "questions": [_question(row) for row in store.questions.of_task(task)],
        "attempts": store.details.attempts(task),
        "subagents": store.sessions.children(task),
    }


def _question(row: Row) -> Row:
    wire = ("id", "kind", "agent_id", "header", "text", "options", "state", "answer", "answered_by")
    return {key: row[key] for key in (*wire, "asked_at", "answered_at")}


# -- as a text to read ----------------------------------------------------------------------------------------------


def markdown(data: Row) -> str:
    """The timeline as Markdown: the mission, what it cost, then each task in the order in which it first appeared."""
    mission, events, costs = data["mission"], data["events"], data["costs"]
    lines = [f"# {said(mission['title'])}", ""]
    lines += [f"- Mission: {said(mission['slug'])}", f"- Created: {_day(mission['created_at'])}"]
    if events:
        lines += [f"- Last event: {_day(events[-1]['at'])}"]
    lines += [f"- Spent: {_spent(costs['total'])}", f"- Written: {_day(data['written_at'])}", ""]
    if costs["by_agent"]:
        lines += ["## Costs by agent", ""]
        lines += [f"- {said(row['agent'])}: {_spent(row)}" for row in costs["by_agent"]] + [""]
    own = [event for event in events if not event["task"]]
    if own:
        lines += ["## The mission itself", "", *(_event(event) for event in own), ""]
    for task in data["tasks"]:
        lines += _section(task, [event for event in events if event["task"] == task["ref"]])
    return "\n".join(lines).rstrip() + "\n"


def _section(task: Row, events: list[Row]) -> list[str]:
    lines = [f"## {said(task['ref'])} {said(task['title'])}", ""]
    end = task["state_since"] if task["state"] in ("done", "cancelled") else None
    took = clock.age(task["created_at"], end)
    state = task["state"].replace("_", " ")
    lines += [f"- State: {state}, {took} after it was captured" if end else f"- State: {state}"]
    lines += [f"- Agent: {said(task['agent'])}"] if task["agent"] else []
    lines += [f"- Needs: {', '.join(task['needs'])}"] if task["needs"] else []
    lines += [f"- Part of: {task['parent']}"] if task["parent"] else []
    lines += [f"- Spent: {_spent(task)}"]
    if task["hold"]:
        lines += [f"- Held: {said(task['hold']['reason'])}"]
    lines += [""]
    if task["plannings"]:
        lines += ["### Planning", "", *(_planning(planning) for planning in task["plannings"]), ""]
    if task["questions"]:
        lines += ["### Questions", ""]
        for question in task["questions"]:
            lines += _asked(question)
    for attempt in task["attempts"]:
        lines += _attempt(attempt)
    if task["subagents"]:
        lines += ["### Sub-agents", ""]
        lines += [
            f"- {said(one['title'] or one['agent'])}: {one['state'] or 'unknown'}, {_spent(one)}"
            for one in task["subagents"]
        ] + [""]
    return [*lines, "### What happened", "", *(_event(event) for event in events), ""]


def _attempt(attempt: Row) -> list[str]:
    ended = attempt["ended_at"]
    how = f"{attempt['outcome']} after {clock.age(attempt['started_at'], ended)}" if ended else "open"
    head = f"by {said(attempt['agent'])}, from {_day(attempt['started_at'])}, {how}, {_spent(attempt)}"
    lines = [f"### Attempt {attempt['number']}", "", head, ""]
    for one in attempt["rounds"]:
        lines += [f"#### Round {one['number']}: {one['result'] or 'open'}", ""]
        if one["summary"]:
            lines += [*_quoted(one["summary"]), ""]
        lines += [
            f"- delivered {said(file['path'])} ({file['size']:,} bytes, sha256 {file['sha256'][:12]})"
            for file in one["deliverables"]
        ]
        for check in one["checks"]:
            took = f"{check['duration_ms'] / 1000:.1f} s"
            lines += [f"- check {said(check['name'])}: {outcome(check)}, {took}"]
            if check["output"].strip():
                lines += ["", *_fenced(_short(check["output"])), ""]
        for review in one["reviews"]:
            verdict = "approved" if review["verdict"] == "approve" else "sent back"
            lines += [f"- {verdict} by {said(review['actor'])} ({review['actor_kind']}) {_day(review['at'])}"]
            if review["reason"]:
                lines += ["", *_quoted(review["reason"]), ""]
        lines += [""]
    return lines


def _planning(planning: Row) -> str:
    ended = planning["ended_at"]
    how = f"{planning['outcome']} after {clock.age(planning['started_at'], ended)}" if ended else "open"
    by = f" by {said(planning['agent'])}" if planning["agent"] else ""
    return f"- Planning {planning['number']}{by}, from {_day(planning['started_at'])}: {how}"


def _asked(question: Row) -> list[str]:
    lines = [
        f"- {_day(question['asked_at'])} {said(question['agent_id'])} asked:",
        "",
        *_quoted(question["text"]),
        "",
    ]
    answer = question["answer"] or {}
    chosen = [f"{one['id']}) {one['label']}" for one in answer.get("options") or []]
    words = "\n".join([*chosen, *([answer["text"]] if answer.get("text") else [])])
    if words:
        lines += [f"  Answered by {said(question['answered_by'] or '')}:", "", *_quoted(words), ""]
    else:
        lines += [f"  {question['state'].capitalize()}.", ""]
    return lines


def _event(event: Row) -> str:
    line = f"- {_day(event['at'])} {said(event['text'])}"
    reason = one_line(event["reason"] or "", 500)
    return f"{line} ({said(reason)})" if reason and reason not in event["text"] else line


def said(text: str) -> str:
    """Anybody's words as plain words of one line of Markdown."""
    return _FIRST.sub(r"\g<1>\\", _SPECIAL.sub(r"\\\1", one_line(text)))


def _quoted(text: str) -> list[str]:
    """Anybody's words as a quotation, line by line."""
    return [f"> {said(line)}".rstrip() for line in clean(text).strip().splitlines()]


def _fenced(text: str) -> list[str]:
    """A program's output as it is, between fences that are longer than any in it."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return [f"{fence}text", *text.splitlines(), fence]


def _short(output: str) -> str:
    text = clean(output).strip("\n")
    return (
        text
        if len(text) <= LONGEST_OUTPUT
        else f"{text[:LONGEST_OUTPUT]}\n… {len(text) - LONGEST_OUTPUT} more characters"
    )


def _spent(row: Row) -> str:
    return f"{row['tokens']:,} tokens, {dollars(row['cost_usd'])}"


def _day(at: str) -> str:
    return at[:19].replace("T", " ") + " UTC"
