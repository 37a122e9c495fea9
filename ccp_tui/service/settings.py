"""What a person may set for the service, from the environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ccp_tui.policy import Auto, Policy


@dataclass(frozen=True)
class Settings:
    """Times are seconds.

    ``checks_user``: the user that a spec's checks run as; empty means the service's own.
    ``gateway_grace``: how long the gateway may be away before running tasks are held for it.
    ``resume_grace``: how long a run that ended unseen may take to come back under another run id: a restarted
    gateway resumes an interrupted turn by itself.
    ``auto``: whether what is assigned starts by itself, where a mission's policy says nothing.
    ``most_running``: how many tasks run at a time, over all missions and agents.
    ``most_retries``, ``retry_after``: how often a run that failed for the provider's sake is tried again, and after
    how long first; each next time after twice as long.
    ``stalled_after``: how long a run may give no sign of life before its worker is asked for one, and again as long
    before the task is held.
    ``check_commands``: whether a report counts only while the gateway shows a command of its session running.
    ``install_skill``: whether the gateway is given the reporting skill, and ``ccp`` on its agents' PATH.
    ``agents_group``: the group that may use the agents' socket and skill; empty means this user alone.
    ``workspaces``: the folder under which agents that the service makes get theirs; None leaves it to the gateway.
    ``checks_socket``: the Unix socket on which somebody else runs the checks; None means the service itself.
    ``cgroups``: the control groups of the container that is this service's alone; None where it has none.
    ``abort_on_stop``: whether SIGTERM aborts the runs at the gateway, for the machine is going down.
    """

    demo: bool = False
    agent_limit: int = 1
    most_rounds: int = 3
    checks_user: str = ""
    gateway_grace: float = 5.0
    resume_grace: float = 30.0
    ccp_command: str = "ccp"
    auto: Auto = Auto.DISPATCH
    most_running: int = 4
    most_retries: int = 3
    retry_after: float = 15.0
    stalled_after: float = 600.0
    check_commands: bool = True
    install_skill: bool = True
    agents_group: str = ""
    workspaces: Path | None = None
    checks_socket: Path | None = None
    abort_on_stop: bool = False
    cgroups: Path | None = None

    @property
    def policy(self) -> Policy:
        """What holds for a mission where its own policy says nothing."""
        return Policy(auto=self.auto)

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
            auto=_auto(env),
            most_running=int(_positive(env, "CCP_MOST_RUNNING", 4)),
            most_retries=int(_positive(env, "CCP_MOST_RETRIES", 3)),
            retry_after=_positive(env, "CCP_RETRY_AFTER", 15.0),
            stalled_after=_positive(env, "CCP_STALLED_AFTER", 600.0),
            check_commands=_switch(env, "CCP_CHECK_COMMANDS"),
            install_skill=_switch(env, "CCP_INSTALL_SKILL"),
            agents_group=env.get("CCP_AGENTS_GROUP", "").strip(),
            workspaces=_full_path(env, "CCP_WORKSPACES"),
            checks_socket=_full_path(env, "CCP_CHECKS_SOCKET"),
            abort_on_stop=_switch(env, "CCP_ABORT_ON_STOP", default="off"),
            cgroups=_full_path(env, "CCP_CGROUPS"),
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


def _auto(env: Mapping[str, str]) -> Auto:
    text = env.get("CCP_AUTO", "").strip() or Auto.DISPATCH.value
    if text not in list(Auto):
        raise ValueError(f"CCP_AUTO must be one of {', '.join(Auto)}, not {text!r}")
    return Auto(text)


def _full_path(env: Mapping[str, str], name: str) -> Path | None:
    text = env.get(name, "").strip()
    if text and not text.startswith("/"):
        raise ValueError(f"{name} must be a full path, not {text!r}")
    return Path(text) if text else None


def _switch(env: Mapping[str, str], name: str, default: str = "on") -> bool:
    text = env.get(name, "").strip() or default
    if text not in ("on", "off"):
        raise ValueError(f"{name} must be on or off, not {text!r}")
    return text == "on"


def _ccp_command() -> str:
    """How an agent's shell starts ccp: the installed command by its full path, for its PATH may be another."""
    beside = Path(sys.executable).with_name("ccp")
    found = str(beside) if beside.exists() else shutil.which("ccp")
    return found or f"{sys.executable} -m ccp_tui"
