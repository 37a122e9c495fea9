"""A service and agents that are two users: what they share lies where both may go, and nothing else is opened."""

from __future__ import annotations

import asyncio
import grp
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.paths import SOCKET_PATH_LIMIT, Home, HomeError
from ccp_tui.service.door.unixsocket import SocketError, listen
from ccp_tui.service.reports import skill
from ccp_tui.service.settings import Settings
from ccp_tui.service.verification.deliverables import NotDelivered, look
from tests.service.board import board_on, spec, until
from tests.service.processes import processes_on
from tests.service.test_crew import LARGE, agents, approve, assigned, proposal
from tests.support.embedded import EmbeddedGateway

GROUP = grp.getgrgid(os.getgid()).gr_name


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_settings_come_from_the_environment() -> None:
    assert Settings.load(env={}).workspaces is None
    env = {
        "CCP_AGENTS_GROUP": "agents",
        "CCP_WORKSPACES": "/srv/agents",
        "CCP_CHECKS_SOCKET": "/run/checks.sock",
        "CCP_ABORT_ON_STOP": "on",
    }
    found = Settings.load(env=env)
    assert (found.agents_group, found.workspaces) == ("agents", Path("/srv/agents"))
    assert (found.checks_socket, found.abort_on_stop) == (Path("/run/checks.sock"), True)
    for name, value in (("CCP_WORKSPACES", "here"), ("CCP_CHECKS_SOCKET", "x"), ("CCP_ABORT_ON_STOP", "yes")):
        with pytest.raises(ValueError, match=name):
            Settings.load(env={name: value})


def test_the_agents_socket_may_lie_elsewhere(tmp_path: Path) -> None:
    home = Home.find({"CCP_HOME": str(tmp_path), "CCP_AGENTS_SOCKET_PATH": "/run/ccp/agents.sock"})
    assert (home.agents_socket, home.for_agents) == (Path("/run/ccp/agents.sock"), Path("/run/ccp"))
    assert home.control_socket.parent == tmp_path
    assert Home(tmp_path).for_agents == tmp_path
    with pytest.raises(HomeError, match="full path"):
        Home.find({"CCP_AGENTS_SOCKET_PATH": "agents.sock"})
    with pytest.raises(HomeError, match="CCP_AGENTS_SOCKET_PATH"):
        Home(tmp_path, Path("/") / ("x" * SOCKET_PATH_LIMIT)).prepare()


def test_a_socket_of_a_group_is_no_one_elses(home: Home) -> None:
    path = home.root / "one.sock"
    with listen(path, 0o660, GROUP):
        assert mode(path) == 0o660
        assert path.stat().st_gid == os.getgid()
    with pytest.raises(SocketError, match="no such group"):
        listen(path, 0o660, "no-such-group")


def test_what_agents_read_is_open_to_their_group_alone(tmp_path: Path) -> None:
    skill.write_files(tmp_path, "/bin/echo", socket=tmp_path / "a b.sock", group=GROUP)
    note, launcher = tmp_path / "skills/ccp-report/SKILL.md", tmp_path / "bin/ccp"
    assert [mode(one) for one in (note, launcher)] == [0o640, 0o750]
    assert [mode(one) for one in (note.parent, note.parents[1], launcher.parent)] == [0o750] * 3
    said = subprocess.run([launcher, "report"], capture_output=True, text=True, check=True, timeout=10)
    assert said.stdout == "report\n"
    assert f"CCP_AGENTS_SOCKET='{tmp_path}/a b.sock'" in launcher.read_text()
    skill.write_files(tmp_path, "/bin/echo")
    assert [mode(one) for one in (note, launcher, note.parent)] == [0o600, 0o700, 0o700]


def test_what_the_board_may_not_read_is_told_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.md").write_text("a")
    listing = os.scandir

    def closed(path: Any) -> Any:
        if str(path).endswith("inner"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(NotDelivered, match="chmod -R g"):
        look(tmp_path, "site")


async def test_every_agent_that_the_service_makes_works_under_one_folder(home: Home, tmp_path: Path) -> None:
    async with board_on(home, workspaces=tmp_path) as board:
        assert board.workspace == tmp_path / "ada"
        assert await asyncio.to_thread(board.workspace.is_dir)
        named = (await board.call("agent.create", name="Zoë Writer"))["agent"]
        assert (named["id"], named["workspace"]) == ("zoe-writer", str(tmp_path / "zoe-writer"))
        ref = await board.add(None, description="!assume")
        await board.call("task.plan", ref=ref, auto=True)

        async def planner() -> Any:
            agents = (await board.call("agent.list"))["agents"]
            return next((one for one in agents if one["id"] == "ccp-planner"), None)

        assert (await until(planner))["workspace"] == str(tmp_path / "ccp-planner")


async def test_so_do_those_of_a_plan(home: Home, tmp_path: Path) -> None:
    async with board_on(home, workspaces=tmp_path) as board:
        await approve(board, await proposal(board, LARGE))
        await assigned(board, "Part gather", "Part write")
        made = await agents(board)
        assert {one: made[one]["workspace"] for one in ("scout", "quill")} == {
            one: str(tmp_path / one) for one in ("scout", "quill")
        }


async def test_a_service_whose_agents_report_elsewhere(home: Home, tmp_path: Path) -> None:
    """The whole way with a socket outside the home: the prompt names it, and the worker's report arrives on it."""
    shared = home.root / "shared"  # short enough for a socket
    shared.mkdir()
    gateway = EmbeddedGateway(tmp_path)
    here = Home(home.root, shared / "agents.sock")
    try:
        await asyncio.to_thread(gateway.start)
        settings = {
            "CCP_AGENTS_SOCKET_PATH": str(here.agents_socket),
            "CCP_AGENTS_GROUP": GROUP,
            "CCP_WORKSPACES": str(tmp_path / "agents"),
            "CCP_INSTALL_SKILL": "on",
        }
        async with processes_on(here, gateway, **settings) as pair:
            await pair.hire()
            assert pair.workspace == tmp_path / "agents" / "ada"
            assert mode(here.agents_socket) == 0o660
            assert not (home.root / "agents.sock").exists()
            ref = await pair.dispatched(spec())
            task = await pair.reach(ref, "review")
            assert task["attempts"][0]["rounds"][0]["deliverables"]
            assert (shared / "skills" / skill.NAME / "SKILL.md").is_file()
            paths = (await pair.call("status"))["service"]["paths"]
            assert paths["agents_socket"] == str(here.agents_socket)
            assert json.dumps(str(shared / "bin")) in json.dumps(
                json.loads((gateway.state / "openclaw.json").read_text())
            )
    finally:
        await asyncio.to_thread(gateway.stop)
