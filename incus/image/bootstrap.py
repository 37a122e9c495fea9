"""A Debian from packages alone, for where no image server is in reach: mmdebstrap makes it, Incus imports it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import platform
import shlex
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml
from requests_toolbelt import MultipartEncoder

from ccp_tui.incus import names
from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.image.recipe import FOLDER, Recipe
from ccp_tui.text import one_line

MAKE_S = 900.0
IMPORT_S = 300.0
NETWORK = "/etc/systemd/network/10-eth0.network"
# The stub of systemd-resolved, which asks whoever DHCP names.
FINISH = (
    'chroot "$1" systemctl -q enable systemd-networkd systemd-resolved; '
    'rm -f "$1/etc/hostname" "$1/etc/resolv.conf"; : > "$1/etc/machine-id"; '
    'ln -s ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"'
)
LAST_WORDS = 5
LONGEST_LINE = 300


async def make(connection: Connection, recipe: Recipe, on_line: Callable[[str], None]) -> str:
    """Makes a root file system of the recipe's ``bootstrap`` packages and imports it: the image's fingerprint.

    It runs on this machine, for an Incus of the same architecture. Raises FleetError; leaves no file behind.
    """
    with tempfile.TemporaryDirectory(prefix="ccp-image-", ignore_cleanup_errors=True) as folder:
        rootfs = Path(folder) / "rootfs.tar"
        await _run(command(recipe, rootfs), on_line)
        return await _import(connection, recipe, rootfs)


def command(recipe: Recipe, rootfs: Path) -> list[str]:
    """How mmdebstrap is called. Raises FleetError when it is not installed."""
    program = shutil.which("mmdebstrap")
    if program is None:
        raise FleetError(
            "FAILED", "mmdebstrap is not installed.",
            "Install it (`apt install mmdebstrap`), or build from an image: `--base images:debian/12`.",
        )  # fmt: skip
    network = shlex.quote(str(FOLDER / "files" / NETWORK.lstrip("/")))
    return [
        program, "--variant=apt", "--format=tar", f"--include={','.join(recipe.bootstrap)}",
        '--dpkgopt=path-exclude=/usr/share/man/*', '--dpkgopt=path-exclude=/usr/share/locale/*',
        f"--customize-hook=upload {network} {NETWORK}", f"--customize-hook={FINISH}",
        recipe.suite, str(rootfs),
    ]  # fmt: skip


async def _run(words: list[str], on_line: Callable[[str], None]) -> None:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert process.stdout is not None
    last: list[str] = []
    try:
        async with asyncio.timeout(MAKE_S):
            # Its progress bars rewrite their line.
            while chunk := await process.stdout.read(65536):
                for text in chunk.decode("utf-8", "replace").replace("\r", "\n").splitlines():
                    if (line := one_line(text, LONGEST_LINE)) and "%" not in line:
                        last = [*last, line][-LAST_WORDS:]
                        on_line(line)
            code = await process.wait()
    except TimeoutError:
        raise FleetError("TIMEOUT", f"mmdebstrap took more than {MAKE_S:.0f} s.") from None
    finally:
        if process.returncode is None:
            # It takes its mounts down when it is asked to end.
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await asyncio.shield(process.wait())
    if code != 0:
        raise FleetError("FAILED", f"mmdebstrap ended with {code}: {' '.join(last)[-400:]}")


async def _import(connection: Connection, recipe: Recipe, rootfs: Path) -> str:
    metadata = {
        "architecture": platform.machine(),
        "creation_date": int(time.time()),
        "properties": {
            names.BASE_MARK: "1",
            "description": f"Debian {recipe.suite}",
            "os": "debian",
            "release": recipe.suite,
        },
    }
    with rootfs.open("rb") as body:
        form = MultipartEncoder(
            {
                "metadata": (
                    "metadata.tar",
                    _archive(yaml.safe_dump(metadata).encode()),
                    "application/octet-stream",
                ),
                "rootfs": ("rootfs.tar", body, "application/octet-stream"),
            }
        )
        answer = await connection.raw(
            "POST", "/1.0/images", data=form, headers={"Content-Type": form.content_type}, within=IMPORT_S
        )
        done = await operations.wait(connection, answer.json()["metadata"], IMPORT_S)
    return str(done["metadata"]["fingerprint"])


def _archive(metadata: bytes) -> io.BytesIO:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        entry = tarfile.TarInfo("metadata.yaml")
        entry.size = len(metadata)
        tar.addfile(entry, io.BytesIO(metadata))
    body.seek(0)
    return body
