"""Reading a spec file: YAML, checked key by key, every error with its line.

A spec says what a task must produce (deliverables, paths in the agent's workspace), what makes it good (success
criteria, read by a reviewer), what is run to verify it (checks: shell commands with a time limit in seconds) and what
it must respect (constraints). The text is kept as written; the worker gets it verbatim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeVar

import yaml
from yaml.reader import ReaderError
from yaml.scanner import ScannerError

from ccp_tui.text import clean, one_line

DEFAULT_CHECK_TIMEOUT_S = 60.0
LONGEST_CHECK_TIMEOUT_S = 3600.0
LARGEST_SPEC_BYTES = 64 * 1024
LONGEST_CHECK_NAME = 120
DEEPEST_BRACKETS = 16

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


class SpecError(ValueError):
    """A spec that can't be read: the line (from 1), the field, and what is wrong."""

    def __init__(self, message: str, line: int, field: str = "") -> None:
        super().__init__(f"line {line}: {message}")
        self.message = message
        self.line = line
        self.field = field


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
class Spec:
    """A spec as parsed. ``text`` is the file as written."""

    text: str
    title: str = ""
    summary: str = ""
    deliverables: tuple[Deliverable, ...] = ()
    success_criteria: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    constraints: tuple[str, ...] = ()


def incomplete(deliverables: Sequence[object], success_criteria: Sequence[object]) -> str:
    """Why a spec with these can't be approved yet; empty when it can."""
    if not deliverables:
        return "the spec names no deliverable"
    return "" if success_criteria else "the spec names no success criterion"


T = TypeVar("T")


def parse(text: str) -> Spec:
    """The spec in ``text``. Raises SpecError with the line of the first thing that is wrong."""
    if len(text.encode(errors="replace")) > LARGEST_SPEC_BYTES:
        raise SpecError(f"the spec is larger than {LARGEST_SPEC_BYTES // 1024} KiB", 1)
    top = _mapping(_compose(text), "spec", _KEYS)
    deliverables = _items(top, "deliverables", _deliverable)
    _unique(top, "deliverables", [d.path for d in deliverables])
    return Spec(
        text=text,
        title=_words(top, "title"),
        summary=_words(top, "summary"),
        deliverables=deliverables,
        success_criteria=_items(top, "success_criteria", _sentence),
        checks=_items(top, "checks", _check),
        constraints=_items(top, "constraints", _sentence),
    )


class _Loader(yaml.SafeLoader):
    """Refuses early what no spec needs: brackets in brackets, which the scanner takes quadratic time for."""

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        if self.flow_level >= DEEPEST_BRACKETS:
            raise ScannerError(None, None, "the YAML is nested too deeply", self.get_mark())
        super().fetch_flow_collection_start(token)


def _compose(text: str) -> yaml.Node:
    """The YAML as nodes with their lines. Nothing is constructed: no tag is obeyed, no alias is copied."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(f"the character U+{error.character:04X} does not belong here", line) from None
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark or error.context_mark, error.problem or "this is not YAML"
        if error.context_mark and mark and mark.index >= len(text.rstrip()):
            mark, problem = error.context_mark, f"{error.context}: {problem}"  # begun here and never ended
        raise SpecError(problem, mark.line + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        raise SpecError(one_line(str(error)), 1) from None
    except RecursionError:
        raise SpecError("the YAML is nested too deeply", 1) from None
    if root is None:
        raise SpecError("the spec is empty", 1)
    return root


_KEYS = ("title", "summary", "deliverables", "success_criteria", "checks", "constraints")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _mapping(node: yaml.Node, what: str, keys: tuple[str, ...]) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise SpecError(f"{what} must be a mapping with {', '.join(keys)}", _line(node), what)
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        if name not in keys:
            raise SpecError(f"{what} has no key {name!r}; it has {', '.join(keys)}", _line(key), what)
        if name in found:
            raise SpecError(f"{name} stands twice", _line(key), name)
        found[name] = value
    return found


def _scalar(node: yaml.Node, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise SpecError(f"{what} must be text", _line(node), what)
    return "" if node.tag.endswith(":null") else clean(str(node.value)).strip()


def _words(top: dict[str, yaml.Node], key: str) -> str:
    return _scalar(top[key], key) if key in top else ""


def _items(top: dict[str, yaml.Node], key: str, read: Callable[[yaml.Node, str], T]) -> tuple[T, ...]:
    node = top.get(key)
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise SpecError(f"{key} must be a list: start each item with '- '", _line(node), key)
    return tuple(read(item, key) for item in node.value)


def _sentence(node: yaml.Node, key: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise SpecError(f"an item of {key} must be text: quote it when it contains ': '", _line(node), key)
    text = _scalar(node, key)
    if not text:
        raise SpecError(f"an item of {key} is empty", _line(node), key)
    return text


def _deliverable(node: yaml.Node, key: str) -> Deliverable:
    if isinstance(node, yaml.ScalarNode):
        return Deliverable(_path(node))
    fields = _mapping(node, "a deliverable", ("path", "description"))
    if "path" not in fields:
        raise SpecError("a deliverable needs a path", _line(node), key)
    return Deliverable(_path(fields["path"]), _words(fields, "description"))


def _path(node: yaml.Node) -> str:
    text = _scalar(node, "path")
    path = PurePosixPath(text)
    if "\n" in text or path.is_absolute() or ".." in path.parts or str(path) == ".":
        raise SpecError(
            f"{text!r} is no path inside the workspace (relative, without '..')", _line(node), "path"
        )
    return str(path)


def _check(node: yaml.Node, key: str) -> Check:
    if isinstance(node, yaml.ScalarNode):
        command = _sentence(node, key)
        return Check(_check_name("", command), command)
    fields = _mapping(node, "a check", ("name", "command", "timeout_s"))
    command = _words(fields, "command")
    if not command:
        raise SpecError("a check needs a command", _line(node), key)
    return Check(_check_name(_words(fields, "name"), command), command, _timeout(fields))


def _check_name(name: str, command: str) -> str:
    """One line for lists and events: the name, or how the command begins."""
    return one_line(name or command.splitlines()[0], LONGEST_CHECK_NAME)


def _timeout(fields: dict[str, yaml.Node]) -> float:
    if "timeout_s" not in fields:
        return DEFAULT_CHECK_TIMEOUT_S
    node = fields["timeout_s"]
    try:
        seconds = float(_scalar(node, "timeout_s"))
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= LONGEST_CHECK_TIMEOUT_S:
        raise SpecError(
            f"timeout_s must be seconds, up to {LONGEST_CHECK_TIMEOUT_S:.0f}", _line(node), "timeout_s"
        )
    return seconds


def _unique(top: dict[str, yaml.Node], key: str, names: list[str]) -> None:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise SpecError(f"{name} stands twice", _line(top[key].value[index]), key)
        seen.add(name)
