"""Arrows point down only: who may import whom, and who may touch the database and the screen."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest

from tests.house.tree import PACKAGE, Import, imports, sources

GROUND = {"clock", "text", "wire", "paths", "failures", "__version__"}
MAY_IMPORT: dict[str, set[str]] = {
    "__version__": set(),
    "clock": set(),
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
    "mirror": {"rows", "wire"},
    "client": GROUND | {"mirror", "rows"},
    "store": {"clock", "text", "paths", "lifecycle", "model", "policy", "spec"},
    "gateway": GROUND,
    "service": GROUND | {"store", "gateway", "lifecycle", "model", "policy", "spec"},
    "incus": GROUND,
    "screens": GROUND | {"client", "mirror", "policy", "rows", "spec"},
    "app": GROUND | {"client", "mirror", "rows", "spec", "screens"},
    "cli": GROUND | {"client", "spec"},
    "demo": GROUND | {"client", "gateway", "service", "spec", "app", "cli"},
    "__main__": {"cli"},
}
# What the verbs load only when they are run.
LAZY: dict[str, set[str]] = {
    "cli.context": {"service"},
    "cli.stop": {"service"},
    "cli.serve": {"service", "gateway", "store"},
    "cli.demo": {"demo"},
    "cli.doctor_gateway": {"gateway"},
    "cli.doctor_links": {"gateway", "service"},
    "cli": {"app"},
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
    # The doctor asks an in-memory database what this SQLite can do.
    users = {found.module for found in _all() if found.name.split(".")[0] in DATABASE}
    outside = {module for module in users if _room(module) != "store"}
    assert outside <= {"ccp_tui.cli.doctor_machine"}


def test_only_screens_draw() -> None:
    users = {_room(found.module) for found in _all() if found.name.split(".")[0] in SCREEN}
    assert users <= {"app", "screens"}


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
