"""Missions: the boards. Each has a prefix of its own for its tasks' refs."""

from __future__ import annotations

import json
import re

from ccp_tui import clock
from ccp_tui.policy import Policy
from ccp_tui.store.errors import Conflict, NotFound
from ccp_tui.store.part import Part, Row
from ccp_tui.text import one_line, slug

LONGEST_TITLE = 200
_PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,7}")


class Missions(Part):
    table = "missions"

    def create(self, title: str, *, name: str = "", icon: str = "", prefix: str = "") -> int:
        """A new mission; slug and prefix are made from the title when not given. Raises Conflict."""
        title = one_line(title, LONGEST_TITLE)
        if not title:
            raise Conflict("a mission needs a title")
        if name and self._first("SELECT 1 FROM missions WHERE slug = ?", (name,)):
            raise Conflict(f"there is a mission {name} already")
        if name and slug(name) != name:
            raise Conflict(f"{name!r} is no slug: use lower-case letters, digits and '-'")
        if prefix and not _PREFIX.fullmatch(prefix):
            raise Conflict(f"{prefix!r} is no prefix: 1 to 8 capital letters and digits, a letter first")
        if prefix and self._first("SELECT 1 FROM missions WHERE prefix = ?", (prefix,)):
            raise Conflict(f"the prefix {prefix} is taken")
        now = clock.now()
        row = {
            "slug": name or self._free("slug", slug(title) or "mission"),
            "title": title,
            "icon": one_line(icon, 4),
            "prefix": prefix or self._free("prefix", _initials(title)),
            "created_at": now,
            "updated_at": now,
        }
        mission = self._insert(row)
        self._touched.missions.add(mission)
        return mission

    def update(self, mission: int, *, title: str | None, icon: str | None, archived: bool | None) -> None:
        changes: Row = {"updated_at": clock.now()}
        if title is not None:
            if not one_line(title):
                raise Conflict("a mission needs a title")
            changes["title"] = one_line(title, LONGEST_TITLE)
        if icon is not None:
            changes["icon"] = one_line(icon, 4)
        if archived is not None:
            changes["archived"] = int(archived)
        self._update(mission, **changes)
        self._touched.missions.add(mission)

    def by_slug(self, name: str) -> int:
        """The id of a mission, by its slug or else its prefix. Raises NotFound."""
        sql = "SELECT id FROM missions WHERE slug = ?1 OR prefix = upper(?1) ORDER BY slug = ?1 DESC LIMIT 1"
        found = self._value(sql, (name,))
        if found is None:
            raise NotFound(f"there is no mission {name!r}: see the list of missions")
        return int(found)

    def default(self) -> int:
        """The mission of a task that names none: the oldest that is not archived, made when there is none."""
        found = self._value("SELECT id FROM missions WHERE NOT archived ORDER BY id LIMIT 1")
        return int(found) if found is not None else self.create("Main", prefix=self._free("prefix", "MAIN"))

    def next_ref(self, mission: int) -> str:
        """Takes the next free ref of a mission, like ``WEB-12``."""
        row = self._one(
            "SELECT prefix, next_number FROM missions WHERE id = ?", (mission,), "no such mission"
        )
        self._db.execute("UPDATE missions SET next_number = next_number + 1 WHERE id = ?", (mission,))
        return f"{row['prefix']}-{row['next_number']}"

    def policy(self, mission: int, base: Policy) -> Policy:
        """A mission's policy: what it sets itself, over what holds where it sets nothing."""
        sql = "SELECT policy FROM missions WHERE id = ?"
        return Policy.read(json.loads(str(self._value(sql, (mission,)))), base)

    def set_policy(self, mission: int, changes: Row) -> None:
        """Sets some settings of a mission's policy. They were read as a :class:`Policy` before."""
        sql = "SELECT policy FROM missions WHERE id = ?"
        policy = {**json.loads(str(self._value(sql, (mission,)))), **changes}
        self._update(mission, policy=json.dumps(policy, ensure_ascii=False), updated_at=clock.now())
        self._touched.missions.add(mission)

    def all(self, *, archived: bool = True) -> list[Row]:
        where = "" if archived else "WHERE NOT archived"
        counts = self._counts()
        rows = self._all(f"SELECT * FROM missions {where} ORDER BY id")
        return [_mission(row, counts.get(row["id"], {})) for row in rows]

    def row(self, mission: int) -> Row:
        row = self._one("SELECT * FROM missions WHERE id = ?", (mission,), "no such mission")
        return _mission(row, self._counts(mission).get(mission, {}))

    def _counts(self, mission: int | None = None) -> dict[int, dict[str, int]]:
        where, values = ("", ()) if mission is None else ("WHERE mission_id = ?", (mission,))
        counts: dict[int, dict[str, int]] = {}
        for row in self._all(
            f"SELECT mission_id, state, count(*) AS n FROM tasks {where} GROUP BY mission_id, state", values
        ):
            counts.setdefault(row["mission_id"], {})[row["state"]] = row["n"]
        return counts

    def _free(self, column: str, wanted: str) -> str:
        taken = {row[column] for row in self._all(f"SELECT {column} FROM missions")}
        if wanted not in taken:
            return wanted
        joint = "-" if column == "slug" else ""
        return next(
            f"{wanted}{joint}{n}" for n in range(2, len(taken) + 3) if f"{wanted}{joint}{n}" not in taken
        )


def _initials(title: str) -> str:
    words = slug(title).upper().split("-")
    letters = words[0][:4] if len(words) == 1 else "".join(word[0] for word in words[:4])
    return letters if letters and letters[0].isalpha() else "M" + letters


def _mission(row: Row, counts: dict[str, int]) -> Row:
    wire = ("id", "slug", "title", "icon", "prefix", "created_at", "updated_at")
    return {
        **{key: row[key] for key in wire},
        "archived": bool(row["archived"]),
        "counts": counts,
        "policy": json.loads(row["policy"]),
    }
