"""``ccp demo`` as a person starts it: without a terminal, in one, and the gateway alone; nothing of it remains."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccp_tui import spec
from ccp_tui.demo.director import Playing
from ccp_tui.demo.planned import PLANNED, with_second_look
from ccp_tui.demo.scenes import CAST, LATER, REAL_GATEWAY, SCENES, Scene
from ccp_tui.gateway.demo.brain import Exec, Say, script
from tests.demo.raw import Raw
from tests.support.line import line

DEADLINE = 90.0


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files whose path is short enough for sockets; empty at the end."""
    with tempfile.TemporaryDirectory(prefix="d-", dir="/tmp") as folder:
        yield Path(folder)


def start(temporary: Path, *arguments: str, terminal: int | None = None) -> subprocess.Popen[str]:
    """The command, with pipes or in a terminal; what the environment says of a home or a gateway is not for it."""
    env = {
        **os.environ,
        "TMPDIR": str(temporary),
        "CCP_GATEWAY_URL": "ws://127.0.0.1:9",
        "CCP_AGENT_LIMIT": "x",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "ccp_tui", "demo", *arguments],
        env=env,
        text=True,
        start_new_session=True,
        stdin=subprocess.DEVNULL if terminal is None else terminal,
        stdout=subprocess.PIPE if terminal is None else terminal,
        stderr=subprocess.PIPE if terminal is None else terminal,
    )


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


def left_behind(temporary: Path) -> list[str]:
    """The processes that still have this run's folder in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(temporary) in words:
            found.append(words)
    return found


@pytest.mark.slow
def test_headless_goes_all_the_way_and_leaves_nothing(temporary: Path) -> None:
    process = start(temporary, "--headless", str(DEADLINE))
    out, err = process.communicate(timeout=DEADLINE + 20)
    assert process.returncode == 0, out + err
    assert "This is a demo" in out
    assert "openclaw gateway run" in out
    done = re.search(r"\d+ tasks went all the way to Done: (.+)\.", out)
    assert done
    assert done[1].split(", ") == [f"WEB-{n}" for n in (1, 2, 3, 4, 5, 7)] + [f"DAY-{n}" for n in range(1, 7)]
    states = [re.sub(r"^ *[0-9.]+s +", "", line) for line in out.splitlines()]
    first = [line.split(": ")[1] for line in states if line.startswith("WEB-1 ")]
    assert first == [
        "captured → inbox",
        "inbox → assigned (Nova)",
        "assigned → in_progress (Nova)",
        "in_progress → testing (Nova)",
        "testing → review (Nova)",
        "review → done (Nova)",
    ]
    assert any("review → in_progress" in line for line in states), "nothing was rejected"
    assert any("testing → in_progress" in line for line in states), "no check failed"
    assert any("WEB-6" in line and "held, " in line and "Which one" in line for line in states), (
        "no question was asked"
    )
    # The planned mission: questions answered, two new agents, sub-tasks in their order, one round sent back.
    assert [line for line in states if line.startswith("DAY-1 “")] == [
        "DAY-1 “Who is it for?” Newcomers Many come with children.",
        "DAY-1 “How long may it be?” A few pages",
    ]
    ends = [line.split()[0] for line in states if line.startswith("DAY-") and " → done" in line]
    assert [ref for ref in ends if ref not in ("DAY-2", "DAY-3")] == ["DAY-4", "DAY-5", "DAY-6", "DAY-1"]
    sent_back = [line for line in states if line.startswith("DAY-") and "review → in_progress" in line]
    assert [line.split()[0] for line in sent_back] == ["DAY-5"], "the reviewer rejects the draft, once"
    assert any(line.startswith("DAY-4 ") and line.endswith("(Scout)") for line in states)
    assert is_empty(temporary)
    assert left_behind(temporary) == []


def test_headless_fails_when_the_time_is_too_short(temporary: Path) -> None:
    process = start(temporary, "--headless", "2.5")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "2.5 s were not enough" in err
    assert is_empty(temporary)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_headless_cleans_up_when_interrupted(temporary: Path, number: signal.Signals) -> None:
    process = start(temporary, "--headless", "60")
    assert process.stdout is not None
    for words in process.stdout:
        if "in_progress" in words:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "interrupted" in err
    assert is_empty(temporary)
    assert left_behind(temporary) == []


@pytest.mark.parametrize("named", [None, "my own"])
async def test_the_gateway_alone_says_how_to_reach_it(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    monkeypatch.delenv("CCP_GATEWAY_TOKEN", raising=False)
    if named:
        monkeypatch.setenv("CCP_GATEWAY_TOKEN", named)
    process = start(temporary, "--gateway-only")
    try:
        assert process.stdout is not None
        said = ""
        for words in process.stdout:
            said += words
            if "Ctrl-C" in words:
                break
        url = re.search(r"CCP_GATEWAY_URL=(\S+)", said)
        token = re.search(r"CCP_GATEWAY_TOKEN=(.+)", said)
        assert url
        assert token
        assert shlex.split(token[1]) == [named or "demo"]
        async with line(url[1], None, tmp_path) as on:  # who sets the address alone gets in too
            await on.connected()
        client = await Raw.open(url[1], named or "demo")
        assert await client.call("health")
        process.send_signal(signal.SIGINT)
        await client.until(lambda name, payload: name == "shutdown")
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert is_empty(temporary)
    finally:
        process.kill()


def test_without_a_terminal_it_says_what_to_do(temporary: Path) -> None:
    process = start(temporary)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "ccp demo --headless SECONDS" in err


class Terminal:
    """``ccp demo`` in a pseudo-terminal of 120 by 40."""

    def __init__(self, temporary: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.process = start(temporary, terminal=slave)
        os.close(slave)
        self.said = ""

    def until(self, words: str, seconds: float = DEADLINE) -> None:
        """Reads until the words were written, escape sequences aside."""
        end = time.monotonic() + seconds
        while words not in re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]", "", self.said):
            assert time.monotonic() < end, self.said[-2000:]
            if select.select([self.master], [], [], 0.5)[0]:
                try:
                    self.said += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"it ended: {self.said[-2000:]}") from None

    def key(self, key: str) -> None:
        os.write(self.master, key.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(20)
        os.close(self.master)


@pytest.fixture
def terminal(temporary: Path) -> Iterator[Terminal]:
    opened = Terminal(temporary)
    yield opened
    opened.close()


def wait_empty(temporary: Path) -> None:
    end = time.monotonic() + 30
    while (kept := list(temporary.iterdir())) or left_behind(temporary):
        assert time.monotonic() < end, kept
        time.sleep(0.1)


def test_the_board_moves_by_itself_and_goes_without_a_trace(terminal: Terminal, temporary: Path) -> None:
    terminal.until("This is a demo")
    terminal.until("Landing page")
    terminal.until("exec ")
    terminal.until("1 question for you")  # one question and one plan are left to whoever watches
    terminal.until("plan ready: A")
    terminal.key("q")
    terminal.until("The demo is over")
    assert terminal.process.wait(20) == 0
    wait_empty(temporary)


def test_sigterm_closes_the_board_in_good_order(terminal: Terminal, temporary: Path) -> None:
    terminal.until("Landing page")
    terminal.process.terminate()
    terminal.until("The demo is over")
    assert terminal.process.wait(20) == 128 + signal.SIGTERM
    wait_empty(temporary)


def test_a_lost_terminal_ends_all_of_it(terminal: Terminal, temporary: Path) -> None:
    """Nobody tells the board, and it goes on drawing: a connection that was lost under a shell that ignores it."""
    terminal.until("Landing page")
    os.close(terminal.master)
    terminal.master = os.open(os.devnull, os.O_RDONLY)
    assert terminal.process.wait(30) == 128 + signal.SIGHUP
    wait_empty(temporary)


def test_what_is_behind_a_killed_board_ends_too(terminal: Terminal, temporary: Path) -> None:
    terminal.until("Landing page")
    terminal.process.kill()
    wait_empty(temporary)


# -- the play itself ----------------------------------------------------------------------------------------------


def test_the_play_has_a_dozen_tasks_of_every_way() -> None:
    assert len(SCENES) >= 12
    assert {scene.way for scene in SCENES} == {"inbox", "assigned", "cancelled", "run"}
    everything = (*SCENES, *PLANNED, *LATER)
    assert len({scene.title for scene in everything}) == len(everything)
    runs = [scene for scene in SCENES if scene.way == "run" and not scene.held]
    assert [scene for scene in runs if not scene.verdicts], "nothing is left to the person"
    assert len(CAST) == 3


def test_of_the_plans_one_runs_one_asks_and_one_waits_for_approval() -> None:
    plans = [scene.plan for scene in PLANNED if scene.plan]
    assert len(plans) == len(PLANNED)
    runs, asks, waits = plans
    assert runs.given is None
    assert asks.given is not None
    assert asks.given < len(asks.answers), "no question is left to the person"
    assert (waits.given, waits.auto) == (0, True)


def test_the_reviewer_gets_a_reason_to_send_one_part_of_the_large_plan_back() -> None:
    scene = next(scene for scene in PLANNED if scene.plan and scene.plan.second_look)
    said = script(f"Plan: DAY-1 {scene.title}\nPlanning: 1\nQuestions: none\n")[0]
    assert isinstance(said, Say)
    fields = json.loads(said.text.removeprefix("```json").removesuffix("```"))["plan"]
    assert scene.plan
    more = spec.parse(with_second_look(spec.written(fields), scene.plan.second_look))
    wary = [part.key for part in more.tasks if any("second look" in each for each in part.success_criteria)]
    assert wary == [scene.plan.second_look]
    assert len({agent.name for agent in more.agents} - {cast.name for cast in CAST}) == 2, "both are new"


def test_the_words_for_the_person_name_what_is_there() -> None:
    for scene in (*SCENES, *PLANNED):
        assert scene.mission in ("website", "open-day")
    for words in ("Website relaunch", "Open day", "openclaw gateway run", "CCP_GATEWAY_URL"):
        assert words in REAL_GATEWAY


@pytest.mark.parametrize(
    "scene", [scene for scene in (*SCENES, *LATER) if scene.spec], ids=lambda scene: scene.title
)
def test_every_spec_of_the_play_is_valid_and_can_be_worked_on(scene: object) -> None:
    text = getattr(scene, "spec")  # noqa: B009
    parsed = spec.parse(text)
    assert parsed.deliverables
    assert parsed.success_criteria
    steps = script(
        f"Task: X-1 {parsed.title}\nRound: 1\n--- spec ---\n{text}--- end of spec ---\nReport command: r\n"
    )
    assert any(isinstance(step, Exec) for step in steps)


def test_a_plan_counts_only_when_it_is_done_by_the_route() -> None:
    for scene in (*PLANNED, Scene("part of a plan", way="part")):
        assert not Playing(scene, "A", [], ["planning", "inbox"]).over
        assert not Playing(scene, "A", [], ["review"], held=True).over
        assert Playing(scene, "A", [], ["in_progress", "testing", "review", "done"]).over
    assert Playing(Scene("in the inbox", way="inbox"), "A", []).over


def test_only_the_whole_route_counts_as_done() -> None:
    def by_the_route(*seen: str) -> bool:
        return Playing(SCENES[0], "A", [], list(seen)).by_the_route

    round_trip = ("in_progress", "testing", "review")
    assert by_the_route("inbox", "assigned", *round_trip, "done")
    assert by_the_route("in_progress", "testing", *round_trip, *round_trip, "done")
    assert not by_the_route("in_progress", "review", "done")
    assert not by_the_route(*round_trip)
    assert not by_the_route(*round_trip, "done", "assigned")
    assert not by_the_route()
