"""A task that is being planned: its questions, its proposed spec with agents and sub-tasks, what grows out of it."""

from __future__ import annotations

from typing import Any

from tests.screens.fakes import HOUR_AGO, NOW, SPEC, YESTERDAY, Json, card, detail, snapshot

KEY = "agent:ccp-planner:ccp-WEB-1-plan-2-home"
OPTIONS = [
    {"id": "a", "label": "A password", "description": "with a reset by mail"},
    {"id": "b", "label": "A link by mail", "description": ""},
]
SOUL = "\n".join(["# Scout", "", *(f"Rule {n}: read before you write." for n in range(1, 9))])


def question(id: int, text: str, **more: Any) -> Json:
    """A question of the second planning of WEB-1, open unless said otherwise."""
    row: Json = {
        "id": id, "kind": "planning", "ref": "WEB-1", "agent": "ccp-planner", "session_key": KEY, "header": "",
        "text": text, "options": OPTIONS, "multiple": False, "free": True, "state": "open", "answer": None,
        "asked_at": HOUR_AGO, "expires_at": None,
    }  # fmt: skip
    return row | more


def planning(number: int, state: str, **more: Any) -> Json:
    """One go at the plan of WEB-1."""
    row: Json = {
        "number": number, "agent": "ccp-planner", "session_key": KEY if number == 2 else "agent:ccp-planner:old",
        "auto": 0, "state": state, "raw": None, "problem": "", "outcome": None, "started_at": HOUR_AGO,
        "ended_at": None,
    }  # fmt: skip
    return row | more


DROPPED = planning(1, "ended", outcome="dropped", started_at=YESTERDAY, ended_at=YESTERDAY)
ANSWERED = question(
    3,
    "How shall customers prove who they are?",
    state="answered",
    answer={"options": [{"id": "b", "label": "A link by mail"}], "text": "but only\nfor an hour"},
)
WAIVED = question(4, "Which languages?", state="waived", options=[])


def part(key: str, title: str, agent: str, *needs: str) -> Json:
    """A sub-task of a plan."""
    return {
        "key": key, "title": title, "summary": f"What {key} is for.", "agent": agent, "needs": list(needs),
        "deliverables": [{"path": f"{key}.md", "description": ""}], "success_criteria": [f"{key} is complete"],
        "checks": [{"name": "there", "command": f"test -s {key}.md", "timeout_s": 60}], "constraints": [],
    }  # fmt: skip


PLAN_TEXT = (
    "title: Sign-in\nsummary: By link.\ndeliverables:\n  - path: signin.md\nconstraints:\n  - no passwords\n"
)
PLAN: Json = SPEC | {
    "version": 2,
    "title": "Sign-in by mail",
    "text": PLAN_TEXT,
    "author": "ccp-planner",
    "agent": "Quill",
    "approved_at": None,
    "approved_by": None,
    "assumptions": ["Customers read their mail within the hour."],
    "agents": [
        {"name": "Scout", "role": "gathers facts", "emoji": "🔭", "model": "openai/gpt-5", "soul": SOUL},
        {"name": "Quill", "role": "writes", "emoji": "🪶", "model": "", "soul": "# Quill\nPlain words."},
    ],
    "tasks": [
        part("check", "Check the pages", "Quill", "write", "gather"),
        part("gather", "Gather the cases", "Scout"),
        part("write", "Write the pages", "Quill", "gather"),
    ],
}
VERSIONS = [
    {
        "version": 1,
        "created_at": YESTERDAY,
        "author": "ccp-planner",
        "approved_at": None,
        "approved_by": None,
    },
    {"version": 2, "created_at": HOUR_AGO, "author": "ccp-planner", "approved_at": None, "approved_by": None},
]


def spec_version(params: Json) -> Json:
    """What ``task.spec`` answers of WEB-1: the first version still had passwords."""
    if params.get("version") == 1:
        return {"spec": PLAN | {"version": 1, "text": PLAN_TEXT.replace("no passwords", "strong passwords")}}
    return {"spec": PLAN}


def planned(state: str = "person", **more: Any) -> Json:
    """The detail of WEB-1 while its second planning stands in this state."""
    row = next(row for row in snapshot()["tasks"] if row["ref"] == "WEB-1") | {"planning": state}
    if state != "raw":
        row |= {"hold": None}
    asked = [ANSWERED, WAIVED]
    if state == "person":
        asked.append(question(7, "How long does a link live?"))
    if state == "proposed":
        row |= {"spec_version": 2}
        more = {"spec": PLAN, "specs": VERSIONS} | more
    now = planning(
        2, state, raw="I would rather\ntalk about [b]ships[/b]\x1b[2J." if state == "raw" else None
    )
    if state == "raw":
        now["problem"] = "the planner's reply is no JSON object"
    return detail(row, plannings=[DROPPED, now], questions=asked) | more


def parent(**more: Any) -> Json:
    """The detail of WEB-6: two sub-tasks, dependencies both ways, sub-agents, new agents, a question, a budget."""
    row = card(6, "assigned", "Rename the warehouse fields", agent="owl", agent_name="Owl", agent_emoji="🦉")
    row |= {"subtasks_done": 1, "waits_for": ["WEB-7"], "tokens": 48210, "cost_usd": 0.61,
            "budget_tokens": 200_000, "budget_usd": 2.5, "spec_version": 1,
            "spec_approved": True}  # fmt: skip
    return detail(
        row,
        subtasks=[{"ref": "WEB-101", "title": "Find them", "state": "done", "agent": "scout"},
                  {"ref": "WEB-7", "title": "Rename them", "state": "in_progress", "agent": "fox"}],
        needs=[{"id": 7, "ref": "WEB-7", "title": "Search that forgives", "state": "in_progress"}],
        dependants=[{"ref": "WEB-3", "title": "Write the changelog", "state": "inbox", "agent_id": None}],
        subagents=[{"session_key": "agent:owl:subagent:1", "agent": "owl", "title": "look for uses", "state": "running",
                    "parent_key": "agent:owl:ccp-1", "tokens": 900, "cost_usd": 0.0, "created_at": NOW,
                    "last_text": "First\nI found [red]nine[/] uses."}],
        crew=[{"name": "Scout", "role": "gathers", "emoji": "🔭", "agent": "scout", "problem": ""},
              {"name": "Quill", "role": "writes", "emoji": "", "agent": None, "problem": "the gateway refused it"}],
        questions=[question(9, "Also the old fields?", kind="report", ref="WEB-6", agent="owl", session_key="x")],
    ) | more  # fmt: skip
