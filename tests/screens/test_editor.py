"""The person's own editor in a real terminal: the board steps aside, and comes back, while events go on."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import yaml

from ccp_tui import clock
from tests.screens.fakes import Json, card, snapshot
from tests.screens.test_bytes import RUN
from tests.support.fakeservice import FakeService
from tests.support.pty import Terminal

EDITOR = """\
import pathlib, sys, time
path = pathlib.Path(sys.argv[1])
print("EDITOR IS OPEN", flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.02)
path.write_text(path.read_text().replace("report.md", "tea.md"))
"""


async def test_the_screen_steps_aside_for_the_editor_and_saves_what_it_wrote(tmp_path: Path) -> None:
    go, script = tmp_path / "go", tmp_path / "editor.py"
    script.write_text(EDITOR.format(go=str(go)))
    board = snapshot()
    board["tasks"] = [card(1, "inbox", 'Buy "tea": green'), card(2, "in_progress", "Runs")]
    saved: list[Json] = []

    def set_spec(params: Json) -> Json:
        saved.append(params)
        return {"spec": {"version": 1}}

    env = {
        "CCP_ASCII": "0",
        "EDITOR": f"{sys.executable} {script}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    async with FakeService(tmp_path / "control.sock", board) as service:
        service.answers["task.set_spec"] = set_spec
        async with Terminal([sys.executable, "-c", RUN, str(tmp_path)], (160, 45), env) as terminal:
            await terminal.shows("WEB-1", 40)
            terminal.send("e")
            await terminal.shows("EDITOR IS OPEN")
            await terminal.quiet()
            before = terminal.written
            for n in range(200):  # a stopped terminal must not be written to, however much happens
                activity = {"kind": "words", "text": f"w{n}", "at": clock.now()}
                await service.emit("activity", ref="WEB-2", activity=activity)
            await asyncio.sleep(0.3)
            assert terminal.written == before
            go.touch()
            await terminal.shows("Version 1 of the spec of WEB-1 is saved")
            await terminal.shows("w199")
            assert saved[0]["ref"] == "WEB-1"
            written = yaml.safe_load(saved[0]["text"])
            assert written["title"] == 'Buy "tea": green'
            assert written["deliverables"][0]["path"] == "tea.md"
            terminal.send("q")
            assert await terminal.ended() == 0
