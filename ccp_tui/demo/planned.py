"""The second mission of the play: one typed line becomes a plan, the plan runs by itself, and an agent reviews.

The scripted planner asks two questions: who it is for, and how long it may be. A title with "guide" in it becomes a
large plan, with sub-tasks in a chain and two new agents.
"""

from __future__ import annotations

from typing import Any

import yaml

from ccp_tui import spec
from ccp_tui.demo.scenes import Plan, Scene

MISSION = {
    "title": "Open day",
    "slug": "open-day",
    "icon": "🎪",
    "prefix": "DAY",
    "policy": {"auto": "dispatch", "review": "agent"},
}
SECOND_LOOK = "It still reads well at a second look"


def _planned(title: str, description: str, plan: Plan, priority: str = "normal") -> Scene:
    return Scene(
        title,
        way="planned",
        description=description,
        priority=priority,
        plan=plan,
        mission=str(MISSION["slug"]),
    )


PLANNED = (
    _planned(
        "Guide to the house for its visitors",
        "What there is to see, in which order, and how long each thing takes.",
        Plan((("a", "Many come with children."), ("b", "")), second_look="write"),
        priority="high",
    ),
    _planned(
        "Invitation to the neighbours",
        "They should hear of it before the newspaper does.",
        Plan((("c", ""), ("a", "")), given=1),
    ),
    _planned("Rota of the helpers", "Who is where, from nine to six.", Plan(given=0, auto=True)),
)


def with_second_look(text: str, key: str) -> str:
    """A plan's text with one more criterion for the sub-task of this key."""
    fields: dict[str, Any] = yaml.safe_load(text)
    for part in fields.get("tasks", ()):
        if part["key"] == key:
            part["success_criteria"] = [*part.get("success_criteria", ()), SECOND_LOOK]
    return spec.written(fields)
