"""The bell and the desktop notification: once for what is new, in a real terminal too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ccp_tui.mirror import Mirror
from ccp_tui.screens.widgets.alerts import Alerts, osc9, silenced
from tests.screens.conftest import StageMaker
from tests.screens.fakes import HOUR_AGO, NOW, Json, snapshot
from tests.screens.test_bytes import board

BEL = "\x07"


def item(key: str, *, since: str = HOUR_AGO, kind: str = "stalled", text: str = "it went silent") -> Json:
    return {"key": key, "urgency": 1, "kind": kind, "ref": "WEB-7", "agent": "fox", "text": text, "since": since,
            "answer": None}  # fmt: skip


def listening(*items: Json, wanted: bool = True) -> tuple[Mirror, list[str]]:
    """A mirror that was loaded with these items, and what is written after that."""
    mirror, written = Mirror(), list[str]()
    Alerts(mirror, written.append, lambda: wanted)
    mirror.apply_snapshot({"attention": list(items)})
    assert written == []
    return mirror, written


def tell(mirror: Mirror, *items: Json) -> None:
    mirror.apply("attention", {"attention": list(items)})


def test_what_was_there_at_the_start_is_silent_and_what_is_new_rings_once() -> None:
    mirror, written = listening(item("a"))
    tell(mirror, item("a"), item("b"))
    assert written == ["\x07\x1b]9;ccp: WEB-7 stalled: it went silent\x1b\\"]
    tell(mirror, item("b"))
    tell(mirror, item("b", text="other words"), item("a"))
    assert len(written) == 1


def test_a_reconnect_repeats_nothing() -> None:
    mirror, written = listening(item("a"), item("g", kind="approval"))
    tell(mirror)
    mirror.apply_snapshot({"attention": []})  # a gateway that is away takes its requests along …
    tell(mirror, item("a"), item("g", kind="approval", since=NOW))  # … and they come back as they were
    mirror.apply_snapshot({"attention": [item("a"), item("g", kind="approval")]})
    assert written == []


def test_what_came_up_while_the_line_was_down_rings_when_it_is_back() -> None:
    mirror, written = listening(item("a"))
    mirror.apply_snapshot({"attention": [item("a"), item("new")]})
    assert "".join(written).count(BEL) == 1


def test_a_hold_that_begins_anew_rings_again() -> None:
    mirror, written = listening(item("a"))
    tell(mirror)
    tell(mirror, item("a", since=NOW))
    assert "".join(written).count(BEL) == 1


def test_a_flood_is_told_as_one() -> None:
    mirror, written = listening()
    tell(mirror, item("1"), item("2"))
    assert "".join(written).count(BEL) == 2
    tell(mirror, *(item(str(n)) for n in range(20)))
    assert "".join(written).count(BEL) == 3
    assert "18 more things need you" in written[-1]


def test_a_long_life_does_not_grow() -> None:
    mirror, written = listening()
    alerts = Alerts(mirror, written.append, lambda: True)
    for n in range(6000):
        tell(mirror, item(str(n)))
    assert len(alerts._seen) <= 4097


def test_off_is_silent_and_forgets_nothing() -> None:
    mirror, written = listening(wanted=False)
    tell(mirror, item("a"))
    assert written == []


@pytest.mark.parametrize("words", ["\x1b]0;owned\x07ding", "a\x07b\x1b\\c", "a\nb\x9cc", "\x1b[31mred"])
def test_words_of_others_never_end_the_sequence(words: str) -> None:
    sequence = osc9(f"ccp: {words}", {})
    assert sequence.startswith("\x1b]9;ccp: ")
    assert sequence.endswith("\x1b\\")
    assert sequence[4:-2].isprintable()


def test_tmux_passes_it_through() -> None:
    assert osc9("hi", {"TMUX": "x"}) == "\x1bPtmux;\x1b\x1b]9;hi\x1b\x1b\\\x1b\\"


def test_the_environment_silences() -> None:
    assert [silenced({"CCP_BELL": value}) for value in ("off", "0", "on", "")] == [True, True, False, False]


async def test_the_choice_is_kept(stage: StageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CCP_BELL", raising=False)
    async with stage() as s:
        await s.press(":", *"bell", "enter")
        assert "The bell is off." in s.text
        assert s.app.kept.get("bell") == "off"
        await s.press(":", *"bell", "enter")
        assert "It rings when something new needs you." in s.text
        assert s.app.rings


@pytest.mark.parametrize("silent", [False, True])
async def test_exactly_one_bell_and_one_notification_reach_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("CCP_BELL", "off" if silent else "")
    known = snapshot()["attention"]
    async with board(tmp_path, (80, 24), 20) as (terminal, service):
        heard = bytearray()
        terminal.heard = heard.extend
        new = item("hold:new", since=NOW)
        await service.emit("attention", attention=[*known, new])
        await terminal.shows("! 4 need you")
        await terminal.quiet()
        expected = 0 if silent else 1
        assert (heard.count(b"\x07"), heard.count(b"\x1b]9;")) == (expected, expected)
        await service.emit("attention", attention=[*known, new])
        await service.emit("resync")
        await terminal.quiet(0.6)
        assert (heard.count(b"\x07"), heard.count(b"\x1b]9;")) == (expected, expected)
        before = terminal.written
        await asyncio.sleep(2)
        assert terminal.written == before
