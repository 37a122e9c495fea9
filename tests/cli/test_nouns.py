"""The verbs of the smaller nouns: mission, agent, search, status, backup."""

from __future__ import annotations

from pathlib import Path

from ccp_tui import clock
from tests.cli.conftest import Ccp
from tests.cli.fake_service import NOW, FakeService, Json, Refusal

AGENT: Json = {
    "id": "ada", "name": "Ada", "role": "writer", "emoji": "🦊", "model": "lab/fake-1", "workspace": "/w", "unread": 2,
    "on_gateway": True, "live": "working", "working_on": "WEB-12", "files": ["SOUL.md"],
    "created_at": NOW, "updated_at": NOW,
}  # fmt: skip
MISSION: Json = {
    "id": 1, "slug": "web", "title": "Web", "icon": "◆", "prefix": "WEB", "archived": False,
    "counts": {"inbox": 2, "done": 5}
}  # fmt: skip


def test_missions(ccp: Ccp, service: FakeService) -> None:
    service.answers["mission.list"] = {"missions": [MISSION]}
    assert ccp("mission", "list", "--json").json() == [MISSION]
    head, row = ccp("mission", "list").out.splitlines()
    assert head.split() == ["MISSION", "PREFIX", "OPEN", "DONE", "TITLE"]
    assert row.split() == ["web", "WEB", "2", "5", "◆", "Web"]


def test_mission_changes(ccp: Ccp, service: FakeService) -> None:
    service.answers["mission.create"] = service.answers["mission.update"] = {"mission": MISSION}
    assert ccp("mission", "create", "The", "Web", "--prefix", "WEB", "--json").json() == MISSION
    ccp("mission", "edit", "web", "--icon", "*")
    ccp("mission", "archive", "web")
    ccp("mission", "restore", "web")
    assert service.asked("mission.create") == [{"title": "The Web", "prefix": "WEB"}]
    assert service.asked("mission.update") == [
        {"slug": "web", "icon": "*"},
        {"slug": "web", "archived": True},
        {"slug": "web", "archived": False},
    ]


def test_agents(ccp: Ccp, service: FakeService) -> None:
    service.answers["agent.list"] = {"agents": [AGENT]}
    assert ccp("agent", "list", "--json").json() == [AGENT]
    assert "working on WEB-12" in ccp("agent", "list").out
    assert ccp("agent", "show", "ada", "--json").json() == AGENT
    assert ccp("agent", "show", "bob").code == 3


def test_agent_changes(ccp: Ccp, service: FakeService, tmp_path: Path) -> None:
    soul = tmp_path / "SOUL.md"
    soul.write_text("Be kind.\n")
    service.answers["agent.create"] = service.answers["agent.update"] = {"agent": AGENT}
    service.answers["agent.set_file"] = {"version": 3}
    ccp("agent", "create", "Ada", "L", "--model", "lab/fake-1", "--soul", str(soul))
    ccp("agent", "edit", "ada", "--role", "editor")
    assert "version 3" in ccp("agent", "set-file", "ada", "SOUL.md", str(soul)).out
    assert service.asked("agent.create") == [{"name": "Ada L", "model": "lab/fake-1", "soul": "Be kind.\n"}]
    assert service.asked("agent.update") == [{"id": "ada", "role": "editor"}]
    assert service.asked("agent.set_file") == [{"id": "ada", "name": "SOUL.md", "content": "Be kind.\n"}]


def test_agent_files_come_as_written(ccp: Ccp, service: FakeService) -> None:
    versions = [{"version": 1, "created_at": NOW, "author": "ann"}]
    service.answers["agent.file"] = {
        "name": "SOUL.md",
        "content": "Be kind.",
        "version": 1,
        "versions": versions,
    }
    assert ccp("agent", "file", "ada", "SOUL.md").out == "Be kind.\n"
    assert "ann" in ccp("agent", "file", "ada", "SOUL.md", "--versions").out


def test_agent_import(ccp: Ccp, service: FakeService) -> None:
    service.answers["agent.importable"] = {"agents": [{"id": "bob", "name": "Bob"}]}
    service.answers["agent.import"] = {"agents": [AGENT]}
    assert "bob" in ccp("agent", "import").out
    assert service.asked("agent.import") == []
    ccp("agent", "import", "--all")
    ccp("agent", "import", "ada", "bob")
    assert service.asked("agent.import") == [{"ids": ["bob"]}, {"ids": ["ada", "bob"]}]


def test_models(ccp: Ccp, service: FakeService) -> None:
    models = [{"id": "lab/fake-1", "provider": "lab", "name": "Fake"}]
    service.answers["model.list"] = {"models": models}
    assert ccp("agent", "models", "--json").json() == models
    service.answers["model.list"] = Refusal("UNAVAILABLE", "the gateway is away", fix="start it")
    ran = ccp("agent", "models")
    assert ran.code == 5
    assert "start it" in ran.err


def test_search(ccp: Ccp, service: FakeService) -> None:
    hit = {
        "kind": "task",
        "ref": "WEB-12",
        "title": "T",
        "snippet": "the \x02re\x1b[1mport\x03 is",
        "at": NOW,
    }
    service.answers["search"] = {"hits": [hit]}
    out = ccp("search", "the", "report").out
    assert "WEB-12" in out
    assert "the report is" in out
    assert service.asked("search")[0]["text"] == "the report"
    found = ccp("search", "report", "--json").json()
    assert found[0]["snippet"] == "the re\x1b[1mport is"
    service.answers["search"] = {"hits": []}
    assert ccp("search", "nothing").code == 0


STATUS: Json = {
    "service": {
        "pid": 42,
        "version": "0.1.0",
        "home": "/h",
        "started_at": clock.now(),
        "uptime_s": 3,
        "demo": False,
    },
    "gateway": {
        "state": "refused",
        "url": "ws://127.0.0.1:1",
        "detail": "wrong token",
        "fix": "set CCP_GATEWAY_TOKEN",
    },
    "tasks": {"inbox": 2, "in_progress": 1, "done": 0},
    "shortages": [
        {
            "kind": "memory",
            "times": 1,
            "at": clock.after(-300),
            "text": "a program was killed.",
            "fix": "Resize it.",
        }
    ],
    "held": 1,
    "needs_you": 3,
}


def test_status(ccp: Ccp, service: FakeService) -> None:
    service.answers["status"] = STATUS
    document = ccp("status", "--json").json()
    assert document["service"]["pid"] == 42
    assert document["gateway"]["state"] == "refused"
    out = ccp("status").out
    for words in (
        "pid 42",
        "refused",
        "set CCP_GATEWAY_TOKEN",
        "2 inbox, 1 in progress",
        "3 waiting for you",
        "m ago: a program was killed. Resize it.",
    ):
        assert words in out


def test_backup_names_an_absolute_path(ccp: Ccp, service: FakeService) -> None:
    service.answers["backup"] = {"path": "/b/mission.db", "bytes": 4096}
    assert "4,096 bytes" in ccp("backup").out
    ccp("backup", "copy.db")
    assert service.asked("backup") == [{}, {"path": str(Path("copy.db").absolute())}]
