"""The exec tool: one shell command in an agent's workspace, with a deadline; nothing of it outlives an abort."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

DEADLINE_SECONDS = 120.0
OUTPUT_LIMIT = 200_000


@dataclass(frozen=True)
class Outcome:
    """``exit_code`` is None for a command that was killed at its deadline."""

    exit_code: int | None
    output: str
    duration_ms: int


async def run_command(
    command: str,
    cwd: Path,
    env: dict[str, str],
    told: Callable[[str], None],
    deadline: float = DEADLINE_SECONDS,
) -> Outcome:
    """Runs the command; ``told`` gets the whole output so far whenever there is more. Cancelling kills its group."""
    started = time.monotonic()
    os.makedirs(cwd, mode=0o700, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        cwd=cwd,
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    collected = bytearray()
    exit_code: int | None = None
    try:
        async with asyncio.timeout(deadline):
            assert process.stdout is not None
            while chunk := await process.stdout.read(65_536):
                if len(collected) < OUTPUT_LIMIT:
                    collected += chunk[: OUTPUT_LIMIT - len(collected)]
                    told(collected.decode(errors="replace"))
            exit_code = await process.wait()
    except TimeoutError:
        collected += f"\n(Command timed out after {deadline:g} s)".encode()
    finally:
        # The whole group goes in any case: what a finished command left in the background would outlive the gateway.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return Outcome(exit_code, collected.decode(errors="replace"), int((time.monotonic() - started) * 1000))


def environment(state: Path, port: int, first: Sequence[str] = ()) -> dict[str, str]:
    """What a command sees: this process's environment without the control panel's own, plus OpenClaw's marks.

    ``first``: folders that come before all others on its PATH.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CCP_")}
    kept["PATH"] = os.pathsep.join([*first, kept.get("PATH", os.defpath)])
    return {
        **kept,
        "OPENCLAW_SHELL": "exec",
        "OPENCLAW_STATE_DIR": str(state),
        "OPENCLAW_GATEWAY_PORT": str(port),
    }
