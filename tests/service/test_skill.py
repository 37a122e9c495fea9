"""The reporting skill: installed once after a connect, seen by agents, and nothing but words when it can't be."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ccp_tui.gateway import GatewayError
from ccp_tui.gateway.calls import GatewayCalls
from ccp_tui.paths import Home
from ccp_tui.service.reports import skill
from tests.service.board import board_on, spec, until


def test_the_change_keeps_what_others_have_and_is_empty_when_all_is_there(tmp_path: Path) -> None:
    had = {"tools": {"exec": {"pathPrepend": ["/usr/local/bin"], "mode": "full"}}}
    patch = skill.missing({"config": had, "parsed": had}, tmp_path)
    assert patch["tools"] == {"exec": {"pathPrepend": ["/usr/local/bin", f"{tmp_path}/bin"]}}
    assert patch["skills"] == {"load": {"extraDirs": [f"{tmp_path}/skills"]}}
    assert skill.missing({"config": patch}, tmp_path) == {}
    assert skill.missing({"config": {"tools": "odd"}}, tmp_path).keys() == {"skills", "tools"}


def test_the_change_is_made_of_what_the_person_wrote(tmp_path: Path) -> None:
    written, resolved = (
        {"tools": {"exec": {"pathPrepend": [folder]}}} for folder in ("${TOOLS}/bin", "/usr/local/tools/bin")
    )
    patch = skill.missing({"config": resolved, "parsed": written}, tmp_path)
    assert patch["tools"]["exec"]["pathPrepend"][0] == "${TOOLS}/bin"


def test_files_are_written_once_and_mended(tmp_path: Path) -> None:
    skill.write_files(tmp_path, "/bin/echo")
    note, launcher = tmp_path / "skills/ccp-report/SKILL.md", tmp_path / "bin/ccp"
    assert note.read_text() == skill.SKILL
    assert os.access(launcher, os.X_OK)
    before = (note.stat().st_ino, launcher.stat().st_ino)
    skill.write_files(tmp_path, "/bin/echo")
    assert (note.stat().st_ino, launcher.stat().st_ino) == before
    note.write_text("changed")
    skill.write_files(tmp_path, "/bin/echo")
    assert note.read_text() == skill.SKILL
    assert not list(tmp_path.glob("**/.*"))


def test_the_launcher_is_never_itself() -> None:
    assert skill.launched("/usr/bin/ccp") == "/usr/bin/ccp"
    assert skill.launched("ccp").endswith(" -m ccp_tui")


def test_the_skill_names_every_verb_of_the_report_command() -> None:
    for verb in ("progress", "deliver", "submit", "ask", "block", "subtask", "verdict"):
        assert f"`{verb} " in skill.SKILL


async def test_a_service_installs_it_once_and_agents_find_ccp(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    patches: list[object] = []
    patch = GatewayCalls.config_patch

    async def counted(calls: GatewayCalls, change: dict[str, object], base_hash: str) -> None:
        patches.append(change)
        await patch(calls, change, base_hash)

    monkeypatch.setattr(GatewayCalls, "config_patch", counted)
    async with board_on(home, install_skill=True) as board:
        calls = board.service.gateway.calls
        await until(lambda: patches)
        assert skill.NAME in [one["name"] for one in await calls.skills()]
        config = (await calls.config())["config"]
        assert config["tools"]["exec"]["pathPrepend"] == [str(home.root / "bin")]
        assert (await board.call("status"))["skill"] == ""
        await board.dispatched(spec("!exec command -v ccp > hello.md; cat hello.md"))
        await until(lambda: (board.workspace / "hello.md").exists())
        await until(lambda: (board.workspace / "hello.md").read_text())
        assert (board.workspace / "hello.md").read_text().strip() == str(home.root / "bin/ccp")
        await board.restart_service()
        assert len(patches) == 1


@pytest.mark.parametrize(
    ("details", "words"),
    [({"missingScope": "operator.admin"}, "may not change its configuration"), ({}, "no such thing")],
)
async def test_a_gateway_that_refuses_is_told_of_and_work_goes_on(
    home: Home, monkeypatch: pytest.MonkeyPatch, details: dict[str, str], words: str
) -> None:
    async def refused(*_: object) -> None:
        raise GatewayError("FORBIDDEN", "no such thing", details)

    monkeypatch.setattr(GatewayCalls, "config_patch", refused)
    async with board_on(home, install_skill=True) as board:
        await until(lambda: words in board.service._live.skill)
        assert words in (await board.call("status"))["skill"]
        ref = await board.dispatched(spec())
        await board.reach(ref, "review")


async def test_a_gateway_elsewhere_is_left_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    async with board_on(home) as board:
        service = board.service
        made = skill.Skill(service._c)
        status = replace(service.gateway.status, url="wss://gate.example:443")
        monkeypatch.setattr(service.gateway, "status", status)
        await made.connected()
        assert service._live.skill == ""  # switched off
        service._c.settings = replace(service._c.settings, install_skill=True)
        await made.connected()
        assert "runs elsewhere (gate.example)" in service._live.skill
        assert not (home.root / "skills").exists()
