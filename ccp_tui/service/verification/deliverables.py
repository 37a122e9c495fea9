"""Looking at the files that a worker says it made: inside its workspace, really there, and what they hold."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from ccp_tui.text import clean

CHUNK = 1 << 20
LARGEST = (
    4 * 2**30
)  # bytes of one deliverable; all of it is read at each look, and a file of holes costs nothing
# Folders that tools write while they only look at the files beside them.
CACHES = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"})


class NotDelivered(Exception):
    """A path that is no deliverable; the words are for the agent, who can act on them."""


class _TooLarge(Exception):
    """Reading it all would take too long."""


@dataclass(frozen=True)
class Found:
    """A deliverable as it is on disk. A folder's size and hash are those of its files together."""

    path: str
    size: int
    sha256: str


def look(workspace: Path, path: str) -> Found:
    """The deliverable at ``path``, relative to the workspace (or absolute and inside it). Raises NotDelivered."""
    root = workspace.resolve()
    wanted = PurePosixPath(path.strip())
    if not path.strip() or "\0" in path:
        raise NotDelivered("name the file: a path relative to your workspace")
    if clean(path) != path or len(path.strip().splitlines()) > 1:
        raise NotDelivered("the path has letters in it that cannot be shown: give the file another name")
    relative = os.path.normpath(os.path.relpath(wanted, root) if wanted.is_absolute() else str(wanted))
    if relative == "." or relative == ".." or relative.startswith("../"):
        raise NotDelivered(f"{path} is outside your workspace: put the file into the workspace ({root})")
    at = root / relative
    try:
        real = at.resolve(strict=True)
    except FileNotFoundError:
        raise NotDelivered(f"{relative} does not exist in your workspace: create it first") from None
    except PermissionError:
        raise NotDelivered(_closed(relative)) from None
    except (OSError, RuntimeError) as error:
        raise NotDelivered(f"{relative} can't be looked at ({error})") from None
    if not real.is_relative_to(root):
        raise NotDelivered(f"{relative} leads out of your workspace through a link: deliver the file itself")
    try:
        size, digest = _folder(real) if real.is_dir() else _file(real, LARGEST)
    except _TooLarge:
        most = f"{LARGEST / 2**30:g} GiB"
        raise NotDelivered(f"{relative} is larger than {most}: deliver something smaller") from None
    except PermissionError:
        raise NotDelivered(_closed(relative)) from None
    except OSError as error:
        raise NotDelivered(f"{relative} can't be read ({error.strerror})") from None
    return Found(relative, size, digest)


def _closed(path: str) -> str:
    """For an agent that is another user than the service, and made something for itself alone."""
    return (
        f"{path} can't be read by the board: open it and the folders above it to your group (chmod -R g+rX)"
    )


def there_already(workspace: Path, paths: Iterable[str]) -> list[str]:
    """Those of a spec's paths that exist before its worker begins: what is old must not pass for new unseen."""
    return [path for path in paths if os.path.lexists(workspace / path)]


def _file(path: Path, most: int) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    # Not blocking: a named pipe must not hold the reader up, and is refused below.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotDelivered(f"{path.name} is no regular file: deliver a file or a folder")
        if os.fstat(descriptor).st_size > most:
            raise _TooLarge
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if size > most:
                raise _TooLarge
    return size, digest.hexdigest()


def files_in(folder: Path) -> list[Path]:
    """The files that make up a delivered folder, in their order; not what a check leaves behind by running.

    Raises OSError: a folder in it that can't be read is not one that is empty.
    """
    found: list[Path] = []
    for base, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if name not in CACHES]
        found += [Path(base, name) for name in names if name not in CACHES]
    return sorted(one for one in found if one.is_file() and not one.is_symlink())


def _raise(error: OSError) -> NoReturn:
    raise error


def _folder(path: Path) -> tuple[int, str]:
    digest = hashlib.sha256()
    total = 0
    for file in files_in(path):
        size, inner = _file(file, LARGEST - total)
        digest.update(os.fsencode(f"{file.relative_to(path)}\0{inner}\n"))  # names need not be text
        total += size
    return total, digest.hexdigest()
