"""The scripted planner: two questions, one at a time, and then a plan that the scripted workers can carry out.

What it may assume of a prompt: ``Plan: REF TITLE``; the first one has a line ``Questions: …``; an answer has a line
``Question N answered`` and one ``Answer: …``. Anything else about a plan (changes wanted, a reply that could not be
read) is answered with the plan.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ccp_tui.gateway.demo.brief import Brief
from ccp_tui.gateway.demo.steps import Say, Step
from ccp_tui.gateway.demo.worker import answered
from ccp_tui.text import one_line, slug

Json = dict[str, Any]

REPLY_PER_SECOND = 120.0
_LARGE = re.compile(r"\b(guide|launch|prepare|and)\b", re.IGNORECASE)
_QUESTIONS = re.compile(r"^Questions: (.*)$", re.MULTILINE)
_ANSWERED = re.compile(r"^Question (\d+) answered", re.MULTILINE)
_BOARD = re.compile(r"^Agents on the board:(.*?)(?:\n[ \t]*\n|\Z)", re.DOTALL | re.MULTILINE)
_AGENT = re.compile(r"^\s*- ([^\s:]+): (.+)$", re.MULTILINE)
_WRITES = re.compile(r"\b(writ|edit|author|docu|scribe|general)", re.IGNORECASE)

_FIRST: Json = {
    "kind": "question",
    "header": "Readers",
    "question": "Who is it for?",
    "why": "How much must be explained depends on who reads it.",
    "options": [
        {"id": "a", "label": "Newcomers", "description": "every step is explained"},
        {"id": "b", "label": "Colleagues", "description": "short, and to the point"},
        {"id": "c", "label": "Both", "description": "a short version first, then the details"},
    ],
}
_SECOND: Json = {
    "kind": "question",
    "header": "Length",
    "question": "How long may it be?",
    "why": "It decides how much is gathered before the writing begins.",
    "options": [
        {"id": "a", "label": "One page"},
        {"id": "b", "label": "A few pages"},
        {"id": "c", "label": "As long as it takes"},
    ],
}


def is_first(brief: Brief) -> bool:
    """Whether this is the prompt that opens a planning."""
    return _QUESTIONS.search(brief.frame) is not None


def plan(brief: Brief) -> Iterator[Step]:
    """The one reply to a prompt of a planning: a question or the plan, as JSON."""
    opening, number = _QUESTIONS.search(brief.frame), _ANSWERED.search(brief.frame)
    if opening and not opening[1].strip().lower().startswith("none"):
        yield _reply(_FIRST)
    elif number and int(number[1]) < 2:
        yield _reply(_SECOND)
    else:
        yield _reply({"kind": "plan", "plan": planned(brief)})


def planned(brief: Brief) -> Json:
    """The fields of the plan, as :func:`ccp_tui.spec.written` takes them."""
    title = one_line(brief.title, 200) or brief.ref or "The work"
    topic = slug(title, 32) or "work"
    wishes = _wishes(brief)
    assumed = ["It is for newcomers.", "A few pages are enough."] if is_first(brief) else []
    fields = (
        _large(title, topic, wishes) if _LARGE.search(title) else _small(title, topic, wishes, _able(brief))
    )
    return {**fields, **({"assumptions": assumed} if assumed else {})}


def _reply(body: Json) -> Say:
    words = json.dumps(body, indent=2, ensure_ascii=False)
    return Say(f"```json\n{words}\n```", REPLY_PER_SECOND)


def _wishes(brief: Brief) -> list[str]:
    """What the person said in this prompt, as constraints of the plan."""
    said = one_line(answered(brief), 300)
    if not said or said.startswith("waived"):
        return []
    return [f"As the person said: {said}"]


def _able(brief: Brief) -> str:
    """The id of an agent on the board that can write; empty when there is none."""
    board = _BOARD.search(brief.frame)
    rows = _AGENT.findall(board[1]) if board else []
    return next((name for name, about in rows if _WRITES.search(about)), "")


def _agent(name: str, role: str, emoji: str, manner: str) -> Json:
    soul = f"# {name}\n\nYou are {name}, {role}. {manner}\n\nYou report what you do, and you ask when you are stuck.\n"
    return {"name": name, "role": role, "emoji": emoji, "soul": soul}


def _file(path: str, description: str) -> Json:
    return {"path": path, "description": description}


def _checks(path: str, *words: str) -> list[Json]:
    there = {"name": f"{path} is there", "command": f"test -s {path}", "timeout_s": 30}
    says = [
        {"name": f"{path} has “{word}”", "command": f"grep -q '{word}' {path}", "timeout_s": 30}
        for word in words
    ]
    return [there, *says]


def _small(title: str, topic: str, wishes: list[str], able: str) -> Json:
    path = f"{topic}.md"
    scribe = _agent("Scribe", "writer", "🪶", "You write plainly and you keep to what was asked.")
    return {
        "title": title,
        "summary": f"{title}: one text, written and checked.",
        "agent": able or "Scribe",
        "deliverables": [_file(path, "the text")],
        "success_criteria": ["it does what the title says", "a newcomer can follow it"],
        "checks": _checks(path, "Summary"),
        "constraints": ["Keep to plain words.", *wishes],
        "agents": [] if able else [scribe],
    }


def _large(title: str, topic: str, wishes: list[str]) -> Json:
    facts, draft, remarks, whole = (f"{topic}/{name}.md" for name in ("facts", "draft", "remarks", "final"))
    return {
        "title": title,
        "summary": f"{title}: the facts are gathered, a draft is written, somebody else checks it, and the final "
        "version takes up the remarks.",
        "agent": "Quill",
        "deliverables": [_file(whole, "the final version")],
        "success_criteria": ["it takes up every remark of the check-up", "a newcomer can follow it"],
        "checks": _checks(whole, "Final version", "Remark 1"),
        "constraints": ["Build on the draft and the remarks.", *wishes],
        "agents": [
            _agent(
                "Scout", "researcher", "🔭", "You find things out, and you say where each one comes from."
            ),
            _agent("Quill", "writer", "🪶", "You turn facts into words that are easy to follow."),
        ],
        "tasks": [
            {
                "key": "gather",
                "title": f"Gather the facts for: {title}",
                "summary": "What must be known before anything is written.",
                "agent": "Scout",
                "needs": [],
                "deliverables": [_file(facts, "the facts, one per line")],
                "success_criteria": ["every fact is useful for the text"],
                "checks": _checks(facts, "Fact 1"),
                "constraints": wishes,
            },
            {
                "key": "write",
                "title": f"Write the draft of: {title}",
                "summary": "A draft that is built on the facts.",
                "agent": "Quill",
                "needs": ["gather"],
                "deliverables": [_file(draft, "the draft")],
                "success_criteria": ["it uses the facts that were gathered"],
                "checks": _checks(draft, "Draft", "Fact 1"),
                "constraints": ["Use the facts of the task before this one."],
            },
            {
                "key": "check-up",
                "title": f"Check the draft of: {title}",
                "summary": "Somebody other than its writer reads the draft.",
                "agent": "Scout",
                "needs": ["write"],
                "deliverables": [_file(remarks, "the remarks, numbered")],
                "success_criteria": ["each remark can be acted on"],
                "checks": _checks(remarks, "Remark 1"),
                "constraints": ["Do not change the draft."],
            },
        ],
    }
