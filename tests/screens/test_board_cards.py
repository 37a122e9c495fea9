"""What a card says beside its title: why it does not move, whose turn it is, how far its sub-tasks are."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_tui.rows import Card
from ccp_tui.screens.board.words import note
from tests.screens.conftest import LARGE, SMALL, StageMaker
from tests.screens.fakes import HOUR_AGO, Json, agent, card, health, snapshot
from tests.screens.picture import check_picture

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])


def hold(kind: str, reason: str) -> Json:
    return {"kind": kind, "reason": reason, "since": HOUR_AGO, "release": "do this"}


def said(state: str, **more: Any) -> tuple[str, str]:
    found = note(Card.from_json(card(1, state, "A task", **more)), more.get("reviewer_name", ""))
    return (found.kind, found.text) if found else ("", "")


def planned() -> Json:
    """A mission in the middle of a large plan: planning, a chain of sub-tasks, a reviewer at work, holds."""
    board = snapshot()
    board["missions"] = board["missions"][:1]
    ada = {"agent": "fox", "agent_name": "Fox", "agent_emoji": "🦊", "spec_version": 1, "spec_approved": True}
    board["tasks"] = [
        card(1, "planning", "Choose how customers sign in", planning="person", questions=1),
        card(2, "planning", "A launch page for the autumn sale", planning="planner"),
        card(3, "planning", "Prepare the move to the new warehouse", planning="proposed", spec_version=1),
        card(10, "assigned", "A guide for new customers and its pictures", subtasks=3, subtasks_done=1,
             waits_for=["WEB-12", "WEB-13"], queued=True, **ada),
        card(12, "assigned", "Write the guide", parent="WEB-10", waits_for=["WEB-11"], queued=True, **ada),
        card(13, "assigned", "Check the guide", parent="WEB-10", queued=True, waiting="Fox is working on WEB-14",
             **ada),
        card(14, "assigned", "Answer the letters", **ada),
        card(15, "in_progress", "Rewrite the price list", attempt=1, round=1, budget_usd=1.0, cost_usd=1.2,
             hold=hold("budget", "$1.20 of $1.00 are spent"), **ada),
        card(16, "in_progress", "Translate the imprint", attempt=1, round=1,
             hold=hold("dependency", "WEB-9 was cancelled"), **ada),
        card(17, "review", "Gather what the guide must say", attempt=1, round=2, reviewer="ccp-reviewer", **ada),
        card(18, "review", "Newsletter opt-out", attempt=1, round=1, **ada),
        card(11, "done", "Gather the pictures", parent="WEB-10", **ada),
    ]  # fmt: skip
    board["agents"].append(agent("ccp-reviewer", "ccp reviewer", "", role="reviewer", duty="reviewer"))
    board["attention"] = [
        {"key": key, "urgency": 1, "kind": "hold", "ref": ref, "agent": None, "text": "", "since": HOUR_AGO,
         "answer": None} for key, ref in (("a", "WEB-1"), ("b", "WEB-15"), ("c", "WEB-18"))
    ]  # fmt: skip
    return board


@SIZES
async def test_picture(stage: StageMaker, size: tuple[int, int]) -> None:
    async with stage(size, planned()) as s:
        await s.press("3")
        check_picture(s.app, f"board-planned-{size[0]}x{size[1]}")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"waits_for": ["WEB-3", "WEB-4"], "queued": True}, ("needs", "WEB-3 WEB-4")),
        ({"queued": True, "waiting": "Fox is working on WEB-7"}, ("waiting", "Fox is working on WEB-7")),
        ({"waiting": "the mission's budget is used up"}, ("waiting", "the mission's budget is used up")),
        ({"queued": True}, ("waiting", "waits for its turn")),
        ({}, ("idle", "d dispatches it")),
    ],
)
def test_every_assigned_card_that_does_not_start_says_why(more: Json, words: tuple[str, str]) -> None:
    assert said("assigned", **more) == words


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"planning": "planner"}, ("status", "the planner thinks")),
        ({"planning": "person", "questions": 2}, ("next", "2 questions for you")),
        ({"planning": "proposed"}, ("next", "plan ready: A")),
        ({"planning": "raw"}, ("next", "raw reply: your turn")),
        ({"planning": "later"}, ("", "")),
    ],
)
def test_a_plan_says_whose_turn_it_is(more: Json, words: tuple[str, str]) -> None:
    assert said("planning", **more) == words


@pytest.mark.parametrize("state", ["planning", "in_progress", "review"])
def test_words_that_the_gateway_does_not_take_yet_are_told_in_any_column(state: str) -> None:
    why = "ada does not get its message yet (too many requests): again at 14:32:05"
    more: Json = {"planning": "planner", "reviewer": "eve", "waiting": why}
    if state == "in_progress":
        more["activity"] = {"kind": "waiting", "text": why, "at": "2026-11-23T14:30:00.000Z"}
    assert said(state, **more) == ("waiting", why)


def test_a_review_says_who_reads() -> None:
    assert said("review", round=2, reviewer="rex") == ("status", "rex reads round 2")
    assert said("review", round=2, reviewer="rex", reviewer_name="Rex") == ("status", "Rex reads round 2")
    assert said("review", round=2) == ("next", "round 2: your turn")


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        ("stalled", "no sign of life for 10 minutes", "stalled: no sign of life for 10 minutes"),
        ("question", "which colour?", "asks: which colour?"),
        ("dependency", "WEB-9 was cancelled", "needs: WEB-9 was cancelled"),
        ("error", "Error: the model is away", "Error: the model is away"),
        ("budget", "spent", "budget: $1.20 of $1.00"),
        ("budget", "", "budget: $1.20 of $1.00"),
        ("gateway", "", "gateway"),
    ],
)
def test_a_hold_names_its_kind_first(kind: str, reason: str, words: str) -> None:
    assert said("in_progress", hold=hold(kind, reason), cost_usd=1.2, budget_usd=1.0) == ("held", words)


async def test_progress_of_sub_tasks_waiting_and_the_reviewers_name_stand_on_the_cards(
    stage: StageMaker,
) -> None:
    async with stage(LARGE, planned()) as s:
        assert "1/3 ✉ 🦊" in s.text
        assert "⧗ WEB-12 WEB-13" in s.text
        assert "ccp reviewer read…" in s.text
        s.live.emit("agent.changed", agent=agent("ccp-reviewer", "Rex", duty="reviewer"))
        await s.settle()
        assert "Rex reads round 2" in s.text


async def test_ascii_has_words_for_the_signs(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCP_ASCII", "1")
    async with stage(LARGE, planned() | {"health": health()}) as s:
        assert "wait WEB-12 WEB-13" in s.text
        assert s.text.isascii()


async def test_one_key_goes_from_card_to_card_that_needs_you(stage: StageMaker) -> None:
    async with stage(SMALL, planned()) as s:
        seen = []
        for _ in range(4):
            await s.press("tab")
            seen.append(s.app.screen.view.ref)  # type: ignore[attr-defined]
        assert seen == ["WEB-1", "WEB-15", "WEB-18", "WEB-1"] or seen == [
            "WEB-15",
            "WEB-18",
            "WEB-1",
            "WEB-15",
        ]
