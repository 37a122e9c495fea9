"""Starting the service in the background, and stopping it. Both block: call them before a loop runs, or in a thread."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ccp_tui
from ccp_tui import wire
from ccp_tui.paths import Home
from ccp_tui.service.host.lock import holder, is_held
from ccp_tui.service.host.logs import last_lines
from ccp_tui.wire import Json

START_SECONDS, STOP_SECONDS = 15.0, 30.0
ASKED_SECONDS = 5.0  # how long a stop is asked for on the socket; then by a signal
_PAUSE = 0.05  # seconds between two looks
_ANSWER_SECONDS = 2.0


class ServiceStartError(Exception):
    """The service did not start; the text ends with the last lines of its log."""


class ServiceStopError(Exception):
    """The service did not stop; the text says what to do."""


def spawn_background(
    home: Home,
    args: Sequence[str] = (),
    *,
    command: Sequence[str] | None = None,
    timeout: float = START_SECONDS,
) -> Json:
    """Starts ``ccp serve`` for this home, detached from the terminal, and waits until it answers.

    Returns the answer to ``hello``. When two do this at once one service wins, and both get its answer.
    ``command`` stands in for ``python -m ccp_tui serve``. Raises ServiceStartError.
    """
    home.prepare()
    deadline = time.monotonic() + timeout
    while (
        is_held(home.lock) and time.monotonic() < deadline
    ):  # one that starts answers soon, one that stops is gone
        if hello := ask(home, "hello", {"client": "starter"}):
            return hello
        time.sleep(_PAUSE)
    started = _launch([*(command or (sys.executable, "-P", "-m", "ccp_tui", "serve")), *args], home)
    while True:
        if hello := ask(home, "hello", {"client": "starter"}):
            if (
                hello.get("pid") != started.pid
            ):  # another start won, and ours must not take over when that one ends
                started.terminate()
            return hello
        code = started.poll()
        if code is not None and not is_held(home.lock):
            raise ServiceStartError(
                _words(home, f"The control service ended at its start (exit code {code}).")
            )
        if time.monotonic() >= deadline:
            if code is None:
                started.terminate()
            if (other := holder(home.lock)) not in (None, started.pid):
                raise ServiceStartError(
                    f"A control service runs (process {other}) and does not answer: `ccp stop`."
                )
            raise ServiceStartError(_words(home, f"The control service did not start within {timeout:g} s."))
        time.sleep(_PAUSE)


def stop_running(home: Home, *, timeout: float = STOP_SECONDS) -> int | None:
    """Stops this home's service and waits until it is gone. Returns its process id; None when none ran.

    One that does not answer, its socket gone for instance, gets SIGTERM: who holds the lock wrote the process id.
    Raises ServiceStopError when it is still there after ``timeout`` seconds.
    """
    if not is_held(home.lock):
        return None
    pid = holder(home.lock)
    began = time.monotonic()
    deadline = began + timeout
    told = False
    while is_held(home.lock):
        told = told or ask(home, "shutdown", {}) is not None  # one that is just starting has no socket yet
        if not told and pid and time.monotonic() >= began + ASKED_SECONDS and holder(home.lock) == pid:
            with contextlib.suppress(OSError):  # gone meanwhile, or another user's
                os.kill(pid, signal.SIGTERM)
                told = True
        if time.monotonic() >= deadline:
            what = "was told to stop and did not" if told else "does not answer"
            how = f"`kill {pid}`, or `kill -9 {pid}` as the last resort" if pid else "see logs/serve.log"
            raise ServiceStopError(f"The control service (process {pid}) {what} within {timeout:g} s: {how}.")
        time.sleep(_PAUSE)
    return pid


def ask(home: Home, method: str, params: Json) -> Json | None:
    """One call on the control socket; None when nobody answers it. Raises nothing."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import unix_connect

    try:
        with unix_connect(
            str(home.control_socket),
            compression=None,
            ping_interval=None,
            open_timeout=_ANSWER_SECONDS,
            close_timeout=0.2,
            user_agent_header=None,
        ) as connection:
            connection.send(wire.encode(wire.Request("1", method, params)))
            answer: Any = json.loads(connection.recv(timeout=_ANSWER_SECONDS))
    except (OSError, EOFError, WebSocketException, ValueError):  # TimeoutError is an OSError
        return None
    return answer.get("payload") if isinstance(answer, dict) and answer.get("ok") is True else None


def _launch(command: list[str], home: Home) -> subprocess.Popen[bytes]:
    """The process, in a session of its own: it outlives the terminal. What it prints goes into a private file."""
    out = os.open(home.logs / "serve.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            env=_environment(home),
            cwd=home.root,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    except OSError as error:
        raise ServiceStartError(f"{command[0]} can't be run ({error.strerror}).") from None
    finally:
        os.close(out)


def _environment(home: Home) -> dict[str, str]:
    env = {**os.environ, "CCP_HOME": str(home.root), "CCP_AGENTS_SOCKET_PATH": str(home.agents or "")}
    source = Path(ccp_tui.__file__).parents[1]
    if (source / "pyproject.toml").exists():  # run from a checkout, which need not be installed
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(source), env.get("PYTHONPATH"))))
    return env


def _words(home: Home, what: str) -> str:
    lines = last_lines(home)
    return (
        "\n".join((what, *(f"  {line}" for line in lines)))
        if lines
        else f"{what} It left no word in {home.logs}."
    )
