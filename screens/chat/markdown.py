"""Markdown from agents as plain terminal lines.

The words are data: HTML stays visible as text, a link shows its address and is never a terminal hyperlink, an image
shows its description, and control characters are gone before anything is parsed.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import ClassVar

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from rich.theme import Theme
from textual.strip import Strip

from ccp_tui.screens.chat.ink import Ink
from ccp_tui.text import clean, one_line

# Past this many characters the structure is not worth the time it takes on the event loop: plain lines then.
MARKDOWN_LIMIT = 60_000
TAB = "    "


class _LeftHeading(Heading):
    """A heading at the left edge; its level shows as its style only."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self.text.copy()
        text.justify = "left"
        yield text


class _BarredCode(CodeBlock):
    """Code behind a bar, unhighlighted: it reads the same without colour, and costs no lexer."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        style = console.get_style("markdown.code_block")
        bar = Segment("▏ ", console.get_style("markdown.hr"))
        width = max(4, options.max_width - 2)
        for row in str(self.text).rstrip().expandtabs(4).split("\n"):
            for piece in _folded(row, width):
                yield bar
                yield Segment(piece, style)
                yield Segment.line()


class _SafeMarkdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
        "fence": _BarredCode,
        "code_block": _BarredCode,
    }

    def __init__(self, text: str) -> None:
        super().__init__("", hyperlinks=False, justify="left")
        self.markup = text
        parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table")
        self.parsed = parser.parse(text)


def _folded(row: str, width: int) -> list[str]:
    """A row cut at the cell width, keeping its white space: how code wraps."""
    if len(row) <= width and row.isascii():
        return [row]
    return [
        line.plain for line in Text(row).wrap(_plain_console(), width, overflow="fold", no_wrap=False)
    ] or [""]


_CONSOLES: dict[int, Console] = {}


def _plain_console() -> Console:
    return _console(Ink())


def _console(ink: Ink) -> Console:
    """A console that only measures and styles; it writes nowhere."""
    key = hash(ink)
    if key not in _CONSOLES:
        if len(_CONSOLES) > 8:
            _CONSOLES.clear()
        bold, italic = Style(bold=True), Style(italic=True)
        theme = Theme(
            {
                "markdown.paragraph": Style.null(),
                "markdown.text": Style.null(),
                "markdown.em": italic,
                "markdown.emph": italic,
                "markdown.strong": bold,
                "markdown.s": Style(strike=True),
                "markdown.code": ink.code,
                "markdown.code_block": ink.block,
                "markdown.block_quote": ink.muted,
                "markdown.list": Style.null(),
                "markdown.item": Style.null(),
                "markdown.item.bullet": ink.accent,
                "markdown.item.number": ink.accent,
                "markdown.hr": ink.muted,
                "markdown.h1.border": Style.null(),
                **{f"markdown.h{n}": ink.accent + bold for n in range(1, 8)},
                "markdown.h1": ink.accent + bold + Style(underline=True),
                "markdown.link": ink.accent,
                "markdown.link_url": ink.muted,
                "markdown.table.border": ink.muted,
                "markdown.table.header": ink.accent,
            },
            inherit=True,
        )
        _CONSOLES[key] = Console(
            file=io.StringIO(), color_system="truecolor", force_terminal=True, legacy_windows=False, theme=theme,
            width=80, markup=False, emoji=False, highlight=False, no_color=False,
        )  # fmt: skip
    return _CONSOLES[key]


def markdown_lines(text: str, width: int, ink: Ink) -> list[Strip]:
    """The text rendered as Markdown at a width, without blank lines at either end."""
    words = clean(text).replace("\t", TAB).strip("\n")
    if not words.strip():
        return []
    if len(words) > MARKDOWN_LIMIT:
        return plain_lines(words, width, ink.text)
    console = _console(ink)
    options = console.options.update(width=max(8, width))
    try:
        rendered = console.render_lines(_SafeMarkdown(words), options, pad=False, style=ink.text)
    except Exception:  # a parser that stumbles over odd input must never take the conversation down
        return plain_lines(words, width, ink.text)
    lines: list[Strip] = []
    for line in rendered:
        strip = Strip(_unlinked(line))
        if strip.text.strip():
            lines.append(strip)
        elif lines and lines[-1].text:  # one blank line between two blocks is enough
            lines.append(Strip([]))
    while lines and not lines[-1].text:
        lines.pop()
    return lines or plain_lines(words, width, ink.text)


@lru_cache(maxsize=1024)
def plain_words(text: str) -> str:
    """Markdown as one line without its marks: for a list, where there is no room for more. A cut text is borne."""
    words: list[str] = []
    for block in MarkdownIt("commonmark", {"html": False}).enable("strikethrough").parse(clean(text)):
        inside = block.children or ([block] if block.type in ("fence", "code_block") else [])
        words += [each.content or " " for each in inside if each.content or each.type.endswith("break")]
        words.append(" ")
    return one_line("".join(words).replace("**", ""))


def _unlinked(line: list[Segment]) -> list[Segment]:
    """Segments without control codes and without hyperlinks."""
    out: list[Segment] = []
    for text, style, control in line:
        if control:
            continue
        out.append(Segment(text, style.update_link(None) if style is not None and style.link else style))
    return out


def plain_lines(text: str, width: int, style: Style) -> list[Strip]:
    """The text wrapped at a width, as written."""
    lines: list[Strip] = []
    console = _plain_console()
    for row in clean(text).replace("\t", TAB).split("\n"):
        if len(row) <= width and row.isascii():
            lines.append(Strip([Segment(row, style)] if row else []))
            continue
        lines += [
            Strip([Segment(line.plain.rstrip(), style)])
            for line in Text(row).wrap(console, max(4, width), overflow="fold")
        ]
    return lines
