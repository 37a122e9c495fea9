"""Agents: a file that the gateway changed meanwhile, agents on duty, and deleting one that has work."""

from __future__ import annotations

from typing import Any

import pytest

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.screens.agents import AgentsScreen
from ccp_tui.screens.agents.conflict import ConflictScreen
from ccp_tui.screens.agents.files import AgentFilesScreen
from ccp_tui.screens.widgets.editing import EditScreen
from ccp_tui.screens.widgets.fields import FieldsForm
from tests.screens.conftest import LARGE, SMALL, Stage, StageMaker
from tests.screens.fakes import HOUR_AGO, YESTERDAY, Json, agent, snapshot
from tests.screens.picture import check_picture
from tests.screens.talk import ANSWERS, type_words

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
THEIRS = "# SOUL.md\n\nYou are Fox.\nAnswer in rhymes.\n"


def changed(params: Json) -> Json:
    """What ``agent.set_file`` answers while the gateway's file is not what was edited."""
    if not params.get("force"):
        raise ServiceFailure(
            "REFUSED", "changed", {"gate": "file_changed", "reason": "changed", "theirs": THEIRS}
        )
    return {"version": 4}


async def agents(s: Stage, **params: Any) -> AgentsScreen:
    s.live.answers.update(ANSWERS)
    s.app.open("agents", **params)
    await s.settle()
    screen = s.app.screen
    assert isinstance(screen, AgentsScreen)
    return screen


async def conflict(s: Stage) -> None:
    """Edits SOUL.md and saves it over a change of the gateway's."""
    await agents(s)
    s.live.answers["agent.set_file"] = changed
    await s.press("e", "e")
    await type_words(s, "Mine. ")
    await s.press("ctrl+o")
    assert isinstance(s.app.screen, ConflictScreen)


@SIZES
async def test_picture(stage: StageMaker, size: tuple[int, int]) -> None:
    async with stage(size) as s:
        await conflict(s)
        check_picture(s.app, f"agent-conflict-{size[0]}x{size[1]}")
    async with stage(size) as s:
        await agents(s)
        await s.press("D", "tab")
        check_picture(s.app, f"agent-delete-{size[0]}x{size[1]}")


async def test_a_save_says_which_version_was_edited(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("e", "e")
        await type_words(s, "Mine. ")
        await s.press("ctrl+o")
        [saved] = s.live.asked("agent.set_file")
        assert saved["base_version"] == 2
        assert "force" not in saved


async def test_both_texts_are_shown_and_mine_can_be_kept(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        await conflict(s)
        assert "-Answer in rhymes." in s.text
        assert "+Mine. " in s.text
        await s.press("v")
        assert "Answer in rhymes." in s.text
        assert "Mine." not in s.text
        await s.press("v")
        assert "Mine." in s.text
        await s.press("m")
        saved = s.live.asked("agent.set_file")[-1]
        assert saved["force"] is True
        assert saved["content"].startswith("Mine. ")
        assert isinstance(s.app.screen, AgentFilesScreen)
        assert "SOUL.md is saved, over the gateway's change." in s.text


async def test_theirs_can_be_taken(stage: StageMaker) -> None:
    async with stage() as s:
        await conflict(s)
        await s.press("t")
        saved = s.live.asked("agent.set_file")[-1]
        assert (saved["content"], saved["force"]) == (THEIRS, True)
        assert "SOUL.md is as it was changed on the gateway." in s.text


@pytest.mark.parametrize("key", ["e", "escape"])
async def test_editing_again_keeps_every_word_and_saves_over_what_was_seen(
    stage: StageMaker, key: str
) -> None:
    async with stage() as s:
        await conflict(s)
        s.live.answers["agent.file"] = lambda params: {"content": THEIRS, "version": 3, "versions": []}
        await s.press(key)
        screen = s.app.screen
        assert isinstance(screen, EditScreen)
        assert "It was changed on the gateway meanwhile." in s.text
        assert screen.area.text.startswith("Mine. ")
        s.live.answers["agent.set_file"] = {"version": 4}
        await s.press("ctrl+o")
        assert s.live.asked("agent.set_file")[-1]["base_version"] == 3
        assert isinstance(s.app.screen, AgentFilesScreen)


async def test_a_choice_that_can_not_be_stored_loses_nothing(stage: StageMaker) -> None:
    async with stage() as s:
        await conflict(s)
        s.live.answers["agent.set_file"] = ServiceUnavailable(
            "The control service is away.", "run `ccp serve`."
        )
        await s.press("m")
        screen = s.app.screen
        assert isinstance(screen, EditScreen)
        assert "The control service is away." in s.text
        assert screen.area.text.startswith("Mine. ")


async def test_bringing_back_a_version_meets_the_same_question(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        s.live.answers["agent.set_file"] = changed
        await s.press("e", "j", "R", "y")
        assert isinstance(s.app.screen, ConflictScreen)
        await s.press("escape")
        assert isinstance(s.app.screen, AgentFilesScreen)
        assert "It was changed on the gateway meanwhile." in s.text


async def test_versions_of_the_gateway_are_shown_as_such(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        versions = [{"version": 1, "created_at": YESTERDAY, "author": "ada"},
                    {"version": 2, "created_at": HOUR_AGO, "author": "gateway"}]  # fmt: skip
        s.live.answers["agent.file"] = {
            "name": "SOUL.md",
            "content": THEIRS,
            "version": 2,
            "versions": versions,
        }
        await s.press("e")
        assert "changed on the gateway" in s.text
        assert s.text.count("changed on the gateway") == 1


async def test_agents_on_duty_are_marked(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        s.live.emit("agent.changed", agent=agent("ccp-planner", "ccp planner", "", duty="planner"))
        await agents(s, agent="ccp-planner")
        assert "planner        ○ idle" in s.text
        assert "the service's planner, replaceable in a" in s.text


async def test_deleting_an_agent_with_work_asks_what_becomes_of_it_and_for_its_name(
    stage: StageMaker,
) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("D", "enter")
        assert "In its hands: WEB-5, WEB-7, WEB-10" in s.text
        assert "It has work: say what becomes of it." in s.text
        await s.press("right", "enter")
        assert "Type Fox to delete it." in s.text
        await type_words(s, "Owl")
        await s.press("enter")
        assert "Type Fox to delete it." in s.text
        assert s.live.asked("agent.delete") == []
        await s.press("backspace", "backspace", "backspace")
        await type_words(s, "Fox")
        await s.press("enter")
        assert s.live.asked("agent.delete") == [{"id": "fox", "work": "unassign", "delete_files": False}]
        assert "Fox is deleted." in s.text


async def test_deleting_an_idle_agent_asks_for_its_name_only(stage: StageMaker) -> None:
    async with stage(SMALL, snapshot() | {"tasks": []}) as s:
        await agents(s)
        await s.press("D", "tab", "right", "tab")
        await type_words(s, "Fox")
        await s.press("enter")
        assert s.live.asked("agent.delete") == [{"id": "fox", "delete_files": True}]


async def test_a_refused_delete_stays_in_its_box(stage: StageMaker) -> None:
    async with stage(SMALL, snapshot() | {"tasks": []}) as s:
        await agents(s)
        s.live.answers["agent.delete"] = ServiceFailure(
            "UNAVAILABLE", "The gateway is away.", {"fix": "Start it."}
        )
        await s.press("D", "tab", "tab")
        await type_words(s, "Fox")
        await s.press("enter")
        assert isinstance(s.app.screen, FieldsForm)
        assert "The gateway is away. Start it." in s.text
