"""The board, driven by keys on a fake service."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from tests.screens.conftest import LARGE, SMALL, StageMaker
from tests.screens.fakes import NOW, card, refused, snapshot
from tests.screens.picture import check_picture

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])


@SIZES
async def test_picture(stage: StageMaker, size: tuple[int, int]) -> None:
    async with stage(size) as s:
        await s.press("l", "l")
        check_picture(s.app, f"board-{size[0]}x{size[1]}")


async def test_a_narrow_board_moves_its_window_and_keeps_all_columns_in_the_map(stage: StageMaker) -> None:
    async with stage() as s:
        assert "7 Done 30" in s.lines()[1]
        assert "7 Done" not in s.lines()[2]
        await s.press("7")
        assert "7 Done 30" in s.lines()[2]
        assert "more" in s.text  # thirty finished tasks do not fit


async def test_moving_on_asks_the_lifecycle_and_shows_the_new_column(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["task.move"] = lambda p: {
            "task": card(2, "assigned", "Fix the login page", agent="fox")
        }
        await s.press("L")
        assert s.live.asked("task.move") == [{"ref": "WEB-2", "to": "assigned"}]
        assert s.app.screen.view.state == "assigned"  # type: ignore[attr-defined]
        assert "WEB-2 is in Assigned now." in s.text


async def test_a_refusal_names_its_gate_in_one_line_and_goes_with_the_next_key(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["task.move"] = refused("spec_approved", "its spec is not approved yet")
        await s.press("L")
        assert "Refused by spec_approved: its spec is not approved yet" in s.lines()[-2]
        await s.press("j")
        assert "Refused" not in s.text


async def test_moving_work_in_review_on_needs_the_review_on_the_screen(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("6", "L")
        assert s.app.screen.TITLE == "Task"
        assert "Success criteria" in s.text
        assert s.live.asked("task.move") == s.live.asked("task.approve") == []


async def test_stopping_names_the_task_and_no_means_no(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("4", "H")
        assert "Stop WEB-7 Search that forgives typing errors?" in s.text
        await s.press("n")
        assert s.live.asked("task.stop") == []
        await s.press("H", "y")
        assert s.live.asked("task.stop") == [{"ref": "WEB-7"}]


async def test_reopening_asks_for_the_reason_first(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("7", "H", "enter")
        assert "Write a few words first" in s.text
        await s.press(*"again", "enter")
        assert s.live.asked("task.reopen") == [{"ref": "WEB-101", "reason": "again"}]


async def test_order_within_a_column(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("J", "K")  # the first has none above it
        await s.press("j", "K")
        assert s.live.asked("task.place") == [
            {"ref": "WEB-2", "after": "WEB-3"},
            {"ref": "WEB-3", "before": "WEB-2"},
        ]


async def test_a_new_task_lands_under_the_cursor(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["task.add"] = lambda p: {"task": card(99, "inbox", p["title"], priority=p["priority"])}
        await s.press("n", *"Buy tea", "tab", "tab", "h", "enter")
        assert s.live.asked("task.add") == [{"title": "Buy tea", "mission": "web", "priority": "low"}]
        assert s.app.screen.view.ref == "WEB-99"  # type: ignore[attr-defined]
        assert "WEB-99 is in inbox. P plans it, e writes its spec." in s.text


async def test_a_task_without_a_title_is_not_made_silently(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("n", "enter")
        assert "Give it a title first" in s.text
        await s.press("escape")
        assert s.live.asked("task.add") == []


async def test_assigning_picks_by_typing(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("a", *"ow", "enter")
        assert s.live.asked("task.assign") == [{"ref": "WEB-2", "agent": "owl"}]


async def test_dispatch_says_what_it_waits_for(stage: StageMaker) -> None:
    async with stage() as s:
        row = card(
            5, "assigned", "Export orders as CSV", agent="fox", queued=True, waiting="Fox is working on WEB-7"
        )
        s.live.answers["task.dispatch"] = {"task": row}
        await s.press("3", "d")
        assert "WEB-5 is queued: Fox is working on WEB-7." in s.text
        await s.press("2", "d")
        assert len(s.live.asked("task.dispatch")) == 1
        assert "Only an assigned task can be dispatched" in s.text


async def test_filter_and_matches(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        await s.press("/", *"owl")
        assert "WEB-7" not in s.text
        assert "WEB-9" in s.text
        await s.press("q")  # while typing, letters are words and not commands
        assert "0 match" in s.text
        await s.press("backspace", "enter")
        first = s.app.screen.view.ref  # type: ignore[attr-defined]
        await s.press("n")
        assert s.app.screen.view.ref != first  # type: ignore[attr-defined]
        await s.press("N")
        assert s.app.screen.view.ref == first  # type: ignore[attr-defined]
        await s.press("escape")
        assert "WEB-7" in s.text


async def test_a_filter_typed_in_one_burst_is_whole_and_no_letter_of_it_a_command(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        for character in "/owl":
            s.app.post_message(events.Key(character, character))
        s.app.post_message(events.Key("slash", "/"))
        s.app.post_message(events.Key("backspace", None))
        s.app.post_message(events.Key("enter", "\r"))
        s.app.post_message(events.Key("G", "G"))  # a command again
        await s.pilot.pause(0.3)
        board = s.app.screen
        assert board.view.filter == "owl"  # type: ignore[attr-defined]
        assert not board.lines.typing  # type: ignore[attr-defined]
        assert "WEB-7" not in s.text
        await s.press("escape")
        assert "WEB-7" in s.text


async def test_missions_switch_and_a_new_one_is_made(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("m", *"oper", "enter")
        assert "Operations" in s.lines()[0]
        assert "OPS-20" in s.text
        assert "WEB-2" not in s.text
        s.live.answers["mission.create"] = lambda p: {
            "mission": {"id": 3, "slug": "sea", "title": p["title"]}
        }
        await s.press("m", *"new", "enter", *"Sea", "enter")
        assert "Sea" in s.lines()[0]
        assert "n writes the first task" in s.text


async def test_cancelled_tasks_show_when_asked_for_and_come_back(stage: StageMaker) -> None:
    async with stage() as s:
        assert "WEB-12" not in s.text
        await s.press("x")
        assert "WEB-12" in s.text
        await s.press("u")
        assert s.live.asked("task.restore") == [{"ref": "WEB-12"}]


async def test_tab_jumps_to_what_needs_the_person(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("tab", "tab")
        assert s.app.screen.view.ref == "WEB-8"  # type: ignore[attr-defined]


async def test_copying_a_ref_writes_osc_52(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage() as s:
        await s.press("y")
        assert s.app.clipboard == "WEB-2"
        assert "WEB-2 is copied." in s.text


async def test_agents_words_are_neither_markup_nor_control_characters(stage: StageMaker) -> None:
    board = snapshot()
    evil = "[red]x[/red] \x1b]0;owned\x07\x1b[31mred\u202e"
    board["tasks"] = [card(1, "inbox", evil)]
    async with stage(LARGE, board) as s:
        await s.press("enter")
        text = s.text
        assert "[red]x[/red] red" in text
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


async def test_empty_boards_say_what_to_press(stage: StageMaker) -> None:
    board = snapshot() | {"tasks": []}
    async with stage(SMALL, board) as s:
        assert "n writes the first task" in s.text
    async with stage(SMALL, snapshot() | {"tasks": [], "missions": []}) as s:
        assert "n writes the first task,  m makes a mission" in s.text


async def test_work_in_review_keeps_its_spec_and_says_how_to_change_it(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        await s.press("2")
        assert "e edit spec" in s.lines()[-1]
        for column, words in (
            ("3", "The spec is fixed in Assigned: u takes it back to Inbox."),
            ("6", "The spec is fixed in Review: s, then u take it back to Inbox."),
            ("7", "The spec is fixed in Done: R, then u take it back to Inbox."),
        ):
            await s.press(column, "e")
            assert words in s.lines()[-2]
            assert "e edit spec" not in s.lines()[-1]
        assert s.live.asked("task.spec") == []


async def test_held_work_goes_on_by_one_key_each(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        await s.press("4", "j")
        assert all(f" {hint} " in s.lines()[-1] for hint in ("r retry", "a assign", "X cancel"))
        await s.press("r")
        await s.press("a", *"fox", "enter")
        await s.press("X", "y")
        assert s.live.asked("task.retry") == [{"ref": "WEB-8"}]
        assert s.live.asked("task.assign") == [{"ref": "WEB-8", "agent": "fox"}]
        assert s.live.asked("task.cancel") == [{"ref": "WEB-8"}]
        await s.press("k", "r")
        assert "Only held work can be tried again." in s.lines()[-2]
        await s.press("a")
        assert "It is in progress: only a task in Inbox or Assigned, or held work" in s.lines()[-2]


async def test_cancelling_speaks_of_a_run_only_where_one_is_live(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("X")
        assert "Cancel WEB-2" in s.text
        assert "aborted" not in s.text
        await s.press("n", "4", "X")
        assert "Its run is aborted." in s.text


async def test_running_and_held_cards_do_not_look_like_the_cursor(
    stage: StageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(LARGE) as s:
        await s.press("4")
        assert sum(line.count("▌") for line in s.lines()) == 1
        assert "▎WEB-8" in s.text
    monkeypatch.setenv("CCP_ASCII", "1")
    async with stage(LARGE) as s:
        await s.press("4", "j")
        assert "|>WEB-8" in s.text
        assert "|:WEB-7" in s.text
        assert "||" not in s.text


async def test_the_chosen_mission_is_there_again_at_the_next_start(stage: StageMaker) -> None:
    async with stage() as s:
        assert "All missions" in s.lines()[0]
        await s.press("m", *"oper", "enter")
        s.app.keep_theme("paper")
    async with stage() as s:
        assert "Operations" in s.lines()[0]
        assert s.app.theme == "paper"
        await s.press("m", "up", "up", "enter")
        assert "All missions" in s.lines()[0]
    async with stage() as s:
        assert "All missions" in s.lines()[0]


async def test_a_kept_mission_that_is_gone_is_forgotten(stage: StageMaker, tmp_path: Path) -> None:
    (tmp_path / "screen.json").write_text('{"mission": "gone", "theme": 7}')
    async with stage() as s:
        assert "All missions" in s.lines()[0]


async def test_a_failing_service_never_takes_the_board_down(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["task.assign"] = RuntimeError("boom")
        await s.press("a", "enter")
        assert "That failed: boom" in s.text
        await s.press("j")
        assert s.app.is_running


async def test_a_live_change_repaints_and_keeps_the_cursor(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        await s.press("4")
        s.live.emit(
            "activity", ref="WEB-7", activity={"kind": "words", "text": "Now the last test", "at": ""}
        )
        await s.settle()
        assert "Now the last test" in s.text
        s.live.emit(
            "task.changed", task=card(7, "testing", "Search that forgives typing errors", agent="fox")
        )
        await s.settle()
        assert s.app.screen.view.ref == "WEB-7"  # type: ignore[attr-defined]
        assert s.app.screen.view.state == "testing"  # type: ignore[attr-defined]


async def test_ascii_terminals_get_ascii(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCP_ASCII", "1")
    async with stage() as s:
        assert s.text.isascii()


async def test_no_color_writes_no_colour(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage() as s:
        await s.press("j")
        styles = [
            style for strip in s.app.screen._compositor.render_strips() for _, style, _ in strip if style
        ]
        assert all(style.color is None or style.color.is_default for style in styles)
        assert all(style.bgcolor is None or style.bgcolor.is_default for style in styles)
        assert any(style.reverse for style in styles), "the cursor must still show"


async def test_a_theme_is_chosen_kept_and_shows_at_once(stage: StageMaker) -> None:
    async with stage() as s:
        await s.press("down")
        s.app.screen.action_run_action("app.theme")  # type: ignore[attr-defined]
        await s.settle()
        await s.press(*"paper", "enter")
        backs = {style.bgcolor.name for strip in s.app.screen._compositor.render_strips() for _, style, _ in strip
                 if style and style.bgcolor}  # fmt: skip
        assert backs <= {"#faf8f2", "#e6e0d1", "#cfe1f5"}
    async with stage() as s:
        assert s.app.theme == "paper"


async def test_a_resized_terminal_shows_as_many_columns_as_fit(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        assert "7 Done 30" in s.lines()[1]
        await s.pilot.resize_terminal(50, 20)
        await s.settle()
        assert "2 Inbox 4" in s.text
        assert "WEB-2" in s.text
        assert len(s.lines()) == 20


@pytest.mark.parametrize("key", ["A", "R"])
async def test_the_keys_of_a_verdict_open_the_review(stage: StageMaker, key: str) -> None:
    async with stage(LARGE) as s:
        await s.press("6")
        assert "A approve  R reject" in s.lines()[-1]
        await s.press(key)
        assert "R rejects it with your words" in s.text
        assert s.live.asked("task.approve") == s.live.asked("task.reject") == []


async def test_a_report_is_shown_without_its_socket_and_token(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        command = "/usr/local/bin/ccp report --socket /run/agents.sock --attempt ccp_1 progress half"
        s.live.emit("activity", ref="WEB-7", activity={"kind": "tool", "text": f"exec {command}", "at": NOW})
        await s.press("4")
        assert "exec ccp report progress half" in s.lines()[-2]
        assert "--socket" not in s.text
