"""A whole service process with a service of the simplest kind: ``python -m tests.service.one_service [trouble]``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

from ccp_tui.paths import Home
from ccp_tui.service.door.hub import Hub
from ccp_tui.service.door.sockets import Caller, Handler
from ccp_tui.service.host.process import serve
from ccp_tui.wire import Json


class OneService:
    """Publishes what it is told to, waits as long as it is told to, and keeps a diary of its life in the home."""

    def __init__(self, home: Home, hub: Hub, trouble: str = "") -> None:
        self._home = home
        self._hub = hub
        self._trouble = trouble
        self.methods: Mapping[str, Handler] = {"publish": self.publish, "wait": self.wait}

    def _write(self, word: str) -> None:
        with (self._home.root / "diary").open("a") as diary:
            sockets = sum(path.exists() for path in (self._home.control_socket, self._home.agents_socket))
            diary.write(f"{word} {sockets}\n")

    async def start(self) -> None:
        self._write("start")
        if self._trouble == "start":
            raise RuntimeError("the token is ccp_0123456789abcdef and the disk is full")

    async def wind_down(self) -> None:
        if self._trouble == "wind_down":
            await asyncio.sleep(3600)
        self._write("wind down")

    async def stop(self) -> None:
        self._write("stop")
        if self._trouble == "stop":
            await asyncio.sleep(3600)

    def snapshot(self) -> Json:
        return {"tasks": [], "pid": os.getpid()}

    async def report(self, params: Json, caller: Caller) -> Json:
        return {"ok": True, "message": "noted"}

    async def publish(self, params: Json, caller: Caller) -> Json:
        self._hub.publish(params["event"], params["payload"])
        return {}

    async def wait(self, params: Json, caller: Caller) -> Json:
        await asyncio.sleep(params["seconds"])
        return {"waited": True}


if __name__ == "__main__":
    asyncio.run(serve(Home.find(), lambda home, hub: OneService(home, hub, "".join(sys.argv[1:]))))
