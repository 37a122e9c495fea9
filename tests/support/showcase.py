"""The board of the README's pictures: an owl reserve with plans, sub-tasks, reviews and a few things that are stuck."""

from __future__ import annotations

from typing import Any

from tests.screens import fakes
from tests.screens.fakes import HOUR_AGO, NOW, YESTERDAY, Json, agent, worked
from tests.support import nouns

OWL, FERN, SCOUT, QUILL = (
    ("otto", "Otto", "🦉"), ("fern", "Fern", "🌿"), ("scout", "Scout", "🔭"), ("quill", "Quill", "🪶"),
)  # fmt: skip
PLANNED, ASKED = "OWL-14", "OWL-15"


def _card(id: int, state: str, title: str, **more: Any) -> Json:
    """A task that came to its state some minutes ago, or, when it is done, some hours."""
    since = f"2026-11-23T{8 if state == 'done' else 11:02d}:{59 - id * 11 % 50:02d}:00.000Z"
    usual = {"state": state, "title": title, "mission": "owls", "created_at": YESTERDAY, "state_since": since}
    return nouns.card(id, f"OWL-{id}", HOUR_AGO, **(usual | more))


def _doing(kind: str, text: str) -> Json:
    return {"kind": kind, "text": text, "at": NOW}


def _hold(kind: str, reason: str, release: str) -> Json:
    return {"kind": kind, "reason": reason, "since": HOUR_AGO, "release": release}


def _part(id: int, state: str, title: str, who: tuple[str, str, str], **more: Any) -> Json:
    """A sub-task of OWL-4."""
    return _card(id, state, title, parent="OWL-4", **(worked(*who) | more))


TASKS = [
    _card(14, "planning", "Prepare a guide to owls", priority="high", planning="proposed",
          spec_version=1, tokens=4210, cost_usd=0.03),
    _card(15, "planning", "A page for the volunteers", planning="person", questions=1),
    _card(16, "planning", "Letter to the school", planning="planner"),
    _card(17, "inbox", "Mend the map at the gate", priority="urgent"),
    _card(18, "inbox", "Names for the young owls", due="2026-12-01T00:00:00.000Z"),
    _card(19, "inbox", "Idea: a night walk by lantern", priority="low"),
    _card(4, "assigned", "Open day in the reserve", priority="high", subtasks=3, subtasks_done=1,
          waits_for=["OWL-6", "OWL-7"], **worked(*QUILL, attempt=None)),
    _part(7, "assigned", "Check the signs of the open day", SCOUT, attempt=None, waits_for=["OWL-6"]),
    _card(8, "assigned", "Count the nesting boxes", queued=True, waiting="Otto is working on OWL-9",
          **worked(*OWL, attempt=None)),
    _part(6, "in_progress", "Write the signs of the open day", QUILL, priority="high",
          activity=_doing("tool", "exec: ccp report deliver signs/pond.md")),
    _card(9, "in_progress", "Sort the pictures of the year", **worked(*OWL),
          activity=_doing("words", "Of 412 pictures 60 are sharp enough.")),
    _card(10, "in_progress", "Translate the house rules", cost_usd=0.5, budget_usd=0.5, **worked(*FERN),
          hold=_hold("budget", "it has spent its $0.50", "raise its budget (b)")),
    _card(11, "testing", "Reckon the winter's food", **worked(*FERN, attempt=2),
          activity=_doing("status", "check 2 of 3: sums agree")),
    _card(12, "review", "Report on the barn owls", reviewer="ccp-reviewer", **worked(*SCOUT, round=2)),
    _card(13, "review", "Timetable of the feeding", **worked(*OWL)),
    _part(5, "done", "Gather what visitors may see", SCOUT),
    _card(3, "done", "Opening hours for the winter", **worked(*QUILL)),
    _card(2, "done", "Answer the letters of the week", **worked(*QUILL)),
    _card(1, "done", "List of the feeding stations", **worked(*OWL)),
]  # fmt: skip

QUESTION: Json = {
    "id": 7, "kind": "planning", "ref": ASKED, "agent": "ccp-planner",
    "session_key": "agent:ccp-planner:ccp-owl-15-plan-1", "header": "Readers",
    "text": "Who is the page for, above all?\n\nIt decides what comes first, and how much must be explained.",
    "options": [
        {"id": "a", "label": "People who want to help", "description": "what to expect, step by step"},
        {"id": "b", "label": "Our own volunteers", "description": "who is where, and when"},
        {"id": "c", "label": "Both", "description": "the week's plan first, then the way in"},
    ],
    "multiple": False, "free": True, "state": "open", "answer": None, "asked_at": HOUR_AGO, "expires_at": None,
}  # fmt: skip
OWN_WORDS = "Keep the rota on one screen."


def _needs(
    key: str, urgency: int, kind: str, ref: str, who: str, text: str, answer: Json | None = None
) -> Json:
    return {"key": key, "urgency": urgency, "kind": kind, "ref": ref, "agent": who, "text": text, "since": HOUR_AGO,
            "answer": answer}  # fmt: skip


def board() -> Json:
    """What the service says to a board that subscribes."""
    return {
        "missions": [
            {"id": 1, "slug": "owls", "title": "Owl reserve", "icon": "🦉", "prefix": "OWL", "archived": False}
        ],
        "agents": [
            agent("otto", "Otto", "🦉", role="keeper", live="working", working_on="OWL-9"),
            agent("fern", "Fern", "🌿", role="clerk", live="waiting", working_on="OWL-10", unread=1),
            agent("scout", "Scout", "🔭", role="researcher"),
            agent("quill", "Quill", "🪶", role="writer", live="working", working_on="OWL-6"),
            agent("ccp-planner", "ccp planner", "🧭", duty="planner", live="working"),
            agent("ccp-reviewer", "ccp reviewer", "⚖", duty="reviewer", live="working"),
        ],
        "tasks": TASKS,
        "health": fakes.health(),
        "attention": [
            _needs("question:7", 0, "question", ASKED, "ccp-planner", "ccp-planner asks: Who is the page for?",
                   {"method": "question.answer", "question": QUESTION}),
            _needs("hold:OWL-10", 1, "budget", "OWL-10", "fern", "it has spent its $0.50"),
            _needs("plan:OWL-14", 2, "plan", PLANNED, "ccp-planner", "the plan, version 1, waits for your approval"),
            _needs("review:OWL-13", 2, "review", "OWL-13", "otto", "round 1 waits for your review"),
        ],
    }  # fmt: skip


def _subtask(key: str, title: str, who: str, path: str, *needs: str, criterion: str, summary: str) -> Json:
    return {
        "key": key, "title": title, "summary": summary, "agent": who, "needs": list(needs),
        "deliverables": [{"path": path, "description": ""}], "success_criteria": [criterion],
        "checks": [{"name": f"{path} is there", "command": f"test -s {path}", "timeout_s": 30}], "constraints": [],
    }  # fmt: skip


PLAN: Json = {
    "version": 1,
    "title": "Prepare a guide to owls",
    "summary": "A guide for families who visit the reserve: what owls are, which ones live here, and how to hear them "
    "without driving them away.",
    "agent": "Quill",
    "author": "ccp-planner",
    "deliverables": [{"path": "guide/owls.md", "description": "the guide, at most four pages"}],
    "success_criteria": [
        "A child of ten can follow it.",
        "Every remark of the check-up was taken up.",
    ],
    "checks": [
        {"name": "not too long", "command": 'test "$(wc -w < guide/owls.md)" -lt 1600', "timeout_s": 10},
    ],
    "constraints": ["As the person said: no places of nests."],
    "agents": [
        {"name": "Scout", "role": "researcher", "emoji": "🔭", "model": "",
         "soul": "# Scout\n\nYou find things out, and say where each comes from."},
        {"name": "Quill", "role": "writer", "emoji": "🪶", "model": "",
         "soul": "# Quill\n\nYou turn facts into words that are easy to follow."},
    ],
    "tasks": [
        _subtask("gather", "Gather the facts about our owls", "Scout", "guide/facts.md",
                 criterion="Each fact has its source.", summary="Five kinds live here; what is known of each."),
        _subtask("write", "Write the draft", "Quill", "guide/draft.md", "gather",
                 criterion="It uses no fact that is not in facts.md.", summary="Built on the facts, in plain words."),
        _subtask("check-up", "Check the draft against the facts", "Scout", "guide/remarks.md", "write",
                 criterion="Each remark can be acted on.", summary="Read by somebody who did not write it."),
    ],
    "assumptions": [],
    "text": "",
    "created_at": HOUR_AGO,
    "approved_at": None,
    "approved_by": None,
}  # fmt: skip


def plan() -> Json:
    """The whole of the task whose plan waits for approval."""
    card = next(row for row in TASKS if row["ref"] == PLANNED)
    version = {key: PLAN[key] for key in ("version", "created_at", "author", "approved_at", "approved_by")}
    moves = [
        {"trigger": "approve_spec", "target": "inbox", "label": "approve spec", "gate": None, "reason": None},
        {"trigger": "drop_plan", "target": "inbox", "label": "drop plan", "gate": None, "reason": None},
        {"trigger": "cancel", "target": "cancelled", "label": "cancel", "gate": None, "reason": None},
    ]
    return fakes.detail(card, spec=PLAN, specs=[version], moves=moves)
