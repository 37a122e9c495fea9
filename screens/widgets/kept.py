"""What a terminal remembers from one start to the next: the theme, the mission. A small JSON file in CCP_HOME."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any


class Kept:
    """Words by name, kept in one file. A file that can't be read or written costs the memory, never the screen."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> str | None:
        """What was kept under a name; None when nothing was."""
        value = self._read().get(name)
        return value if isinstance(value, str) else None

    def put(self, name: str, value: str | None) -> None:
        """Keeps a value; None forgets it."""
        kept = {**self._read(), name: value}
        with suppress(OSError):
            self._path.write_text(
                json.dumps({key: each for key, each in kept.items() if each is not None}) + "\n"
            )

    def _read(self) -> dict[str, Any]:
        """Read anew each time: another terminal on the same home may have written."""
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
