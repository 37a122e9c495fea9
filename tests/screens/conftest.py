"""The app on a fake service: fixed clock, canned board, no socket."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from ccp_tui import clock
from ccp_tui.app import CcpApp
from ccp_tui.mirror import Mirror
from ccp_tui.paths import Home
from tests.screens.fakes import NOW, FakeLive, Json, snapshot

SMALL, LARGE = (80, 24), (160, 45)


class Stage:
    """One running app on a fake service: press keys, look at lines, see what was asked."""

    def __init__(self, app: CcpApp, live: FakeLive, pilot: Pilot[Any]) -> None:
        self.app, self.live, self.pilot = app, live, pilot

    async def press(self, *keys: str) -> None:
        """Presses keys and waits until all that follows from them is done."""
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    async def settle(self) -> None:
        for _ in range(3):
            await self.pilot.pause()

    def lines(self) -> list[str]:
        """The screen as text, line by line, right ends trimmed."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()
        assert len(strips) <= height, width
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines())


StageMaker = Callable[..., AbstractAsyncContextManager[Stage]]


@pytest.fixture(autouse=True)
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ages are the same in every run."""
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No editor, no colour wish, Unicode: whatever the terminal the tests run in says."""
    for name in ("EDITOR", "VISUAL", "NO_COLOR", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CCP_ASCII", "0")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def stage(tmp_path: Path) -> StageMaker:
    """``async with stage(size=(80, 24), board=…) as s``: the app runs; with ``board=None`` the service is away."""

    @asynccontextmanager
    async def run(size: tuple[int, int] = SMALL, board: Json | str | None = "canned") -> AsyncIterator[Stage]:
        mirror = Mirror()
        live = FakeLive(mirror, snapshot() if isinstance(board, str) else board)
        app = CcpApp(Home(tmp_path), live=live, mirror=mirror)  # type: ignore[arg-type]
        async with app.run_test(size=size) as pilot:
            stage = Stage(app, live, pilot)
            await stage.settle()
            yield stage

    return run
