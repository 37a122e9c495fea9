"""The person's own public SSH keys: where they are, and reading one. Private keys are never opened."""

from __future__ import annotations

from pathlib import Path

LARGEST = 64 * 1024  # bytes; a public key has some hundreds
KINDS = ("ssh-", "ecdsa-", "sk-")


def own_keys(home: Path | None = None) -> list[Path]:
    """The files ``~/.ssh/*.pub``, by name. Empty when there are none, or they can't be listed."""
    try:
        return sorted((home or Path.home()).joinpath(".ssh").glob("*.pub"))
    except (OSError, RuntimeError):
        return []


def is_key(text: str) -> bool:
    """Whether a text is a public key itself, not the name of a file with one."""
    return text.lstrip().startswith(KINDS) and len(text.split()) > 1


def read_key(path: Path) -> str:
    """The text of a file with a public key. Raises ValueError with words when it can't be one."""
    named = path.expanduser()
    try:
        if named.is_dir():
            raise ValueError(f"{path} is a folder.")
        with named.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}.") from None
    if len(data) > LARGEST:
        raise ValueError(f"{path} is no public key: it is too long.")
    return data.decode("utf-8", errors="replace").strip()
