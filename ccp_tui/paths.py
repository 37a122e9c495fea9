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
    """One ``CCP_HOME``: the paths in it. Nothing is created before :meth:`prepare`.

    ``agents``: where the agents' socket is instead, for agents that run as another user and may not enter the home.
    """

    root: Path
    agents: Path | None = None

    @classmethod
    def find(cls, env: Mapping[str, str] = os.environ) -> Home:
        """``CCP_HOME``, or the platform's state folder for this user; the agents' socket in it, or at
        ``CCP_AGENTS_SOCKET_PATH``. Raises HomeError for a ``~user`` nobody is, or a socket's path that is relative."""
        named, socket = (env.get(name, "").strip() for name in ("CCP_HOME", "CCP_AGENTS_SOCKET_PATH"))
        if socket and not socket.startswith("/"):
            raise HomeError(f"CCP_AGENTS_SOCKET_PATH must be a full path, not {socket!r}.")
        agents = Path(socket) if socket else None
        try:
            root = Path(named).expanduser().absolute() if named else platformdirs.user_state_path("ccp")
        except RuntimeError:
            raise HomeError(f"{named}: there is no such user; set CCP_HOME to a folder you own.") from None
        return cls(root, agents)

    @property
    def database(self) -> Path:
        return self.root / "mission.db"

    @property
    def control_socket(self) -> Path:
        return self.root / "control.sock"

    @property
    def agents_socket(self) -> Path:
        return self.agents or self.root / "agents.sock"

    @property
    def for_agents(self) -> Path:
        """The folder of what the agents' shells must read (the reporting skill): where their socket is."""
        return self.agents_socket.parent

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
        if len(os.fsencode(self.agents_socket)) > SOCKET_PATH_LIMIT:
            raise HomeError(
                f"{self.agents_socket} is too long for a Unix socket: shorten CCP_AGENTS_SOCKET_PATH."
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
