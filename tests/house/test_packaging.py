"""What is shipped: the sdist and the wheel made from it, installed into an environment of its own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from ccp_tui import __version__
from tests.house.tree import LINKED, PACKAGE, ROOT, files

pytestmark = pytest.mark.slow

# Files at the top that the package has by a link.
TOP = ("schema.sql", "constraints.txt")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist and the wheel; the wheel is built from the unpacked sdist, as an installer does."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True, capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    return folder


def _shipped() -> set[str]:
    """Every file of the package, under the name it has once it is installed."""
    names = set()
    for path in files():
        parts = path.relative_to(ROOT).parts
        if parts[0] == PACKAGE:
            names.add("/".join(parts))
        elif parts[0] in LINKED or (len(parts) == 1 and parts[0] in TOP):
            names.add("/".join((PACKAGE, *parts)))
    return names


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        for name in TOP:
            assert wheel.read(f"{PACKAGE}/{name}") == (ROOT / name).read_bytes()
    assert held == _shipped()


def test_the_sdist_holds_what_the_wheel_needs(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    assert _shipped() | {*TOP, "pyproject.toml", "README.md", "LICENSE"} <= held


def test_the_wheel_works_where_it_is_installed(built: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=60
    )
    python, ccp = tmp_path / "venv/bin/python", tmp_path / "venv/bin/ccp"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index",
         str(next(built.glob("*.whl")))],
        check=True, timeout=120,
    )  # fmt: skip
    # What ccp depends on comes from the environment of the tests; ccp itself does not: a path that is named in a
    # .pth file is searched, but .pth files in it (as of an editable install) are not read.
    site = Path(_ask(python, "import sysconfig; print(sysconfig.get_path('purelib'))", tmp_path))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    said = subprocess.run(
        [ccp, "--version"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )
    assert said.stdout == f"ccp {__version__}\n"
    where = _ask(python, "import ccp_tui.screens, ccp_tui.incus; print(ccp_tui.screens.__file__)", tmp_path)
    assert Path(where).is_relative_to(site)


def _ask(python: Path, code: str, folder: Path) -> str:
    ran = subprocess.run(
        [python, "-c", code], cwd=folder, check=True, capture_output=True, text=True, timeout=60
    )
    return ran.stdout.strip()
