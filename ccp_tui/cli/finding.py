"""One line of ``ccp doctor``."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """What was looked at, how it stands, and for ``warn`` and ``fail`` how to mend it."""

    name: str
    level: Level
    detail: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        return self._asdict()
