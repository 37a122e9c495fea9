"""The state of a task is written in one place, and the database refuses what the machine would not do."""

from __future__ import annotations

import ast
import itertools
import re
import sqlite3
from collections.abc import Iterator
from enum import StrEnum

import pytest

from ccp_tui.lifecycle import TABLE, ActorKind, State
from ccp_tui.model import AGENT_FILES, Delivery, HoldKind, MessageStatus, Outcome, Priority, Verdict
from tests.house.tree import ROOT, sources
from tests.store.conftest import Shelf

WRITER = "ccp_tui.store.tasks"
SETS_STATE = re.compile(
    r"\bupdate\s+(or\s+\w+\s+)?[\"\[`]?tasks\b(?:(?!\bwhere\b).)*\bstate[\"\]`]?\s*="
    r"|\b(insert|replace)\s+(or\s+\w+\s+)?into\s+[\"\[`]?tasks\b"
    r"|\bon\s+conflict\b.*\bdo\s+update\b.*\bstate\s*=",
    re.IGNORECASE | re.DOTALL,
)


def writes_of_state(source: str) -> Iterator[int]:
    """Lines of statements, or of calls of sqlite-utils, that could set tasks.state."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SETS_STATE.search(node.value):
            yield node.lineno
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values)
            if SETS_STATE.search(text):
                yield node.lineno
        if isinstance(node, ast.Constant) and node.value == "tasks" and _names_a_table(node, source):
            yield node.lineno
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("tasks.edit"):
            yield from (node.lineno for word in node.keywords if word.arg == "state")


def _names_a_table(node: ast.Constant, source: str) -> bool:
    line = source.splitlines()[node.lineno - 1]
    return bool(re.search(r"(table\(|db\[)\s*[\"']tasks|^\s*table = [\"']tasks", line))


@pytest.mark.parametrize(
    "source",
    [
        'db.execute("UPDATE tasks SET state = ? WHERE id = ?")',
        'db.execute("update or ignore \\"tasks\\" set title = 1, \\n state=2")',
        "db.execute(f\"UPDATE tasks SET {columns}, state = '{new}' WHERE id = 1\")",
        'db.execute("INSERT OR REPLACE INTO tasks VALUES (1)")',
        'db.table("tasks").update(1, row)',
        'db["tasks"].insert(row)',
        'store.tasks.edit(task, state="done")',
    ],
)
def test_the_scan_finds_what_it_looks_for(source: str) -> None:
    assert list(writes_of_state(source)) == [1]


def test_the_scan_lets_other_statements_be() -> None:
    for sql in (
        "UPDATE tasks SET due = 1 WHERE state = 'done'",
        "UPDATE outbox SET state = 'void'",
        "SELECT state",
    ):
        assert list(writes_of_state(f'db.execute("{sql}")')) == []


def test_no_other_code_writes_the_state() -> None:
    found = {
        f"{name}:{line}": path
        for name, path in sources().items()
        if name != WRITER
        for line in writes_of_state(path.read_text("utf-8"))
    }
    assert not found


def test_one_statement_of_the_writer_changes_it() -> None:
    tree = ast.parse(sources()[WRITER].read_text("utf-8"))
    writers = [
        function.name
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SETS_STATE.search(node.value)
    ]
    assert writers == ["move"]


def test_an_edit_cannot_set_the_state(shelf: Shelf) -> None:
    task = shelf.task()
    with pytest.raises(ValueError, match="lifecycle"):
        shelf.do(lambda store: store.tasks.edit(task, title="x", state="assigned"))
    assert shelf.store.tasks.get(task)["title"] == "Build it"


def test_a_statement_past_the_machine_is_refused_by_the_database(shelf: Shelf) -> None:
    """Every pair of states: the database lets through what the table has, and nothing else."""
    allowed = {(m.source.value, m.target.value) for m in TABLE if m.source is not m.target}
    task = shelf.task()
    write = shelf.store.db.execute
    way = {
        "planning": ["planning"],
        "inbox": [],
        "assigned": ["assigned"],
        "in_progress": ["assigned", "in_progress"],
    }
    way["testing"] = [*way["in_progress"], "testing"]
    way["review"] = [*way["testing"], "review"]
    way["done"] = [*way["review"], "done"]
    way["cancelled"] = ["cancelled"]
    for source, target in itertools.permutations((state.value for state in State), 2):
        write("BEGIN")
        for step in way[source]:
            write("UPDATE tasks SET state = ? WHERE id = ?", (step, task))
        if (source, target) in allowed:
            write("UPDATE tasks SET state = ? WHERE id = ?", (target, task))
        else:
            with pytest.raises(sqlite3.IntegrityError, match="the lifecycle has no such move"):
                write("UPDATE tasks SET state = ? WHERE id = ?", (target, task))
        write("ROLLBACK")
    with pytest.raises(sqlite3.IntegrityError, match="the lifecycle has no such move"):
        write("UPDATE tasks SET state = 'archived' WHERE id = ?", (task,))


def test_the_moves_in_the_database_are_the_machines(shelf: Shelf) -> None:
    kept = set(shelf.store.db.execute("SELECT source, target FROM state_moves").fetchall())
    assert kept == {(m.source.value, m.target.value) for m in TABLE if m.source is not m.target}


ENUMS: dict[str, type[StrEnum] | tuple[str, ...]] = {
    "tasks.state": State,
    "tasks.priority": Priority,
    "tasks.hold_kind": HoldKind,
    "attempts.outcome": Outcome,
    "reviews.verdict": Verdict,
    "outbox.state": Delivery,
    "messages.status": MessageStatus,
    "events.actor_kind": ActorKind,
    "agent_files.name": AGENT_FILES,
}


@pytest.mark.parametrize("column", ENUMS)
def test_the_databases_enums_are_the_codes(column: str) -> None:
    table, name = column.split(".")
    schema = (ROOT / "schema.sql").read_text("utf-8")
    body = re.search(rf"CREATE TABLE {table} \((.*?)\) STRICT", schema, re.DOTALL)
    assert body
    values = re.search(rf"^  {name} TEXT[^\n]*?CHECK \({name} IN\s*\(([^)]*)\)", body[1], re.MULTILINE)
    assert values
    assert re.findall(r"'([^']*)'", values[1]) == [str(value) for value in ENUMS[column]]
