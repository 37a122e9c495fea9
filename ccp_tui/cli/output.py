"""What verbs print: aligned columns for people, one JSON document for scripts."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from ccp_tui import clock
from ccp_tui.text import clean, one_line

# JSON leaves these as they are, and a terminal would obey or reorder them.
_UNSAFE_IN_JSON = {
    code: f"\\u{code:04x}"
    for code in (*range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def print_json(document: Any) -> None:
    """One document: indented for a terminal, on one line (and faster) for a pipe."""
    _write_json(document, 2 if sys.stdout.isatty() else None)


def print_ndjson(document: Any) -> None:
    """One line of a stream, written at once."""
    _write_json(document, None)


def _write_json(document: Any, indent: int | None) -> None:
    separators = None if indent else (",", ":")
    ascii_only = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent, separators=separators)
    print(text.translate(_UNSAFE_IN_JSON), flush=True)


def width(text: str) -> int:
    """The cells a text takes on a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    cells = 0
    for char in text:
        if unicodedata.combining(char) or char in "\u200b\u200d\ufe0e\ufe0f":
            continue
        cells += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return cells


def fit(text: str, cells: int) -> str:
    """The text cut to so many cells, with ``…`` where something is missing."""
    if width(text) <= cells:
        return text
    kept, used = "", 0
    for char in text:
        step = width(char)
        if used + step > cells - 1:
            break
        kept, used = kept + char, used + step
    return kept + "…"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], flexible: int = -1) -> str:
    """Aligned columns. On a terminal the flexible column is cut so that a row stays on one line."""
    cells = [[one_line("" if cell is None else str(cell)) for cell in row] for row in rows]
    sizes = [max(width(row[at]) for row in (list(heads), *cells)) for at in range(len(heads))]
    flexible %= len(heads)
    if sys.stdout.isatty():
        import shutil  # it loads the compression libraries, which a verb in a pipe has no use for

        screen = shutil.get_terminal_size().columns
        others = sum(sizes) - sizes[flexible] + 2 * (len(heads) - 1)
        sizes[flexible] = min(sizes[flexible], max(16, screen - others))
    lines = []
    for row in (list(heads), *cells):
        padded = (
            (text := fit(cell, size)) + " " * (size - width(text))
            for cell, size in zip(row, sizes, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def paragraph(text: str, indent: str = "  ") -> str:
    """A text of several lines, made safe and set in."""
    return "\n".join((indent + line).rstrip() for line in clean(text).splitlines())


def local_time(at: str | None, seconds: bool = False) -> str:
    """A stored time as the person's clock shows it; what is no time of ours is shown as it is."""
    if not at:
        return ""
    try:
        moment = clock.parse(at).astimezone()
    except ValueError:
        return one_line(at, 24)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def age(at: str | None) -> str:
    """How long ago, or nothing when that is not known."""
    try:
        return clock.age(at) if at else ""
    except ValueError:
        return ""


def bold(text: str) -> str:
    """Bold on a terminal that wants colours; plain elsewhere."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[1m{text}\x1b[22m"


def print_raw(text: str) -> None:
    """A document that is kept in a file: as it is into a pipe, made safe on a terminal."""
    if sys.stdout.isatty():
        text = clean(text)
    sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    sys.stdout.flush()
