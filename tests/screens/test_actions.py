"""The action registry: one list, from which keys, hints, help and palette come."""

from __future__ import annotations

from importlib import import_module

import pytest

from ccp_tui.app import SCREENS
from ccp_tui.screens.widgets.actions import Action, Actions
from ccp_tui.screens.widgets.base import CcpScreen
from tests.screens.conftest import LARGE, StageMaker


def action(id: str, keys: str, when: bool | str = True, **more: object) -> Action:
    return Action(id, keys, id, "Test", lambda: None, when=lambda: when, **more)  # type: ignore[arg-type]


def test_an_id_stands_once() -> None:
    with pytest.raises(ValueError, match="two actions are called x"):
        Actions([action("x", "a"), action("x", "b")])


def test_only_what_applies_is_offered_and_hinted_in_the_order_given() -> None:
    actions = Actions(
        [action("no", "a", False), action("b", "b"), action("hidden", "c", hint=False), action("a", "d")]
    )
    assert [each.id for each in actions.hints()] == ["b", "a"]
    assert [each.id for each in actions.offered()] == ["b", "hidden", "a"]


def test_a_shared_key_goes_to_what_applies_or_has_words_for_why_not() -> None:
    actions = Actions([action("no", "n", False), action("words", "n", "Not now."), action("yes", "n")])
    assert [actions.takes_key(each) for each in ("no", "words", "yes")] == [False, True, True]
    assert actions["words"].refusal == "Not now."


def test_a_key_is_shown_at_the_action_that_gets_it() -> None:
    shown = {
        each.id: each.keys
        for each in Actions(
            [action("first", "a"), action("words", "b", "Not now."), action("last", "a b c")]
        ).offered()
    }
    assert shown == {"first": "a", "last": "c"}


@pytest.mark.parametrize("name", sorted(SCREENS))
def test_every_screen_the_app_knows_exists(name: str) -> None:
    module, _, kind = SCREENS[name].partition(":")
    assert isinstance(getattr(import_module(module), kind), type)


async def test_on_no_card_do_two_actions_want_the_same_key(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        screen = s.app.screen
        assert isinstance(screen, CcpScreen)
        for column in "1234567":
            await s.press(column)
            keys = [key for each in screen.action_list.offered() for key in each.key_names]
            assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)


async def test_hints_are_keys_that_work_here(stage: StageMaker) -> None:
    async with stage(LARGE) as s:
        await s.press("2")
        assert "d dispatch" not in s.lines()[-1]
        await s.press("3")
        assert "d dispatch" in s.lines()[-1]
