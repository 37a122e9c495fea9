"""What a scripted agent can do: the steps that a script is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DEFAULT_RATE = 40.0


@dataclass(frozen=True)
class Say:
    """Words, streamed at so many per second (0: all at once)."""

    text: str
    per_second: float = DEFAULT_RATE


@dataclass(frozen=True)
class Exec:
    """A shell command, run through the exec tool in the agent's workspace."""

    command: str


@dataclass(frozen=True)
class Tool:
    """A call of another of OpenClaw's tools, such as ask_user or sessions_spawn."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pause:
    """Silence."""

    seconds: float


@dataclass(frozen=True)
class Fail:
    """The AI provider answers with this HTTP status."""

    status: int
    message: str


Step = Say | Exec | Tool | Pause | Fail
