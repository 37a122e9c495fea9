"""The boxes over a screen: one look for all their fields, each set up once."""

from __future__ import annotations

import pytest
from textual.widgets import Input, TextArea

from ccp_tui.screens.palette.finder import Finder
from tests.screens.conftest import LARGE, StageMaker


@pytest.mark.parametrize("keys", ["m", "t", "n", "ctrl+p", "?", "ctrl+f", "7 R"])
async def test_a_field_looks_the_same_in_every_box_with_the_focus_too(stage: StageMaker, keys: str) -> None:
    async with stage(LARGE) as s:
        await s.press(*keys.split())
        fields = [*s.app.screen.query(Input), *s.app.screen.query(TextArea)]
        assert fields
        assert any(field.has_focus for field in fields)
        for field in fields:
            edges = field.styles.border
            assert [edge[0] for edge in edges] == ["", "", "", "outer"], field
            assert isinstance(field, TextArea) or field.size.height == 1


@pytest.mark.parametrize("key", ["?", "ctrl+p", "ctrl+f"])
async def test_a_finder_is_set_up_once(stage: StageMaker, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    calls: list[Finder] = []
    usual = Finder.on_mount

    def counted(finder: Finder) -> None:
        calls.append(finder)
        usual(finder)

    monkeypatch.setattr(Finder, "on_mount", counted)
    async with stage() as s:
        await s.press(key)
        assert isinstance(s.app.screen, Finder)
        assert len(calls) == 1
        assert s.app.screen.field.has_focus
