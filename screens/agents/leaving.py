"""Deleting an agent: what becomes of its work is asked, and its name is typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ccp_tui.mirror import Mirror
from ccp_tui.rows import AgentRow, Card
from ccp_tui.screens.missions.forms import Call, sent
from ccp_tui.screens.widgets.fields import Few, Field, FieldsForm, Problem, Text, Values

WORK = ("assigned", "in_progress", "testing", "review")
LISTED = 8


def work_of(mirror: Mirror, agent: str) -> list[Card]:
    """The tasks that an agent has in hand, or reads for their review."""
    return [
        card
        for card in mirror.tasks.values()
        if (card.agent == agent and card.state in WORK) or card.reviewer == agent
    ]


def delete_form(agent: AgentRow, work: Sequence[Card], call: Call) -> FieldsForm:
    """Asks before an agent goes from board and gateway; ``call`` gets {work?, delete_files}."""

    async def submit(values: Values) -> Problem | None:
        if work and not values["work"]:
            return Problem("It has work: say what becomes of it.", "work")
        if values["name"].strip() != agent.name:
            return Problem(f"Type {agent.name} to delete it.", "name")
        chosen: dict[str, Any] = {"work": values["work"]} if values["work"] else {}
        return await sent(call, {**chosen, "delete_files": values["files"]})

    refs = ", ".join(card.ref for card in work[:LISTED]) + (
        f" and {len(work) - LISTED} more" if work[LISTED:] else ""
    )
    return FieldsForm(
        f"Delete {agent.name}",
        list(_fields(agent, bool(work))),
        submit,
        keys="tab next field · enter deletes it · esc leaves",
        about=f"In its hands: {refs}" if work else "",
    )


def _fields(agent: AgentRow, has_work: bool) -> Iterable[Field]:
    ways = [
        ("", "choose: what becomes of it?" if has_work else "none that the board shows"),
        ("unassign", "take it back, if none has begun"),
        ("stop", "stop what has begun, take all back"),
    ]
    yield Field("work", "Its work", Few(ways, ""))
    files = [(False, "keep its workspace on the gateway"), (True, "delete its workspace too")]
    yield Field("files", "Its files", Few(files, False))
    yield Field("name", "Its name, to be sure", Text(placeholder=agent.name))
