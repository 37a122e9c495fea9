"""How the chat, the agents, the feed, the search, the palette, the help and the queue look, cell by cell."""

from __future__ import annotations

from typing import Any

import pytest

from tests.screens.conftest import LARGE, SMALL, StageMaker
from tests.screens.picture import check_picture
from tests.screens.talk import ANSWERS, KEY, busy_board, until

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])


@SIZES
@pytest.mark.parametrize(
    ("name", "screen", "params", "keys"),
    [
        ("chat", "chat", {"agent": "fox"}, ()),
        ("chat-reading", "chat", {"agent": "fox"}, ("escape", "k", "k", "k", "o")),
        ("agents", "agents", {}, ("j",)),
        ("agent-new", "agents", {}, ("n",)),
        ("agent-import", "agents", {}, ("i", "space")),
        ("agent-diff", "agents", {}, ("e", "d")),
        ("feed", "feed", {}, ("k", "k", "k")),
        ("search", "search", {"text": "search"}, ("down",)),
        ("palette", "palette", {"text": "fo"}, ()),
        ("help", "help", {}, ("down",)),
        ("needsyou", "queue", {}, ()),
        ("needsyou-approval", "queue", {}, ("enter",)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_picture(
    stage: StageMaker, size: tuple[int, int], name: str, screen: str, params: Any, keys: tuple[str, ...]
) -> None:
    async with stage(size=size, board=busy_board()) as s:
        s.live.answers.update(ANSWERS)
        s.app.open(screen, **params)
        await s.settle()
        if screen == "chat":
            await until(s, lambda: "12.4k tokens" in s.text)
        if screen == "search":
            await until(s, lambda: "4 hits" in s.text)
        await s.press(*keys)
        check_picture(s.app, f"{name}-{size[0]}x{size[1]}")


async def test_no_colour_means_no_colour(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with stage(board=busy_board()) as s:
        s.live.answers.update(ANSWERS)
        for screen, params in (("chat", {"agent": "fox"}), ("agents", {}), ("feed", {}), ("queue", {})):
            s.app.open(screen, **params)
            await s.settle()
            styles = {
                segment.style for strip in s.app.screen._compositor.render_strips() for segment in strip
            }
            colours = {
                style.color for style in styles if style and style.color and not style.color.is_default
            }
            assert not colours, (screen, colours)


async def test_a_running_chat(stage: StageMaker) -> None:
    async with stage(size=SMALL) as s:
        s.live.answers.update(ANSWERS)
        s.app.open("chat", agent="fox")
        await until(s, lambda: "12.4k tokens" in s.text)
        s.live.emit("run.delta", session_key=KEY, run_id="r1", text="I am **writing** this now")
        call = {"session_key": KEY, "run_id": "r1", "call_id": "c9", "name": "exec"}
        s.live.emit("run.tool", phase="start", args={"command": "make release"}, **call)
        await until(s, lambda: "make release" in s.text and "**writing**" in s.text)
        check_picture(s.app, "chat-running-80x24")
