"""The pages of a task: what each tab says. Pure: from the service's detail to lines."""

from __future__ import annotations

from ccp_tui import clock
from ccp_tui.rows import Card
from ccp_tui.screens.board.words import LABELS, doing, next_step, short_age
from ccp_tui.screens.task.page import Page
from ccp_tui.screens.task.relations import relations
from ccp_tui.screens.task.specpage import criteria
from ccp_tui.screens.task.values import human_size, moment, rows, spent
from ccp_tui.screens.widgets.base import Json
from ccp_tui.screens.widgets.lines import Piece
from ccp_tui.screens.widgets.plan_commands import budget_words
from ccp_tui.text import clean, one_line

# What asks for a trigger on this screen.
KEYS = {
    "approve_spec": "A", "assign": "a", "dispatch": "d", "unassign": "u", "stop": "s", "cancel": "X", "approve": "A",
    "reject": "R", "reopen": "R", "restore": "u", "retry": "r", "plan": "P", "drop_plan": "D",
}  # fmt: skip
FOLDED_OUTPUT = 6  # lines of a failed check's output that show while folded


def rounds_of(detail: Json) -> list[tuple[Json, Json]]:
    """All rounds as (attempt, round), the newest first."""
    pairs = [(attempt, each) for attempt in rows(detail, "attempts") for each in rows(attempt, "rounds")]
    return sorted(
        pairs, key=lambda pair: (pair[0].get("number") or 0, pair[1].get("number") or 0), reverse=True
    )


def submitted(detail: Json) -> list[tuple[Json, Json]]:
    """The rounds that were submitted, the newest first: those a verdict can be for."""
    return [pair for pair in rounds_of(detail) if pair[1].get("submitted_at")]


def overview(page: Page, card: Card, detail: Json, *, with_facts: bool) -> None:
    """What it is, why it does not move, what the person may do."""
    palette, glyphs = page.palette, page.glyphs
    why = one_line(str(detail.get("why") or ""))
    if card.hold:
        page.heading("Held", short_age(card.hold.since, clock.now()), palette.warn)
        page.item(glyphs.held, card.hold.reason or card.hold.kind, palette.warn)
        if card.hold.release:
            page.item(" ", f"Released by: {card.hold.release}", style=palette.dim)
    elif why:
        page.heading("Why it is not moving")
        page.text(why[0].upper() + why[1:])
    if not card.hold and (step := next_step(card)):
        page.item(glyphs.words, step, palette.accent, palette.accent)
    if card.activity and card.state in ("in_progress", "testing"):
        page.heading("Now")
        page.item(glyphs.tool if card.activity.kind == "tool" else glyphs.words, doing(card), palette.good)
    if with_facts:
        moves(page, detail)
    description = str(detail.get("description") or "").strip()
    if description:
        page.heading("Description")
        page.text(description)
    relations(page, card, detail)
    if with_facts:
        facts(page, card, detail)
    attempts = rows(detail, "attempts")
    if attempts:
        page.heading("Attempts")
        for attempt in reversed(attempts):
            number, outcome = attempt.get("number"), attempt.get("outcome") or attempt.get("state") or ""
            count = len([each for each in rows(attempt, "rounds") if each.get("submitted_at")])
            words = [
                str(attempt.get("agent") or ""),
                str(outcome),
                f"{count} submitted round{'' if count == 1 else 's'}",
            ]
            words += [cost for cost in [spent(attempt)] if cost]
            page.item(f"{number}", one_line(" · ".join(filter(None, words))))


def panel(page: Page, card: Card, detail: Json) -> None:
    """The panel of wide terminals: facts, and the moves there are now."""
    facts(page, card, detail)
    moves(page, detail)


def facts(page: Page, card: Card, detail: Json) -> None:
    page.heading("Facts")
    page.fact("State", LABELS.get(card.state, card.state), page.palette.bold)
    page.fact(
        "Agent",
        " ".join(filter(None, (page.glyphs.emoji(card.agent_emoji), card.agent_name or card.agent or ""))),
    )
    page.fact("Priority", card.priority)
    page.fact("Due", (card.due or "")[:10])
    page.fact("Mission", card.mission)
    if card.spec_version is not None:
        page.fact(
            "Spec", f"version {card.spec_version}, {'approved' if card.spec_approved else 'not approved'}"
        )
    if card.attempt is not None:
        page.fact("Attempt", f"{card.attempt}" + (f", round {card.round}" if card.round else ""))
    attempts = rows(detail, "attempts")
    total = {key: sum(each.get(key) or 0 for each in attempts) for key in ("tokens", "cost_usd")}
    page.fact("Spent", spent({"tokens": card.tokens, "cost_usd": card.cost_usd} if card.tokens else total))
    page.fact("Budget", budget_words(card.budget_tokens, card.budget_usd))
    page.fact("Plan", "by stated assumptions" if card.auto else "")
    page.fact("Reviewer", card.reviewer or "")
    page.fact("Created", (card.created_at[:16]).replace("T", " "))


def moves(page: Page, detail: Json) -> None:
    listed = rows(detail, "moves")
    if not listed:
        return
    page.heading("What you can do")
    for move in listed:
        trigger = str(move.get("trigger") or "")
        key = KEYS.get(trigger, " ")
        label = one_line(str(move.get("label") or trigger.replace("_", " ")))
        target = LABELS.get(str(move.get("target") or ""), "")
        words = f"{label} {'->' if page.glyphs.ascii else '→'} {target}" if target else label
        if move.get("gate"):
            page.item(key, words, page.palette.dim, page.palette.dim)
            page.item(" ", f"{page.glyphs.cross} {move['gate']}: {one_line(str(move.get('reason') or ''))}",
                      style=page.palette.warn)  # fmt: skip
        else:
            page.item(key, words, page.palette.key_on_card)


def review(page: Page, card: Card, detail: Json, *, newer: tuple[int, int] | None, unfolded: bool) -> None:
    """All that a verdict needs: the round's summary, the criteria, the deliverables, the checks, earlier verdicts."""
    palette, glyphs = page.palette, page.glyphs
    done = submitted(detail)
    if newer:
        page.gap()
        page.item(glyphs.held, f"Attempt {newer[0]}, round {newer[1]} came in after what you see here. . reads it.",
                  palette.warn, palette.warn)  # fmt: skip
    if not done:
        page.gap()
        page.item(
            glyphs.words, "Nothing was submitted yet: there is nothing to judge.", palette.dim, palette.dim
        )
        return
    attempt, last = done[0]
    state = "waits for your verdict" if card.state == "review" else str(last.get("result") or "")
    if card.state == "review" and card.reviewer:
        state = f"{card.reviewer} reviews it now"
    page.heading(
        f"Attempt {attempt.get('number')}, round {last.get('number')}", one_line(state), palette.accent
    )
    summary = str(last.get("summary") or "").strip()
    page.text(summary if summary else "The worker wrote no summary.", None if summary else palette.dim)
    if card.state == "review" and not newer:
        page.gap()
        page.item(
            glyphs.words,
            "A approves this round, R rejects it with your words.",
            palette.accent,
            palette.accent,
        )
    found: Json = detail.get("approved_spec") or detail.get("spec") or {}
    given = [each for each in rows(last, "reviews") if card.state == "review"]
    if given:
        page.heading("What was said of this round")
        for verdict in given:
            _verdict(page, f"{last.get('number')}", verdict)
    criteria(page, found)
    work(page, last, unfolded=unfolded)
    requests(page, last)
    verdicts = [(a, r, v) for a, r in done for v in rows(r, "reviews") if v not in given]
    if verdicts:
        page.heading("Verdicts so far")
        for each_attempt, each, verdict in verdicts:
            _verdict(page, f"{each_attempt.get('number')}.{each.get('number')}", verdict)


def work(page: Page, each: Json, *, unfolded: bool) -> None:
    """The deliverables and the check results of one round."""
    palette, glyphs = page.palette, page.glyphs
    deliverables = rows(each, "deliverables")
    if deliverables:
        page.heading("Deliverables")
        for one in deliverables:
            there = bool(one.get("present"))
            size = f"  {human_size(one.get('size'))}" if there and one.get("size") is not None else ""
            words = one_line(str(one.get("description") or ""))
            page.item(glyphs.tick if there else glyphs.cross, f"{one.get('path')}{size}{'  ' + words if words else ''}",
                      palette.good if there else palette.bad)  # fmt: skip
    checks = rows(each, "checks")
    if not checks:
        return
    passed = sum(1 for check in checks if check.get("ok"))
    folded = (
        ""
        if unfolded or not any(str(check.get("output") or "").strip() for check in checks)
        else ", o shows all output"
    )
    page.heading("Checks", f"{passed} of {len(checks)} passed{folded}")
    for check in checks:
        ok = bool(check.get("ok"))
        ended = "timed out" if check.get("timed_out") else f"exit {check.get('exit_code')}"
        took = f"{(check.get('duration_ms') or 0) / 1000:.1f} s"
        page.item(glyphs.tick if ok else glyphs.cross, f"{one_line(str(check.get('name') or ''))}  ({ended}, {took})",
                  palette.good if ok else palette.bad)  # fmt: skip
        if unfolded:
            page.block(f"$ {check.get('command') or ''}", palette.text)
        output = clean(str(check.get("output") or ""))
        if unfolded:
            page.block(output)
        elif not ok and page.block(output, most=FOLDED_OUTPUT):
            page.line(("… o shows the rest", palette.dim), indent=6)


def attempts(page: Page, detail: Json, *, unfolded: bool) -> None:
    """Every attempt and round there was, the newest first."""
    palette = page.palette
    listed = rows(detail, "attempts")
    if not listed:
        page.gap()
        page.item(
            page.glyphs.words, "It was never dispatched: there are no attempts yet.", palette.dim, palette.dim
        )
    for attempt in reversed(listed):
        outcome = one_line(str(attempt.get("outcome") or attempt.get("state") or ""))
        page.heading(
            f"Attempt {attempt.get('number')} by {one_line(str(attempt.get('agent') or '?'))}",
            outcome,
            palette.accent,
        )
        page.fact("Started", moment(attempt.get("started_at")))
        page.fact("Ended", moment(attempt.get("ended_at")))
        page.fact("Spent", spent(attempt))
        page.fact("Session", one_line(str(attempt.get("session_key") or "")), palette.dim)
        for each in reversed(rows(attempt, "rounds")):
            page.gap()
            when = moment(each.get("submitted_at")) or "not submitted"
            page.line(
                (f"Round {each.get('number')}", palette.bold),
                (f"  {when}  {each.get('result') or ''}", palette.dim),
            )
            if each.get("summary"):
                page.text(str(each["summary"]))
            work(page, each, unfolded=unfolded)
            for verdict in rows(each, "reviews"):
                _verdict(page, f"{each.get('number')}", verdict)
            requests(page, each, heading=False)


def history(page: Page, events: list[Json] | None) -> None:
    """All that happened to the task, the newest first."""
    palette = page.palette
    if events is None:
        page.gap()
        page.line(("Reading the history", palette.dim))
        return
    page.heading("History", f"{len(events)} events")
    for event in events:
        words = one_line(str(event.get("text") or event.get("kind") or ""))
        page.item(moment(event.get("at")), f"{words}  ({one_line(str(event.get('actor') or ''))})")
        if event.get("reason"):
            page.block(clean(str(event["reason"])), palette.warn)


def _verdict(page: Page, at: str, verdict: Json) -> None:
    approved = verdict.get("verdict") == "approve"
    palette, glyphs = page.palette, page.glyphs
    words = "approved" if approved else "rejected"
    page.item(glyphs.tick if approved else glyphs.cross,
              f"Round {at} {words} by {_judge(verdict)}, {moment(verdict.get('at'))}",
              palette.good if approved else palette.bad)  # fmt: skip
    if verdict.get("reason"):
        page.block(clean(str(verdict["reason"])), palette.text)


def _judge(verdict: Json) -> str:
    """Who gave a verdict, and whether that is an agent."""
    name = one_line(str(verdict.get("actor") or "?"))
    return f"{name} (an agent)" if verdict.get("actor_kind") in ("reviewer", "agent") else name


# How a review by an agent stands, in words.
REQUESTS = {
    "opening": "is being asked",
    "reviewing": "reviews it now",
    "given": "gave a verdict",
    "silent": "ended without a verdict: V asks again, or review it yourself",
    "void": "was asked in vain: it ended before a verdict",
}


def requests(page: Page, each: Json, *, heading: bool = True) -> None:
    """The reviews that agents were asked for; each line leads to the reviewer's session."""
    asked = rows(each, "review_requests")
    if asked and heading:
        page.heading("Reviews by agents")
    for request in asked:
        agent = one_line(str(request.get("agent") or "a reviewer"))
        state = str(request.get("state") or "")
        words = f"{agent} {REQUESTS.get(state, state)}"
        style = page.palette.warn if state == "silent" else page.palette.text
        session = str(request.get("session_key") or "")
        when: Piece = (f"  {moment(request.get('ended_at') or request.get('started_at'))}", page.palette.dim)
        if session:
            page.link(("chat", agent, session), (words, style), when)
        else:
            page.line((words, style), when)
