"""``make pictures``: the pictures of the README, drawn by the app itself on the canned board of the screen tests."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from pathlib import Path

from ccp_tui import clock
from ccp_tui.app import CcpApp
from ccp_tui.mirror import Mirror
from ccp_tui.paths import Home
from tests.screens.fakes import NOW, FakeLive, snapshot

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIZE = (164, 28)


async def draw(folder: Path) -> None:
    """Draws the board."""
    mirror = Mirror()
    app = CcpApp(Home(folder), live=FakeLive(mirror, snapshot()), mirror=mirror)  # type: ignore[arg-type]
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(5):
            await pilot.pause()
        picture = app.export_screenshot(title="ccp")
    # Only fonts that the reader has: a picture fetches nothing.
    picture = re.sub(r',\s*url\("[^"]*"\) format\("\w+"\)', "", picture)
    DOCS.mkdir(exist_ok=True)
    (DOCS / "board.svg").write_text(picture + "\n", encoding="utf-8")


def main() -> None:
    os.environ["CCP_ASCII"] = "0"
    os.environ["COLORTERM"] = "truecolor"
    os.environ.pop("NO_COLOR", None)
    clock.now = lambda: NOW
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(draw(Path(folder)))
    print(DOCS / "board.svg")


if __name__ == "__main__":
    main()
