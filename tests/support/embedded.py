"""The embedded gateway as a process of its own, to be killed and started again like the real one."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.support.realgateway import REPOSITORY, free_port

START_DEADLINE = 30.0


class EmbeddedGateway:
    """The same handle as :class:`tests.support.realgateway.RealGateway`."""

    name = "embedded"

    def __init__(
        self, folder: Path, *, token: str = "test-token", port: int | None = None, speed: float = 1.0
    ) -> None:
        self.folder = folder
        self.token = token
        self.speed = speed
        self.port = port or free_port()
        self.state = folder / "state"
        self.log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it and returns when it listens. Raises RuntimeError past the deadline."""
        command = [sys.executable, "-m", "ccp_tui.gateway.demo"]
        command += [
            "--port",
            str(self.port),
            "--state",
            str(self.state),
            "--token",
            self.token,
            "--speed",
            str(self.speed),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_DEADLINE
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise RuntimeError(f"the embedded gateway did not start:\n{self.tail()}")

    def ensure(self) -> None:
        """Running, whatever a test before did."""
        if not self.running:
            self.kill()
            self.start()

    def kill(self) -> None:
        """SIGKILL for it and all it started."""
        if self._process is not None:
            # The group is the one that start() made (start_new_session), so its id is the process's own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def stop(self) -> None:
        """SIGTERM, then SIGKILL."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self.kill()

    def tail(self, size: int = 3000) -> str:
        """The end of its log: what a failed test should show."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""
