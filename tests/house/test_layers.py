"""Arrows point down only: who may import whom, and who may touch the database and the screen."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest

from tests.house.tree import PACKAGE, ROOT, Import, imports, sources

GROUND = {"clock", "text", "wire", "paths", "failures", "__version__"}
MAY_IMPORT: dict[str, set[str]] = {
    "__version__": set(),
    "clock": set(),
    "doors": set(),
    "failures": set(),
    "lifecycle": set(),
    "model": set(),
    "paths": set(),
    "text": set(),
    "wire": set(),
    "policy": set(),
    "specnodes": {"text"},
    "spec": {"specnodes", "text"},
    "rows": {"text"},
    "healthrows": {"rows"},
    "sshkeys": set(),
    "terminal": set(),
    "mirror": {"healthrows", "rows", "wire"},
    "client": GROUND | {"mirror", "rows"},
    "store": {"clock", "text", "paths", "lifecycle", "model", "policy", "spec"},
    "gateway": GROUND,
    "service": GROUND | {"store", "gateway", "lifecycle", "model", "policy", "spec"},
    "incus": GROUND | {"doors"},
    "screens": GROUND
    | {"client", "doors", "healthrows", "incus", "mirror", "policy", "rows", "spec", "sshkeys", "terminal"},
    "app": GROUND | {"client", "mirror", "rows", "spec", "screens"},
    "fleet_app": GROUND | {"incus", "screens"},
    "cli": GROUND | {"client", "doors", "spec", "sshkeys", "terminal"},
    "demo": GROUND | {"client", "gateway", "service", "spec", "app", "cli"},
    "__main__": {"cli"},
}
# What the verbs load only when they are run.
LAZY: dict[str, set[str]] = {
    "cli.context": {"service"},
    "cli.stop": {"service"},
    "cli.check_runner": {"service"},
    "cli.summary": {"service"},
    "cli.serve": {"service", "gateway", "store"},
    "cli.demo": {"demo"},
    "cli.doctor_gateway": {"gateway"},
    "cli.doctor_links": {"gateway", "service"},
    "cli": {"app"},
    "cli.fleet": {"fleet_app", "incus"},
    "cli.fleet_base": {"incus"},
    "cli.fleet_create": {"incus"},
    "screens.widgets.lines": {"app"},  # for the type of the running app
}
DATABASE = {"sqlite3", "sqlite_utils"}
SCREEN = {"textual", "rich"}


@cache
def _all() -> tuple[Import, ...]:
    return tuple(found for module, path in sources().items() for found in imports(module, path))


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def test_arrows_point_down() -> None:
    wrong = []
    for found in _all():
        if not found.name.startswith(f"{PACKAGE}."):
            continue
        here, there = _room(found.module), _room(found.name)
        if here in (there, "__init__"):
            continue
        allowed = MAY_IMPORT.get(here, set())
        if found.lazy:
            allowed = allowed | LAZY.get(found.module.removeprefix(f"{PACKAGE}."), set())
        if there not in allowed:
            wrong.append(f"{found.module}:{found.line} imports {found.name}")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_a_rule() -> None:
    rooms = {_room(module) for module in sources()} - {"__init__"}
    assert rooms <= set(MAY_IMPORT), f"say what {rooms - set(MAY_IMPORT)} may import"


def test_only_the_store_opens_the_database() -> None:
    # The doctor asks an in-memory database what this SQLite can do; firstboot opens OpenClaw's, inside a container.
    users = {found.module for found in _all() if found.name.split(".")[0] in DATABASE}
    outside = {module for module in users if _room(module) != "store"}
    assert outside <= {"ccp_tui.cli.doctor_machine", "ccp_tui.incus.image.firstboot"}


def test_only_screens_draw() -> None:
    users = {_room(found.module) for found in _all() if found.name.split(".")[0] in SCREEN}
    assert users <= {"app", "fleet_app", "screens"}


def test_screens_and_verbs_know_the_fleet_by_its_facade_alone() -> None:
    rooms = ("screens", "fleet_app", "cli")
    named = {
        found.name
        for found in _all()
        if _room(found.module) in rooms and found.name.startswith(f"{PACKAGE}.incus")
    }
    assert named == {f"{PACKAGE}.incus"}


def test_only_the_fleet_talks_to_incus() -> None:
    users = {_room(found.module) for found in _all() if found.name.split(".")[0] == "pylxd"}
    assert users <= {"incus"}


LOADED = """
import sys
from ccp_tui.cli import main
try:
    main({words!r})
except SystemExit:
    pass
print(*sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["task", "list", "--help"],
        ["task", "list", "--json"],
        ["report", "--token", "", "submit"],
        ["fleet", "--help"],
        ["fleet", "create", "--help"],
    ],
)
def test_verbs_load_little(words: list[str]) -> None:
    """A verb starts fast because it loads no screen, no event loop, no database and no WebSocket library."""
    ran = subprocess.run(
        [sys.executable, "-c", LOADED.format(words=words)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(ran.stderr.splitlines()[-1].split())
    assert "ccp_tui" in loaded
    heavy = {
        "textual",
        "rich",
        "asyncio",
        "websockets",
        "sqlite3",
        "sqlite_utils",
        "yaml",
        "transitions",
        "pylxd",
    }
    assert not loaded & heavy


FLEET = """
import sys
import ccp_tui.incus
from tests.support.fakefleet import FakeFleet
from ccp_tui.cli import main
ccp_tui.incus.Fleet = lambda *_, **__: FakeFleet()
main(["fleet", "list", "--json"])
print(*sorted({name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_the_list_of_deployments_loads_no_screen_and_the_facade_no_pylxd() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FLEET], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    assert ran.stdout.startswith("[{")
    assert not set(ran.stderr.splitlines()[-1].split()) & {
        "textual",
        "rich",
        "pylxd",
        "sqlite3",
        "websockets",
    }
