"""The agents screen and the files of an agent."""

from __future__ import annotations

from typing import Any

from ccp_tui.failures import ServiceFailure
from ccp_tui.screens.agents import AgentsScreen
from ccp_tui.screens.agents.files import AgentFilesScreen
from ccp_tui.screens.agents.form import AgentForm
from ccp_tui.screens.chat import ChatScreen
from tests.screens.conftest import LARGE, Stage, StageMaker
from tests.screens.fakes import agent, snapshot
from tests.screens.talk import ANSWERS, type_words


async def agents(s: Stage, **params: Any) -> AgentsScreen:
    s.live.answers.update(ANSWERS)
    s.app.open("agents", **params)
    await s.settle()
    screen = s.app.screen
    assert isinstance(screen, AgentsScreen)
    return screen


async def test_every_agent_with_its_live_state(stage: StageMaker) -> None:
    async with stage(size=LARGE) as s:
        await agents(s)
        text = s.text
        assert "● working on WEB-7" in text
        assert "● waiting on WEB-8" in text
        assert "○ offline" in text
        assert "not on the gateway" in text
        assert "✉ 2" in text
        assert "exec: pytest tests/search -q" in text


async def test_a_change_shows_at_once_and_the_cursor_stays(stage: StageMaker) -> None:
    async with stage() as s:
        screen = await agents(s, agent="owl")
        s.live.emit("agent.changed", agent=agent("owl", "Owl", "🦉", live="idle"))
        s.live.emit("agent.changed", agent=agent("ant", "Ant", live="working", working_on="WEB-9"))
        await s.settle()
        assert "○ idle" in s.text
        assert "working on WEB-9" in s.text
        assert screen.roster.key == "owl"


async def test_enter_chats_and_t_goes_to_the_task(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("t")
        assert getattr(s.app.screen, "ref", "") == "WEB-7"
        await s.press("escape", "enter")
        assert isinstance(s.app.screen, ChatScreen)


async def test_the_model_is_one_of_the_gateways(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("m", *"opus", "enter")
        assert s.live.asked("agent.update") == [{"id": "fox", "model": "anthropic/opus"}]
        assert "from its next run on" in s.text


async def test_an_agent_is_made_in_one_box(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["agent.create"] = {"agent": {"id": "bee"}}
        await agents(s)
        await s.press("n", "enter")
        assert "It needs a name." in s.text
        await type_words(s, "Bee")
        await s.press("tab")
        await type_words(s, "tester")
        await s.press("tab", "tab", "down", "enter", "tab")
        await type_words(s, "You test.")
        await s.press("ctrl+o")
        assert s.live.asked("agent.create") == [
            {"name": "Bee", "role": "tester", "model": "openai/gpt-5", "soul": "You test."}
        ]
        assert isinstance(s.app.screen, AgentsScreen)


async def test_a_refused_agent_keeps_every_word_in_its_box(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["agent.create"] = ServiceFailure(
            "REFUSED", "taken", {"gate": "name", "reason": "Fox exists."}
        )
        await agents(s)
        await s.press("n")
        await type_words(s, "Fox")
        await s.press("enter")
        form = s.app.screen
        assert isinstance(form, AgentForm)
        assert "Refused by name: Fox exists." in s.text
        assert form.inputs["name"].value == "Fox"


async def test_changing_sends_only_what_changed(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("r", "tab", "end")
        await type_words(s, "!")
        await s.press("enter")
        assert s.live.asked("agent.update") == [{"id": "fox", "role": "coder!"}]


async def test_several_agents_are_imported_at_once(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("i")
        assert "[ ] 🦞 Main" in s.text
        await s.press("space", "space", "enter")
        assert s.live.asked("agent.import") == [{"ids": ["cat", "main"]}]
        assert "2 agents imported." in s.text


async def test_a_refused_import_stays_open_with_the_marks(stage: StageMaker) -> None:
    async with stage() as s:
        s.live.answers["agent.import"] = ServiceFailure(
            "UNAVAILABLE", "The gateway is away.", {"fix": "Start it."}
        )
        await agents(s)
        await s.press("i", "a", "enter")
        assert "The gateway is away. Start it." in s.text
        assert s.text.count("[x]") == 2


async def test_no_agents_says_what_to_press(stage: StageMaker) -> None:
    async with stage(board=snapshot() | {"agents": []}) as s:
        await agents(s)
        assert "i brings in the agents that the gateway has." in s.text
        await s.press("enter", "m", "e")
        assert isinstance(s.app.screen, AgentsScreen)


async def test_files_show_versions_and_what_each_changed(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("e")
        assert isinstance(s.app.screen, AgentFilesScreen)
        assert "v2  1h ago  in use" in s.text
        assert "You are Fox, a careful and quick coder." in s.text
        await s.press("d")
        assert "-You are Fox, a careful coder." in s.text
        assert "+You are Fox, a careful and quick coder." in s.text
        await s.press("d", "j")
        assert "You are Fox, a careful coder." in s.text
        assert "say what is left" not in s.text


async def test_an_old_version_is_brought_back_as_a_new_one(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("e", "R")
        assert "This is the version in use." in s.text
        await s.press("j", "R")
        assert "Use version 1 of SOUL.md again?" in s.text
        await s.press("y")
        [saved] = s.live.asked("agent.set_file")
        assert saved["name"] == "SOUL.md"
        assert "a careful coder" in saved["content"]


async def test_editing_saves_a_version_and_a_refusal_keeps_the_text(stage: StageMaker) -> None:
    async with stage() as s:
        await agents(s)
        await s.press("e", "2")
        assert "USER.md is empty. Press e to write it" in s.text
        await s.press("e")
        await type_words(s, "Ada")
        s.live.answers["agent.set_file"] = ServiceFailure(
            "UNAVAILABLE", "The gateway is away.", {"fix": "Wait."}
        )
        await s.press("ctrl+o")
        assert "The gateway is away." in s.text
        assert "Ada" in s.text
        del s.live.answers["agent.set_file"]
        await s.press("ctrl+o")
        saved = s.live.asked("agent.set_file")[-1]
        assert saved == {"id": "fox", "name": "USER.md", "content": "Ada"}
        assert isinstance(s.app.screen, AgentFilesScreen)
