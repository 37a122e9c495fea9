"""One message of a conversation as terminal lines: who, when, the words or the tool call, what became of it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ccp_tui.clock import parse
from ccp_tui.screens.chat.ink import Ink
from ccp_tui.screens.chat.markdown import markdown_lines, plain_lines
from ccp_tui.screens.widgets.commands import short_command
from ccp_tui.text import clean, one_line

Message = dict[str, Any]

MARGIN = 2
# A tool's output past this many lines is cut in the middle of the conversation; `y` copies all of it.
OUTPUT_LINES = 400
OUTPUT_CHARS = 40_000
# A message to an agent longer than this is folded: an attempt's brief, a pasted log.
LONG_MESSAGE, SHOWN_OF_LONG = 14, 6

_STATUS_WORDS = {
    "queued": "queued: sent when the run ends",
    "sending": "sending…",
    "steered": "steered into the running answer",
    "partial": "stopped before the end",
}


def money(usd: float) -> str:
    """Dollars as people read them: ``$0.18``, and four digits while it is small."""
    return f"${usd:.4f}" if 0 < usd < 0.01 else f"${usd:,.2f}"


def count(tokens: int) -> str:
    """Tokens in short: ``950``, ``12.4k``, ``3.1M``."""
    if tokens < 1000:
        return str(tokens)
    return f"{tokens / 1000:.1f}k" if tokens < 1_000_000 else f"{tokens / 1_000_000:.1f}M"


def tool_title(tool: dict[str, Any], limit: int = 0) -> str:
    """What a tool call does in one line: the command of an exec, else the name of what it touches."""
    args = tool.get("args")
    if not isinstance(args, dict):
        return one_line(str(args or ""), limit)
    for key in ("command", "cmd", "path", "file", "file_path", "url", "query", "pattern"):
        if isinstance(args.get(key), str) and args[key].strip():
            return one_line(short_command(args[key]), limit)
    return one_line(json.dumps(args, ensure_ascii=False), limit) if args else ""


def message_text(message: Message) -> str:
    """All the words of a message, as a person would copy them."""
    tool = message.get("tool")
    if not tool:
        return clean(message.get("text") or "")
    return clean(
        f"{tool.get('name', '')} {tool_title(tool)}\n{tool.get('output') or message.get('text') or ''}"
    )


def author(message: Message) -> str:
    """Who speaks, for deciding whether a new name line is due: tool calls belong to the agent."""
    role = message.get("role")
    return "assistant" if role in ("assistant", "tool") else str(role)


def block_lines(
    message: Message,
    *,
    name: str,
    width: int,
    ink: Ink,
    head: bool,
    dated: bool = False,
    unfolded: bool = False,
    rich: bool = True,
) -> list[Strip]:
    """The lines of one message.

    ``head``: begin with the name line; ``dated``: with the day in it. ``unfolded``: show a tool call's arguments and
    output. ``rich``: assistant text as Markdown; off while a long text still waits to be rendered.
    """
    role = message.get("role")
    at = str(message.get("at") or "")
    lines: list[Strip] = [Strip([])] if head else []
    if role == "tool":
        if head:
            lines.append(_head(name, ink.agent, at, dated, ink))
        return lines + _tool(message, width, ink, unfolded)
    inner = max(8, width - MARGIN - 1)
    text = message.get("text") or ""
    if role == "assistant":
        if head:
            lines.append(_head(name, ink.agent, at, dated, ink))
        elif text.strip():
            lines.append(Strip([]))
        body = markdown_lines(text, inner, ink) if rich else plain_lines(text, inner, ink.text)
    elif role == "user":
        if head:
            lines.append(_head("You", ink.you, at, dated, ink))
        else:
            lines.append(Strip([]))
        body = plain_lines(text, inner, ink.text) if text else []
        if len(body) > LONG_MESSAGE:
            more = len(body) - SHOWN_OF_LONG
            body = body if unfolded else body[:SHOWN_OF_LONG]
            words = "▾ all of it" if unfolded else f"▸ {more} more lines"
            body.append(Strip([Segment(words, ink.accent)]))
        for attached in message.get("attachments") or []:
            body.append(Strip([Segment("⧉ " + one_line(str(attached), inner - 2), ink.accent)]))
    else:
        failed = message.get("status") == "error"
        body = plain_lines(f"✗ {text}" if failed else text, inner, ink.bad if failed else ink.muted)
    return lines + [_indented(line) for line in body] + _status(message, inner, ink)


def live_lines(text: str, *, width: int, ink: Ink, name: str, head: bool) -> list[Strip]:
    """An answer while it is being written: plain, so that adding a word changes only the last line."""
    inner = max(8, width - MARGIN - 1)
    lines: list[Strip] = [Strip([])]
    if head:
        lines.append(Strip([Segment(" "), Segment(name, ink.agent)]))
    return lines + [_indented(line) for line in plain_lines(text, inner, ink.text)]


def running_tool_lines(tool: dict[str, Any], *, width: int, ink: Ink) -> list[Strip]:
    """A tool call that has not ended yet, in one line."""
    title = tool_title(tool)
    return [
        _fold_line("◌", ink.warn, str(tool.get("name") or "tool"), title, "running", ink.warn, width, ink)
    ]


@lru_cache(maxsize=4096)
def local_time(at: str, *, with_date: bool = False) -> str:
    """A stored time as the person's own clock shows it; empty for what is no time."""
    try:
        moment = parse(at).astimezone()
    except ValueError:
        return ""
    return f"{moment:%b} {moment.day} {moment:%H:%M}" if with_date else f"{moment:%H:%M}"


def _head(name: str, style: Style, at: str, with_date: bool, ink: Ink) -> Strip:
    parts = [Segment(" "), Segment(name, style)]
    if shown := local_time(at, with_date=with_date):
        parts.append(Segment(f"  {shown}", ink.muted))
    return Strip(parts)


def _status(message: Message, width: int, ink: Ink) -> list[Strip]:
    status = message.get("status")
    if status == "error":
        if message.get("role") == "system":  # the note is the reason itself
            return []
        said = one_line(str(message.get("detail") or "")) or (
            "not sent: press ctrl+r to put it back in the input"
            if message.get("role") == "user"
            else "ended with an error"
        )
        return [_indented(line) for line in plain_lines(f"✗ {said}", width, ink.bad)]
    words = _STATUS_WORDS.get(str(status))
    if not words:
        return []
    return [_indented(Strip([Segment(f"↳ {words}", ink.warn)]))]


def _tool(message: Message, width: int, ink: Ink, unfolded: bool) -> list[Strip]:
    tool = message.get("tool") or {}
    output = clean(str(tool.get("output") or message.get("text") or "")).rstrip("\n")
    rows = output.count("\n") + 1 if output else 0
    failed = bool(tool.get("is_error"))
    note = "failed" if failed else "no output" if not rows else f"{rows} line" + ("s" if rows > 1 else "")
    mark, style = ("✗", ink.bad) if failed else ("✓", ink.good)
    lines = [
        _fold_line(
            "▾" if unfolded else "▸", ink.accent, str(tool.get("name") or "tool"), tool_title(tool),
            f"{mark} {note}", style, width, ink,
        )
    ]  # fmt: skip
    if not unfolded:
        return lines
    bar = Segment(" " * MARGIN + "▏ ", ink.muted)
    inner = max(8, width - MARGIN - 3)
    body: list[Strip] = []
    args = tool.get("args")
    if isinstance(args, dict) and args:
        for key, value in args.items():
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for index, line in enumerate(plain_lines(f"{one_line(str(key), 24)}: {shown}", inner, ink.muted)):
                if index < 12:
                    body.append(line)
    shown_output, cut = output[:OUTPUT_CHARS], len(output) > OUTPUT_CHARS
    output_lines = plain_lines(shown_output, inner, ink.block) if shown_output else []
    if len(output_lines) > OUTPUT_LINES:
        output_lines, cut = output_lines[:OUTPUT_LINES], True
    body += output_lines
    if cut:
        body.append(Strip([Segment("… more output: y copies all of it", ink.muted)]))
    if not body:
        body.append(Strip([Segment("no output", ink.muted)]))
    return lines + [Strip([bar, *line]) for line in body]


def _fold_line(
    mark: str, mark_style: Style, name: str, title: str, note: str, note_style: Style, width: int, ink: Ink
) -> Strip:
    name = one_line(name, 20)
    room = width - MARGIN - 2 - cell_len(name) - 2 - cell_len(note) - 3
    title = _cut(title, max(4, room))
    return Strip(
        [
            Segment(" " * MARGIN),
            Segment(f"{mark} ", mark_style),
            Segment(name, ink.accent),
            Segment(f"  {title}  ", ink.block),
            Segment(note, note_style),
        ]
    )


def _cut(text: str, cells: int) -> str:
    """The text in at most so many cells, with ``…`` where it was cut."""
    if cell_len(text) <= cells:
        return text
    while text and cell_len(text) > cells - 1:
        text = text[: max(0, min(len(text) - 1, cells))]
    return text + "…"


def _indented(line: Strip) -> Strip:
    return Strip([Segment(" " * MARGIN), *line])
