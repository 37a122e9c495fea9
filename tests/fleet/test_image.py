"""The recipe, its digests, the wheel it installs, OpenClaw's configuration, and which images are pruned."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import stat
import tarfile
import tomllib
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccp_tui import __version__
from ccp_tui.incus import FleetError, names
from ccp_tui.incus.image import bootstrap, firstboot, images, provision, recipe, sources, wheel

OURS = recipe.load()


def test_every_file_is_listed_and_packed_with_its_mode() -> None:
    with tarfile.open(fileobj=io.BytesIO(OURS.archive())) as tar:
        held = {f"/{entry.name}": entry for entry in tar if entry.isfile()}
        folders = [entry for entry in tar if entry.isdir()]
    assert set(held) == {file.path for file in OURS.files}
    assert held["/usr/local/bin/ccp"].mode == 0o755
    assert all((entry.uid, entry.gid) == (0, 0) for entry in (*held.values(), *folders))
    assert {entry.mode for entry in folders} == {0o755}


def test_no_file_of_the_image_is_anybodys_but_roots() -> None:
    for file in OURS.files:
        assert file.mode in (0o644, 0o755), file.path
        assert b"BEGIN" not in file.content


def test_the_users_are_the_ones_that_the_fleet_knows() -> None:
    users = {user.name: user for user in OURS.users}
    assert (users["ccp"].uid, users["ccp"].home) == (names.CCP_UID, names.CCP_HOME)
    assert (users["openclaw"].uid, users["openclaw"].home) == (names.OPENCLAW_UID, names.OPENCLAW_HOME)
    assert {group.name: group.gid for group in OURS.groups}["agents"] == names.AGENTS_GID
    assert all("agents" in user.groups for user in OURS.users)
    units = {file.path.rpartition("/")[2] for file in OURS.files}
    assert set(names.UNITS.values()) <= units & set(OURS.enable)


def test_the_makefile_and_the_recipe_name_the_same_versions() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    assert f"NODE_VERSION := {OURS.node}\n" in makefile
    assert f"OPENCLAW_VERSION := {OURS.openclaw}\n" in makefile


def test_digests_change_with_what_they_are_of() -> None:
    base = OURS.base_digest("bootstrap", "a>=1")
    assert base == recipe.load().base_digest("bootstrap", "a>=1")
    others = {
        OURS.base_digest("image images:debian/12", "a>=1"),
        OURS.base_digest("bootstrap", "a>=2"),
        replace(OURS, openclaw="2027.1.1").base_digest("bootstrap", "a>=1"),
        replace(OURS, packages=(*OURS.packages, "vim")).base_digest("bootstrap", "a>=1"),
        replace(OURS, constraints="").base_digest("bootstrap", "a>=1"),
    }
    assert len(others | {base}) == 6
    # A file of ours is in the whole image only: the base is reused.
    changed = replace(OURS, files=(replace(OURS.files[0], content=b""), *OURS.files[1:]))
    assert changed.base_digest("bootstrap", "a>=1") == base
    assert (
        len(
            {OURS.digest(base, "1"), changed.digest(base, "1"), OURS.digest(base, "2"), OURS.digest("x", "1")}
        )
        == 4
    )


def test_the_wheel_is_ours_and_whole() -> None:
    ours = wheel.current()
    assert ours.name == f"ccp_tui-{__version__}-py3-none-any.whl"
    assert ours.pack() == wheel.current().pack(), "the same code gives the same bytes"
    with zipfile.ZipFile(io.BytesIO(ours.pack())) as archive:
        held = set(archive.namelist())
        assert archive.testzip() is None
        assert not any(stat.S_ISLNK(entry.external_attr >> 16) for entry in archive.infolist())
    assert {
        "ccp_tui/__init__.py",
        "ccp_tui/schema.sql",
        "ccp_tui/screens/__init__.py",
        "ccp_tui/incus/image/recipe.yaml",
        "ccp_tui/constraints.txt",
        "ccp_tui/incus/image/files/etc/systemd/system/ccp.service",
        f"ccp_tui-{__version__}.dist-info/RECORD",
        f"ccp_tui-{__version__}.dist-info/entry_points.txt",
    } <= held
    assert not any("__pycache__" in name or name.startswith("tests") for name in held)
    assert any(need.startswith("textual") for need in ours.requirements)
    assert not any("pytest" in need for need in ours.requirements)


def test_the_entry_points_are_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert [
        f"{name} = {where}" for name, where in project["scripts"].items()
    ] == wheel.ENTRY_POINTS.splitlines()[1:]
    assert wheel.current().requirements == tuple(sorted(project["dependencies"]))


def test_a_ccp_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "DISTRIBUTION", "ccp-nonesuch")
    with pytest.raises(FleetError, match="without being installed"):
        wheel.current()


def test_mmdebstrap_is_asked_for_the_recipes_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    words = bootstrap.command(OURS, Path("/tmp/x/rootfs.tar"))
    assert words[-2:] == ["bookworm", "/tmp/x/rootfs.tar"]
    assert f"--include={','.join(OURS.bootstrap)}" in words
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FleetError, match="mmdebstrap is not installed"):
        bootstrap.command(OURS, Path("/tmp/x/rootfs.tar"))


class Daemon:
    """What images.py asks an Incus, answered from memory."""

    name = "local"

    def __init__(self, held: list[dict[str, Any]], instances: dict[str, str]) -> None:
        self.images = held
        self.instances: list[dict[str, Any]] = [
            {"name": name, "config": {images.CAME_FROM: fingerprint}}
            for name, fingerprint in instances.items()
        ]
        self.deleted: list[str] = []

    async def get(self, path: str, params: object = None, within: float = 0) -> Any:
        if path == "/1.0/images":
            return self.images
        if path == "/1.0/instances":
            return self.instances
        if path.startswith("/1.0/images/aliases/"):
            raise FleetError("NOT_FOUND", "Image alias not found.")
        raise AssertionError(path)

    async def call(self, method: str, path: str, body: object = None, params: object = None) -> Any:
        if method == "DELETE":
            self.deleted.append(path.rpartition("/")[2])
        return {}


def image(fingerprint: str, created: str, *aliases: str, mark: str = names.IMAGE_MARK) -> dict[str, Any]:
    return {
        "fingerprint": fingerprint,
        "aliases": [{"name": alias} for alias in aliases],
        "properties": {mark: "1", names.IMAGE_CREATED: created, names.IMAGE_VERSION: "0.1.0"} if mark else {},
        "size": 5,
        "uploaded_at": "2026-11-23T14:25:16.917123456Z",
    }


async def test_prune_keeps_what_is_used_or_latest_and_what_is_not_ours() -> None:
    daemon = Daemon(
        [
            image("a" * 64, "2026-11-23T10:00:00.000Z", "ccp/0.1.0-old"),
            image("b" * 64, "2026-11-23T11:00:00.000Z", "ccp/0.1.0-used"),
            image("c" * 64, "2026-11-23T12:00:00.000Z", "ccp/latest", "ccp/0.1.0-new"),
            image("d" * 64, "", "debian", mark=""),
            image("e" * 64, "2026-11-23T10:00:00.000Z", "ccp-base/bookworm-old", mark=names.BASE_MARK),
            image("f" * 64, "2026-11-23T11:00:00.000Z", "ccp-base/bookworm-new", mark=names.BASE_MARK),
        ],
        {"web": "b" * 64},
    )
    found = await images.listed(daemon)  # type: ignore[arg-type]
    assert [(one.alias, one.latest, one.base, one.used_by) for one in found] == [
        ("ccp/0.1.0-new", True, False, ()),
        ("ccp/0.1.0-used", False, False, ("web",)),
        ("ccp-base/bookworm-new", False, True, ()),
        ("ccp/0.1.0-old", False, False, ()),
        ("ccp-base/bookworm-old", False, True, ()),
    ]
    gone = await images.prune(daemon)  # type: ignore[arg-type]
    assert sorted(gone) == ["ccp-base/bookworm-old", "ccp/0.1.0-old"]
    assert sorted(daemon.deleted) == ["a" * 64, "e" * 64]


async def test_prune_removes_what_killed_builds_left() -> None:
    daemon = Daemon([], {})
    mark = {images.BUILDER: "1"}
    daemon.instances = [
        {"name": "ccp-build-old", "config": mark, "created_at": "2026-01-01T00:00:00.5Z"},
        {"name": "ccp-build-now", "config": mark, "created_at": "2999-01-01T00:00:00.5Z"},
        {"name": "ccp-build-mine", "config": {}, "created_at": "2026-01-01T00:00:00.5Z"},
    ]
    assert await images.prune(daemon) == ()  # type: ignore[arg-type]
    assert daemon.deleted == ["ccp-build-old"]


async def test_a_base_that_is_not_there_is_told(tmp_path: Path) -> None:
    daemon = Daemon([], {})
    for base, code in (("images:", "USAGE"), ("nonesuch", "NOT_FOUND"), ("local:nonesuch", "NOT_FOUND")):
        with pytest.raises(FleetError) as caught:
            await sources.source(daemon, base, tmp_path)  # type: ignore[arg-type]
        assert caught.value.code == code
    fingerprint = "0123456789ab"
    found = await sources.source(daemon, fingerprint, tmp_path)  # type: ignore[arg-type]
    assert found == {"type": "image", "fingerprint": fingerprint}


def test_provider_settings() -> None:
    wanted = {
        "provider": "my-llm",
        "provider_url": "https://llm.example/v1",
        "model": "big",
        "extra": {"a": {"b": 1}},
    }
    made = provision.provider(wanted, has_key=True)
    assert made["models"]["providers"]["my-llm"]["apiKey"] == "${MY_LLM_API_KEY}"
    assert made["models"]["providers"]["my-llm"]["models"][0]["id"] == "big"
    assert made["agents"]["defaults"]["model"]["primary"] == "my-llm/big"
    assert made["a"] == {"b": 1}
    known = provision.provider({"provider": "openai", "model": "openai/gpt"}, has_key=True)
    assert known == {"agents": {"defaults": {"model": {"primary": "openai/gpt"}}}}
    assert provision.key_variable("openai") == "OPENAI_API_KEY"
    assert provision.key_variable("3x.y") == "_3X_Y_API_KEY"
    assert provision.provider({}, has_key=False) == {}
    wrongs: tuple[dict[str, Any], ...] = ({"provider": 3}, {"extra": []}, {"model": {}})
    for wrong in wrongs:
        with pytest.raises(provision.ProvisionError):
            provision.provider(wrong, has_key=False)


def test_the_configuration_is_made_once_and_changed_where_it_must(tmp_path: Path) -> None:
    state = tmp_path / ".openclaw"
    wanted = {"provider": "lab", "provider_url": "http://10.0.0.1/v1", "model": "one"}
    assert firstboot.configure(state, "first", wanted) == "configuration: written"
    path = state / "openclaw.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = json.loads(path.read_text())
    assert made["gateway"]["auth"] == {"mode": "token", "token": "first"}
    assert made["gateway"]["bind"] == "loopback"
    assert made["models"]["providers"]["lab"]["apiKey"] == "none"
    assert firstboot.configure(state, "first", None) == "configuration: unchanged"
    # What a person or the gateway changed stays; the token of a copy is its own.
    made["agents"]["defaults"]["heartbeat"]["every"] = "1h"
    made["gateway"]["bind"] = "lan"
    path.write_text(json.dumps(made))
    (state / ".env").write_text("LAB_API_KEY=sk-1\n")
    assert firstboot.configure(state, "second", wanted) == "configuration: written"
    again = json.loads(path.read_text())
    assert again["agents"]["defaults"]["heartbeat"]["every"] == "1h"
    assert again["gateway"]["bind"] == "loopback"
    assert again["gateway"]["auth"]["token"] == "second"
    assert again["models"]["providers"]["lab"]["apiKey"] == "${LAB_API_KEY}"
    path.write_text("// mine\n{}")
    assert "left as it is" in firstboot.configure(state, "third", None)
    assert path.read_text() == "// mine\n{}"
    assert sorted(one.name for one in state.iterdir()) == [".env", "openclaw.json"]


def test_a_token_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "service.env"
    token = firstboot.gateway_token(path)
    assert len(token) == 64
    assert firstboot.gateway_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == f"CCP_GATEWAY_URL=ws://127.0.0.1:18789\nCCP_GATEWAY_TOKEN={token}\n"
    path.unlink()
    assert firstboot.gateway_token(path) != token


@pytest.mark.parametrize("text", ["{", "[]", '{"extra": 1}', '{"provider": 1}', "\xff"])
def test_settings_that_can_not_be_used_are_left_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "provision.json"
    path.write_bytes(text.encode("latin-1"))
    assert firstboot.provision_of(path) == (None, "")
    assert firstboot.provision_of(tmp_path / "nothing") == (None, "")


@pytest.mark.parametrize(("booted_before", "code"), [(False, 1), (True, 0)])
def test_agents_can_not_keep_the_machine_from_booting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, booted_before: bool, code: int
) -> None:
    """A failed configuration fails the first boot, where it is told, and no later one."""
    (tmp_path / "etc/ccp").mkdir(parents=True)
    (tmp_path / firstboot.PROVISION).write_text('{"model": "one"}')
    if booted_before:
        (tmp_path / firstboot.PROVISIONED).write_text("0" * 64)
    tasks: list[dict[str, Any]] = []
    monkeypatch.setattr(firstboot, "ROOT", tmp_path)
    monkeypatch.setattr(firstboot, "host_key", lambda path: None)
    outcomes = [False, True, True]

    def as_agents(task: dict[str, Any]) -> bool:
        tasks.append(task)
        return outcomes[len(tasks) - 1]

    monkeypatch.setattr(firstboot, "as_agents", as_agents)
    assert firstboot.main([]) == code
    assert tasks[0]["provision"] == {"model": "one"}
    assert firstboot.main([]) == firstboot.main([]) == 0
    assert [task["provision"] for task in tasks[1:]] == [{"model": "one"}, None], "written once"


def test_the_owner_of_a_copied_state_is_forgotten(tmp_path: Path) -> None:
    """OpenClaw's own table, with the row of a gateway that lived under another host name."""
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "openclaw.sqlite"
    firstboot.forget_owner(tmp_path)
    assert not path.exists()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE state_leases (scope TEXT, key TEXT)")
        database.execute("INSERT INTO state_leases VALUES ('gateway-owner', 'global'), ('other', 'x')")
    firstboot.forget_owner(tmp_path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT scope FROM state_leases").fetchall() == [("other",)]
    path.write_bytes(b"no database")
    firstboot.forget_owner(tmp_path)
