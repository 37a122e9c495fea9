"""The spec of a task, read as a document, and the difference between two of its versions. Pure: from rows to lines."""

from __future__ import annotations

import difflib

from ccp_tui.screens.task.page import Page
from ccp_tui.screens.task.values import rows
from ccp_tui.screens.widgets.base import Json
from ccp_tui.text import clean, one_line

SOUL_LINES = 6  # of a new agent's SOUL.md that show while folded


def spec(page: Page, detail: Json, *, unfolded: bool) -> None:
    """The newest version, whole: what exists at the end, who makes it, in which parts."""
    palette, glyphs = page.palette, page.glyphs
    found: Json = detail.get("spec") or {}
    if not found:
        page.gap()
        words = "There is no spec yet. P plans it with an agent; e writes one: what must exist at the end, and how"
        page.item(glyphs.words, f"{words} that is seen.", palette.accent)
        return
    approved = found.get("approved_at")
    said = f"approved by {one_line(str(found.get('approved_by') or '?'))}" if approved else "not approved yet"
    page.heading(f"Spec, version {found.get('version')}", said, palette.good if approved else palette.warn)
    if found.get("title"):
        page.text(str(found["title"]), palette.bold)
    if found.get("summary"):
        page.text(str(found["summary"]))
    if found.get("agent"):
        page.fact("Done by", one_line(str(found["agent"])))
    if found.get("author"):
        page.fact("Written by", one_line(str(found["author"])))
    if not approved:
        page.gap()
        others = ", v compares it" if len(rows(detail, "specs")) > 1 else ""
        page.item(
            glyphs.words, f"A approves this version, e edits it{others}.", palette.accent, palette.accent
        )
    _sentences(
        page, "Assumptions", found.get("assumptions"), glyphs.held, "nobody was asked: read these first"
    )
    parts(page, found)
    agents(page, found, unfolded=unfolded)
    subtasks(page, found)


def parts(page: Page, found: Json) -> None:
    """What a spec and a sub-task of it both have."""
    palette, glyphs = page.palette, page.glyphs
    deliverables = rows(found, "deliverables")
    if deliverables:
        page.heading("Deliverables")
        for each in deliverables:
            path, words = str(each.get("path") or ""), one_line(str(each.get("description") or ""))
            page.item(glyphs.between, f"{path}  {words}" if words else path)
    criteria(page, found)
    checks = rows(found, "checks")
    if checks:
        page.heading("Checks", "run in the workspace; each must exit 0")
        for check in checks:
            page.item(glyphs.between, str(check.get("name") or check.get("command") or ""))
            page.block(f"$ {check.get('command') or ''}", palette.dim)
    _sentences(page, "Constraints", found.get("constraints"), glyphs.between)


def criteria(page: Page, found: Json) -> None:
    _sentences(page, "Success criteria", found.get("success_criteria"), page.glyphs.ring)


def agents(page: Page, found: Json, *, unfolded: bool) -> None:
    """The agents that an approval creates, with the beginning of each SOUL.md."""
    palette, glyphs = page.palette, page.glyphs
    wanted = rows(found, "agents")
    if not wanted:
        return
    page.heading(
        "Agents to create",
        "made when the spec is approved" + ("" if unfolded else ", o shows each SOUL.md whole"),
    )
    for each in wanted:
        emoji = glyphs.emoji(str(each.get("emoji") or ""))
        about = [one_line(str(each.get(key) or "")) for key in ("role", "model")]
        page.line(
            (f"{emoji} " if emoji else "", palette.text),
            (one_line(str(each.get("name") or "?")), palette.bold),
            (f"  {' · '.join(filter(None, about))}", palette.dim),
        )
        soul = clean(str(each.get("soul") or "")).strip().splitlines()
        shown = soul if unfolded else soul[:SOUL_LINES]
        page.block("\n".join(shown))
        if len(soul) > len(shown):
            page.line((f"… o shows {len(soul) - len(shown)} more lines", palette.dim), indent=6)


def subtasks(page: Page, found: Json) -> None:
    """The parts of a large task: first the tree of what needs what, then each part."""
    palette, glyphs = page.palette, page.glyphs
    listed = rows(found, "tasks")
    if not listed:
        return
    page.heading("Sub-tasks", f"{len(listed)}, each a task of its own when the spec is approved")
    depth = depths(listed)
    ordered = sorted(listed, key=lambda each: depth[str(each.get("key"))])
    for each in ordered:
        key, needs = str(each.get("key")), [one_line(str(one)) for one in each.get("needs") or []]
        branch = ("  " * (depth[key] - 1) + ("+ " if glyphs.ascii else "└ ")) if depth[key] else ""
        page.line(
            (branch, palette.dim),
            (one_line(key), palette.key_on_card),
            (f"  {one_line(str(each.get('title') or ''))}", palette.text),
            (f"  {one_line(str(each.get('agent') or 'no agent yet'))}", palette.accent),
            (f"  needs {', '.join(needs)}" if needs else "", palette.dim),
        )
    for each in ordered:
        page.heading(f"{one_line(str(each.get('key')))}: {one_line(str(each.get('title') or ''))}",
                     one_line(str(each.get("agent") or "")), palette.accent)  # fmt: skip
        if each.get("summary"):
            page.text(str(each["summary"]))
        for one in rows(each, "deliverables"):
            words = one_line(str(one.get("description") or ""))
            page.item(glyphs.dot, f"{one.get('path')}  {words}" if words else str(one.get("path")))
        for criterion in each.get("success_criteria") or []:
            page.item(glyphs.ring, str(criterion))
        for check in rows(each, "checks"):
            page.item("$", str(check.get("command") or ""), palette.dim, palette.dim)
        for constraint in each.get("constraints") or []:
            page.item(glyphs.between, str(constraint), palette.dim, palette.dim)


def depths(listed: list[Json]) -> dict[str, int]:
    """How many sub-tasks stand before each, along its longest chain."""
    depth = {str(each.get("key")): 0 for each in listed}
    for _ in listed:  # a chain is at most as long as the list, also where a spec was written in a circle
        for each in listed:
            before = [depth[str(one)] for one in each.get("needs") or [] if str(one) in depth]
            depth[str(each.get("key"))] = min(len(listed), max(before, default=-1) + 1)
    return depth


def comparison(page: Page, old: Json, new: Json) -> None:
    """What one version says that the other does not, line by line as written."""
    palette = page.palette
    names = f"version {old.get('version')} and version {new.get('version')}"
    before, after = (clean(str(each.get("text") or "")).splitlines() for each in (old, new))
    changes = list(difflib.unified_diff(before, after, n=3, lineterm=""))[2:]
    added = sum(line.startswith("+") for line in changes)
    removed = sum(line.startswith("-") for line in changes)
    page.heading(f"Between {names}", f"lines: {added} added, {removed} taken away", palette.accent)
    page.text("v goes back to the document, = chooses other versions.", palette.dim)
    page.gap()
    if not changes:
        page.line(("They say the same, word for word.", palette.dim))
    for line in changes:
        style = {"+": palette.good, "-": palette.bad, "@": palette.dim}.get(line[:1], palette.text)
        page.text(line if line.strip() else " ", style)


def _sentences(page: Page, heading: str, found: object, mark: str, aside: str = "") -> None:
    if isinstance(found, list) and found:
        page.heading(heading, aside)
        for each in found:
            page.item(mark, str(each))
