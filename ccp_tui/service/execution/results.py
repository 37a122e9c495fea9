"""What a worker is told of work before its own: the results that its task builds on, and how earlier attempts ended.

All of it is others' words and files, so every line of theirs is quoted with ``> ``: it can't be taken for a line of the
prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from ccp_tui import clock
from ccp_tui.service.board.moves import Row
from ccp_tui.service.reports.tokens import hide
from ccp_tui.store import Store
from ccp_tui.text import clean, one_line

MOST_OF_A_FILE = 4 * 1024  # bytes
MOST_OF_ALL_FILES = 16 * 1024
LONGEST_SUMMARY = 2_000  # characters
LONGEST_REASON = 2_000
MOST_ATTEMPTS = 3
MOST_HOLDS = 50

_ENDED = {"done": "was approved", "stopped": "was stopped", "cancelled": "was cancelled"}


def of_needs(store: Store, task: Row) -> str:
    """The result of every task that this one needs, between lines that name it; empty when it needs none."""
    room = Room(MOST_OF_ALL_FILES)
    return "\n".join(of(store, need, room) for need in store.dependencies.of(task["id"]))


def of(store: Store, need: Row, room: Room | None = None) -> str:
    """The result of a task that is done: who made it and when, the summary, the files and how they begin."""
    attempt = store.attempts.latest(need["id"])
    lines = [f"Title: {one_line(hide(need['title']), 200)}"]
    if attempt and attempt["ended_at"]:
        age = clock.age(attempt["ended_at"])
        lines.append(f"Made by: {attempt['agent_id']}. Done: {attempt['ended_at']} ({age} ago)")
        lines += _delivered(store, attempt, room or Room(MOST_OF_ALL_FILES))
    text = "\n".join(lines)
    return f"--- result of {need['ref']} ---\n{text}\n--- end of result of {need['ref']} ---\n"


def earlier(store: Store, task: Row, number: int) -> str:
    """How the attempts before this one ended, the latest of them; empty for the first attempt."""
    events = store.events.page({"task": task["ref"], "kind": "held"}, limit=MOST_HOLDS)
    holds = {event["attempt"]: str(event["reason"]) for event in events}
    lines: list[str] = []
    for one in range(max(1, number - MOST_ATTEMPTS), number):
        attempt = store.attempts.numbered(task["id"], one)
        lines += _ended(store, attempt, holds.get(one, ""))
    return "\n".join(lines)


def sent_back(store: Store, task: Row) -> str:
    """The reason of the latest reopening, which every attempt since has to answer; empty for work never done."""
    reopened = store.events.page({"task": task["ref"], "kind": "reopened"}, limit=1)
    return str(reopened[-1]["reason"]) if reopened else ""


class Room:
    """How many bytes of files may yet be shown."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, text: str) -> tuple[str, bool]:
        """The beginning of a text that has room, and whether that is all of it. Never half a character."""
        data = text.encode()
        shown = data[: min(MOST_OF_A_FILE, self._left)]
        self._left -= len(shown)
        return shown.decode(errors="ignore"), len(shown) == len(data)


def _ended(store: Store, attempt: Row, hold: str) -> Iterator[str]:
    ended = _ENDED.get(attempt["outcome"], "ended")
    yield f"Attempt {attempt['number']} by {attempt['agent_id']} {ended} {clock.age(attempt['ended_at'])} ago."
    if hold and attempt["outcome"] != "done":
        yield f"It had stood still: {_words(hold)}"
    run = store.attempts.last_run(attempt["id"])
    if run and run["state"] == "error" and run["detail"] and run["detail"] not in hold:
        yield f"Its last run failed: {_words(run['detail'])}"
    rounds = store.rounds.of_attempt(attempt["id"])
    rejected = [(one, review) for one in rounds if (review := store.rounds.rejection(one["id"]))]
    if rejected:
        one, review = rejected[-1]
        yield f"Round {one['number']} was sent back by {review['actor']}:"
        yield _quoted(review["reason"], LONGEST_REASON)
    last = next((one for one in reversed(rounds) if one["submitted_at"]), None)
    if last:
        failed = [check["name"] for check in store.rounds.checks(last["id"]) if check["exit_code"] != 0]
        yield f"Its last submission was round {last['number']}" + (
            f"; these checks failed: {one_line(hide(', '.join(failed)), 500)}" if failed else "."
        )
        yield from _said(last)
        yield from (f"- {path}" for path, _ in _files(store, attempt, last))


def _delivered(store: Store, attempt: Row, room: Room) -> Iterator[str]:
    last = store.rounds.current(attempt["id"])
    yield from _said(last)
    begin: list[str] = []
    yield "Files:"
    for path, row in _files(store, attempt, last):
        description = f": {one_line(hide(row['description']), 200)}" if row["description"] else ""
        yield f"- {path} ({row['size']} bytes){description}"
        text = store.contents.text(row["sha256"])
        if text is not None:
            shown, whole = room.take(hide(clean(text)))
            if shown:
                begin.append(f"{path} {'is' if whole else 'begins'}:\n{_quoted(shown)}")
    yield from begin


def _said(row: Row) -> Iterator[str]:
    if row["summary"]:
        yield "Summary:"
        yield _quoted(row["summary"], LONGEST_SUMMARY)


def _files(store: Store, attempt: Row, round_row: Row) -> Iterator[tuple[str, Row]]:
    """What a round delivered, by absolute paths: another agent's folder is not this one's."""
    workspace = store.agents.row(attempt["agent_id"])["workspace"] or ""
    for row in store.rounds.delivered(round_row["id"]):
        yield one_line(str(PurePosixPath(workspace) / row["path"])), row


def _words(text: str) -> str:
    return one_line(hide(text), LONGEST_REASON)


def _quoted(text: str, limit: int = 0) -> str:
    words = clean(hide(text)).strip("\n")
    if limit and len(words) > limit:
        words = words[: limit - 1] + "…"
    return "\n".join(f"> {line}".rstrip() for line in words.splitlines())
