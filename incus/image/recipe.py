"""The recipe of the image as values, and the digests that tell one image from another."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import ccp_tui

FOLDER = Path(__file__).parent
# Dates of files tell nothing and would make two builds differ.
EPOCH = 315_532_800
DIGEST = 8


class RecipeError(ValueError):
    """recipe.yaml and files/ do not fit together; the text says where."""


@dataclass(frozen=True)
class Group:
    name: str
    gid: int


@dataclass(frozen=True)
class User:
    """``groups``: what the user is in besides the group of the same name."""

    name: str
    uid: int
    home: str
    shell: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Folder:
    path: str
    owner: str
    group: str
    mode: str


@dataclass(frozen=True)
class File:
    """One file of the image: its path inside, its mode, what is in it."""

    path: str
    mode: int
    content: bytes


@dataclass(frozen=True)
class Step:
    """A shell script that root runs while the image is made."""

    name: str
    run: str


@dataclass(frozen=True)
class Recipe:
    """See recipe.yaml, which says what each part is for."""

    suite: str
    node: str
    openclaw: str
    bootstrap: tuple[str, ...]
    packages: tuple[str, ...]
    groups: tuple[Group, ...]
    users: tuple[User, ...]
    folders: tuple[Folder, ...]
    files: tuple[File, ...]
    enable: tuple[str, ...]
    mask: tuple[str, ...]
    base_steps: tuple[Step, ...]
    steps: tuple[Step, ...]
    constraints: str

    def variables(self) -> dict[str, str]:
        """What the steps' scripts find in their environment; several lines are records with colons between fields."""
        return {
            "NODE": self.node,
            "OPENCLAW": self.openclaw,
            "PACKAGES": " ".join(self.packages),
            "NEW_GROUPS": " ".join(f"{group.name}:{group.gid}" for group in self.groups),
            "USERS": "\n".join(
                f"{user.name}:{user.uid}:{user.home}:{user.shell}:{','.join(user.groups)}"
                for user in self.users
            ),
            "FOLDERS": "\n".join(
                f"{folder.path}:{folder.owner}:{folder.group}:{folder.mode}" for folder in self.folders
            ),
            "ENABLE": " ".join(self.enable),
            "MASK": " ".join(self.mask),
        }

    def base_digest(self, source: str, requirements: str) -> str:
        """Of all that comes before ccp: ``source`` names what it starts from, ``requirements`` what ccp needs."""
        variables = self.variables()
        kept = {
            name: variables[name]
            for name in ("NODE", "OPENCLAW", "PACKAGES", "NEW_GROUPS", "USERS", "FOLDERS")
        }
        return _digest(
            [source, self.suite, list(self.bootstrap), kept, [step.run for step in self.base_steps],
             self.constraints, requirements]
        )  # fmt: skip

    def digest(self, base: str, wheel: str) -> str:
        """Of the whole image: ``base`` is the digest of what it starts from, ``wheel`` that of ccp."""
        files = [[file.path, file.mode, hashlib.sha256(file.content).hexdigest()] for file in self.files]
        return _digest([base, wheel, files, self.enable, self.mask, [step.run for step in self.steps]])

    def archive(self) -> bytes:
        """The files as a tar archive, with owners and modes; the same recipe gives the same bytes."""
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w") as tar:
            for folder in sorted({parent for file in self.files for parent in _parents(file.path)}):
                entry = tarfile.TarInfo(folder.lstrip("/"))
                entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, EPOCH
                tar.addfile(entry)
            for file in self.files:
                entry = tarfile.TarInfo(file.path.lstrip("/"))
                entry.mode, entry.mtime, entry.size = file.mode, EPOCH, len(file.content)
                tar.addfile(entry, io.BytesIO(file.content))
        return body.getvalue()


@cache
def load() -> Recipe:
    """The recipe that came with this ccp. Raises RecipeError when a file is not listed or a listed one is missing."""
    body: dict[str, Any] = yaml.safe_load((FOLDER / "recipe.yaml").read_text("utf-8"))
    listed = {entry["path"]: int(entry["mode"], 8) for entry in body["files"]}
    root = FOLDER / "files"
    held = {f"/{path.relative_to(root).as_posix()}": path for path in _walk(root)}
    if odd := set(listed) ^ set(held):
        raise RecipeError(f"recipe.yaml and files/ differ in {', '.join(sorted(odd))}")
    return Recipe(
        suite=str(body["suite"]),
        node=str(body["node"]),
        openclaw=str(body["openclaw"]),
        bootstrap=tuple(body["bootstrap"]),
        packages=tuple(body["packages"]),
        groups=tuple(Group(**entry) for entry in body["groups"]),
        users=tuple(User(**{**entry, "groups": tuple(entry["groups"])}) for entry in body["users"]),
        folders=tuple(Folder(**entry) for entry in body["folders"]),
        files=tuple(File(path, listed[path], held[path].read_bytes()) for path in sorted(held)),
        enable=tuple(body["enable"]),
        mask=tuple(body["mask"]),
        base_steps=tuple(Step(**entry) for entry in body["base_steps"]),
        steps=tuple(Step(**entry) for entry in body["steps"]),
        constraints=(Path(ccp_tui.__file__).parent / "constraints.txt").read_text("utf-8"),
    )


def _walk(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())


def _parents(path: str) -> Iterator[str]:
    return (parent.as_posix() for parent in Path(path).parents if parent.as_posix() != "/")


def _digest(parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST]
