"""What a person may set for the service, from the environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Times are seconds.

    ``checks_user``: the user that a spec's checks run as; empty means the service's own.
    ``gateway_grace``: how long the gateway may be away before running tasks are held for it.
    ``resume_grace``: how long a run that ended unseen may take to come back under another run id: a restarted
    gateway resumes an interrupted turn by itself.
    """

    demo: bool = False
    agent_limit: int = 1
    most_rounds: int = 3
    checks_user: str = ""
    gateway_grace: float = 5.0
    resume_grace: float = 30.0
    ccp_command: str = "ccp"

    @classmethod
    def load(cls, *, demo: bool = False, env: Mapping[str, str] = os.environ) -> Settings:
        """The settings of this process. Raises ValueError that names the variable."""
        return cls(
            demo=demo,
            agent_limit=int(_positive(env, "CCP_AGENT_LIMIT", 1)),
            most_rounds=int(_positive(env, "CCP_MOST_ROUNDS", 3)),
            checks_user=env.get("CCP_CHECKS_USER", "").strip(),
            gateway_grace=_positive(env, "CCP_GATEWAY_GRACE", 5.0),
            resume_grace=_positive(env, "CCP_RESUME_GRACE", 30.0),
            ccp_command=_ccp_command(),
        )


def _positive(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise ValueError(f"{name} must be a number above 0, not {text!r}")
    return value


def _ccp_command() -> str:
    """How an agent's shell starts ccp: the installed command by its full path, for its PATH may be another."""
    beside = Path(sys.executable).with_name("ccp")
    found = str(beside) if beside.exists() else shutil.which("ccp")
    return found or f"{sys.executable} -m ccp_tui"
