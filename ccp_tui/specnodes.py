"""Reading YAML node by node, so that whatever is wrong in a file can be told with its line. Nothing is constructed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import yaml
from yaml.reader import ReaderError
from yaml.scanner import ScannerError

from ccp_tui.text import clean, one_line

DEEPEST_BRACKETS = 16
T = TypeVar("T")


class SpecError(ValueError):
    """A spec that can't be read: the line (from 1), the field, and what is wrong."""

    def __init__(self, message: str, line: int, field: str = "") -> None:
        super().__init__(f"line {line}: {message}")
        self.message = message
        self.line = line
        self.field = field


class _Loader(yaml.SafeLoader):
    """Refuses early what no spec needs: brackets in brackets, which the scanner takes quadratic time for."""

    def fetch_flow_collection_start(self, token: type[yaml.Token]) -> None:
        if self.flow_level >= DEEPEST_BRACKETS:
            raise ScannerError(None, None, "the YAML is nested too deeply", self.get_mark())
        super().fetch_flow_collection_start(token)


def compose(text: str) -> yaml.Node:
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


def line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def mapping(node: yaml.Node, what: str, keys: tuple[str, ...]) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise SpecError(f"{what} must be a mapping with {', '.join(keys)}", line(node), what)
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else "?"
        if name not in keys:
            raise SpecError(f"{what} has no key {name!r}; it has {', '.join(keys)}", line(key), what)
        if name in found:
            raise SpecError(f"{name} stands twice", line(key), name)
        found[name] = value
    return found


def scalar(node: yaml.Node, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise SpecError(f"{what} must be text", line(node), what)
    return "" if node.tag.endswith(":null") else clean(str(node.value)).strip()


def words(top: dict[str, yaml.Node], key: str) -> str:
    return scalar(top[key], key) if key in top else ""


def items(top: dict[str, yaml.Node], key: str, read: Callable[[yaml.Node, str], T]) -> tuple[T, ...]:
    node = top.get(key)
    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise SpecError(f"{key} must be a list: start each item with '- '", line(node), key)
    return tuple(read(item, key) for item in node.value)


def sentence(node: yaml.Node, key: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise SpecError(f"an item of {key} must be text: quote it when it contains ': '", line(node), key)
    text = scalar(node, key)
    if not text:
        raise SpecError(f"an item of {key} is empty", line(node), key)
    return text


def unique(top: dict[str, yaml.Node], key: str, names: Sequence[str]) -> None:
    """Raises SpecError when a name stands twice in the list under ``key``."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            raise SpecError(f"{name} stands twice", line(top[key].value[index]), key)
        seen.add(name)
