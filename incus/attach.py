"""What a person attaches to: the commands for a terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ccp_tui.incus import names
from ccp_tui.incus.deployments import logs
from ccp_tui.incus.errors import FleetError

WHAT = ("board", "shell", "logs:gateway", "logs:service", "logs:boot")
HOMES = {"ccp": names.CCP_HOME, "openclaw": names.OPENCLAW_HOME, "root": "/root"}
# Of the terminal and how the person wants it to look, and nothing else of this machine.
TERMINAL = ("TERM", "COLORTERM", "NO_COLOR", "CCP_ASCII")


def command(
    endpoint_name: str,
    name: str,
    what: str,
    user: str = "",
    *,
    project: str = "",
    config: Path | None = None,
    env: Mapping[str, str] = os.environ,
) -> list[str]:
    """The words of a command that attaches this terminal: no shell reads them.

    ``what`` is one of WHAT, ``user`` who a shell is for (openclaw unless said otherwise, ccp, root); ``config`` is the
    folder of the Incus client's configuration when it is not the usual one. Raises FleetError USAGE.
    """
    names.check_name(name)
    words = ["env", f"INCUS_CONF={config}"] if config else []
    words += ["incus", "exec", *(["--project", project] if project and project != "default" else [])]
    words += [f"{endpoint_name}:{name}" if endpoint_name != names.LOCAL else name]
    kind, _, which = what.partition(":")
    if kind == "logs" and which in (*names.UNITS, "boot"):
        return [*words, "--", *logs.journal(which, logs.TAIL), "--follow"]
    if what not in ("board", "shell"):
        raise FleetError(
            "USAGE", f"There is nothing named {what!r} to attach to.", f"One of {', '.join(WHAT)}."
        )
    who = "ccp" if what == "board" else user or "openclaw"
    if who not in HOMES:
        raise FleetError("USAGE", f"There is no user {who!r} inside.", f"One of {', '.join(HOMES)}.")
    words += ["--force-interactive", "--cwd", HOMES[who]]
    for key in TERMINAL:
        if env.get(key):
            words += ["--env", f"{key}={env[key]}"]
    # setpriv gives the user's groups too, which `incus exec --user` does not, and becomes the program. runuser would
    # stay as its parent, and, stopped by systemd's "stop all" at a shutdown, hold that up for a minute and a half.
    words += ["--", "setpriv", f"--reuid={who}", f"--regid={who}", "--init-groups", "--"]
    words += ["env", f"HOME={HOMES[who]}", f"USER={who}", f"LOGNAME={who}", "SHELL=/bin/bash", "LANG=C.UTF-8"]
    return [*words, "/usr/local/bin/ccp"] if what == "board" else [*words, "/bin/bash", "-l"]
