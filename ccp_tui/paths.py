"""The folder that holds everything the service keeps, and who may read it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

# The kernel's limit on a Unix socket's path is 108 bytes with the closing zero.
SOCKET_PATH_LIMIT = 107


class HomeError(Exception):
    """CCP_HOME can't be used; the text says why and what to do."""


@dataclass(frozen=True)
class Home:
    """One ``CCP_HOME``: the paths in it. Nothing is created before :meth:`prepare`."""

    root: Path

    @classmethod
    def find(cls, env: Mapping[str, str] = os.environ) -> Home:
        """``CCP_HOME``, or the platform's state folder for this user. Raises HomeError for a ``~user`` nobody is."""
        named = env.get("CCP_HOME", "").strip()
        try:
            return cls(Path(named).expanduser().absolute() if named else platformdirs.user_state_path("ccp"))
        except RuntimeError:
            raise HomeError(f"{named}: there is no such user; set CCP_HOME to a folder you own.") from None

    @property
    def database(self) -> Path:
        return self.root / "mission.db"

    @property
    def control_socket(self) -> Path:
        return self.root / "control.sock"

    @property
    def agents_socket(self) -> Path:
        return self.root / "agents.sock"

    @property
    def device(self) -> Path:
        return self.root / "device.json"

    @property
    def lock(self) -> Path:
        return self.root / "serve.lock"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    def prepare(self) -> Home:
        """Makes the folders, private to this user (0700). Raises HomeError with what to mend."""
        if len(os.fsencode(self.control_socket)) > SOCKET_PATH_LIMIT:
            raise HomeError(
                f"{self.root} is too long a path for a Unix socket: set CCP_HOME to a shorter one."
            )
        try:
            for folder in (self.root, self.logs, self.backups):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)
        except OSError as error:
            raise HomeError(
                f"{self.root} can't be used ({error.strerror}): set CCP_HOME to a folder you own."
            ) from None
        return self
