"""What every part of the store has: the database, the touched rows, and a few ways to ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from ccp_tui.store.errors import NotFound
from ccp_tui.store.touched import Touched

Row = dict[str, Any]


class Reader:
    """A part that only reads."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        cursor = self._db.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _first(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        rows = self._all(sql, values)
        return rows[0] if rows else None

    def _one(self, sql: str, values: Sequence[Any], missing: str) -> Row:
        row = self._first(sql, values)
        if row is None:
            raise NotFound(missing)
        return row

    def _value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        row = self._db.execute(sql, values).fetchone()
        return row[0] if row else None


class Part(Reader):
    """A part that writes too, and notes what it touched."""

    table = ""

    def __init__(self, db: Database, touched: Touched) -> None:
        super().__init__(db)
        self._touched = touched

    def _insert(self, row: Row) -> int:
        """A new row of this part's table; its rowid."""
        table = self._db.table(self.table)
        table.insert(row)
        return int(table.last_rowid or 0)

    def _update(self, key: int | str, **values: Any) -> None:
        """Sets columns of one row, in one statement: sqlite-utils' own update reads schema and row first, in seven."""
        columns = ", ".join(f"{name} = ?" for name in values)
        cursor = self._db.execute(f"UPDATE {self.table} SET {columns} WHERE id = ?", (*values.values(), key))
        if cursor.rowcount == 0:
            raise NotFound(f"there is no {key} in {self.table}")
