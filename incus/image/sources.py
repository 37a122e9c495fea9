"""Where a base image comes from: an image of this Incus, or of any remote of the Incus client's configuration."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from pathlib import Path

from ccp_tui.incus import names
from ccp_tui.incus.api import remotes
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.image import images

LIST_S = 15.0
SHOW = "`incus remote list` shows the remotes, `incus image list REMOTE:` what they have."


async def source(connection: Connection, base: str, config: Path | None = None) -> Json:
    """The ``source`` of a new instance for a base such as ``images:debian/12`` or ``my-debian`` (an image of this
    Incus). ``config`` is the folder of the Incus client's configuration. Raises FleetError NOT_FOUND or USAGE."""
    remote, _, image = base.rpartition(":")
    if not image:
        raise FleetError("USAGE", f"{base!r} is no image.", "Name one like images:debian/12.")
    if remote in ("", connection.name):
        if fingerprint := await images.by_alias(connection, image):
            return {"type": "image", "fingerprint": fingerprint}
        if re.fullmatch(r"[0-9a-f]{12,64}", image):
            return {"type": "image", "fingerprint": image}
        raise FleetError("NOT_FOUND", f"There is no image {image} here.", SHOW)
    known = await _remotes(config)
    if remote not in known:
        raise FleetError("NOT_FOUND", f"There is no remote {remote}.", SHOW)
    entry = known[remote]
    found: Json = {"type": "image", "mode": "pull"}
    if entry.get("Protocol") == "simplestreams" or entry.get("Public"):
        found |= {"server": entry["Addr"], "protocol": entry.get("Protocol") or "incus", "alias": image}
        return found
    return found | await _of_incus(remote, image, config)


async def _remotes(config: Path | None) -> dict[str, Json]:
    """The remotes as the Incus client knows them, its built-in one included."""
    program = shutil.which("incus")
    if program is None:
        raise FleetError("NOT_FOUND", "The Incus client is not installed.", "`apt install incus-client`.")
    env = {**os.environ, **({"INCUS_CONF": str(config)} if config else {})}
    process = await asyncio.create_subprocess_exec(
        program, "remote", "list", "--format", "json",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=env,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIST_S):
            said, _ = await process.communicate()
        listed = json.loads(said)
    except (TimeoutError, ValueError):
        raise FleetError("FAILED", "The Incus client did not list its remotes.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return dict(listed) if isinstance(listed, dict) else {}


async def _of_incus(remote: str, image: str, config: Path | None) -> Json:
    """An image that another Incus gives away once, by a secret: how the Incus client copies a private image."""
    found = remotes.configured(config, only=[remote])[0]
    if found.endpoint is None:
        raise FleetError("UNAVAILABLE", found.words, found.fix)
    other = Connection(found.endpoint)
    try:
        fingerprint = await images.by_alias(other, image) or image
        operation: Json = await other.call("POST", f"/1.0/images/{fingerprint}/secret")
        server: Json = await remotes.greet(other)
    finally:
        other.close()
    address = found.url if not found.endpoint.local else next(iter(server["environment"]["addresses"]), "")
    return {
        "server": address if address.startswith("https://") else f"https://{address}",
        "protocol": "incus",
        "fingerprint": fingerprint,
        "secret": operation["metadata"]["secret"],
        "certificate": server["environment"]["certificate"],
    }


def label(connection: Connection, base: str) -> str:
    """How a base counts in digests: by its remote and alias."""
    remote, _, image = base.rpartition(":")
    return f"image {remote or (names.LOCAL if connection.endpoint.local else connection.name)}:{image}"
