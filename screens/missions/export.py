"""A mission's timeline as a file: Markdown to read, JSON to work with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ccp_tui import clock
from ccp_tui.text import clean

Json = dict[str, Any]


def proposed(slug: str) -> Path:
    """Where a timeline goes unless the person says otherwise: the folder that ccp was started in."""
    return Path.cwd() / f"{slug}-timeline-{clock.now()[:10]}.md"


def target(named: str) -> Path:
    """The file that a person named, wherever ccp was started."""
    return Path(named.strip()).expanduser().absolute()


def write(path: Path, timeline: Json, *, replace: bool = False) -> int:
    """Writes a timeline, JSON where the name says so, else Markdown; its size in bytes.

    Raises FileExistsError when something is there and ``replace`` is off, OSError when it can't be written.
    """
    if path.suffix.lower() == ".json":
        text = json.dumps(timeline.get("data"), ensure_ascii=False, indent=2) + "\n"
    else:
        text = clean(str(timeline.get("markdown") or ""))
    with path.open("w" if replace else "x", encoding="utf-8") as file:
        file.write(text)
    return len(text.encode())
