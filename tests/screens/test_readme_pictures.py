"""The pictures of the README can be drawn, show what it says of them, and fetch nothing from anywhere."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from tests.support.pictures import DOCS, PICTURES, draw
from tests.support.realgateway import REPOSITORY

SHOWS = {
    "board": ["Owl reserve", "plan ready: A", "1 question for you", "1/3", "OWL-6 OWL-7", "ccp reviewer read",
              "Otto is working on", "budget: $0.50", "check 2 of 3"],
    "plan": ["Agents to create", "You find things out", "Sub-tasks", "needs gather", "needs write",
             "A approves this version"],
    "question": ["ccp planner asks about OWL-15", "the week's plan first", "enter sends",
                 "Both and “Keep the rota on one screen.”"],
    "fleet": ["owls", "192.0.2.1:2201", "1.4", "stopping", "barn", "3 things need you", "before-upgrade",
              "ssh -p 2201 ccp@192.0.2.1"],
    "wizard": ["night-walk", "2 cores, 2GiB memory, 10GiB disk", "key ann@owls", "anthropic", "with a key",
               "nothing was made yet"],
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_shows_what_it_is_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    picture = await draw(tmp_path, name)
    words = html.unescape(re.sub("<[^>]*>", "\n", picture)).replace("\xa0", " ")
    for each in SHOWS[name]:
        assert each in words
    assert not re.search(r"url\(\s*[\"']?http", picture)


def test_the_readme_shows_the_pictures_that_are_drawn() -> None:
    shown = re.findall(r"\(docs/(\w+)\.svg\)", (REPOSITORY / "README.md").read_text())
    assert sorted(shown) == sorted(PICTURES) == sorted(file.stem for file in DOCS.glob("*.svg"))
