"""Text from anywhere is harmless on a terminal, and stays readable."""

from __future__ import annotations

import unicodedata

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ccp_tui.text import clean, last_line, one_line, slug

ANY = st.text(st.characters(exclude_categories=[]) | st.sampled_from("\x1b[]P\\;m\x07\x9b\x9d\n\r\t\u202e"))


@pytest.mark.parametrize(
    ("dirty", "plain"),
    [
        ("plain text, ünïcode, 日本語, 👩‍🚀", "plain text, ünïcode, 日本語, 👩‍🚀"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;196mred\x1b[m", "red"),
        ("\x1b[2J\x1b[Hcleared", "cleared"),
        ("\x1b[?1049hother screen", "other screen"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]0;a title\x1b\\after", "after"),
        ("\x1b]52;c;aGVsbG8=\x07clipboard", "clipboard"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0;2;0;0;0\x1b\\sixel", "sixel"),
        ("\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\after", "after"),
        ("\x1bcreset", "reset"),
        ("\x1b(0charset", "charset"),
        ("\x9b31mred", "red"),
        ("\x9d0;title\x07after", "0;titleafter"),
        ("a\x00b\x07c\x08d\x7fe\x85f", "abcdef"),
        ("\x1b", ""),
        ("\x1b\x1b[31mred", "red"),
        ("\x1b]0;never ends", ""),
        ("\x1b]0;never ends\nthe next line", "\nthe next line"),
        ("\x1bPnever ends\nthe next line", "\nthe next line"),
        ("one\r\ntwo\rthree\nfour\tfive", "one\ntwo\nthree\nfour\tfive"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("\u2066a\u2069\u200eb\u200fc\u061cd", "abcd"),
        ("half \ud83d of a pair", "half  of a pair"),
        ("“mojibake” â\x80\x9dstays", "“mojibake” âstays"),
    ],
)
def test_clean(dirty: str, plain: str) -> None:
    assert clean(dirty) == plain


@given(ANY)
def test_nothing_that_a_terminal_obeys_comes_through(text: str) -> None:
    safe = clean(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in safe if c not in "\n\t")
    assert not any(unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI")
                   for c in safe)  # fmt: skip
    assert clean(safe) == safe
    safe.encode()


@given(ANY, st.integers(0, 20))
def test_one_line_is_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line.splitlines()) <= 1
    assert "\t" not in line
    assert not limit or len(line) <= limit
    assert line == line.strip()


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [
        ("  a\n\n b\tc  ", 0, "a b c"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abcdef", 1, "…"),
        ("a\u2028b\x0bc", 0, "a bc"),
        ("", 5, ""),
    ],
)
def test_one_line(text: str, limit: int, line: str) -> None:
    assert one_line(text, limit) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("first\nsecond", "second"),
        ("first\nsecond\n  \n\n", "second"),
        ("\x1b[31m\n", ""),
        ("first\n\x1b[31m\x1b[0m", "first"),
        ("progress 1%\rprogress 2%", "progress 2%"),
        ("", ""),
    ],
)
def test_last_line_is_the_last_that_says_anything(text: str, line: str) -> None:
    assert last_line(text) == line


def test_last_line_is_cut() -> None:
    assert last_line("one\ntwo three four", 8) == "two thr…"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Ünïcode Web!", "unicode-web"),
        ("  --a--b__c  ", "a-b-c"),
        ("日本語", ""),
        ("!!!", ""),
        ("a" * 60, "a" * 40),
        ("a" * 39 + " b", "a" * 39),
        ("ﬁle №1", "file-no1"),
    ],
)
def test_slug(title: str, name: str) -> None:
    assert slug(title) == name


@given(st.text())
def test_a_slug_is_a_slug_of_itself(title: str) -> None:
    name = slug(title)
    assert slug(name) == name
    assert len(name) <= 40
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_hostile_lengths_do_not_hang() -> None:
    for piece in ("\x1b]", "\x1bP", "\x1b[", "\x1b", "\x1b[0;", "\u202e", "\x1b]x\n"):
        assert len(clean(piece * 100_000)) <= 200_000
