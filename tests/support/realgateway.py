"""A real OpenClaw gateway for tests: its own state, its own port, the scripted provider behind it.

OpenClaw and the Node it needs live in ``<repository>/.real/node_modules`` (git-ignored), or in the folder that
``CCP_REAL_DIR`` names. A start takes 15–50 s, so tests share one gateway per session.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
START_DEADLINE = 150.0
STOP_DEADLINE = 20.0
MODELS = ("fake-1", "fake-2")


class RealGatewayMissing(RuntimeError):
    """OpenClaw is not installed for tests; the text says how to install it."""


def real_folder() -> Path:
    """The folder that holds ``node_modules`` with ``node`` and ``openclaw``. Raises RealGatewayMissing."""
    named = os.environ.get("CCP_REAL_DIR", "").strip()
    folder = Path(named) if named else REPOSITORY / ".real"
    modules = folder if folder.name == "node_modules" else folder / "node_modules"
    if not (modules / "node/bin/node").exists() or not (modules / "openclaw/openclaw.mjs").exists():
        raise RealGatewayMissing(f"no OpenClaw in {folder}: run `npm install node@26 openclaw` there")
    return modules


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RealGateway:
    """One gateway on ``folder``; it can be killed and started again on the same state and port."""

    name = "real"

    def __init__(
        self, folder: Path, provider_url: str, *, token: str = "test-token", port: int | None = None
    ) -> None:
        self.folder = folder
        self.token = token
        self.port = port or free_port()
        self.provider_url = provider_url
        self.state = folder / "state"
        self.config = folder / "openclaw.json"
        self.workspaces = folder / "workspaces"
        self.log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._modules = real_folder()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Starts it; with ``wait``, returns when ``/readyz`` says so. Raises RuntimeError past the deadline."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.workspaces.mkdir(exist_ok=True)
        if not self.config.exists():
            self.config.write_text(json.dumps(self._configuration(), indent=2))
        node = self._modules / "node/bin/node"
        # A bare environment: nothing of the person's own OpenClaw, proxies or keys may leak into a test.
        environment = {
            "PATH": f"{node.parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "OPENCLAW_STATE_DIR": str(self.state),
            "OPENCLAW_CONFIG_PATH": str(self.config),
            "OPENCLAW_SKIP_CHANNELS": "1",
        }
        command = [
            str(node),
            str(self._modules / "openclaw/openclaw.mjs"),
            "gateway",
            "run",
            "--port",
            str(self.port),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, deadline: float = START_DEADLINE) -> None:
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"the gateway ended with {self._process.returncode}:\n{self.tail()}")
            if self._ready():
                return
            time.sleep(0.25)
        raise RuntimeError(f"the gateway was not ready within {deadline:.0f} s:\n{self.tail()}")

    def kill(self) -> None:
        """SIGKILL for the gateway and all it started: what a power cut leaves behind."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(STOP_DEADLINE)
            self._process = None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL: a busy gateway drains for minutes, a test doesn't wait for that."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_DEADLINE)
        self.kill()

    def ensure(self) -> None:
        """Running and ready, whatever a test before did."""
        if not self.running:
            self.kill()
            self.start()
        elif not self._ready():
            self.wait_ready()

    def tail(self, size: int = 3000) -> str:
        """The end of the gateway's log: what a failed test should show."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            # The group is the one that start() made (start_new_session), so its id is the process's own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(json.load(answer).get("ready"))
        except (OSError, ValueError, urllib.error.URLError):
            return False

    def _configuration(self) -> dict[str, object]:
        models = [
            {
                "id": model,
                "name": f"Scripted {model}",
                "reasoning": False,
                "input": ["text"],
                "cost": {"input": 1.0, "output": 2.0, "cacheRead": 0.1, "cacheWrite": 1.0},
                "contextWindow": 200_000,
                "maxTokens": 16_000,
            }
            for model in MODELS
        ]
        provider = {
            "baseUrl": self.provider_url,
            "apiKey": "none",
            "api": "openai-completions",
            "models": models,
        }
        return {
            "gateway": {
                "mode": "local",
                "port": self.port,
                "bind": "loopback",
                "auth": {"mode": "token", "token": self.token},
                "controlUi": {"enabled": False},
            },
            "models": {"providers": {"lab": provider}},
            "agents": {
                "defaults": {
                    "model": {"primary": f"lab/{MODELS[0]}"},
                    "workspace": str(self.workspaces),
                    "skipBootstrap": True,
                    "heartbeat": {"every": "0m"},
                }
            },
            "plugins": {"allow": ["openai"], "slots": {"memory": "none"}},
        }
