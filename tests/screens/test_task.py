"""The task screen: its pages, and the verdict that is bound to the round on the screen."""

from __future__ import annotations

import pytest

from ccp_tui.failures import ServiceFailure
from tests.screens.conftest import LARGE, SMALL, Stage, StageMaker
from tests.screens.fakes import NOW, SPEC, card, detail, in_review, refused, snapshot, worked_round
from tests.screens.picture import check_picture

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
REVIEW = {"agent": "fox", "agent_name": "Fox", "attempt": 2, "spec_version": 2, "spec_approved": True}


async def open_task(s: Stage, ref: str, tab: str | None = None) -> None:
    s.app.open("task", ref=ref, tab=tab)
    await s.settle()


@SIZES
@pytest.mark.parametrize("tab", ["overview", "spec", "review", "attempts", "history"])
async def test_picture(
    stage: StageMaker, size: tuple[int, int], tab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    async with stage(size) as s:
        await open_task(s, "WEB-10", tab)
        check_picture(s.app, f"task-{tab}-{size[0]}x{size[1]}")


async def test_the_overview_says_why_it_stands_and_which_gate_would_refuse(stage: StageMaker) -> None:
    async with stage() as s:
        moves = [
            {"trigger": "assign", "target": "assigned", "label": "assign", "gate": "spec_approved",
             "reason": "its spec is not approved yet"},
            {"trigger": "cancel", "target": "cancelled", "label": "cancel", "gate": None, "reason": None},
        ]  # fmt: skip
        row = detail(
            card(2, "inbox", "Fix the login page"), why="spec version 1 waits for your approval", moves=moves
        )
        s.live.answers["task.show"] = {"task": row}
        await open_task(s, "WEB-2")
        assert "Spec version 1 waits for your approval" in s.text
        assert "spec_approved: its spec is not approved yet" in s.text
        assert "X cancel → Cancelled" in s.text


async def test_approving_is_one_key_with_the_context_on_the_screen(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["task.approve"] = {
            "task": card(10, "done", "Receipt with the tax number", **REVIEW, round=2)
        }
        await open_task(s, "WEB-10")
        for words in ("Round 2: the tax number", "Success criteria", "shop/receipt.py", "unit tests"):
            assert words in s.text
        await s.press("A")
        assert s.live.asked("task.approve") == [{"ref": "WEB-10", "attempt": 2, "round": 2}]
        assert "WEB-10 is done." in s.text


async def test_from_another_page_the_key_first_shows_what_it_is_about(stage: StageMaker) -> None:
    async with stage() as s:
        await open_task(s, "WEB-10", "overview")
        await s.press("A")
        assert s.live.asked("task.approve") == []
        assert "Read it; A again approves it." in s.text
        await s.press("A")
        assert len(s.live.asked("task.approve")) == 1


async def test_rejecting_sends_the_words_as_they_were_written(stage: StageMaker) -> None:
    async with stage() as s:
        await open_task(s, "WEB-10")
        await s.press("R", *"Page two", "ctrl+j", *"is empty", "enter")
        assert s.live.asked("task.reject") == [
            {"ref": "WEB-10", "attempt": 2, "round": 2, "reason": "Page two\nis empty"}
        ]


async def test_a_rejection_needs_words(stage: StageMaker) -> None:
    async with stage() as s:
        await open_task(s, "WEB-10")
        await s.press("R", "enter")
        assert "Write a few words first" in s.text
        await s.press("escape")
        assert s.live.asked("task.reject") == []


@pytest.mark.parametrize("key", ["A", "R"])
async def test_a_verdict_is_refused_when_a_newer_round_came_in_meanwhile(stage: StageMaker, key: str) -> None:
    async with stage() as s:
        await open_task(s, "WEB-10")
        s.live.answers["task.show"] = {"task": in_review(3)}
        s.live.emit("task.changed", task=card(10, "review", "Receipt with the tax number", **REVIEW, round=3))
        await s.press(key)
        assert s.live.asked("task.approve") == s.live.asked("task.reject") == []
        assert "Round 3 came in after what you see" in s.text
        assert "Round 2: the tax number" in s.text  # what the person reads is not taken away
        await s.pilot.pause(0.3)
        await s.press(".")
        assert "Round 3: the tax number" in s.text
        await s.press("A")
        assert s.live.asked("task.approve") == [{"ref": "WEB-10", "attempt": 2, "round": 3}]


async def test_a_spec_is_read_before_it_is_approved_and_only_the_version_shown_is(stage: StageMaker) -> None:
    async with stage() as s:
        draft = SPEC | {"approved_at": None, "approved_by": None, "version": 1}
        row = card(2, "inbox", "Fix the login page", spec_version=1)
        s.live.answers["task.show"] = {"task": detail(row, spec=draft)}
        await open_task(s, "WEB-2")
        await s.press("A")
        assert "Business customers need receipts" in s.text
        assert s.live.asked("task.approve_spec") == []
        s.live.emit("task.changed", task=card(2, "inbox", "Fix the login page", spec_version=2))
        await s.press("A")
        assert s.live.asked("task.approve_spec") == []
        assert "Version 2 came in after what you see" in s.text
        s.live.emit("task.changed", task=card(2, "inbox", "Fix the login page", spec_version=1))
        await s.press("A")
        assert s.live.asked("task.approve_spec") == [{"ref": "WEB-2", "version": 1}]


async def test_a_bad_spec_keeps_its_text_and_shows_the_line(stage: StageMaker) -> None:
    async with stage() as s:
        wrong = ServiceFailure("USAGE", "checks must be a list", {"line": 3, "field": "checks"})
        s.live.answers["task.set_spec"] = wrong
        s.live.answers["task.spec"] = {
            "spec": {"text": "title: Login\nsummary: x\nchecks: 7\n", "version": 1}
        }
        await open_task(s, "WEB-2")
        await s.press("e")
        assert "checks: 7" in s.text
        await s.press("#", "ctrl+o")
        assert "Not saved. line 3: checks must be a list" in s.text
        assert "#title: Login" in s.text
        area = s.app.screen.area  # type: ignore[attr-defined]
        assert area.cursor_location == (2, 0)
        s.live.answers["task.set_spec"] = {"spec": {"version": 2}}
        await s.press("ctrl+o")
        assert "Version 2 of the spec of WEB-2 is saved." in s.text
        assert s.live.asked("task.set_spec")[-1]["text"].startswith("#title: Login")


async def test_leaving_the_editor_with_changes_asks_first(stage: StageMaker) -> None:
    async with stage() as s:
        await open_task(s, "WEB-3")
        await s.press("e", "#", "escape")
        assert "Leave without saving?" in s.text
        await s.press("n")
        assert "report.md" in s.text  # the draft of a first spec
        await s.press("escape", "y")
        assert s.live.asked("task.set_spec") == []


async def test_live_work_streams_words_and_tool_calls(stage: StageMaker) -> None:
    async with stage() as s:
        key = "agent:fox:ccp-1"
        row = card(7, "in_progress", "Search that forgives", agent="fox", attempt=1, session_key=key)
        s.live.answers["task.show"] = {"task": detail(row)}
        first = {
            "id": 1,
            "session_key": key,
            "agent": "fox",
            "role": "user",
            "text": "Please begin.",
            "at": NOW,
        }
        first |= {"tool": None, "run_id": None, "status": "sent", "usage": None, "attachments": []}
        s.live.answers["task.transcript"] = {"session_key": key, "messages": [first]}
        await open_task(s, "WEB-7", "live")
        assert s.live.watched == [key]
        assert "Please begin." in s.text
        s.live.emit("run.delta", session_key=key, run_id="r", text="I read the tests [b]first[/b]")
        s.live.emit("run.delta", session_key="agent:owl:ccp-2", run_id="x", text="Somebody else")
        await s.pilot.pause(0.3)
        assert "I read the tests [b]first[/b]" in s.text
        assert "Somebody else" not in s.text
        await s.press("escape")
        assert s.live.watched == []


async def test_failed_checks_show_their_output_and_the_rest_on_demand(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        whole = in_review(2)
        failed = worked_round(2, ok=False)
        failed["checks"][0]["output"] = "\n".join(f"line {n}" for n in range(1, 20))
        whole["attempts"][1]["rounds"][1] = failed
        s.live.answers["task.show"] = {"task": whole}
        await open_task(s, "WEB-10")
        assert "1 of 2 passed" in s.text
        assert "line 19" in s.text
        assert "line 1\n" not in s.text + "\n"
        await s.press("o")
        assert any(
            line.rstrip("│ ").rstrip().endswith("│ line 1") for line in (row[:112] for row in s.lines())
        )


async def test_a_refused_command_is_one_line_and_the_screen_stays(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["task.approve"] = refused("this_round", "look again", "review", "approve")
        await open_task(s, "WEB-10")
        await s.press("A")
        assert "Refused by this_round: look again" in s.lines()[-2]


async def test_a_task_that_is_gone_says_so(stage: StageMaker) -> None:
    async with stage() as s:
        await open_task(s, "WEB-404")
        assert "There is no task WEB-404 here" in s.text
        await s.press("escape")
        assert s.app.screen.TITLE == "Board"


async def test_held_work_goes_on_by_the_keys_that_its_moves_name(stage: StageMaker) -> None:
    row = next(each for each in snapshot()["tasks"] if each["ref"] == "WEB-8")
    moves = [
        {"trigger": trigger, "target": target, "label": label, "gate": None, "reason": None}
        for trigger, target, label in (
            ("retry", "in_progress", "retry"), ("assign", "assigned", "assign another agent"),
            ("cancel", "cancelled", "cancel"),
        )
    ]  # fmt: skip
    async with stage(LARGE) as s:
        s.live.answers["task.show"] = {"task": detail(row, moves=moves)}
        s.app.open("task", ref="WEB-8")
        await s.settle()
        assert all(f"{words} →" in s.text for words in ("r retry", "a assign another agent", "X cancel"))
        assert all(f" {hint} " in s.lines()[-1] for hint in ("r retry", "a assign", "X cancel"))
        await s.press("r")
        await s.press("a", *"fox", "enter")
        await s.press("X", "y")
        asked = [name for name, _ in s.live.calls if name in ("task.retry", "task.assign", "task.cancel")]
        assert asked == ["task.retry", "task.assign", "task.cancel"]
        await s.press("e")
        assert "The spec is fixed in In Progress: s, then u take it back to Inbox." in s.lines()[-2]
