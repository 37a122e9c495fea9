"""``python -m ccp_tui.demo.behind FOLDER PORT``: all of the demo but the board, until its input is closed.

Its output is one line: ``ready``, or why it can't start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from pathlib import Path

from ccp_tui.client import ServiceClient
from ccp_tui.demo.director import WATCHED, Director
from ccp_tui.demo.stage import THINKING, stage
from ccp_tui.failures import ServiceUnavailable


async def _run(folder: Path, port: int) -> None:
    async with stage(folder, think=THINKING, port=port) as running:
        loop = asyncio.get_running_loop()

        def input_ended() -> None:
            if not os.read(0, 1024):
                loop.remove_reader(0)
                running.stop.set()

        loop.add_reader(0, input_ended)
        print("ready", flush=True)
        async with ServiceClient(running.home, "demo") as client:
            playing = asyncio.create_task(_play(Director(client, WATCHED, lambda line: None)))
            await running.stop.wait()
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)


async def _play(director: Director) -> None:
    # When the person stops the service the play is over, and that is no fault.
    with contextlib.suppress(ServiceUnavailable, TimeoutError):
        await director.play()


def main() -> int:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    try:
        asyncio.run(_run(folder, port))
    except Exception as error:
        print(error, flush=True)
        return 1
    finally:
        # Also when whoever started this was killed and can't do it.
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
