"""Reading a spec file: YAML, checked key by key, every error with its line.

A spec says what a task must produce (deliverables, paths in the agent's workspace), what makes it good (success
criteria, read by a reviewer), what is run to verify it (checks: shell commands with a time limit in seconds) and what
it must respect (constraints). The text is kept as written; the worker gets it verbatim.

A plan is a spec that says more: who does it (agent), which agents must be created for it (agents: name, role, emoji,
model, soul), and, when the work is large, its sub-tasks (tasks), each with a key, a spec of its own and the keys of
those that it needs. The task itself is done last: it puts together what its sub-tasks made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from ccp_tui.specnodes import SpecError as SpecError
from ccp_tui.specnodes import compose, items, line, mapping, scalar, sentence, unique, words
from ccp_tui.text import one_line, slug

DEFAULT_CHECK_TIMEOUT_S = 60.0
LONGEST_CHECK_TIMEOUT_S = 3600.0
LARGEST_SPEC_BYTES = 64 * 1024
LONGEST_CHECK_NAME = 120
MOST_SUBTASKS = 40
MOST_AGENTS = 12
LONGEST_NAME = 60

TEMPLATE = """\
# What should exist at the end, and how it is verified. Lines that start with # are notes.
title: {title}
summary: |
  One paragraph: what this is for.
deliverables:
  # paths in the agent's workspace
  - path: report.md
    description: what the file holds
success_criteria:
  - what a reviewer must be able to say of it
checks:
  # shell commands, run in the workspace; every one must exit 0
  - name: the report is there
    command: test -s report.md
    timeout_s: 60
constraints:
  - what the agent must not do
"""


@dataclass(frozen=True)
class Deliverable:
    path: str
    description: str = ""


@dataclass(frozen=True)
class Check:
    name: str
    command: str
    timeout_s: float = DEFAULT_CHECK_TIMEOUT_S


@dataclass(frozen=True)
class NewAgent:
    """An agent that is created when the plan is approved, unless the board has one of that name."""

    name: str
    role: str = ""
    emoji: str = ""
    model: str = ""
    soul: str = ""


@dataclass(frozen=True)
class SubTask:
    """A part of a plan. ``key`` names it within the plan; ``needs`` are the keys of what must be done before it."""

    key: str
    title: str
    summary: str = ""
    agent: str = ""
    needs: tuple[str, ...] = ()
    deliverables: tuple[Deliverable, ...] = ()
    success_criteria: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    constraints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spec:
    """A spec as parsed. ``text`` is the file as written."""

    text: str
    title: str = ""
    summary: str = ""
    deliverables: tuple[Deliverable, ...] = ()
    success_criteria: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    constraints: tuple[str, ...] = ()
    agent: str = ""
    agents: tuple[NewAgent, ...] = ()
    tasks: tuple[SubTask, ...] = ()
    assumptions: tuple[str, ...] = ()


def incomplete(deliverables: Sequence[object], success_criteria: Sequence[object]) -> str:
    """Why a spec with these can't be approved yet; empty when it can."""
    if not deliverables:
        return "the spec names no deliverable"
    return "" if success_criteria else "the spec names no success criterion"


def parse(text: str) -> Spec:
    """The spec in ``text``. Raises SpecError with the line of the first thing that is wrong."""
    if len(text.encode(errors="replace")) > LARGEST_SPEC_BYTES:
        raise SpecError(f"the spec is larger than {LARGEST_SPEC_BYTES // 1024} KiB", 1)
    top = mapping(compose(text), "spec", _KEYS)
    deliverables = items(top, "deliverables", _deliverable)
    unique(top, "deliverables", [d.path for d in deliverables])
    return Spec(
        text=text,
        title=words(top, "title"),
        summary=words(top, "summary"),
        deliverables=deliverables,
        success_criteria=items(top, "success_criteria", sentence),
        checks=items(top, "checks", _check),
        constraints=items(top, "constraints", sentence),
        agent=one_line(words(top, "agent"), LONGEST_NAME),
        agents=_agents(top),
        tasks=_tasks(top),
        assumptions=items(top, "assumptions", sentence),
    )


def written(fields: dict[str, Any]) -> str:
    """A spec's text from its fields, laid out for people: in the order of the template, long words as blocks."""
    known = {name: fields[name] for name in _KEYS if fields.get(name)}
    dumped = yaml.dump(known, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return str(dumped)


class _Dumper(yaml.SafeDumper):
    """Words of several lines as blocks."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    plain = "\n".join(row.rstrip() for row in text.split("\n"))
    style = "|" if "\n" in plain else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", plain, style=style)


_Dumper.add_representer(str, _represent_text)

_KEYS = (
    "title", "summary", "agent", "deliverables", "success_criteria", "checks", "constraints", "assumptions",
    "agents", "tasks",
)  # fmt: skip
_SUBTASK = (
    "key",
    "title",
    "summary",
    "agent",
    "needs",
    "deliverables",
    "success_criteria",
    "checks",
    "constraints",
)


def _agents(top: dict[str, yaml.Node]) -> tuple[NewAgent, ...]:
    agents = items(top, "agents", _agent)
    if len(agents) > MOST_AGENTS:
        raise SpecError(f"a plan may create {MOST_AGENTS} agents at most", line(top["agents"]), "agents")
    unique(top, "agents", [slug(agent.name, 64) for agent in agents])  # what the gateway makes ids of
    return agents


def _agent(node: yaml.Node, key: str) -> NewAgent:
    fields = mapping(node, "an agent", ("name", "role", "emoji", "model", "soul"))
    name = one_line(words(fields, "name"), LONGEST_NAME)
    if not any(letter.isascii() and letter.isalnum() for letter in name):
        raise SpecError("an agent needs a name with letters in it", line(node), key)
    return NewAgent(
        name,
        one_line(words(fields, "role"), 200),
        one_line(words(fields, "emoji"), 8),
        one_line(words(fields, "model"), 200),
        words(fields, "soul"),
    )


def _tasks(top: dict[str, yaml.Node]) -> tuple[SubTask, ...]:
    tasks = items(top, "tasks", _subtask)
    if len(tasks) > MOST_SUBTASKS:
        raise SpecError(f"a plan may have {MOST_SUBTASKS} sub-tasks at most", line(top["tasks"]), "tasks")
    unique(top, "tasks", [task.key for task in tasks])
    needs = {task.key: task.needs for task in tasks}
    for index, task in enumerate(tasks):
        at = line(top["tasks"].value[index])
        for one in task.needs:
            if one not in needs:
                raise SpecError(f"{task.key} needs {one!r}, and there is no such sub-task", at, "needs")
        if circle := _circle(task.key, needs):
            raise SpecError(f"the sub-tasks need each other in a circle: {' → '.join(circle)}", at, "needs")
    return tasks


def _circle(start: str, needs: dict[str, tuple[str, ...]]) -> list[str]:
    """The way from a sub-task back to itself along what each needs; empty when there is none."""
    came: dict[str, str] = {}
    ahead = [start]
    while ahead:
        here = ahead.pop()
        for one in needs.get(here, ()):
            if one == start:
                way = [here]
                while way[-1] != start:
                    way.append(came[way[-1]])
                return [*reversed(way), start]
            if one not in came:
                came[one] = here
                ahead.append(one)
    return []


def _subtask(node: yaml.Node, key: str) -> SubTask:
    fields = mapping(node, "a sub-task", _SUBTASK)
    name, title = one_line(words(fields, "key"), LONGEST_NAME), one_line(words(fields, "title"), 500)
    if not name or not title:
        raise SpecError("a sub-task needs a key and a title", line(node), key)
    deliverables = items(fields, "deliverables", _deliverable)
    unique(fields, "deliverables", [one.path for one in deliverables])
    criteria = items(fields, "success_criteria", sentence)
    if problem := incomplete(deliverables, criteria):
        raise SpecError(f"sub-task {name}: {problem.replace('the spec', 'it')}", line(node), key)
    return SubTask(
        name,
        title,
        words(fields, "summary"),
        one_line(words(fields, "agent"), LONGEST_NAME),
        items(fields, "needs", sentence),
        deliverables,
        criteria,
        items(fields, "checks", _check),
        items(fields, "constraints", sentence),
    )


def _deliverable(node: yaml.Node, key: str) -> Deliverable:
    if isinstance(node, yaml.ScalarNode):
        return Deliverable(_path(node))
    fields = mapping(node, "a deliverable", ("path", "description"))
    if "path" not in fields:
        raise SpecError("a deliverable needs a path", line(node), key)
    return Deliverable(_path(fields["path"]), words(fields, "description"))


def _path(node: yaml.Node) -> str:
    text = scalar(node, "path")
    path = PurePosixPath(text)
    if "\n" in text or path.is_absolute() or ".." in path.parts or str(path) == ".":
        raise SpecError(
            f"{text!r} is no path inside the workspace (relative, without '..')", line(node), "path"
        )
    return str(path)


def _check(node: yaml.Node, key: str) -> Check:
    if isinstance(node, yaml.ScalarNode):
        command = sentence(node, key)
        return Check(_check_name("", command), command)
    fields = mapping(node, "a check", ("name", "command", "timeout_s"))
    command = words(fields, "command")
    if not command:
        raise SpecError("a check needs a command", line(node), key)
    return Check(_check_name(words(fields, "name"), command), command, _timeout(fields))


def _check_name(name: str, command: str) -> str:
    """One line for lists and events: the name, or how the command begins."""
    return one_line(name or command.splitlines()[0], LONGEST_CHECK_NAME)


def _timeout(fields: dict[str, yaml.Node]) -> float:
    if "timeout_s" not in fields:
        return DEFAULT_CHECK_TIMEOUT_S
    node = fields["timeout_s"]
    try:
        seconds = float(scalar(node, "timeout_s"))
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= LONGEST_CHECK_TIMEOUT_S:
        raise SpecError(
            f"timeout_s must be seconds, up to {LONGEST_CHECK_TIMEOUT_S:.0f}", line(node), "timeout_s"
        )
    return seconds
