"""The files of the project, and what each imports."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ccp_tui"
# The top-level folders that belong to the package through a link in it.
LINKED = ("screens", "incus")


class Import(NamedTuple):
    """One import: where it stands and what it names."""

    module: str
    line: int
    name: str
    lazy: bool


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or would be, in the repository; links count at what they lead to."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    paths = {ROOT / name for name in listed.split("\0") if name}
    return tuple(sorted(path for path in paths if path.is_file() and not path.is_symlink()))


def sources() -> dict[str, Path]:
    """The product's modules by their full names."""
    found = {}
    for path in files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        if path.suffix != ".py" or parts[0] not in (PACKAGE, *LINKED):
            continue
        name = ".".join(parts if parts[0] == PACKAGE else (PACKAGE, *parts))
        found[name.removesuffix(".__init__")] = path
    return found


def imports(module: str, path: Path) -> Iterator[Import]:
    """What a module imports when it runs; what stands under ``if TYPE_CHECKING`` does not count."""
    yield from _walk(module, path, ast.parse(path.read_text(encoding="utf-8")), lazy=False)


def _walk(module: str, path: Path, node: ast.AST, *, lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(module, child.lineno, alias.name, lazy)
        elif isinstance(child, ast.ImportFrom):
            for name in _from(module, path, child):
                yield Import(module, child.lineno, name, lazy)
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(module, path, child, lazy=lazy or inside)


def _from(module: str, path: Path, node: ast.ImportFrom) -> list[str]:
    base = node.module or ""
    if node.level:
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
    # `from ccp_tui import clock` names a module; `from ccp_tui.clock import now` a thing in one.
    return [f"{base}.{alias.name}" for alias in node.names] if base == PACKAGE else [base]
