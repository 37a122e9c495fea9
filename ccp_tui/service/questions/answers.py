"""Answers to questions: read from what the person chose and wrote, and put into words for whoever asked. Pure."""

from __future__ import annotations

import re
from typing import Any

from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import usage
from ccp_tui.text import clean
from ccp_tui.wire import Json

Row = dict[str, Any]

LONGEST_ANSWER = 20_000  # characters
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WIRE = ("id", "kind", "ref", "header", "text", "options", "multiple", "free", "state", "answer")
WAIVED = "Answer: waived, decide yourself and state the assumption"


def shown(row: Row) -> Json:
    """A question as clients get it."""
    times = {"asked_at": row["asked_at"], "expires_at": row["expires_at"]}
    asker = {"agent": row["agent_id"], "session_key": row["session_key"]}
    return {**{key: row[key] for key in _WIRE}, **asker, **times}


def lettered(options: list[tuple[str, str]]) -> list[Row]:
    """Options (label, description) with the letters that they are chosen by."""
    return [
        {"id": letter, "label": label, "description": description}
        for letter, (label, description) in zip(_LETTERS, options, strict=False)
    ]


def read_answer(question: Row, params: Json) -> Row:
    """``{options: [{id, label}], text}`` from ``options`` (ids) and ``text``. Raises a usage error in words."""
    chosen = list(dict.fromkeys(p.texts(params, "options")))
    text = clean(p.maybe_text(params, "text") or "").strip()
    offered = {one["id"]: one["label"] for one in question["options"]}
    if unknown := [one for one in chosen if one not in offered]:
        there = ", ".join(offered) or "none: answer in words"
        raise usage(f"there is no option {unknown[0]!r}; options: {there}", field="options")
    if len(chosen) > 1 and not question["multiple"]:
        raise usage("choose one option: this question takes a single one", field="options")
    if text and not question["free"]:
        raise usage("choose an option: this question takes no answer in words", field="text")
    if len(text) > LONGEST_ANSWER:
        raise usage(f"the answer is longer than {LONGEST_ANSWER} characters", field="text")
    if not chosen and not text:
        ways = " or ".join(
            way
            for way, there in (("choose an option", offered), ("answer in words", question["free"]))
            if there
        )
        raise usage(f"{ways} first", field="options" if offered else "text")
    return {"options": [{"id": one, "label": offered[one]} for one in chosen], "text": text}


def answer_lines(question: Row) -> str:
    """The question and its answer as whoever asked reads them: every chosen option with id and label, and the words."""
    answer = question["answer"]
    lines = block("question", question["text"])
    if answer is None:
        return "\n".join([*lines, WAIVED])
    lines += [f"Answer: {one['id']}) {one['label']}" for one in answer["options"]]
    if answer["text"]:
        if not answer["options"]:
            lines.append("Answer: in words")
        lines += block("answer in words", answer["text"])
    return "\n".join(lines)


def block(name: str, text: str) -> list[str]:
    """Somebody's words between two lines of ours; a line of theirs that looks like the end is no end."""
    body = re.sub(r"^---", " ---", text.rstrip(), flags=re.MULTILINE)
    return [f"--- {name} ---", body, f"--- end of {name} ---"]


def one_line_of(answer: Row | None) -> str:
    """An answer for the feed and for an agent that asks again."""
    if answer is None:
        return "waived: decide yourself and state the assumption"
    chosen = ", ".join(f"{one['id']}) {one['label']}" for one in answer["options"])
    return " – ".join(part for part in (chosen, answer["text"]) if part)


def gateway_values(question: Row) -> list[str]:
    """An answer as the gateway takes it: labels and words, and for a single choice one value, for it refuses two."""
    answer = question["answer"] or {"options": [], "text": ""}
    values = [*(one["label"] for one in answer["options"]), *([answer["text"]] if answer["text"] else [])]
    return values if question["multiple"] or len(values) < 2 else [" – ".join(values)]
