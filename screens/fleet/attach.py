"""Attaching: the screen steps aside for a program on the same terminal, and comes back whole however that ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

from textual.app import SuspendNotSupported

from ccp_tui.screens.widgets.shell import Shell

# What a shell answers for a program that was killed: the container stopped, or was taken away.
KILLED = (129, 130, 137, 143, 255)


async def attach(app: Shell, command: Sequence[str], banner: str) -> tuple[str, str]:
    """Runs a program on the person's terminal until it ends; answers what to say of it, and the kind of notice.

    ``banner`` is written first, so that nobody wonders where they are and how to come back.
    """
    code = 0
    try:
        async with app.stepped_aside():
            # Where the program leaves Ctrl-C to the terminal it reaches us too: it is meant for the program alone.
            # A handler of ours, unlike "ignore", is not inherited.
            before = signal.signal(signal.SIGINT, lambda *_: None)
            try:
                sys.__stdout__.write(f"\x1b[H\x1b[2J{banner}\n")  # type: ignore[union-attr]
                sys.__stdout__.flush()  # type: ignore[union-attr]
                process = await asyncio.create_subprocess_exec(*command)
                try:
                    code = await process.wait()
                except asyncio.CancelledError:
                    process.terminate()
                    raise
            finally:
                signal.signal(signal.SIGINT, before)
    except FileNotFoundError:
        return f"{command[0]} is missing here. Install it: apt install incus-client", "refusal"
    except (OSError, SuspendNotSupported) as error:
        return f"It could not be started: {error}", "refusal"
    if code in (0, 130, -signal.SIGINT):
        return "", "info"
    if code < 0 or code in KILLED:
        return "The connection ended from the other side: the deployment stopped, or was taken away.", "warn"
    return f"It ended with code {code}.", "warn"
