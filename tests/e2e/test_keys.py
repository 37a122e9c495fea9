"""The main job by keys alone, in a real pseudo-terminal: from one typed line to Done.

Once with a spec of the person's own, on both gateways; once planned, with questions, on the embedded one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.paths import Home
from tests.support import keys
from tests.support.embedded import EmbeddedGateway
from tests.support.pty import Terminal
from tests.support.realgateway import RealGateway

SPEC = """\
title: A greeting
summary: A file that greets the visitor.
deliverables:
  - path: {folder}/hello.md
    description: the greeting
success_criteria:
  - it greets politely
checks:
  - name: it says hello
    command: grep -qi hello {folder}/hello.md
"""

Gateway = RealGateway | EmbeddedGateway


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real)])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gateway]:
    if request.param == "real":
        real: RealGateway = request.getfixturevalue("real_gateway")
        real.ensure()
        yield real
        return
    embedded = EmbeddedGateway(tmp_path)
    try:
        embedded.start()
        yield embedded
    finally:
        embedded.stop()


@pytest.fixture
def environment(gateway: Gateway, home: Home, tmp_path: Path) -> dict[str, str]:
    """What the person's shell says: this home, that gateway, and an editor that writes the spec by itself."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(folder=f"by-keys-{gateway.name}"))
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\ncat {spec} > "$1"\n')
    editor.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if name != "VISUAL"}
    return {
        **kept,
        "CCP_HOME": str(home.root),
        "CCP_GATEWAY_URL": gateway.url,
        "CCP_GATEWAY_TOKEN": gateway.token,
        "CCP_NO_AUTOSTART": "",
        "EDITOR": str(editor),
    }


def ccp(environment: dict[str, str], *words: str) -> Any:
    """A verb's JSON."""
    command = [sys.executable, "-m", "ccp_tui", *words, "--json"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.slow
async def test_from_a_typed_line_to_done(gateway: Gateway, environment: dict[str, str]) -> None:
    try:
        name = f"Keys {gateway.name}"
        agent = ccp(environment, "agent", "create", name)
        async with Terminal([sys.executable, "-m", "ccp_tui"], (160, 45), environment) as terminal:
            await keys.capture(terminal, "Greet the visitor")
            terminal.send("e")
            await terminal.shows("Version 1 of the spec", 30)
            terminal.send("A")
            await terminal.shows("A approves this version", 30)
            terminal.send("A")
            await terminal.shows("version 1, approved", 30)
            terminal.send("a")
            await terminal.shows(name, 30)
            terminal.send("enter")
            await keys.judge(terminal, "it greets politely", "1 of 1 passed")
            await keys.leave(terminal, "escape")
        card = ccp(environment, "task", "show", "MAIN-1")
        assert (card["state"], card["agent"], card["attempt"], card["round"]) == ("done", agent["id"], 1, 1)
        kinds = [event["kind"] for event in ccp(environment, "task", "history", "MAIN-1")]
        moves = [
            "captured",
            "spec_written",
            "spec_approved",
            "assigned",
            "dispatched",
            "submitted",
            "checks_passed",
            "approved",
        ]
        assert [kind for kind in kinds if kind in moves] == moves
    finally:
        ccp(environment, "stop")


PLANNED = pytest.mark.parametrize("gateway", ["embedded"], indirect=True)


@pytest.mark.slow
@PLANNED
async def test_from_a_typed_line_through_a_plan_to_done(
    gateway: Gateway, environment: dict[str, str], tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/a newcomer can follow it/a child can follow it/" "$1"\n')
    try:
        ccp(environment, "mission", "create", "Main")
        async with Terminal([sys.executable, "-m", "ccp_tui"], (160, 45), environment) as terminal:
            await keys.capture(terminal, "Write a greeting")
            await keys.plan(terminal, "half a page")
            await terminal.shows("Agents to create")
            await terminal.shows("As the person said: half a page")
            terminal.send("e")
            await terminal.shows("Spec, version 2", 30)
            terminal.send("v")
            await terminal.shows("+- a child can follow it")
            terminal.send("v")
            await terminal.shows("a child can follow it")
            terminal.send("A")
            await keys.judge(terminal, "2 of 2 passed")
            terminal.send("2")
            await terminal.shows("its spec was approved")
            await keys.leave(terminal, "q", "q")
        card = ccp(environment, "task", "show", "MAIN-1")
        assert (card["state"], card["agent"], card["attempt"], card["round"]) == ("done", "scribe", 1, 1)
        answers = [each["answer"] for each in card["questions"]]
        assert [[option["label"] for option in answer["options"]] for answer in answers] == [
            ["Colleagues"],
            [],
        ]
        assert answers[1]["text"] == "half a page"
        events = [event["kind"] for event in ccp(environment, "task", "history", "MAIN-1")]
        moves = ["captured", "planned", "spec_approved", "assigned", "dispatched", "submitted", "checks_passed",
                 "approved"]  # fmt: skip
        assert [kind for kind in events if kind in moves] == moves
    finally:
        ccp(environment, "stop")
