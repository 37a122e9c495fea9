"""What is true of every file of the project."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from tests.house.tree import ROOT, files, sources

LONGEST_FILE = 400
WRITTEN = {".py", ".tcss", ".sql", ".toml", ".md", ".txt", ".sh", ".yaml", ".yml"}


def test_no_file_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in files()
        if path.suffix in (".py", ".tcss", ".sql")
        and (lines := path.read_text("utf-8").count("\n")) > LONGEST_FILE
    }
    assert not long


@pytest.mark.parametrize(
    "pattern",
    [
        # Written with classes so that this file does not match itself.
        r"pypi[.]org|pythonhosted[.]org|npmjs[.]org|registry[.]npm|--(extra-)?index[-]url|--registry[ =]",
        # Two folders of a deployment's image are meant; what else is there is some machine's own.
        r"(?<![\w.])/(work|root|opt)[/](?!(ccp|openclaw)\b)\w",
        r"\b(TO[D]O|FIX[M]E|X[X]X)\b",
    ],
)
def test_nothing_of_this_machine_and_nothing_unfinished(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in files()
        if path.suffix in WRITTEN or path.name in ("Makefile", "run")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert not found, "\n".join(found)


def test_public_modules_say_what_they_are_for() -> None:
    silent = [
        name
        for name, path in sources().items()
        if path.stat().st_size
        and not name.rpartition(".")[2].startswith("_")
        and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


def test_constraints_name_versions_and_nothing_else() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    pinned = {_normal(line.partition("==")[0]) for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {_normal(re.split(r"[><=!~\[ ]", name)[0]) for name in wanted} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
