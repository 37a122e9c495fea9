"""The README says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from ccp_tui.cli import NOUNS
from ccp_tui.lifecycle import diagram
from ccp_tui.paths import Home
from tests.house.tree import ROOT, sources

README = (ROOT / "README.md").read_text("utf-8")


def test_the_diagram_is_the_machine() -> None:
    assert re.findall(r"```mermaid\n(.*?)\n```", README, re.DOTALL) == [diagram()]


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    read = {
        name
        for path in sources().values()
        for name in re.findall(r"[\"'](CCP_[A-Z_]+)[\"']", path.read_text())
    }
    assert set(re.findall(r"`(CCP_[A-Z_]+)`", README)) == read


def test_every_command_is_named() -> None:
    assert re.search(r"`ccp (mission [a-z| -]+)`", README)[1].split(" | ") == list(NOUNS)  # type: ignore[index]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).exists(), target
    for make in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{make}:", (ROOT / "Makefile").read_text(), re.MULTILINE), make


def test_the_yaml_is_a_spec() -> None:
    from ccp_tui import spec

    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    parsed = spec.parse(text)
    assert not spec.incomplete(parsed.deliverables, parsed.success_criteria)


async def test_the_keys_are_the_boards(tmp_path: Path) -> None:
    from textual.keys import _character_to_key

    from ccp_tui.app import CcpApp
    from ccp_tui.mirror import Mirror
    from tests.screens.fakes import FakeLive, snapshot

    mirror = Mirror()
    app = CcpApp(Home(tmp_path), live=FakeLive(mirror, snapshot()), mirror=mirror)  # type: ignore[arg-type]
    async with app.run_test() as pilot:
        await pilot.pause()
        # Also those that do not apply to the task under the cursor.
        nodes = (app, app.screen, *app.screen.walk_children())
        bound = {key for node in nodes for key in node._bindings.key_to_bindings}
    table = README.partition("| key | on the board |")[2].partition("\n\n")[0]
    keys = [
        key
        for row in table.splitlines()
        for cell in row.split("|")[1::2]
        for key in re.findall(r"`([^`]+)`", cell)
    ]
    assert len(keys) > 20
    assert [key for key in keys if (_character_to_key(key) if len(key) == 1 else key) not in bound] == []
