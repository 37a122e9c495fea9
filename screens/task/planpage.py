"""The plan of a task: what was asked and answered, where planning stands, and the ways on. Pure: from rows to lines."""

from __future__ import annotations

from ccp_tui.rows import Card, Question
from ccp_tui.screens.task.page import Page
from ccp_tui.screens.task.relations import crew, questions_of
from ccp_tui.screens.task.values import moment, rows
from ccp_tui.screens.widgets.base import Json
from ccp_tui.screens.widgets.question import split
from ccp_tui.text import clean, one_line

RAW_LINES = 12  # of a reply that nobody could read which show while folded
STATES = {
    "opening": "the planner is being asked",
    "planner": "the planner thinks",
    "person": "waits for your answer",
    "proposed": "a spec is proposed",
    "raw": "the planner's reply could not be read",
}
OUTCOMES = {"approved": "its spec was approved", "dropped": "was dropped", "cancelled": "ended with the task"}


def plan(page: Page, card: Card, detail: Json, *, unfolded: bool) -> None:
    """Every go at the plan, the newest first."""
    palette, glyphs = page.palette, page.glyphs
    plannings = sorted(rows(detail, "plannings"), key=lambda each: each.get("number") or 0, reverse=True)
    if not plannings:
        page.gap()
        if card.state == "inbox":
            words = "No plan yet. P plans it with an agent that asks what it must know; e writes the spec by hand."
        else:
            words = "It was not planned with an agent."
        page.item(glyphs.words, words, palette.accent)
    asked = [each for each in questions_of(detail) if each.kind == "planning"]
    keys = {str(each.get("session_key") or "") for each in plannings}
    for index, each in enumerate(plannings):
        session = str(each.get("session_key") or "")
        own = [q for q in asked if q.session_key == session or (index == 0 and q.session_key not in keys)]
        _planning(page, card, each, own, unfolded=unfolded)
    crew(page, detail)


def _planning(page: Page, card: Card, each: Json, asked: list[Question], *, unfolded: bool) -> None:
    palette, glyphs = page.palette, page.glyphs
    ended = bool(each.get("ended_at"))
    state, outcome = str(each.get("state") or ""), str(each.get("outcome") or "")
    words = OUTCOMES.get(outcome, outcome) if ended else STATES.get(state, state)
    page.heading(f"Planning {each.get('number')}", words, palette.bold if ended else palette.accent)
    agent, session = one_line(str(each.get("agent") or "")), str(each.get("session_key") or "")
    when: list[str] = [moment(each.get("started_at")), moment(each.get("ended_at"))]
    times = " to ".join(filter(None, when))
    if session:
        page.link(("chat", agent, session), (agent or "planner", palette.text), (f"  {times}", palette.dim))
    else:
        page.line((times, palette.dim))
    if each.get("auto"):
        page.text("By stated assumptions: nothing is asked.", palette.dim)
    for question in asked:
        _question(page, question)
    if each.get("problem") and not (card.hold and card.hold.kind in ("error", "stalled") and not ended):
        page.gap()
        page.item(glyphs.cross, one_line(str(each["problem"])), palette.bad, palette.warn)
    if ended:
        return
    if state == "raw":
        _raw(page, str(each.get("raw") or ""), unfolded=unfolded)
    elif state == "proposed":
        page.gap()
        page.item(glyphs.words, "A reads and approves the spec, e edits it, P asks for changes, D drops the plan.",
                  palette.accent, palette.accent)  # fmt: skip
    elif card.hold and card.hold.kind in ("error", "stalled"):
        page.gap()
        page.item(glyphs.held, card.hold.reason, palette.warn)
        page.item(glyphs.words, "r asks the planner again, D drops the plan.", palette.accent, palette.accent)
    elif not asked and state in ("opening", "planner") and not card.hold:
        page.gap()
        page.text("Its questions, or its spec, appear here as they come.", palette.dim)


def _question(page: Page, question: Question) -> None:
    palette, glyphs = page.palette, page.glyphs
    page.gap()
    asked, why = split(question.text)
    if question.state == "open":
        page.item(glyphs.held, asked, palette.warn, palette.bold)
        if why:
            page.text(why, palette.dim, indent=4)
        for index, option in enumerate(question.options, 1):
            about = f"  {option.description}" if option.description else ""
            page.item(f"   {index}", f"{option.label}{about}", palette.key_on_card)
        page.link(("question", str(question.id)), ("Q answers it", palette.accent), indent=4)
        return
    page.item(glyphs.ring, asked, palette.dim)
    if question.state == "waived":
        page.item(f"  {glyphs.tick}", "left to the planner", palette.dim, palette.dim)
    elif question.state == "gone":
        page.item(f"  {glyphs.cross}", "nobody waits for an answer any more", palette.dim, palette.dim)
    else:
        chosen = ", ".join(option.label for option in question.chosen)
        page.item(
            f"  {glyphs.tick}", "\n".join(filter(None, (chosen, question.words))), palette.good, palette.good
        )


def _raw(page: Page, raw: str, *, unfolded: bool) -> None:
    """A reply that fits no schema, as it came, and what can be done about it."""
    palette = page.palette
    lines = clean(raw).strip().splitlines()
    shown = lines if unfolded else lines[:RAW_LINES]
    page.heading("What the planner wrote", "" if len(lines) <= len(shown) else "o shows all of it")
    page.block("\n".join(shown), palette.text)
    page.gap()
    for key, words in (
        ("P", "answers it in words"),
        ("e", "writes the spec by hand"),
        ("D", "drops the plan"),
        (":", "start planning again"),
    ):
        page.item(key, words, palette.key_on_card)
