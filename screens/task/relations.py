"""What belongs to a task: its questions, sub-tasks, what it needs and what needs it, sub-agents, new agents."""

from __future__ import annotations

from ccp_tui.rows import Card, Question
from ccp_tui.screens.board.words import LABELS
from ccp_tui.screens.task.page import Page
from ccp_tui.screens.task.values import rows, spent
from ccp_tui.screens.widgets.base import Json
from ccp_tui.text import last_line, one_line

SUBAGENTS = {"running": "works", "done": "done", "failed": "failed"}


def relations(page: Page, card: Card, detail: Json) -> None:
    """Lines of the overview, those that lead somewhere as links."""
    open_ones = [each for each in questions_of(detail) if each.state == "open" and each.kind != "planning"]
    if open_ones:
        page.heading("It asks you", "Q answers", page.palette.warn)
        for question in open_ones:
            page.link(("question", str(question.id)), (one_line(question.text), page.palette.text))
    if card.parent:
        page.heading("Part of")
        page.link(("task", card.parent), (card.parent, page.palette.key_on_card))
    parts = rows(detail, "subtasks")
    if parts:
        page.heading("Sub-tasks", f"{card.subtasks_done} of {card.subtasks or len(parts)} done")
        _tasks(page, parts)
    needs = rows(detail, "needs")
    if needs:
        page.heading("It needs", "w adds one or lets it go")
        _tasks(page, needs)
    dependants = rows(detail, "dependants")
    if dependants:
        page.heading("Needed by")
        _tasks(page, dependants)
    _subagents(page, detail)
    crew(page, detail)


def questions_of(detail: Json) -> list[Question]:
    """The questions in a detail, the first first."""
    return [Question.from_json(row) for row in rows(detail, "questions") if "id" in row]


def _tasks(page: Page, listed: list[Json]) -> None:
    palette, glyphs = page.palette, page.glyphs
    for each in listed:
        ref, state = str(each.get("ref") or ""), str(each.get("state") or "")
        over = {"done": (glyphs.tick, palette.good), "cancelled": (glyphs.cross, palette.bad)}
        mark, style = over.get(state, (glyphs.ring, palette.dim))
        page.link(
            ("task", ref),
            (f"{mark} ", style),
            (f"{ref}  ", palette.key_on_card),
            (one_line(str(each.get("title") or "")), palette.text),
            (f"  {LABELS.get(state, state)}", style),
            (f"  {one_line(str(each['agent']))}" if each.get("agent") else "", palette.dim),
        )


def _subagents(page: Page, detail: Json) -> None:
    """Each with its state and its last words; the line leads to its session."""
    listed = rows(detail, "subagents")
    if not listed:
        return
    palette, glyphs = page.palette, page.glyphs
    page.heading("Sub-agents", "spawned by its runs")
    for each in listed:
        state = str(each.get("state") or "")
        mark, style = {
            "done": (glyphs.tick, palette.good), "failed": (glyphs.cross, palette.bad),
        }.get(state, (glyphs.dot, palette.accent))  # fmt: skip
        name = one_line(str(each.get("title") or each.get("session_key") or ""), 60)
        cost = spent(each)
        page.link(
            ("chat", str(each.get("agent") or ""), str(each.get("session_key") or "")),
            (f"{mark} ", style),
            (name, palette.text),
            (f"  {SUBAGENTS.get(state, state)}", style),
            (f"  {cost}" if cost else "", palette.dim),
        )
        if words := last_line(str(each.get("last_text") or ""), 200):
            page.text(words, palette.dim, indent=6)


def crew(page: Page, detail: Json) -> None:
    """The agents that the approved plan asked for, and what became of each."""
    wanted = rows(detail, "crew")
    if not wanted:
        return
    palette, glyphs = page.palette, page.glyphs
    page.heading("Agents of its plan")
    for each in wanted:
        emoji = glyphs.emoji(str(each.get("emoji") or ""))
        name = " ".join(filter(None, (emoji, one_line(str(each.get("name") or "")))))
        if each.get("problem"):
            page.item(glyphs.cross, f"{name}: {one_line(str(each['problem']))}", palette.bad, palette.warn)
        elif each.get("agent"):
            page.item(glyphs.tick, f"{name}  {one_line(str(each.get('role') or ''))}", palette.good)
        else:
            page.item(glyphs.clock, f"{name}  is being made", palette.dim)
