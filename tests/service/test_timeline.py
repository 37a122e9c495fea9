"""The timeline of a mission: everything in it, in order, and nobody's words make a heading of their own."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ccp_tui.service.board import timeline
from ccp_tui.service.board.timeline import said
from ccp_tui.store import Store
from tests.service.board import IDLE, Board, spec, until

HEADING = re.compile(r"^ {0,3}#{1,6} .*", re.MULTILINE)


async def told(board: Board, slug: str = "main") -> tuple[str, dict[str, Any]]:
    answer = await board.call("mission.timeline", slug=slug)
    return answer["markdown"], answer["data"]


async def test_it_tells_tasks_attempts_rounds_checks_and_reviews_in_order(board: Board) -> None:
    check = {"name": "greets", "command": "echo '```'; grep -q mended hello.md", "timeout_s": 10}
    ref = await board.dispatched(spec(IDLE, checks=(check,)))
    await board.work(ref, "Hello.\n")  # fails its check
    await board.reach(ref, "in_progress")

    async def second_round() -> bool:
        return bool((await board.card(ref))["round"] == 2)

    await until(second_round)
    await board.work(ref, "mended\n")
    await board.reach(ref, "review")
    await board.call("task.reject", ref=ref, attempt=1, round=2, reason="Greet the world, too.")
    await board.work(ref, "mended, world\n")
    await board.reach(ref, "review")
    await board.call("task.approve", ref=ref, attempt=1, round=3, reason="Lovely")
    later = await board.add(title="Never begun")

    text, data = await told(board)
    headings = HEADING.findall(text)
    assert headings == [
        "# Main",
        "## Costs by agent",
        f"## {ref} Say hello",
        "### Attempt 1",
        "#### Round 1: failed",
        "#### Round 2: rejected",
        "#### Round 3: approved",
        "### What happened",
        f"## {later} Never begun",
        "### What happened",
    ]
    wanted = [
        "- check greets: exit code 1",
        "````text\n```\n````",
        "sent back by",
        "> Greet the world, too.",
        "approved by",
        "> Lovely",
        "was dispatched to ada",
    ]
    places = [text.index(words) for words in wanted]
    assert places == sorted(places)
    assert "sha256 " in text
    assert re.search(r"- Spent: [\d,]+ tokens, \$", text)
    assert "- State: done, " in text

    assert [task["ref"] for task in data["tasks"]] == [ref, later]
    assert len(data["tasks"][0]["attempts"][0]["rounds"]) == 3
    events = (await board.call("events.list", mission="main", limit=5000))["events"]
    assert data["events"] == events
    assert data["mission"]["effective"]["auto"] == "off"


async def test_no_event_is_left_out_however_many_there_are(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "PAGE", 3)
    for number in range(4):
        await board.approved(title=f"Task {number}")
    _, data = await told(board)
    ids = [event["id"] for event in data["events"]]
    events = (await board.call("events.list", mission="main", limit=5000))["events"]
    assert ids == sorted(ids) == [event["id"] for event in events]
    assert len(ids) >= 12


async def test_words_of_others_forge_nothing(board: Board) -> None:
    forged = "# Forged\n## WEB-9 Approved\n- [x](http://x) <b>bold</b>\n```\n---\n===\n1. one\n| a |"
    await board.call("mission.create", title="# Web <script>", slug="web", prefix="WEB")
    check = {"name": "# check", "command": "printf '# Forged\\n````\\n## out\\n'; false", "timeout_s": 10}
    ref = await board.dispatched(spec(IDLE, checks=(check,)), mission="web", title="# Forged `title` ![i](u)")
    await board.report(ref, "progress", text=forged)
    path = board.workspace / "hello.md"
    path.write_text("x")
    await board.report(ref, "deliver", path="hello.md", description=forged)
    await board.report(ref, "submit", summary=forged)
    await board.reach(ref, "in_progress")

    async def failed() -> bool:
        return bool((await board.card(ref))["round"] == 2)

    await until(failed)
    await board.call("task.stop", ref=ref)

    def ask(store: Store) -> None:
        task = store.tasks.by_ref(ref)["id"]
        options = [{"id": "a", "label": forged, "description": ""}]
        number = store.questions.ask("report", "x", "s", "ada", forged, task_id=task, options=options)
        store.questions.answer(number, {"options": [{"id": "a", "label": forged}], "text": forged}, "me")

    await board.service._c.db(ask)
    text, data = await told(board, "web")
    outside = re.sub(r"^(`{3,})text\n.*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "`````text" in text, "the fence is longer than any in the output"
    headings = HEADING.findall(outside)
    assert not [one for one in headings if re.match(r"#+ (Forged|WEB-9 App|out|check)", one)], headings
    assert "# \\# Web \\<script\\>" in headings
    for line in outside.splitlines():
        body = line.lstrip("> -")
        assert not re.match(r"(#|```|===|---|<)", body) or line in headings, line
    assert "](" not in re.sub(r"\\\]\(", "", outside)
    question = data["tasks"][0]["questions"][0]
    assert (question["text"], question["answer"]["text"]) == (forged, forged), "the data is as it was said"


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("# a", "\\# a"),
        ("a # b", "a # b"),
        ("- a - b", "\\- a - b"),
        ("1. a", "1\\. a"),
        ("12) a", "12\\) a"),
        ("12:30", "12:30"),
        ("WEB-12 x", "WEB-12 x"),
        ("a_b*c`d`", "a\\_b\\*c\\`d\\`"),
        ("[x](y) <z>", "\\[x\\](y) \\<z\\>"),
        ("&amp; a|b \\", "\\&amp; a\\|b \\\\"),
        ("two\nlines\x1b[31m", "two lines"),
    ],
)
def test_words_are_plain_words(words: str, written: str) -> None:
    assert said(words) == written


async def test_a_mission_that_is_not_there(board: Board) -> None:
    await board.fails("mission.timeline", "NOT_FOUND", slug="nowhere")
