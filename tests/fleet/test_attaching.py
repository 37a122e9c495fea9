"""This terminal on something inside a real deployment: size, keys, colours, and a terminal that comes back whole."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.fleet.site import Site, ccp, well
from tests.support.modes import Written
from tests.support.pty import Terminal

pytestmark = [pytest.mark.incus, pytest.mark.slow]

CCP = [sys.executable, "-m", "ccp_tui"]
ATTACH = [*CCP, "fleet", "attach"]


def heard(terminal: Terminal) -> Written:
    """What is written to it from now on."""
    written = Written()
    terminal.heard = written.add
    return written


def says(terminal: Terminal, line: re.Pattern[str]) -> bool:
    return line.search(terminal.text) is not None


async def by(*words: str) -> None:
    """Does something to the deployment from elsewhere, while this terminal is attached."""
    ended = await asyncio.to_thread(
        subprocess.run, words, capture_output=True, text=True, timeout=150, stdin=subprocess.DEVNULL
    )
    assert ended.returncode == 0, ended.stderr


def again(site: Site) -> None:
    assert ccp("fleet", "start", site.name).returncode == 0
    well(site)


async def test_the_board_has_the_terminals_size_at_any_time(site: Site) -> None:
    async with Terminal([*ATTACH, site.name], (120, 40)) as terminal:
        written = heard(terminal)
        await terminal.shows("gateway connected", 60)
        assert "? help" in terminal.screen.display[39]
        terminal.resize((90, 30))
        await terminal.until(lambda: terminal.screen.display[29].rstrip().endswith("? help"))
        terminal.resize((140, 45))
        await terminal.until(lambda: terminal.screen.display[44].rstrip().endswith("? help"))
        assert len(terminal.screen.display[44].rstrip()) > 130
        assert written.changed() >= {25, 1049}
        terminal.send("q")
        assert await terminal.ended() == 0
        assert written.changed() == set()
        assert terminal.lines_and_echo()


@pytest.mark.parametrize(
    ("env", "colours"),
    [
        ({"COLORTERM": "truecolor"}, {"2"}),
        ({"COLORTERM": ""}, {"5"}),
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, set()),
    ],
)
async def test_colours_are_those_of_the_terminal(
    site: Site, env: Mapping[str, str], colours: set[str]
) -> None:
    async with Terminal([*ATTACH, site.name], (100, 30), env) as terminal:
        written = heard(terminal)
        await terminal.shows("gateway connected", 60)
        assert written.colours() - {""} == colours
        assert bool(written.colours()) == bool(colours)
        terminal.send("q")
        assert await terminal.ended() == 0


@pytest.mark.parametrize(
    ("user", "home", "groups"),
    [
        ("openclaw", "/home/openclaw", "openclaw agents"),
        ("ccp", "/var/lib/ccp", "ccp agents"),
        ("root", "/root", "root"),
    ],
)
async def test_a_shell_is_its_users(site: Site, user: str, home: str, groups: str) -> None:
    async with Terminal([*ATTACH, site.name, "shell", "--user", user], (100, 30)) as terminal:
        await terminal.shows("#" if user == "root" else "$", 30)
        terminal.send("echo $(id -un) at $PWD $HOME in $(id -nG) as $TERM.", "enter")
        await terminal.shows(f"{user} at {home} {home} in {groups} as xterm-256color.")
        terminal.send("tput cols; stty -a | head -1", "enter")
        await terminal.shows("rows 30; columns 100")
        terminal.send("exit", "enter")
        assert await terminal.ended() == 0


async def test_a_board_that_is_killed_leaves_a_whole_terminal_and_words(site: Site) -> None:
    async with Terminal([*ATTACH, site.name], (100, 30)) as terminal:
        written = heard(terminal)
        await terminal.shows("gateway connected", 60)
        assert not terminal.lines_and_echo()
        await by("incus", "stop", "--force", site.name)
        assert await terminal.ended(30) == 137
        assert f"ccp: The connection was cut off: {site.name} is stop" in terminal.text.replace("\n", "")
        assert written.changed() == set()
        assert terminal.lines_and_echo()
    again(site)


async def test_a_stop_waits_for_nobody_who_is_attached(site: Site) -> None:
    """The board ends with the system; neither holds up the other."""
    async with Terminal([*ATTACH, site.name], (100, 30)) as terminal:
        written = heard(terminal)
        await terminal.shows("gateway connected", 60)
        began = time.monotonic()
        await by(*CCP, "fleet", "stop", site.name)
        assert time.monotonic() - began < 45
        assert await terminal.ended(30) != 0
        assert f"{site.name} is stop" in terminal.text.replace("\n", "")
        assert written.changed() == set()
    again(site)


async def shell_from_the_list(terminal: Terminal, site: Site) -> None:
    """A shell of the agents' user, by the keys that a person presses."""
    terminal.send("x")
    await terminal.shows(f"Shell in {site.name} as")
    terminal.send("enter")
    await terminal.shows("openclaw@", 30)


async def test_from_the_screen_and_back(site: Site, tmp_path: Path) -> None:
    """A shell whose Ctrl-C is its own, its logs, a shell that is killed: after each the screen stands as before."""
    command = [*CCP, "fleet", "--home", str(tmp_path)]
    async with Terminal(command, (140, 40)) as terminal:
        written = heard(terminal)
        await terminal.shows(site.seen, 30)
        terminal.send("/")
        await terminal.shows("enter keeps it")
        terminal.send(site.name, "enter")
        await terminal.shows("esc clears it")
        await shell_from_the_list(terminal, site)
        terminal.send("echo begun; sleep 600; echo went on", "enter")
        await terminal.shows("\nbegun")
        terminal.send("ctrl+c")
        await terminal.shows("^C")
        terminal.send("echo still $((40+2))", "enter")
        await terminal.shows("still 42")
        assert "\nwent on" not in terminal.text
        terminal.send("exit", "enter")
        await terminal.shows("esc clears it")
        await terminal.quiet()
        assert "still 42" not in terminal.text

        for key, which, words in (
            ("1", "gateway", "openclaw"),
            ("2", "service", "ClawControlPanel's control service"),
            ("3", "boot", "systemd"),
        ):
            terminal.send("l")
            await terminal.shows(f"Logs of {site.name}")
            terminal.send(key)
            line = re.compile(rf"\d\d:\d\d.*{words}")
            await terminal.until(partial(says, terminal, line), 30)
            if which == "boot":
                await by(
                    "incus", "exec", site.name, "--", "systemd-cat", "-t", "test", "echo", "said just now"
                )
                await terminal.shows("said just now", 30)
            terminal.send("ctrl+c")  # of no meaning here: the screen stays
            terminal.send("escape")
            await terminal.shows("esc clears it")

        await shell_from_the_list(terminal, site)
        terminal.send("printf '\\033[?1049h\\033[?1000h\\033[?25l'; stty raw -echo", "enter")
        await terminal.quiet()
        await by("incus", "stop", "--force", site.name)
        await terminal.shows("esc clears it", 30)
        await terminal.shows(f"The connection was cut off: {site.name} is stop", 30)
        await terminal.shows("stopped", 30)
        terminal.send("q", "q")
        assert await terminal.ended() == 0
        assert written.changed() == set()
        assert terminal.lines_and_echo()
        assert b"\x1b[2J" not in written.data.partition(b"openclaw@")[0], "what stood there before is kept"
    again(site)


async def test_a_log_is_followed_until_ctrl_c(site: Site) -> None:
    async with Terminal(
        [*ATTACH, site.name, "logs", "boot", "--follow", "--lines", "3"], (120, 30)
    ) as terminal:
        await terminal.until(lambda: terminal.text.count("\n20") >= 2, 30)
        await by("incus", "exec", site.name, "--", "systemd-cat", "-t", "test", "echo", "after that")
        await terminal.shows("after that", 20)
        terminal.send("ctrl+c")
        assert await terminal.ended() == 130
        assert "Traceback" not in terminal.text
