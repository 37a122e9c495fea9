"""The needs-you queue: most urgent first, everything to answer with at hand."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_tui.failures import ServiceFailure
from ccp_tui.rows import Attention
from ccp_tui.screens.queue import QueueScreen
from ccp_tui.screens.queue.approval import Approval
from tests.screens.conftest import LARGE, SMALL, Stage, StageMaker
from tests.screens.fakes import snapshot
from tests.screens.talk import APPROVAL, QUESTION, busy_board


async def open_queue(s: Stage, **params: Any) -> QueueScreen:
    s.app.open("queue", **params)
    await s.settle()
    assert isinstance(s.app.screen, QueueScreen)
    return s.app.screen


async def test_the_most_urgent_is_first_and_fully_told(stage: StageMaker) -> None:
    async with stage(board=busy_board()) as s:
        await open_queue(s)
        rows = s.lines()[1:6]
        assert [row[4:13].strip() for row in rows] == [
            "approval",
            "question",
            "question",
            "stalled",
            "review",
        ]
        assert "▌ ▲ approval  WEB-7" in rows[0]
        assert "  rm -rf build && \\" in s.lines()
        assert "    make release" in s.lines()
        assert "in /home/openclaw/fox" in s.text


@pytest.mark.parametrize(("key", "decision"), [("y", "allow-once"), ("n", "deny")])
async def test_an_approval_is_decided_by_its_own_key(stage: StageMaker, key: str, decision: str) -> None:
    async with stage(board=busy_board()) as s:
        screen = await open_queue(s)
        await s.press("enter")
        assert "y allow once · n deny · esc later" in s.text
        assert "make release" in s.text
        await s.press(
            "enter", "a"
        )  # nothing is decided by habit, and what the gateway does not offer has no key
        assert s.app.screen is not screen
        await s.press(key)
        assert s.live.asked("approval.resolve") == [{"id": "ap1", "decision": decision}]


async def test_a_decision_goes_to_the_request_that_was_read(stage: StageMaker) -> None:
    async with stage(board=busy_board()) as s:
        await open_queue(s)
        await s.press("enter")
        newer = APPROVAL | {
            "key": "approval:ap0",
            "answer": APPROVAL["answer"] | {"id": "ap0", "command": "halt"},
        }
        s.live.emit("attention", attention=[newer, *busy_board()["attention"]])
        await s.press("y")
        assert s.live.asked("approval.resolve") == [{"id": "ap1", "decision": "allow-once"}]


async def test_later_decides_nothing(stage: StageMaker) -> None:
    async with stage(board=busy_board()) as s:
        await open_queue(s)
        await s.press("enter", "escape")
        assert not s.live.asked("approval.resolve")


async def test_a_refused_decision_is_told_here(stage: StageMaker) -> None:
    async with stage(board=busy_board()) as s:
        s.live.answers["approval.resolve"] = ServiceFailure(
            "NOT_FOUND", "This approval is not open any more."
        )
        await open_queue(s)
        await s.press("enter", "y")
        assert "This approval is not open any more." in s.text


async def test_a_question_is_answered_here_and_the_next_item_is_under_the_cursor(stage: StageMaker) -> None:
    async with stage(board=busy_board()) as s:
        screen = await open_queue(s)
        await s.press("n")
        assert "Which tone shall the help pages have?" in s.text
        assert "friendly  as among colleagues" in s.text
        await s.press("enter", "2", "enter")
        assert s.live.asked("question.answer") == [{"id": 1, "options": ["b"]}]
        assert screen.rows.key == "hold:WEB-1"
        s.live.emit("attention", attention=[APPROVAL, *snapshot()["attention"]])
        await s.settle()
        assert screen.rows.key == "hold:WEB-1"


async def test_leaving_a_question_sends_nothing(stage: StageMaker) -> None:
    async with stage(board=busy_board()) as s:
        screen = await open_queue(s)
        await s.press("n", "enter", "escape")
        assert not s.live.asked("question.answer")
        assert "Left for later" in s.text
        assert screen.rows.key == QUESTION["key"]


async def test_what_was_decided_elsewhere_is_not_asked_any_more(stage: StageMaker) -> None:
    async with stage(board=busy_board()) as s:
        screen = await open_queue(s)
        await s.press("enter")
        assert "make release" in s.text
        s.live.emit("attention", attention=[QUESTION])
        await s.settle()
        assert s.app.screen is screen
        assert "It was decided elsewhere" in s.text
        assert not s.live.asked("approval.resolve")


async def test_an_approval_tells_its_risk_and_how_long_it_waits(stage: StageMaker) -> None:
    answer = APPROVAL["answer"] | {
        "risk": ["risk: file write", "deletes \x1b[31mfiles"],
        "expires_at": "2026-11-23T12:27:30.000Z",
    }
    async with stage(board=snapshot() | {"attention": [APPROVAL | {"answer": answer}]}) as s:
        await open_queue(s)
        for _ in range(2):
            assert "risk: file write" in s.text
            assert "risk: deletes files" in s.text
            assert "waits until 12:27, 27 min from now" in s.text
            await s.press("enter")


async def test_a_proposed_plan_and_a_raw_one_open_where_they_are_settled(stage: StageMaker) -> None:
    for planning, tab in (("proposed", "spec"), ("raw", "plan")):
        board = snapshot()
        board["tasks"][0] |= {"planning": planning}
        async with stage(board=board) as s:
            await open_queue(s)
            await s.press("enter")
            assert (getattr(s.app.screen, "ref", ""), getattr(s.app.screen, "tab", "")) == ("WEB-1", tab)


@pytest.mark.parametrize("kind", ["question", "error", "stalled", "gateway", "budget", "dependency"])
async def test_held_work_of_every_kind_goes_on_from_here(stage: StageMaker, kind: str) -> None:
    board = snapshot()
    row = next(each for each in board["tasks"] if each["ref"] == "WEB-8")
    row["hold"] = row["hold"] | {"kind": kind}
    board["attention"] = [item | {"kind": kind} for item in board["attention"] if item["ref"] == "WEB-8"]
    async with stage(LARGE, board) as s:
        await open_queue(s)
        assert "r retry · a assign · X cancel" in s.text
        await s.press("r")
        await s.press("a", *"fox", "enter")
        await s.press("X", "y")
        assert s.live.asked("task.retry") == [{"ref": "WEB-8"}]
        assert s.live.asked("task.assign") == [{"ref": "WEB-8", "agent": "fox"}]
        assert s.live.asked("task.cancel") == [{"ref": "WEB-8"}]


@pytest.mark.parametrize(
    ("kind", "planning", "ways", "key", "method"),
    [
        ("stalled", "planner", "r retry · D drop the plan · X cancel", "r", "task.retry"),
        ("question", "raw", "P change the plan · D drop the plan · X cancel", "D", "task.drop_plan"),
    ],
)
async def test_a_planning_that_stands_goes_on_from_here(
    stage: StageMaker, kind: str, planning: str, ways: str, key: str, method: str
) -> None:
    board = snapshot()
    board["tasks"][0]["hold"] |= {"kind": kind}
    board["tasks"][0] |= {"planning": planning}
    board["attention"] = [board["attention"][0] | {"kind": kind}]
    async with stage(LARGE, board) as s:
        await open_queue(s)
        assert ways in s.text
        await s.press(key, "y")
        assert s.live.asked(method) == [{"ref": "WEB-1"}]


async def test_what_never_began_and_what_waits_for_a_review_is_not_tried_again(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        await open_queue(s)
        for key in ("r", "G", "r"):
            await s.press(key)
            assert "r retry" not in s.text
        assert "Only held work can be tried again." in s.text
        assert s.live.asked("task.retry") == []


async def test_enter_goes_to_the_task(stage: StageMaker) -> None:
    async with stage() as s:
        await open_queue(s)
        await s.press("j", "j", "enter")
        assert getattr(s.app.screen, "ref", "") == "WEB-10"


async def test_the_key_of_the_queue_goes_round_in_it(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await open_queue(s)
        seen = [screen.rows.key]
        for _ in range(3):
            await s.press("!")
            seen.append(screen.rows.key)
        assert seen == ["hold:WEB-1", "hold:WEB-8", "review:WEB-10", "hold:WEB-1"]


async def test_the_cursor_stays_on_its_item_when_others_come_and_go(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await open_queue(s, key="hold:WEB-8")
        s.live.emit("attention", attention=[APPROVAL, *snapshot()["attention"][1:]])
        await s.settle()
        assert screen.rows.key == "hold:WEB-8"
        s.live.emit("attention", attention=[APPROVAL])
        await s.settle()
        assert screen.rows.key == APPROVAL["key"]


async def test_nothing_to_do_says_so(stage: StageMaker) -> None:
    async with stage(board=snapshot() | {"attention": []}, size=SMALL) as s:
        await open_queue(s)
        assert "Nothing needs you." in s.text
        await s.press("enter", "r", "c")
        assert s.live.asked("task.retry") == []


def test_requests_are_read_leniently() -> None:
    item = Attention.from_json(APPROVAL | {"answer": {"method": "approval.resolve"}})
    approval = Approval.of(item)
    assert approval is not None
    assert (approval.id, approval.decisions) == ("ap1", ("allow-once", "deny"))
    assert Approval.of(Attention.from_json(QUESTION)) is None
    assert Attention.from_json(QUESTION | {"answer": {"method": "question.answer"}}).question is None
    hostile = APPROVAL | {"answer": APPROVAL["answer"] | {"command": "ls \x1b[2J\u202e\nrm"}}
    shown = Approval.of(Attention.from_json(hostile))
    assert shown is not None
    assert shown.command == "ls \nrm"
