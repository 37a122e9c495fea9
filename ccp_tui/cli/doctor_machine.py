"""What ``ccp doctor`` sees of the machine: Python, packages, SQLite, the home and its disk."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from ccp_tui.cli.finding import Finding
from ccp_tui.paths import SOCKET_PATH_LIMIT, Home

DISTRIBUTION = "ccp-tui"
_TIGHT_BYTES, _FULL_BYTES = 500 * 2**20, 50 * 2**20


def findings(home: Home) -> Iterator[Finding]:
    """Everything that can be told without talking to anybody."""
    yield _python()
    yield _packages()
    yield _sqlite()
    yield _home(home)
    yield from _private_files(home)
    yield _disk(home)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version}, {sys.executable}")


def _packages() -> Finding:
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return Finding("packages", "warn", "ccp runs from a folder and is not installed", "pip install .")
    names = [
        match[0] for line in required if "extra ==" not in line and (match := re.match(r"[\w.-]+", line))
    ]
    missing = []
    for name in names:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "packages", "fail", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    return Finding("packages", "ok", f"all {len(names)} are there; textual {metadata.version('textual')}")


def _sqlite() -> Finding:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    except sqlite3.OperationalError:
        return Finding(
            "sqlite", "fail", f"{sqlite3.sqlite_version} without FTS5", "use a Python whose SQLite has FTS5"
        )
    finally:
        connection.close()
    if sqlite3.sqlite_version_info < (3, 37):
        return Finding(
            "sqlite", "fail", f"{sqlite3.sqlite_version} has no STRICT tables", "SQLite 3.37 or newer"
        )
    return Finding("sqlite", "ok", f"{sqlite3.sqlite_version} with FTS5")


def _home(home: Home) -> Finding:
    root = home.root
    if len(os.fsencode(home.control_socket)) > SOCKET_PATH_LIMIT:
        return Finding(
            "home", "fail", f"{root} is too long for a Unix socket", "set CCP_HOME to a shorter path"
        )
    try:
        found = root.stat()
    except FileNotFoundError:
        return Finding("home", "ok", f"{root} (made at the first start)")
    except OSError as error:
        return Finding(
            "home",
            "fail",
            f"{root} can't be looked at ({error.strerror})",
            "set CCP_HOME to a folder of yours",
        )
    if not stat.S_ISDIR(found.st_mode):
        return Finding("home", "fail", f"{root} is no folder", "set CCP_HOME to a folder")
    if found.st_uid != os.getuid():
        return Finding("home", "fail", f"{root} belongs to another user", "set CCP_HOME to a folder of yours")
    if stat.S_IMODE(found.st_mode) & 0o077:
        return Finding("home", "fail", f"{root} is open to others ({_mode(found)})", f"chmod 700 {root}")
    if not os.access(root, os.W_OK | os.X_OK):
        return Finding("home", "fail", f"{root} can't be written", f"chmod 700 {root}")
    return Finding("home", "ok", f"{root} (private)")


def _private_files(home: Home) -> Iterator[Finding]:
    for path in (home.database, home.device, home.control_socket):
        try:
            found = path.lstat()
        except OSError:
            continue
        if stat.S_IMODE(found.st_mode) & 0o077:
            yield Finding(
                "files", "fail", f"{path.name} is open to others ({_mode(found)})", f"chmod 600 {path}"
            )


def _mode(found: os.stat_result) -> str:
    return f"{stat.S_IMODE(found.st_mode):04o}"


def _disk(home: Home) -> Finding:
    place: Path = home.root
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding("disk", "warn", f"{place} can't be measured ({error.strerror})")
    words = f"{free / 2**30:.1f} GiB free at {place}"
    if free < _FULL_BYTES:
        return Finding("disk", "fail", words, "free some space: the database can't be written without it")
    if free < _TIGHT_BYTES:
        return Finding("disk", "warn", words, "free some space before the database needs it")
    return Finding("disk", "ok", words)
