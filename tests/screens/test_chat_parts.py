"""The parts of the chat that need no screen: Markdown, growing text, the pace, blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.style import Style

from ccp_tui.screens.chat.blocks import OUTPUT_LINES, block_lines, count, message_text, money
from ccp_tui.screens.chat.composer import complete_path, readable_file
from ccp_tui.screens.chat.ink import Ink
from ccp_tui.screens.chat.livetext import LiveText
from ccp_tui.screens.chat.markdown import MARKDOWN_LIMIT, markdown_lines, plain_lines, plain_words
from ccp_tui.screens.chat.sessions import Session
from ccp_tui.screens.widgets.pace import BURST, CELLS_PER_SECOND, LINE_COST, SHORTEST_S, Pace
from tests.screens.talk import MARKDOWN, message, tool


def words(text: str, width: int = 60) -> list[str]:
    return [line.text.rstrip() for line in markdown_lines(text, width, Ink())]


def test_markdown_fits_its_width_at_any_width() -> None:
    for width in (8, 20, 60, 118):
        assert (
            max(line.cell_length for line in markdown_lines(MARKDOWN * 2 + "x" * 300, width, Ink())) <= width
        )


def test_html_images_and_links_are_words() -> None:
    assert words("<script>alert(1)</script>") == ["<script>alert(1)</script>"]
    assert words("see [here](http://evil.example)") == ["see here (http://evil.example)"]
    assert "alt words" in words("![alt words](http://x/y.png)")[0]


@pytest.mark.parametrize("nasty", ["\x1b]0;title\x07", "\x1b[2J", "\x9b31m", "\u202e", "\x07", "\r"])
def test_no_control_character_gets_through(nasty: str) -> None:
    for line in words(f"a{nasty}b\n\n```\nc{nasty}d\n```\n\n| t{nasty} |\n|---|\n| x{nasty} |"):
        assert line.isprintable()
    shown = block_lines(tool(1, f"ex{nasty}ec", {"command": f"ls{nasty}"}, f"out{nasty}"), name="A", width=60,
                        ink=Ink(), head=True, unfolded=True)  # fmt: skip
    assert all(strip.text.isprintable() for strip in shown)


@pytest.mark.parametrize(
    "odd", ["```", "`" * 40, "[" * 500, "> " * 60, "|" * 90, "*" * 301, "- " * 200, "\\"]
)
def test_odd_markdown_is_still_shown(odd: str) -> None:
    assert words(odd) or not odd.strip()


def test_a_huge_text_stays_plain() -> None:
    assert words("# head\n" + "x " * MARKDOWN_LIMIT)[0] == "# head"


def test_growing_text_has_the_lines_of_the_whole() -> None:
    whole = "one two three four\n\nfive six seven eight nine\nten" * 5
    live = LiveText()
    for end in range(0, len(whole), 7):
        live.set(whole[:end])
        grown = [line.text for line in live.lines(12, Style.null())]
        assert grown == (
            [line.text for line in plain_lines(whole[:end], 12, Style.null())] if whole[:end] else []
        )


def test_replaced_text_is_wrapped_anew() -> None:
    live = LiveText()
    live.set("first\nsecond\nthird")
    live.lines(20, Style.null())
    live.set("other\nwords")
    assert [line.text for line in live.lines(20, Style.null())] == ["other", "words"]


def test_what_comes_after_a_pause_is_painted_at_once() -> None:
    now = 5.0
    pace = Pace(lambda: now)
    assert pace.wait() == 0
    pace.spend(10, 1)
    assert pace.wait() == pytest.approx(SHORTEST_S)
    now += SHORTEST_S
    assert pace.wait() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("**WEB-14 is submitted.**", "WEB-14 is submitted."),
        ("Here `x` is\n\n1. one\n2. **two is cut", "Here x is one two is cut"),
        ("# Head\n- see [docs](http://x)\n```py\na_b\n```", "Head see docs a_b"),
        ("snake_case * 2 <b>x</b>", "snake_case * 2 <b>x</b>"),
    ],
)
def test_a_list_shows_plain_words(text: str, words: str) -> None:
    row = {"session_key": "k", "last_text": text}
    assert Session.from_json(row).last_text == plain_words(text) == words


def test_the_reason_a_message_was_not_delivered_stands_out() -> None:
    note = message(30, "system", "not delivered: the file is too large", status="error")
    lines = block_lines(note, name="Fox", width=60, ink=Ink(), head=False)
    assert [line.text.strip() for line in lines] == ["✗ not delivered: the file is too large"]
    assert lines[0]._segments[-1].style == Ink().bad


def test_the_pace_keeps_the_budget_and_recovers() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    assert pace.wait() == 0
    pace.spend(int(BURST) + 4500, 0)
    assert pace.wait() == pytest.approx(4500 / CELLS_PER_SECOND)
    now = 10.0
    assert pace.wait() == 0
    spent = 0.0
    while now < 110:
        now += pace.wait()
        pace.spend(4600, 40)
        spent += 4600 + 40 * LINE_COST
    assert spent / 100 < CELLS_PER_SECOND * 1.1


def test_a_tool_call_is_one_line_until_it_is_opened() -> None:
    call = tool(1, "exec", {"command": "a very long command " * 20}, "\n".join(str(n) for n in range(2000)))
    folded = block_lines(call, name="A", width=60, ink=Ink(), head=False)
    assert len(folded) == 1
    assert folded[0].cell_length <= 60
    assert "2000 lines" in folded[0].text
    opened = block_lines(call, name="A", width=60, ink=Ink(), head=False, unfolded=True)
    assert OUTPUT_LINES < len(opened) < OUTPUT_LINES + 20
    assert "y copies all of it" in opened[-1].text
    assert message_text(call).endswith("1999")


def test_a_message_says_what_became_of_it() -> None:
    failed = message(1, "user", "words", status="error")
    assert "not sent" in block_lines(failed, name="A", width=80, ink=Ink(), head=True)[-1].text
    assert (
        "▸" not in block_lines(message(2, "user", "plain"), name="A", width=80, ink=Ink(), head=True)[-1].text
    )


def test_figures_read_well() -> None:
    assert [count(n) for n in (950, 12_412, 3_100_000)] == ["950", "12.4k", "3.1M"]
    assert [money(n) for n in (0.0, 0.004, 0.18, 1234.5)] == ["$0.00", "$0.0040", "$0.18", "$1,234.50"]


def test_paths_complete_as_far_as_they_are_certain(tmp_path: Path) -> None:
    (tmp_path / "report-a.md").touch()
    (tmp_path / "report-b.md").touch()
    (tmp_path / "folder").mkdir()
    assert complete_path(f"{tmp_path}/rep") == f"{tmp_path}/report-"
    assert complete_path(f"{tmp_path}/f") == f"{tmp_path}/folder/"
    assert complete_path(f"{tmp_path}/zzz") == ""
    assert readable_file(f"'{tmp_path}/report-a.md'") == tmp_path / "report-a.md"
    assert "is no file" in str(readable_file(str(tmp_path)))


def test_a_long_message_to_an_agent_is_folded() -> None:
    brief = message(1, "user", "\n".join(f"line {n}" for n in range(40)))
    folded = [line.text for line in block_lines(brief, name="A", width=60, ink=Ink(), head=True)]
    assert folded[-1] == "  ▸ 34 more lines"
    opened = [
        line.text for line in block_lines(brief, name="A", width=60, ink=Ink(), head=True, unfolded=True)
    ]
    assert "  line 39" in opened


def test_a_report_shows_what_it_says_not_its_token() -> None:
    command = "~/bin/ccp report --socket ~/agents.sock --token ccp_secret progress 'half done'"
    shown = block_lines(
        tool(1, "exec", {"command": command}, "ok"), name="A", width=80, ink=Ink(), head=False
    )
    assert "ccp report progress 'half done'" in shown[0].text
    assert "ccp_secret" not in shown[0].text
