"""The wheel of this very ccp, to be installed inside an image.

It is packed from the package as it is imported, whether that is a checkout or an installed wheel: no build tool is
needed, and the same code gives the same digest either way. What it depends on is in a checkout's pyproject.toml, and
otherwise in what pip noted when ccp was installed.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

import ccp_tui
from ccp_tui.incus.errors import FleetError

DISTRIBUTION = "ccp-tui"
PACKAGE = "ccp_tui"
# The date that zip files begin with.
STAMP = (1980, 1, 1, 0, 0, 0)
NOT_SHIPPED = {"__pycache__"}
ENTRY_POINTS = "[console_scripts]\nccp = ccp_tui.cli:main\n"


@dataclass(frozen=True)
class Wheel:
    """``files`` by their names in the wheel; ``requirements`` as pip reads them, without extras."""

    version: str
    files: tuple[tuple[str, bytes], ...]
    requirements: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{PACKAGE}-{self.version}-py3-none-any.whl"

    @cached_property
    def digest(self) -> str:
        """Of what is in it, whatever packs it."""
        seen = hashlib.sha256()
        for name, content in self.files:
            seen.update(f"{name}\0{len(content)}\0".encode())
            seen.update(content)
        return seen.hexdigest()

    def pack(self) -> bytes:
        """The wheel's bytes (PEP 427), with the RECORD that pip checks."""
        notes = f"{PACKAGE}-{self.version}.dist-info"
        record = "".join(f"{name},sha256={_hash(body)},{len(body)}\n" for name, body in self.files)
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (*self.files, (f"{notes}/RECORD", f"{record}{notes}/RECORD,,\n".encode())):
                entry = zipfile.ZipInfo(name, STAMP)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)
        return body.getvalue()


def current() -> Wheel:
    """The wheel of the running ccp. It reads a few hundred files: not for the event loop.

    Raises FleetError when nothing says what this ccp depends on.
    """
    root = Path(ccp_tui.__file__).parent
    python, wanted = _needs(root.parent / "pyproject.toml")
    version = ccp_tui.__version__
    head = [
        "Metadata-Version: 2.1",
        f"Name: {DISTRIBUTION}",
        f"Version: {version}",
        f"Requires-Python: {python}",
    ]
    notes = f"{PACKAGE}-{version}.dist-info"
    files = dict(_package(root)) | {
        f"{notes}/METADATA": _lines(*head, *(f"Requires-Dist: {need}" for need in wanted)),
        f"{notes}/WHEEL": _lines(
            "Wheel-Version: 1.0", "Generator: ccp", "Root-Is-Purelib: true", "Tag: py3-none-any"
        ),
        f"{notes}/entry_points.txt": ENTRY_POINTS.encode(),
    }
    return Wheel(version, tuple(sorted(files.items())), wanted)


def _needs(checkout: Path) -> tuple[str, tuple[str, ...]]:
    """The Python and the packages that ccp needs, without extras."""
    if checkout.is_file():
        project = tomllib.loads(checkout.read_text("utf-8")).get("project", {})
        if project.get("name") == DISTRIBUTION:
            return project["requires-python"], tuple(sorted(project["dependencies"]))
    try:
        noted = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise FleetError(
            "FAILED", "This ccp runs without being installed, so no image can be made of it.",
            "Install it with pip, or run it from its repository.",
        ) from None  # fmt: skip
    wanted = tuple(sorted(need for need in noted.requires or () if "extra ==" not in need))
    return noted.metadata["Requires-Python"], wanted


def _package(root: Path) -> Iterator[tuple[str, bytes]]:
    """The package's files; links in it (a checkout has three) count as what they lead to."""
    for path in sorted(root.iterdir()):
        if path.name in NOT_SHIPPED or path.name.startswith(".") or path.suffix in (".pyc", ".new"):
            continue
        inside = f"{PACKAGE}/{path.name}"
        if path.is_dir():
            yield from ((f"{inside}{name.removeprefix(PACKAGE)}", body) for name, body in _package(path))
        elif path.is_file():
            yield inside, path.read_bytes()


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _hash(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
