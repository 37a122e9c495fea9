"""The service and its gateway as processes of their own, to be killed as a power cut kills them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

from ccp_tui.failures import ServiceUnavailable
from ccp_tui.paths import Home
from tests.service.board import Client, Talk, until
from tests.support.realgateway import REPOSITORY

STARTS_S = 30.0


class Gateway(Protocol):
    """A gateway that a test may kill and start again (see tests/support)."""

    @property
    def url(self) -> str: ...

    token: str

    def start(self) -> None: ...
    def kill(self) -> None: ...


class Processes(Talk):
    """``python -m ccp_tui serve`` on a home, and a client on it."""

    def __init__(self, home: Home, gateway: Gateway, **environment: str) -> None:
        super().__init__(home)
        self.gateway = gateway
        self._environment = environment
        self._service: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a process of the person sees: this home and the gateway's token."""
        return {
            **os.environ,
            "CCP_HOME": str(self.home.root),
            "CCP_GATEWAY_URL": self.gateway.url,
            "CCP_GATEWAY_TOKEN": self.gateway.token,
            "CCP_NO_AUTOSTART": "1",
            "CCP_AUTO": "off",
            "CCP_CHECK_COMMANDS": "off",
            "CCP_INSTALL_SKILL": "off",
            **self._environment,
        }

    async def start_service(self) -> None:
        """Starts the service and returns when a client is connected to it."""
        self._service = self._launch()
        self.client = Client(self.home)

        async def answers() -> bool:
            with contextlib.suppress(ServiceUnavailable):
                await self.client.connect()
                return True
            return False

        await until(answers, STARTS_S, told="the service answers")

    def _launch(self) -> subprocess.Popen[bytes]:
        with (self.home.root / "serve.out").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "ccp_tui", "serve"],
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    async def kill_service(self) -> None:
        """SIGKILL: it has no moment to say or save anything."""
        if self._service:
            self._service.kill()
            await asyncio.to_thread(self._service.wait, 10)
            self._service = None
        await self.client.close()

    def cut_service(self) -> None:
        """SIGKILL, at once; :meth:`kill_service` clears up after it."""
        if self._service:
            self._service.kill()

    async def connected(self, seconds: float = 40.0) -> None:
        async def there() -> bool:
            return bool((await self.call("status"))["gateway"]["state"] == "connected")

        await until(there, seconds, told="the gateway connected")

    async def hire(self, name: str = "Ada", **more: Any) -> None:
        """Creates the agent that does the work."""
        made = (await self.call("agent.create", name=name, **more))["agent"]
        self.agent, self.workspace = made["id"], Path(made["workspace"])


@contextlib.asynccontextmanager
async def processes_on(home: Home, gateway: Gateway, **environment: str) -> AsyncIterator[Processes]:
    """A running service on a running gateway; the service is gone afterwards."""
    made = Processes(home, gateway, **environment)
    try:
        await made.start_service()
        await made.connected()
        yield made
    finally:
        await made.kill_service()


def sent_prompts(state: Path) -> list[str]:
    """The messages of ours in all histories of an embedded gateway, as it keeps them on disk."""
    rows: list[dict[str, Any]] = []
    for file in sorted((state / "history").glob("*.jsonl")):
        rows += [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
    ours = [row for row in rows if row["role"] == "user" and row["__openclaw"].get("idempotencyKey")]
    return [row["content"] for row in ours]


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a path that is short enough for everything in it."""
    folder = tempfile.mkdtemp(prefix="ccp-gw-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
