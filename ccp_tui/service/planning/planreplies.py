"""Reading what the planner answers: one JSON object, a question or a plan, checked field by field.

Pure. A planner is a language model: there may be words around the object, but nothing in it is guessed. Whatever does
not fit is a :class:`ReplyError`, whose words go back to the planner.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from ccp_tui import spec
from ccp_tui.text import clean, one_line

LARGEST_REPLY = 200_000
LONGEST_QUESTION = 2_000
LONGEST_LABEL = 200
LONGEST_DESCRIPTION = 1_000
LONGEST_HEADER = 40
MOST_OPTIONS = 6
MOST_ITEMS = 100

_FENCE = re.compile(r"[ \t]*```[ \t]*(json)?[ \t]*", re.I)
_QUESTION = {"kind", "question", "header", "why", "options", "multiple"}
_OPTION = {"id", "label", "description"}
_DELIVERABLE = {"path", "description"}
_CHECK = {"name", "command", "timeout_s"}
_AGENT = {"name", "role", "emoji", "model", "soul"}
_WORK = {"title", "summary", "agent", "deliverables", "success_criteria", "checks", "constraints"}
_PLAN = _WORK | {"assumptions", "agents", "tasks"}
_TASK = _WORK | {"key", "needs"}


class ReplyError(ValueError):
    """A reply that is no question and no plan. The words say what is wrong and what is wanted."""


@dataclass(frozen=True)
class Option:
    id: str
    label: str
    description: str = ""


@dataclass(frozen=True)
class Question:
    """What the planner must know. Without options only an answer in words fits."""

    text: str
    header: str = ""
    why: str = ""
    options: tuple[Option, ...] = ()
    multiple: bool = False


@dataclass(frozen=True)
class Plan:
    """A complete plan, as the spec that it becomes."""

    spec: spec.Spec


def read(text: str) -> Question | Plan:
    """The question or plan in the planner's words. Raises ReplyError."""
    if len(text) > LARGEST_REPLY:
        raise ReplyError(f"the reply is longer than {LARGEST_REPLY} characters: say it shorter")
    body = _object(text)
    kind = body.get("kind")
    if kind == "question":
        return _question(body)
    if kind == "plan":
        return _plan(body)
    raise ReplyError('the object needs "kind": "question" or "kind": "plan"')


def _object(text: str) -> dict[str, Any]:
    """The one JSON object in the words: all of them, in a fence, or from the first brace on."""
    fenced = _fenced(text)
    first = text.find("{")
    tries = [text.strip(), *reversed(fenced)]
    problem = ""
    for one in tries:
        try:
            found = json.loads(one)
        except RecursionError:
            raise ReplyError("the JSON is nested too deeply") from None
        except ValueError as error:
            if one.lstrip().startswith("{"):
                problem = problem or str(error)
            continue
        return _mapping(found, "the reply")
    if first >= 0:
        try:
            found, _ = json.JSONDecoder().raw_decode(text, first)
        except RecursionError:
            raise ReplyError("the JSON is nested too deeply") from None
        except ValueError as error:
            raise ReplyError(f"the JSON can't be read: {problem or error}") from None
        return _mapping(found, "the reply")
    raise ReplyError("there is no JSON object in the reply")


def _fenced(text: str) -> list[str]:
    """What stands between the fences, in one pass: a pattern over all of it takes minutes for what is never closed."""
    found: list[str] = []
    inside: list[str] | None = None
    for line in text.split("\n"):
        fence = _FENCE.fullmatch(line)
        if inside is None:
            inside = [] if fence else None
        elif fence and not fence[1]:
            found.append("\n".join(inside))
            inside = None
        else:
            inside.append(line)
    return found


def _question(body: dict[str, Any]) -> Question:
    _known(body, _QUESTION, "a question")
    text = _words(body, "question", LONGEST_QUESTION, "the question")
    if not text:
        raise ReplyError('a question needs "question": what you want to know')
    options = tuple(_option(one) for one in _list(body, "options", "the question"))
    if len(options) == 1 or len(options) > MOST_OPTIONS:
        raise ReplyError(f"a question has 2 to {MOST_OPTIONS} options, or none when only words can answer it")
    if len({one.id for one in options}) < len(options):
        raise ReplyError("two options have the same id")
    multiple = body.get("multiple")
    if multiple is not None and not isinstance(multiple, bool):
        raise ReplyError("multiple must be true or false")
    header = one_line(_words(body, "header", LONGEST_QUESTION, "the question"), LONGEST_HEADER)
    return Question(
        text, header, _words(body, "why", LONGEST_QUESTION, "the question"), options, bool(multiple)
    )


def _option(given: Any) -> Option:
    fields = _mapping(given, "an option")
    _known(fields, _OPTION, "an option")
    name, label = (one_line(_words(fields, key, LONGEST_LABEL, "an option")) for key in ("id", "label"))
    if not name or not label:
        raise ReplyError("an option needs an id and a label")
    return Option(name, label, _words(fields, "description", LONGEST_DESCRIPTION, f"option {name}"))


def _plan(body: dict[str, Any]) -> Plan:
    _known(body, {"kind", "plan"}, "a reply with a plan")
    fields = _work(_mapping(body.get("plan"), "plan"), _PLAN, "the plan")
    agents = [_agent(one) for one in _list(fields, "agents", "the plan")]
    tasks = [_task(one) for one in _list(fields, "tasks", "the plan")]
    if not fields.get("title") or not fields.get("summary"):
        raise ReplyError("the plan needs a title and a summary")
    try:
        read = spec.parse(spec.written({**fields, "agents": agents, "tasks": tasks}))
    except spec.SpecError as error:
        where = f"{error.field}: " if error.field else ""
        raise ReplyError(f"the plan does not hold: {where}{error.message}") from None
    if problem := spec.incomplete(read.deliverables, read.success_criteria):
        raise ReplyError(problem.replace("the spec", "the plan"))
    return Plan(read)


def _task(given: Any) -> dict[str, Any]:
    fields = _mapping(given, "a sub-task")
    name = f"sub-task {one_line(str(fields.get('key') or '?'), 60)}"
    return {**_work(fields, _TASK, name), **_texts(fields, "needs", name)}


def _agent(given: Any) -> dict[str, Any]:
    fields = _mapping(given, "an agent")
    name = f"agent {one_line(str(fields.get('name') or '?'), 60)}"
    _known(fields, _AGENT, name)
    if not _words(fields, "soul", LARGEST_REPLY, name):
        raise ReplyError(f"{name} needs a soul: who it is and how it works")
    return {key: _words(fields, key, LARGEST_REPLY, name) for key in fields}


def _work(fields: dict[str, Any], keys: set[str], what: str) -> dict[str, Any]:
    """The fields that a plan and its sub-tasks share, checked for their kinds; what they hold, the spec checks."""
    _known(fields, keys, what)
    read: dict[str, Any] = dict(fields)
    for key in ("key", "title", "summary", "agent"):
        if key in fields:
            read[key] = _words(fields, key, LARGEST_REPLY, what)
    for key in ("success_criteria", "constraints", "assumptions"):
        read |= _texts(fields, key, what)
    read["deliverables"] = [
        _part(one, _DELIVERABLE, f"a deliverable of {what}") for one in _list(fields, "deliverables", what)
    ]
    read["checks"] = [_part(one, _CHECK, f"a check of {what}") for one in _list(fields, "checks", what)]
    return read


def _part(given: Any, keys: set[str], what: str) -> Any:
    """A deliverable or a check: a text, or an object."""
    if isinstance(given, str):
        return clean(given)
    fields = _mapping(given, what)
    _known(fields, keys, what)
    read: dict[str, Any] = {}
    for key, value in fields.items():
        seconds = key == "timeout_s" and isinstance(value, int | float) and not isinstance(value, bool)
        read[key] = value if seconds or value is None else _words(fields, key, LARGEST_REPLY, what)
    return {key: value for key, value in read.items() if value is not None}


def _texts(fields: dict[str, Any], key: str, what: str) -> dict[str, list[str]]:
    if key not in fields:
        return {}
    values = _list(fields, key, what)
    if not all(isinstance(value, str) for value in values):
        raise ReplyError(f"{key} of {what} must be a list of texts")
    return {key: [clean(value) for value in values]}


def _words(fields: dict[str, Any], key: str, most: int, what: str) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ReplyError(f"{key} of {what} must be text")
    text = clean(value).strip()
    if len(text) > most:
        raise ReplyError(f"{key} of {what} is longer than {most} characters")
    return text


def _list(fields: dict[str, Any], key: str, what: str) -> list[Any]:
    value = fields.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ReplyError(f"{key} of {what} must be a list")
    if len(value) > MOST_ITEMS:
        raise ReplyError(f"{key} of {what} has more than {MOST_ITEMS} items")
    return value


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ReplyError(f"{what} must be a JSON object")
    return value


def _known(fields: dict[str, Any], keys: set[str], what: str) -> None:
    if unknown := sorted(set(fields) - keys):
        names = ", ".join(one_line(key, 40) for key in unknown[:5])
        raise ReplyError(f"{what} has no {names}; it has {', '.join(sorted(keys))}")
