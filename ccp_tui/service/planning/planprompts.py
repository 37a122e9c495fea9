"""The words that reach the planner: the task, the reply format, answers, corrections, and changes that are wanted."""

from __future__ import annotations

from typing import Any

from ccp_tui.service.questions.answers import block
from ccp_tui.text import one_line

Row = dict[str, Any]

_FORMAT = """\
Answer with exactly one JSON object, as your last message, alone or in a ```json fence. It is one of two kinds.

A question, when you can't plan without knowing; one at a time, 2 to 6 options, or [] when only words can answer it.
The person may always answer in words of their own:
{"kind": "question", "header": "Audience", "question": "Who reads it?", "why": "it decides the tone",
 "options": [{"id": "a", "label": "Newcomers", "description": "nothing is taken as known"},
             {"id": "b", "label": "The team"}], "multiple": false}

A plan, when you know enough:
{"kind": "plan", "plan": {
  "title": "…", "summary": "what it is for, in a paragraph",
  "agent": "who does it: the id of an agent that is there, or the name of one of your new agents",
  "deliverables": [{"path": "report.md", "description": "paths inside the agent's workspace, relative, no '..'"}],
  "success_criteria": ["what a reviewer must be able to say of it"],
  "checks": [{"name": "it is there", "command": "test -s report.md", "timeout_s": 60}],
  "constraints": ["what must not happen"],
  "assumptions": ["what you decided without asking"],
  "agents": [{"name": "Scout", "role": "gathers facts", "emoji": "🔭", "model": "", "soul": "its SOUL.md, Markdown"}],
  "tasks": [{"key": "gather", "title": "…", "summary": "…", "agent": "Scout", "needs": [],
             "deliverables": [{"path": "facts.md"}], "success_criteria": ["…"], "checks": [], "constraints": []}]}}
title, summary, deliverables and success_criteria must be there; the rest may be left out. Checks are shell commands
that run in the workspace of whoever did that work and must exit 0. "agents" are new ones only. "tasks" only when the
work is large: each has its own workspace if its agent differs, gets the results of what it "needs" (keys of other
sub-tasks, without a circle), and all of them come before the task itself, which puts their results together."""


def opening(task: Row, planning: Row, agents: list[Row], newest: Row | None) -> str:
    """The first message of a planning."""
    questions = "none, state your assumptions" if planning["auto"] else "one at a time"
    described = task["description"].strip()
    description = _block("description", described) if described else ""
    listed = "\n".join(_agent(one) for one in agents) or "- none yet"
    standing = f"A spec that is there already:\n{_block('spec so far', newest['text'])}" if newest else ""
    return f"""\
You are asked to plan a task. Do not carry it out: ask what you must know, then answer with the plan.

{_head(task, planning)}Questions: {questions}
Priority: {task["priority"]}{f", due {task['due']}" if task["due"] else ""}
{f"Assigned to: {task['agent_id']}" if task["agent_id"] else "Assigned to: nobody yet"}
{description}{standing}Agents on the board:
{listed}

{_block("reply format", _FORMAT)}"""


def answer(task: Row, planning: Row, number: int, question: Row) -> str:
    """The person's answer: every chosen option with its id and its text, and the words."""
    return f"""\
{_head(task, planning)}Question {number} answered
{_block("question", question["text"])}{_answered(question)}
{_NEXT}"""


def correction(task: Row, planning: Row, error: str) -> str:
    """What the planner is told when its reply could not be read."""
    return f"""\
{_head(task, planning)}Your reply could not be read: {error}

Send the whole reply again, mended: exactly one JSON object in the reply format of the first message.
"""


def changes(task: Row, planning: Row, words: str, edited: Row | None) -> str:
    """The person wants another plan. ``edited``: the spec as it stands, when it is not the planner's own."""
    standing = ""
    if edited:
        standing = (
            f"The person edited the plan; it stands like this:\n{_block('plan so far', edited['text'])}"
        )
    return f"""\
{_head(task, planning)}Changes wanted
{standing}{_block("answer in words", words)}
Answer with the whole plan as it should be now. {_NEXT}"""


def in_words(task: Row, planning: Row, words: str) -> str:
    """What the person says after a reply that nobody could read."""
    return f"""\
{_head(task, planning)}{_block("answer in words", words)}
{_NEXT}"""


def nudge(task: Row, planning: Row) -> str:
    """What the planner is told, once, when its run ended without a reply."""
    return f"""\
{_head(task, planning)}Your reply could not be read: your run ended and there was none

{_NEXT}"""


def sign_of_life(task: Row, planning: Row, silent: str) -> str:
    """What a planner is asked, once, whose run has not been heard of for long."""
    return f"""\
{_head(task, planning)}Your reply could not be read: nothing was heard of you for {silent}

{_NEXT}"""


_NEXT = "Answer with exactly one JSON object in the reply format of the first message.\n"


def _head(task: Row, planning: Row) -> str:
    return f"Plan: {task['ref']} {task['title']}\nPlanning: {planning['number']}\n"


def _answered(question: Row) -> str:
    given = question["answer"]
    if given is None:
        return "Answer: waived, decide yourself and state the assumption\n"
    chosen = "".join(f"Answer: {one['id']}) {one['label']}\n" for one in given.get("options") or [])
    words = str(given.get("text") or "").strip()
    return chosen + (_block("answer in words", words) if words else "")


def _agent(row: Row) -> str:
    return f"- {row['id']}: {', '.join(one_line(word) for word in (row['name'], row['role']) if word)}"


def _block(name: str, text: str) -> str:
    return "\n".join([*block(name, text), ""])
