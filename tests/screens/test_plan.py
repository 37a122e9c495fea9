"""The task screen's plan: questions so far, the proposed spec as a document, versions, relations, decisions."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_tui.failures import ServiceFailure
from ccp_tui.screens.task.specpage import depths
from ccp_tui.screens.task.values import rows
from ccp_tui.screens.widgets.plan_commands import budget_words, read_budget
from tests.screens.conftest import LARGE, SMALL, Stage, StageMaker
from tests.screens.fakes import Json, card, in_review, refused, snapshot
from tests.screens.picture import check_picture
from tests.screens.planned import PLAN, VERSIONS, parent, part, planned, spec_version
from tests.screens.talk import type_words

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])


def of(whole: Json) -> Json:
    """The canned board with the task of this detail on it."""
    parts = rows(whole, "subtasks")
    asked = [each for each in rows(whole, "questions") if each["state"] == "open"]
    whole = whole | {"questions": len(asked), "subtasks": len(parts)}  # a card has their counts
    board = snapshot()
    board["tasks"] = [whole if row["ref"] == whole["ref"] else row for row in board["tasks"]]
    board["attention"] = []
    return board


async def open_task(s: Stage, whole: Json, tab: str | None = None) -> None:
    s.live.answers["task.show"] = {"task": whole}
    s.live.answers["task.spec"] = spec_version
    s.app.open("task", ref=whole["ref"], tab=tab)
    await s.settle()


@SIZES
@pytest.mark.parametrize("state", ["person", "raw"])
async def test_picture_of_the_plan(stage: StageMaker, size: tuple[int, int], state: str) -> None:
    whole = planned(state)
    async with stage(size, of(whole)) as s:
        await open_task(s, whole)
        check_picture(s.app, f"task-plan-{state}-{size[0]}x{size[1]}")


@SIZES
async def test_picture_of_a_proposed_spec(stage: StageMaker, size: tuple[int, int]) -> None:
    whole = planned("proposed")
    async with stage(size, of(whole)) as s:
        await open_task(s, whole, "spec")
        if size == SMALL:
            await s.press("pagedown", "pagedown")
        check_picture(s.app, f"task-proposed-{size[0]}x{size[1]}")


@SIZES
async def test_picture_of_relations(stage: StageMaker, size: tuple[int, int]) -> None:
    async with stage(size, of(parent())) as s:
        await open_task(s, parent(), "overview")
        check_picture(s.app, f"task-relations-{size[0]}x{size[1]}")


async def test_what_was_asked_and_answered_is_told_in_words(stage: StageMaker) -> None:
    async with stage(LARGE, of(planned())) as s:
        await open_task(s, planned())
        for words in ("How shall customers prove who they are?", "A link by mail", "but only", "for an hour",
                      "left to the planner", "How long does a link live?"):  # fmt: skip
            assert words in s.text
        assert "waits for your answer" in s.text
        assert "was dropped" in s.text
        await s.press("Q")
        assert "No question is open here any more." in s.text
        s.live.answers["question.list"] = {"questions": planned()["questions"][2:]}
        await s.press("Q", "1", "enter")
        assert s.live.asked("question.answer") == [{"id": 7, "options": ["a"]}]


async def test_a_reply_nobody_could_read_leaves_every_way_on(stage: StageMaker) -> None:
    whole = planned("raw")
    async with stage(LARGE, of(whole)) as s:
        await open_task(s, whole)
        assert "talk about [b]ships[/b]." in s.text
        assert "no JSON object" in s.text
        await s.press("P")
        await type_words(s, "Reply in JSON")
        await s.press("enter")
        assert s.live.asked("task.replan") == [{"ref": "WEB-1", "text": "Reply in JSON"}]
        await s.press("D", "n")
        assert not s.live.asked("task.drop_plan")
        await s.press("D", "y")
        assert s.live.asked("task.drop_plan") == [{"ref": "WEB-1"}]
        await s.press(":")
        await type_words(s, "planning again")
        await s.press("enter", "y")
        assert len(s.live.asked("task.drop_plan")) == 2
        assert s.live.asked("task.plan") == [{"ref": "WEB-1"}]


async def test_planning_begins_by_one_key_or_by_assumptions(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        await s.press("2", "P")
        assert s.live.asked("task.plan") == [{"ref": "WEB-2"}]
        await s.press(":")
        await type_words(s, "assumptions")
        await s.press("enter")
        assert s.live.asked("task.plan")[1:] == [{"ref": "WEB-2", "auto": True}]
        await s.press("3", "P")
        assert "only a task in Inbox is planned" in s.text
        await s.press("1", "P")
        assert "No planner is at work here" in s.text


async def test_the_spec_is_read_as_a_document_with_its_agents_and_parts(stage: StageMaker) -> None:
    whole = planned("proposed")
    async with stage((160, 110), of(whole)) as s:
        await open_task(s, whole, "spec")
        lines = [line.strip() for line in s.lines()]
        tree = next(at for at, line in enumerate(lines) if line.startswith("Sub-tasks"))
        assert [line.split("  ")[0] for line in lines[tree + 1 : tree + 4]] == [
            "gather",
            "└ write",
            "└ check",
        ]
        assert s.text.index("    └ check") > 0
        for words in ("Assumptions", "nobody was asked", "Customers read their mail", "gathers facts · openai/gpt-5",
                      "Rule 4", "o shows 4 more lines", "needs write, gather", "$ test -s gather.md",
                      "Done by     Quill"):  # fmt: skip
            assert words in s.text
        assert "Rule 8" not in s.text
        await s.press("o")
        assert "Rule 8" in s.text


async def test_versions_are_compared_and_only_the_newest_is_approved(stage: StageMaker) -> None:
    three = [*VERSIONS, VERSIONS[1] | {"version": 3}]
    whole = planned("proposed", specs=three, spec=PLAN | {"version": 3}) | {"spec_version": 3}
    async with stage(LARGE, of(whole)) as s:
        await open_task(s, whole, "spec")
        await s.press("=", "enter", "down", "enter")
        assert [each["version"] for each in s.live.asked("task.spec")] == [1, 3]
        await s.press("=", "down", "enter", "down", "enter")
        assert "Between version 1 and version 2" in s.text
        assert "-  - strong passwords" in s.text
        assert "+  - no passwords" in s.text
        assert "lines: 1 added, 1 taken away" in s.text
        await s.press("A")
        assert not s.live.asked("task.approve_spec")
        assert "This is version 3, the newest" in s.text
        await s.press("A")
        assert s.live.asked("task.approve_spec") == [{"ref": "WEB-1", "version": 3}]


@pytest.mark.parametrize(("approved", "first"), [(None, 2), (1, 1)])
async def test_the_newest_is_compared_with_the_approved_or_the_one_before(
    stage: StageMaker, approved: int | None, first: int
) -> None:
    three: list[dict[str, Any]] = [*VERSIONS, VERSIONS[1] | {"version": 3}]
    three = [each | ({"approved_at": "2026-11-22T12:00:00.000Z"} if each["version"] == approved else {})
             for each in three]  # fmt: skip
    whole = planned("proposed", specs=three, spec=PLAN | {"version": 3}) | {"spec_version": 3}
    async with stage(LARGE, of(whole)) as s:
        await open_task(s, whole, "spec")
        await s.press("v")
        assert [each["version"] for each in s.live.asked("task.spec")] == [first, 3]
        await s.press("v")
        assert "Assumptions" in s.text


async def test_lines_lead_to_tasks_sessions_and_questions(stage: StageMaker) -> None:
    async with stage(LARGE, of(parent())) as s:
        await open_task(s, parent(), "overview")
        assert "I found [red]nine[/] uses." in s.text
        assert "the gateway refused it" in s.text
        await s.press("enter")
        assert "n chooses a line, enter opens it." in s.text
        assert " n next line " in s.lines()[-1]
        await s.press("n", "enter")
        assert "Also the old fields?" in s.text
        await s.press("escape", "n", "enter")
        assert getattr(s.app.screen, "ref", "") == "WEB-101"
        await s.press("escape", "N", "N", "enter")
        await s.settle()
        assert s.app.screen.TITLE == "Chat"
        assert s.live.asked("chat.open")[-1] == {"agent": "owl", "session_key": "agent:owl:subagent:1"}


async def test_what_a_task_needs_is_added_and_let_go_by_one_picker(stage: StageMaker) -> None:
    async with stage(LARGE, of(parent())) as s:
        await open_task(s, parent(), "overview")
        await s.press("w")
        assert "✓ WEB-7" in s.text
        await s.press("enter")
        await s.press("w", *"WEB-2", "enter")
        assert s.live.asked("task.depend") == [
            {"ref": "WEB-6", "needs": ["WEB-7"], "remove": True}, {"ref": "WEB-6", "needs": ["WEB-2"]},
        ]  # fmt: skip
        s.live.answers["task.depend"] = ServiceFailure("FAILED", "that would be a circle")
        await s.press("w", *"WEB-3", "enter")
        assert "that would be a circle" in s.text


async def test_a_budget_is_written_as_people_write_it(stage: StageMaker) -> None:
    async with stage(LARGE, of(parent())) as s:
        await open_task(s, parent(), "overview")
        assert "200,000 tokens and $2.50" in s.text
        await s.press("b", "ctrl+u", *"lots", "enter")
        assert "That is no budget" in s.text
        await s.press("ctrl+u", *"1.5M", "enter")
        assert s.live.asked("task.edit") == [{"ref": "WEB-6", "budget_tokens": 1_500_000, "budget_usd": None}]


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("", (None, None)), ("200k", (200_000, None)), ("$2.50", (None, 2.5)), ("200k $2.5", (200_000, 2.5)),
        ("2,000", (2000, None)), ("3$", (None, 3.0)), ("k", None), ("-5", None), ("0", None), ("nan", None),
        ("inf$", None), ("5 6", None), ("$1 $2", None), ("5k$", None), ("0.2", None),
    ],
)  # fmt: skip
def test_budgets(text: str, budget: tuple[int | None, float | None] | None) -> None:
    assert read_budget(text) == budget
    if budget is not None:
        assert read_budget(budget_words(*budget, plain=True)) == budget


async def test_an_agents_verdict_and_its_silence_are_told(stage: StageMaker) -> None:
    whole = in_review(2)
    last = whole["attempts"][1]["rounds"][1]
    last["reviews"] = [{"verdict": "approve", "actor_kind": "reviewer", "actor": "ccp-reviewer", "reason": "It holds.",
                        "at": "2026-11-23T11:30:00.000Z"}]  # fmt: skip
    last["review_requests"] = [
        {"number": 1, "agent": "ccp-reviewer", "session_key": "agent:ccp-reviewer:r", "state": "silent",
         "started_at": "2026-11-23T11:20:00.000Z", "ended_at": None},
    ]  # fmt: skip
    async with stage(LARGE) as s:
        await open_task(s, whole)
        assert "waits for your verdict" in s.text
        assert "Round 2 approved by ccp-reviewer (an agent)" in s.text
        assert "It holds." in s.text
        assert "Round 2.1 rejected by ada," in s.text
        assert "ccp-reviewer ended without a verdict" in s.text
        await s.press("V")
        assert s.live.asked("task.review") == [{"ref": "WEB-10"}]


async def test_changed_evidence_is_approved_only_by_a_second_yes(stage: StageMaker) -> None:
    def approve(params: Json) -> Json:
        if not params.get("accept_changes"):
            raise refused("evidence", "shop/receipt.py changed since round 2", "review", "approve")
        return {"task": card(10, "done", "Receipt with the tax number")}

    async with stage(LARGE) as s:
        s.live.answers["task.approve"] = approve
        await open_task(s, in_review(2))
        await s.press("A")
        assert "shop/receipt.py changed since round 2" in s.text
        await s.press("n")
        assert "Not approved" in s.text
        assert len(s.live.asked("task.approve")) == 1
        await s.press("A", "y")
        assert s.live.asked("task.approve")[-1] == {
            "ref": "WEB-10",
            "attempt": 2,
            "round": 2,
            "accept_changes": True,
        }
        assert "WEB-10 is done." in s.text


async def test_a_new_task_can_be_planned_at_once(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        s.live.answers["task.add"] = lambda params: {"task": card(50, "inbox", params["title"])}
        await s.press("n", *"Tea", "up", "right", "enter")
        assert "auto" not in s.live.asked("task.add")[0]
        assert s.live.asked("task.plan") == [{"ref": "WEB-50"}]
        await s.press("n", *"Tea", "up", "b", "right", "right", "enter")
        assert s.live.asked("task.add")[1]["auto"] is True
        assert len(s.live.asked("task.plan")) == 1


async def test_the_session_is_followed_once_whatever_happens(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        whole = in_review(1)
        await open_task(s, whole, "live")
        assert s.live.watched == ["agent:fox:ccp-2"]
        s.live.mirror.apply_snapshot(snapshot())
        await s.pilot.pause(0.3)
        assert s.live.watched == ["agent:fox:ccp-2"]
        await s.press("escape")
        assert s.live.watched == []


def test_a_chain_is_as_deep_as_its_longest_way_and_a_circle_ends() -> None:
    assert depths(PLAN["tasks"]) == {"check": 2, "gather": 0, "write": 1}
    assert set(depths([part("a", "A", "x", "b"), part("b", "B", "x", "a", "zzz")])) == {"a", "b"}
