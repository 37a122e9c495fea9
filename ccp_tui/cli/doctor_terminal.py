"""What ``ccp doctor`` sees of the terminal: size, colours, characters, and the way to the clipboard through tmux."""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

from ccp_tui.cli.finding import Finding

_COLUMNS, _LINES = 80, 24


def findings(env: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """What the board would meet here; without a terminal, that alone."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        yield Finding("terminal", "ok", "none here: the verbs need no terminal, the board does")
        return
    yield _kind(env)
    yield _size()
    yield _characters()
    if env.get("TMUX"):
        yield _tmux()


def _kind(env: Mapping[str, str]) -> Finding:
    term = env.get("TERM", "")
    if term in ("", "dumb"):
        return Finding("terminal", "fail", f"TERM is {term or 'not set'}", "export TERM=xterm-256color")
    if env.get("NO_COLOR"):
        return Finding("terminal", "ok", f"{term}, without colours (NO_COLOR)")
    if env.get("COLORTERM") in ("truecolor", "24bit") or term.endswith("-direct"):
        return Finding("terminal", "ok", f"{term}, 16 million colours")
    if "256" in term:
        return Finding("terminal", "ok", f"{term}, 256 colours")
    return Finding(
        "terminal", "warn", f"{term}: few colours", "export TERM=xterm-256color, if your terminal can"
    )


def _size() -> Finding:
    columns, lines = shutil.get_terminal_size()
    words = f"{columns}×{lines}"
    if columns < _COLUMNS or lines < _LINES:
        return Finding("size", "warn", words, f"the board is made for {_COLUMNS}×{_LINES} and more")
    return Finding("size", "ok", words)


def _characters() -> Finding:
    encoding = locale.getpreferredencoding(False)
    if encoding.upper().replace("-", "") != "UTF8":
        return Finding("characters", "warn", f"{encoding}, not UTF-8", "export LANG=C.UTF-8")
    return Finding("characters", "ok", "UTF-8")


def _tmux() -> Finding:
    """Copying goes by OSC 52, which tmux hands on only when it is told to."""
    try:
        found = subprocess.run(
            ["tmux", "show-options", "-gv", "set-clipboard"],
            capture_output=True,
            text=True,
            timeout=3,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Finding("tmux", "warn", "does not answer", "copying to your clipboard may not work")
    setting = found.stdout.strip()
    if setting == "on":
        return Finding("tmux", "ok", "hands copies on to your clipboard")
    fix = "tmux set-option -s set-clipboard on (and in ~/.tmux.conf)"
    return Finding(
        "tmux", "warn", f"keeps copies from your clipboard (set-clipboard {setting or 'unknown'})", fix
    )
