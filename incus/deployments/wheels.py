"""A newer ccp put into a deployment as a wheel, without a new image: a matter of seconds while the gateway runs on."""

from __future__ import annotations

import re
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ccp_tui.incus import names
from ccp_tui.incus.api import execute, files, operations
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import inside, listing, snapshots, stored
from ccp_tui.incus.deployments.upgrade import Healthy, OnStage, Stages, before, mark, whole
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Snapshot

PIP = str(PurePosixPath("/opt") / "ccp" / "bin" / "pip")
UNIT = names.UNITS["service"]
LARGEST = 64 * 2**20
INSTALL_S = 180.0
_WHEEL = re.compile(r"ccp_tui-([A-Za-z0-9.+!_]{1,60})-py3-none-any\.whl")


async def upgrade(
    connection: Connection,
    name: str,
    wheel: Path,
    on_stage: OnStage | None = None,
    *,
    healthy: Healthy | None = None,
) -> Snapshot:
    """Puts our wheel into a running deployment; the snapshot of before, which stays.

    Nothing is downloaded: a wheel that needs other packages than the image has is refused. Units, OpenClaw and the
    system stay what they are. Stages: check, stop (the service; the gateway's runs go on), snapshot, wheel, start,
    health, and rollback when one fails. Raises FleetError; the deployment is then as it was, or the words say so.
    """
    stages = Stages(on_stage)
    async with stages.stage("check"):
        version, content = _read(wheel)
        instance = await whole(connection, name)
        if instance.get("status") != "Running":
            raise FleetError("REFUSED", f"{name} is not running.", "Start it first.")
    touched, taken = False, None
    try:
        await stored.through(mark(connection, name, names.BEGUN))
        async with stages.stage("stop"):
            await stored.through(execute.checked(connection, name, ["systemctl", "stop", UNIT], within=90))
        async with stages.stage("snapshot"):
            taken = await before(connection, name, version)
        async with stages.stage("wheel"):
            touched = True
            await stored.through(_install(connection, name, wheel.name, content))
        async with stages.stage("start"):
            await execute.checked(connection, name, ["systemctl", "start", UNIT], within=90)
        async with stages.stage("health"):
            if healthy is not None:
                await healthy()
            elif listing.full(instance):
                await inside.wait_until_ready(connection, name, "service", lambda words: None)
        change = {"config": {names.VERSION: version, names.UPGRADING: ""}}
        await operations.run(connection, "PATCH", f"/1.0/instances/{name}", change)
    except BaseException as error:
        async with stages.stage("rollback", str(error)):
            left = await stored.through(_back(connection, name, taken.name if taken and touched else ""))
        if not isinstance(error, FleetError):
            raise
        words = f"The upgrade of {name} to {version} failed and was taken back: {error.message}"
        raise FleetError(error.code, left or words, error.fix) from None
    return taken


async def _install(connection: Connection, name: str, wheel: str, content: bytes) -> None:
    path = f"/var/tmp/{wheel}"
    await files.put(connection, name, path, content)
    try:
        install = [PIP, "install", "--quiet", "--no-index", "--no-deps", "--force-reinstall", path]
        await execute.checked(connection, name, install, within=INSTALL_S)
    finally:
        with suppress(FleetError):
            await files.delete(connection, name, path)
    checked = await execute.run(connection, name, [PIP, "check"], within=60)
    if checked.code != 0:
        said = (checked.output or checked.errors).strip().splitlines() or ["pip check failed"]
        raise FleetError(
            "REFUSED",
            f"This wheel needs other packages than the image has: {said[0].rstrip('.')}.",
            "Build a new image with it and upgrade to that.",
        )


async def _back(connection: Connection, name: str, snapshot: str) -> str:
    try:
        if snapshot:
            await snapshots.restore(connection, name, snapshot)
        else:
            await execute.checked(connection, name, ["systemctl", "start", UNIT], within=90)
        await mark(connection, name, "")
    except FleetError as error:
        what = f"`ccp fleet restore {name} {snapshot}` brings it back." if snapshot else "Restart it."
        return f"The upgrade failed, and taking it back failed, too ({error.message}): {what}"
    return ""


def _read(wheel: Path) -> tuple[str, bytes]:
    """Version and content of our wheel. Raises FleetError USAGE for any other file."""
    named = _WHEEL.fullmatch(wheel.name)
    try:
        if named and wheel.stat().st_size <= LARGEST and zipfile.is_zipfile(wheel):
            return named[1], wheel.read_bytes()
    except OSError as error:
        raise FleetError("NOT_FOUND", f"{wheel} can't be read ({error.strerror}).") from None
    raise FleetError(
        "USAGE", f"{wheel} is not a wheel of ccp.", "Its name is like ccp_tui-1.2.0-py3-none-any.whl."
    )
