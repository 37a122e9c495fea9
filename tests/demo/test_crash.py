"""What a killed gateway loses and what it picks up again, in a process of its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.demo.raw import Raw
from tests.demo.test_runs import KEY, history, send, text_of


class Process:
    """``python -m ccp_tui.gateway.demo``, ready."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process, self.url = process, url

    async def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def running(state: Path, port: int = 0) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ccp_tui.gateway.demo",
        "--state",
        str(state),
        "--port",
        str(port),
        "--speed",
        "4",
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert line.startswith("ready ws://127.0.0.1:")
        yield Process(process, line.split()[1])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_turn_that_a_crash_cut_short_is_resumed_under_another_run_id(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        raw = await Raw.open(first.url)
        await raw.call("agents.create", {"name": "Bob"})
        await send(raw, "!say kept\n!exec echo once >> log.txt\n!stream 60 20")
        await raw.until(
            lambda name, p: (
                name == "chat" and p["state"] == "delta" and "word4" in p["message"]["content"][0]["text"]
            )
        )
        boot = raw.hello["server"]["bootId"]
        await first.end(signal.SIGKILL)
        await raw.socket.wait_closed()
        assert raw.socket.close_code == 1006
    async with running(tmp_path) as second:
        raw = await Raw.open(second.url)
        assert raw.hello["server"]["bootId"] != boot
        assert {row["id"] for row in (await raw.call("agents.list"))["agents"]} == {"main", "bob"}
        assert (await raw.call("sessions.describe", {"key": KEY}))["session"]["abortedLastRun"] is True
        assert (await raw.call("agent.wait", {"runId": "k1", "timeoutMs": 1}))["status"] == "timeout"
        final = await raw.until(lambda name, p: name == "chat" and p["state"] == "final")
        assert final["runId"] != "k1"
        rows = (await history(raw))["messages"]
        texts = [text_of(row) for row in rows]
        assert texts[1] == "kept"
        assert texts[3].startswith("[System] Your previous turn was interrupted by a gateway restart")
        assert sum("word4" in text for text in texts) == 1
        assert [row["__openclaw"]["seq"] for row in rows] == list(range(1, len(rows) + 1))
        # The same message again: begun as if new, but neither shown nor answered twice.
        assert (await send(raw, "!say kept\n!exec echo once >> log.txt\n!stream 60 20"))[
            "status"
        ] == "started"
        assert "message" not in await raw.chat("k1", "final")
        assert len((await history(raw))["messages"]) == len(rows)
        await raw.close()
        assert await second.end(signal.SIGTERM) == 0
    assert (tmp_path / "workspaces/main/log.txt").read_text() == "once\n", (
        "a call made before is not made again"
    )


async def test_sigterm_says_goodbye_and_a_turn_goes_on_in_the_next_life(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        raw = await Raw.open(first.url)
        await send(raw, "!exec sleep 0.5\n!say finished")
        await send(raw, "!say queued", "k2", queueMode="followup")
        await raw.until(lambda name, p: name == "agent" and p["data"].get("phase") == "model")
        assert await first.end(signal.SIGTERM) == 0
        await raw.until(lambda name, p: name == "shutdown")
        await raw.socket.wait_closed()
        assert (raw.socket.close_code, raw.socket.close_reason) == (1012, "service restart")
    async with running(tmp_path) as second:
        raw = await Raw.open(second.url)
        finished = await raw.until(lambda name, p: name == "chat" and p["state"] == "final")
        assert text_of(finished["message"]) == "finished"
        queued = await raw.until(
            lambda name, p: name == "chat" and p["state"] == "final" and p["runId"] != finished["runId"]
        )
        assert text_of(queued["message"]) == "queued"
        await raw.close()


@pytest.mark.parametrize("junk", [b'{"role": "assi', b"\xff\xfe"])
async def test_a_half_written_row_is_dropped(tmp_path: Path, junk: bytes) -> None:
    async with running(tmp_path) as first:
        raw = await Raw.open(first.url)
        await send(raw, "!say whole\u2028row")
        await raw.chat("k1", "final")
        await first.end(signal.SIGKILL)
    (file,) = (tmp_path / "history").iterdir()
    with file.open("ab") as out:
        out.write(junk)
    async with running(tmp_path) as second:
        raw = await Raw.open(second.url)
        assert [text_of(row) for row in (await history(raw))["messages"]] == [
            "!say whole\u2028row",
            "whole\u2028row",
        ]
        await raw.close()


async def test_a_taken_folder_is_a_line_on_stderr_and_one(tmp_path: Path) -> None:
    async with running(tmp_path):
        again = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ccp_tui.gateway.demo",
            "--state",
            str(tmp_path),
            stderr=asyncio.subprocess.PIPE,
        )
        _, words = await asyncio.wait_for(again.communicate(), 30)
        assert again.returncode == 1
        assert words.decode().startswith("The gateway can't start: another gateway is running on")
