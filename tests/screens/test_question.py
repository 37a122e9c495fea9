"""Answering a question: the same dialog from the queue, the board and the task's page."""

from __future__ import annotations

from typing import Any

import pytest
from textual import events

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.screens.widgets.question import QuestionDialog
from tests.screens.conftest import LARGE, SMALL, Stage, StageMaker
from tests.screens.fakes import Json, snapshot
from tests.screens.picture import check_picture
from tests.screens.talk import asked, type_words, until

PLANNING: dict[str, Any] = {
    "id": 7, "kind": "planning", "ref": "WEB-1", "agent": "ccp-planner", "header": "Sign-in",
    "text": "How shall customers prove who they are?", "why": "It decides which pages are built.",
    "options": [
        {"id": "a", "label": "A password", "description": "with a reset by mail"},
        {"id": "b", "label": "A link by mail", "description": ""},
        {"id": "c", "label": "Both", "description": "a password is optional then, and the link always works"},
    ],
}  # fmt: skip


def board_with(**more: Any) -> Json:
    board = snapshot()
    board["tasks"][0] |= {"questions": 1, "planning": "person"}
    return board | {"attention": [asked(**(PLANNING | more))]}


async def dialog_of(s: Stage) -> QuestionDialog:
    s.app.open("queue")
    await s.settle()
    await s.press("enter")
    assert isinstance(s.app.screen, QuestionDialog)
    return s.app.screen


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
async def test_picture(stage: StageMaker, size: tuple[int, int]) -> None:
    async with stage(size, board_with()) as s:
        await dialog_of(s)
        await s.press("2")
        check_picture(s.app, f"question-{size[0]}x{size[1]}")


async def test_one_answer_replaces_the_other_and_words_go_with_it(stage: StageMaker) -> None:
    async with stage(LARGE, board_with()) as s:
        await dialog_of(s)
        await s.press("1", "3")
        assert "enter sends  Both" in s.text
        await s.press("tab")
        await type_words(s, "mail first")
        assert "enter sends  Both and “mail first”" in s.text
        await s.press("ctrl+j")
        await type_words(s, "then password")
        await s.press("enter")
        assert s.live.asked("question.answer") == [
            {"id": 7, "options": ["c"], "text": "mail first\nthen password"}
        ]


async def test_enter_takes_what_the_cursor_is_on_and_typing_answers_in_words(stage: StageMaker) -> None:
    async with stage(LARGE, board_with()) as s:
        await dialog_of(s)
        await s.press("down", "enter")
        assert s.live.asked("question.answer") == [{"id": 7, "options": ["b"]}]
        await s.press("enter")
        await type_words(s, "neither 1")
        await s.press("enter")
        assert s.live.asked("question.answer")[1:] == [{"id": 7, "text": "neither 1"}]


async def test_words_typed_in_one_burst_arrive_whole_and_in_order(stage: StageMaker) -> None:
    async with stage(LARGE, board_with()) as s:
        await dialog_of(s)
        for character in "half a page, 2 at most":
            s.app.post_message(events.Key("space" if character == " " else character, character))
        s.app.post_message(events.Key("enter", "\r"))
        await until(s, lambda: s.live.asked("question.answer"))
        assert s.live.asked("question.answer") == [{"id": 7, "text": "half a page, 2 at most"}]


async def test_from_the_words_the_options_are_one_key_away(stage: StageMaker) -> None:
    async with stage(LARGE, board_with()) as s:
        await dialog_of(s)
        await type_words(s, "in 1 h")
        await s.press("up", "1", "tab", "1", "enter")
        assert s.live.asked("question.answer") == [{"id": 7, "options": ["a"], "text": "in 1 h1"}]


async def test_several_answers_are_marked_and_sent_in_the_order_of_the_question(stage: StageMaker) -> None:
    async with stage(LARGE, board_with(multiple=True)) as s:
        await dialog_of(s)
        await s.press("enter")
        assert not s.live.asked("question.answer")
        assert "Nothing is chosen yet" in s.text
        await s.press("3", "up", "space", "1", "1", "1", "enter")
        assert s.live.asked("question.answer") == [{"id": 7, "options": ["a", "b", "c"]}]


async def test_a_question_without_options_is_answered_in_words(stage: StageMaker) -> None:
    async with stage(board=board_with(options=[], free=False)) as s:
        await dialog_of(s)
        await s.press("enter")
        assert "Nothing is chosen yet" in s.text
        await type_words(s, "by 2 letters")
        await s.press("enter")
        assert s.live.asked("question.answer") == [{"id": 7, "text": "by 2 letters"}]


async def test_where_own_words_are_not_taken_none_can_be_written(stage: StageMaker) -> None:
    async with stage(board=board_with(free=False)) as s:
        await dialog_of(s)
        await s.press("tab", "x", "down", "down", "down", "enter")
        assert s.live.asked("question.answer") == [{"id": 7, "options": ["c"]}]


async def test_waiving_leaves_it_to_whoever_asked_except_for_the_gateways_own(stage: StageMaker) -> None:
    async with stage(board=board_with()) as s:
        await dialog_of(s)
        await s.press("ctrl+g")
        assert s.live.asked("question.waive") == [{"id": 7}]
        assert "Waived" in s.text
    async with stage(board=board_with(kind="gateway")) as s:
        dialog = await dialog_of(s)
        assert "you decide" not in s.text
        await s.press("ctrl+g")
        assert s.app.screen is dialog
        assert not s.live.asked("question.waive")


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (
            ServiceFailure("NOT_FOUND", "This question is not open any more."),
            "This question is not open any more.",
        ),
        (
            ServiceUnavailable("The control service was lost.", "Start it."),
            "Not sent. The control service was lost.",
        ),
    ],
)
async def test_a_refusal_is_shown_and_nothing_typed_is_lost(
    stage: StageMaker, failure: Exception, words: str
) -> None:
    async with stage(LARGE, board_with()) as s:
        s.live.answers["question.answer"] = failure
        await dialog_of(s)
        await s.press("1", "tab")
        await type_words(s, "with care")
        await s.press("enter")
        assert words in s.text
        assert "enter sends  A password and “with care”" in s.text
        s.live.answers["question.answer"] = {}
        await s.press("enter")
        assert s.live.asked("question.answer")[-1] == {"id": 7, "options": ["a"], "text": "with care"}
        assert not isinstance(s.app.screen, QuestionDialog)


async def test_settled_elsewhere_says_so_and_keeps_the_words(stage: StageMaker) -> None:
    async with stage(LARGE, board_with()) as s:
        await dialog_of(s)
        await type_words(s, "half an answer")
        s.live.emit("attention", attention=[])
        await s.settle()
        assert "It was settled elsewhere" in s.text
        assert "half an answer" in s.text


async def test_hostile_words_are_shown_as_words(stage: StageMaker) -> None:
    options = [{"id": "x", "label": "[red]stop[/] \x1b[2J\u202egnp", "description": "[b]"}]
    async with stage(
        LARGE, board_with(text="[bold]Really?\x1b]0;title\x07", header="[i]", options=options)
    ) as s:
        await dialog_of(s)
        assert "[bold]Really?" in s.text
        assert "[red]stop[/] gnp" in s.text
        assert "\x1b" not in s.text


async def test_a_long_question_on_a_small_terminal_can_be_read_whole(stage: StageMaker) -> None:
    text = "\n".join(f"line {n}" for n in range(1, 31))
    async with stage(SMALL, board_with(text=text)) as s:
        await dialog_of(s)
        assert "line 1" in s.text
        assert "enter sends" in s.text
        assert "esc later" in s.text
        for _ in range(6):
            await s.press("pagedown")
        assert "a password is optional then" in s.text
        await s.press("pageup")
        assert "line 2" in s.text


async def test_from_the_board_one_key_answers(stage: StageMaker) -> None:
    async with stage(board=board_with()) as s:
        await s.press("1", "Q")
        assert "How shall customers prove" in s.text
        await s.press("1", "enter")
        assert s.live.asked("question.answer") == [{"id": 7, "options": ["a"]}]
    async with stage(board=board_with() | {"attention": []}) as s:
        question = asked(**PLANNING)["answer"]["question"]
        s.live.answers["question.list"] = {"questions": [question]}
        await s.press("1", "Q", "2", "enter")
        assert s.live.asked("question.list") == [{"ref": "WEB-1", "state": "open"}]
        assert s.live.asked("question.answer") == [{"id": 7, "options": ["b"]}]


async def test_waiving_by_the_palette_asks_first(stage: StageMaker) -> None:
    async with stage(LARGE, board_with()) as s:
        await s.press("1", ":")
        await type_words(s, "waive")
        await s.press("enter")
        assert "Waive this question?" in s.text
        assert "How shall customers prove" in s.text
        await s.press("y")
        assert s.live.asked("question.waive") == [{"id": 7}]
