"""What a check starts ends with it, however it hides; and it never makes the check wait."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from ccp_tui.service.verification import checks


async def run(command: str, folder: Path, timeout_s: float = 20.0) -> dict[str, Any]:
    return await checks.run({"name": "it", "command": command, "timeout_s": timeout_s}, folder, "")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_a_daemon_that_a_check_leaves_is_ended(tmp_path: Path) -> None:
    daemon = "setsid sh -c 'echo $$ > daemon; exec sleep 300' > /dev/null 2>&1 &"
    result = await run(f"{daemon} while [ ! -s daemon ]; do sleep 0.05; done; echo done", tmp_path)
    assert (result["exit_code"], result["output"]) == (0, "done\n")
    assert not alive(int((tmp_path / "daemon").read_text()))


async def test_a_check_is_over_when_its_shell_is_whoever_holds_its_output(tmp_path: Path) -> None:
    began = time.monotonic()
    result = await run("(setsid sleep 300 &); echo done; exit 3", tmp_path, timeout_s=60)
    assert (result["exit_code"], result["timed_out"], result["output"]) == (3, 0, "done\n")
    assert time.monotonic() - began < 30


async def test_two_checks_at_once_end_only_what_is_theirs(tmp_path: Path) -> None:
    slow = asyncio.create_task(run("sleep 1; echo slow", tmp_path))
    quick = await run("setsid sleep 300 & echo quick", tmp_path)
    assert (quick["exit_code"], quick["output"]) == (0, "quick\n")
    assert ((await slow)["exit_code"], (await slow)["output"]) == (0, "slow\n")
