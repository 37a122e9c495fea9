"""What the embedded gateway keeps on disk, so that a killed one comes back the way a real one does.

``state.json`` has agents, paired devices and the rows of sessions, written whole and atomically; ``history/`` has a
file of JSON lines per session, appended to. A second gateway on the same folder is refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ccp_tui.gateway.demo.protocol import Json

DEFAULT_AGENT = "main"


@dataclass
class Agent:
    """A gateway agent; its files are in its workspace."""

    id: str
    name: str
    workspace: str
    emoji: str | None = None
    model: str | None = None
    created_at_ms: int = 0


@dataclass
class Session:
    """A conversation: what ``sessions.describe`` tells of it, and the run that a crash would interrupt."""

    key: str
    agent_id: str
    session_id: str
    created_at_ms: int
    updated_at_ms: int = 0
    settings: Json = field(default_factory=dict)
    status: str | None = None
    aborted_last_run: bool = False
    last_run_id: str | None = None
    last_run_error: str | None = None
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    running: str | None = None
    spawned_by: str | None = None
    pending: list[Json] = field(default_factory=list)
    rows: list[Json] = field(default_factory=list)


class StateInUse(Exception):
    """Another gateway runs on this state folder."""


class Store:
    """The state folder of one gateway. Everything in it may be read at once and is written through at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._history = root / "history"
        self._history.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.workspaces = root / "workspaces"
        self._lock = os.open(root / "gateway.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise StateInUse(f"another gateway is running on {root}") from None
        self.agents: dict[str, Agent] = {}
        self.devices: dict[str, Json] = {}
        self.sessions: dict[str, Session] = {}
        self.config_path = root / "openclaw.json"
        self.config: Json = {"gateway": {"mode": "local", "bind": "loopback"}}
        self._load()
        if DEFAULT_AGENT not in self.agents:
            self.add_agent(Agent(DEFAULT_AGENT, "Main", str(self.workspaces / DEFAULT_AGENT)))

    def close(self) -> None:
        """Gives the folder free for another gateway."""
        os.close(self._lock)

    def save(self) -> None:
        """Writes all but the histories."""
        body = {
            "agents": [asdict(agent) for agent in self.agents.values()],
            "devices": self.devices,
            "sessions": [_row(session) for session in self.sessions.values()],
        }
        fresh = self.root / "state.json.new"
        fresh.write_text(json.dumps(body, ensure_ascii=False))
        fresh.replace(self.root / "state.json")

    def configure(self, config: Json) -> None:
        """Takes another configuration, and writes it."""
        self.config = config
        fresh = self.root / "openclaw.json.new"
        fresh.write_text(json.dumps(config, indent=2, ensure_ascii=False))
        fresh.replace(self.config_path)

    def add_agent(self, agent: Agent) -> None:
        Path(agent.workspace).mkdir(parents=True, exist_ok=True)
        self.agents[agent.id] = agent
        self.save()

    def append(self, session: Session, message: Json) -> None:
        """Adds a row to a session's history; it is on its way to the disk when this returns."""
        session.rows.append(message)
        with self._file(session.key).open("a", encoding="utf-8") as file:
            file.write(json.dumps(message, ensure_ascii=False) + "\n")

    def forget(self, session: Session) -> None:
        """Archives a session's history; the rows in memory are gone."""
        session.rows.clear()
        path = self._file(session.key)
        if path.exists():
            path.replace(path.with_suffix(f".{path.stat().st_mtime_ns}.archived"))

    def media(self, content: bytes, name: str) -> str:
        """Keeps an attachment; returns its ``media://`` address."""
        folder = self.root / "media"
        folder.mkdir(mode=0o700, exist_ok=True)
        stored = f"{hashlib.sha256(content).hexdigest()[:16]}{Path(name).suffix[:10]}"
        (folder / stored).write_bytes(content)
        return f"media://inbound/{stored}"

    def _file(self, key: str) -> Path:
        # A session key may hold anything, and be longer than a file name may.
        return self._history / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.jsonl"

    def _load(self) -> None:
        if self.config_path.exists():
            self.config = json.loads(self.config_path.read_text())
        else:
            self.configure(self.config)
        path = self.root / "state.json"
        body: Json = json.loads(path.read_text()) if path.exists() else {}
        self.agents = {entry["id"]: Agent(**entry) for entry in body.get("agents", [])}
        self.devices = body.get("devices", {})
        for entry in body.get("sessions", []):
            session = Session(**entry)
            session.rows = _read_lines(self._file(session.key))
            self.sessions[session.key] = session


def _row(session: Session) -> Json:
    row: dict[str, Any] = {name: value for name, value in vars(session).items() if name != "rows"}
    return row


def _read_lines(path: Path) -> list[Json]:
    """The whole lines of a history; a last one that a kill cut short is removed."""
    rows: list[Json] = []
    if not path.exists():
        return rows
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        path.write_bytes(whole)
    return [json.loads(line) for line in whole.splitlines()]
