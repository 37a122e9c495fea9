"""``python -m ccp_tui.gateway.demo``: the embedded gateway in a process of its own, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from ccp_tui.gateway.demo.server import EmbeddedGateway
from ccp_tui.gateway.demo.store import StateInUse


async def _serve(gateway: EmbeddedGateway) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await gateway.start()
    try:
        print(f"ready {gateway.url}", flush=True)
        await ended.wait()
    finally:
        await gateway.stop()


def main() -> int:
    """0 after a stop in good order; 1 with a line on stderr when the port or the state folder is taken."""
    parser = argparse.ArgumentParser(prog="python -m ccp_tui.gateway.demo", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--state", type=Path, required=True, help="folder for agents, sessions and workspaces"
    )
    parser.add_argument("--token", default="demo", help="what clients must present")
    parser.add_argument("--speed", type=float, default=1.0, help="2 makes the agents twice as quick")
    parser.add_argument("--starting", type=float, default=0.0, help="seconds of refusing everybody at first")
    given = parser.parse_args()
    gateway = EmbeddedGateway(
        given.state, given.port, given.token, speed=given.speed, starting=given.starting
    )
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(gateway))
    except (OSError, StateInUse) as error:
        print(f"The gateway can't start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
