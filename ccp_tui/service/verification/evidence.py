"""What was delivered, as evidence: kept at the submission, compared between rounds, and looked at again at a verdict.

A verdict is about the files that were submitted and checked. Their hashes are the round's; what a text held is kept
under its hash, so that a later round can be compared with it whatever the worker did to the file meanwhile.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ccp_tui.service.reports.tokens import hide
from ccp_tui.service.verification.deliverables import Found, NotDelivered, files_in, look
from ccp_tui.store import Store
from ccp_tui.text import clean, one_line

Row = dict[str, Any]

LARGEST_KEPT = 256 * 1024  # bytes of one deliverable's text
MOST_OF_A_FILE = 4 * 1024  # characters shown of one deliverable
MOST_OF_ALL_FILES = 24 * 1024
MOST_OF_A_DIFF = 16 * 1024
CONTEXT_LINES = 3


def texts(workspace: Path, found: Sequence[Found]) -> dict[str, str]:
    """What the deliverables hold, by their hashes: text of a bounded size, and only what still has that hash.

    A folder's text is that of its files, one after the other. Reads the disk: not for the event loop's thread.
    """
    kept: dict[str, str] = {}
    for one in found:
        if one.size <= LARGEST_KEPT and (text := _read(workspace / one.path, one)) is not None:
            kept[one.sha256] = hide(clean(text))
    return kept


def keep(store: Store, kept: dict[str, str]) -> None:
    """Keeps what :func:`texts` read, in the transaction of the submission."""
    for sha256, text in kept.items():
        store.contents.keep(sha256, text)


def changed(workspace: Path, delivered: Sequence[Row]) -> str:
    """What is not on disk any more as it was submitted and checked, in words; empty when all of it is.

    Reads the disk: not for the event loop's thread.
    """
    problems = []
    for row in delivered:
        try:
            same = look(workspace, row["path"]).sha256 == row["sha256"]
        except NotDelivered as gone:
            problems.append(str(gone).partition(":")[0])
        else:
            if not same:
                problems.append(f"{row['path']} was changed since it was submitted and checked")
    return one_line("; ".join(problems), 1000)


async def changed_in(workspace: str | None, delivered: Sequence[Row]) -> str:
    """:func:`changed` in a thread of its own."""
    if not workspace:
        return (
            "nobody knows the worker's workspace, so what was delivered can't be compared"
            if delivered
            else ""
        )
    return await asyncio.to_thread(changed, Path(workspace), delivered)


def shown(store: Store, delivered: Sequence[Row]) -> str:
    """The deliverables of a round with the beginning of each text, quoted, for an agent to read."""
    left = MOST_OF_ALL_FILES
    parts = []
    for row in delivered:
        parts.append(f"- {one_line(row['path'])} ({row['size']} bytes, sha256 {row['sha256']})")
        text = store.contents.text(row["sha256"])
        if text is None:
            parts.append("  (no text, or too large to show: look at it in the workspace)")
        elif text and left > 0:
            excerpt = shortened(text, min(MOST_OF_A_FILE, left))
            left -= len(excerpt)
            parts.append(quoted(excerpt))
    return "\n".join(parts)


def difference(store: Store, before: Sequence[Row], after: Sequence[Row]) -> str:
    """What changed from one round's deliverables to another's, as a unified diff, quoted and of a bounded size."""
    old, new = ({row["path"]: row for row in rows} for rows in (before, after))
    parts = [_compared(store, path, old.get(path), new.get(path)) for path in dict.fromkeys([*old, *new])]
    return quoted(shortened("\n".join(parts), MOST_OF_A_DIFF))


def quoted(text: str) -> str:
    """Another's words with a mark before each line, so that none can pass for a line of the prompt."""
    return "\n".join(f"> {line}".rstrip() for line in clean(hide(text)).strip("\n").splitlines())


def shortened(text: str, most: int) -> str:
    """A text of at most so many characters, more of its beginning than of its end."""
    if len(text) <= most:
        return text
    tail = most // 4
    left_out = len(text) - most
    return f"{text[: most - tail]}\n… {left_out} characters are left out here …\n{text[len(text) - tail :]}"


def _compared(store: Store, path: str, old: Row | None, new: Row | None) -> str:
    if old and new and old["sha256"] == new["sha256"]:
        return f"{path}: unchanged"
    if new is None:
        return f"{path}: not delivered any more"
    if old is None:
        return f"{path}: delivered for the first time"
    before, after = store.contents.text(old["sha256"]), store.contents.text(new["sha256"])
    if before is None or after is None:
        return f"{path}: changed, {old['size']} bytes before and {new['size']} now"
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), path, path, lineterm="", n=CONTEXT_LINES
    )
    return "\n".join(lines) or f"{path}: changed in its line ends only"


def _read(path: Path, found: Found) -> str | None:
    """The text of a file or folder; None when it is none, or not the one that was looked at."""
    try:
        if not path.is_dir():
            data = _bytes(path)
            return data.decode() if hashlib.sha256(data).hexdigest() == found.sha256 else None
        parts = [(str(file.relative_to(path)), _bytes(file)) for file in files_in(path)]
        digest = hashlib.sha256()
        for name, data in parts:
            digest.update(os.fsencode(f"{name}\0{hashlib.sha256(data).hexdigest()}\n"))
        if digest.hexdigest() != found.sha256:
            return None
        return "\n".join(f"=== {name} ===\n{data.decode()}" for name, data in parts)
    except (OSError, UnicodeDecodeError):
        return None


def _bytes(path: Path) -> bytes:
    """What a file holds. It was looked at before, and may be a pipe without an end by now: neither is waited for."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path.name} is no regular file")
        return file.read(LARGEST_KEPT + 1)
