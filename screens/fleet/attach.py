"""Attaching: the screen steps aside for a program on the same terminal, and comes back whole however that ends."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

from textual.app import SuspendNotSupported

from ccp_tui import terminal
from ccp_tui.screens.widgets.shell import Shell

Fate = Callable[..., Awaitable[str]]


async def attach(app: Shell, command: Sequence[str], banner: str, fate: Fate) -> tuple[str, str]:
    """Runs a program on the person's terminal until it ends; answers what to say of it, and the kind of notice.

    ``banner`` is written first, so that nobody wonders where they are and how to come back; ``fate`` tells why the
    program was cut off, "" when it was not; with 0, only what is known already.
    """
    code = 0
    try:
        async with app.stepped_aside():
            with terminal.lent():
                sys.__stdout__.write(f"{banner}\n")  # type: ignore[union-attr]
                sys.__stdout__.flush()  # type: ignore[union-attr]
                process = await asyncio.create_subprocess_exec(*command)
                try:
                    code = await process.wait()
                except asyncio.CancelledError:
                    process.terminate()
                    raise
            if code:
                terminal.mend()
    except FileNotFoundError:
        return f"{command[0]} is missing here. Install it: apt install incus-client", "refusal"
    except (OSError, SuspendNotSupported) as error:
        return f"It could not be started: {error}", "refusal"
    if code in (0, 130, -signal.SIGINT):
        return "", "info"
    said = await (fate() if terminal.was_cut_off(code) else fate(0))
    return said or f"It ended with code {code}.", "warn"
