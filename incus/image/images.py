"""The images there are on an Incus: ours by their properties, which of them is the latest, which nobody uses."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from ccp_tui.incus import names
from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Image

DELETE_S = 60.0
# The mark of a container in which an image is built, and the hours after which it was left behind by a killed build.
BUILDER = "user.ccp.build"
LEFT_BEHIND = timedelta(hours=2)
# Incus notes in an instance which image it came from.
CAME_FROM = "volatile.base_image"


async def listed(connection: Connection) -> tuple[Image, ...]:
    """Our images, the newest first; those that only serve to build others are ``base``."""
    images: list[Json] = await connection.get("/1.0/images", {"recursion": 1})
    instances: list[Json] = await connection.get("/1.0/instances", {"recursion": 1})
    used: dict[str, list[str]] = {}
    for instance in instances:
        fingerprint = (instance.get("config") or {}).get(CAME_FROM, "")
        used.setdefault(fingerprint, []).append(instance["name"])
    found = [_image(connection, body, used.get(body["fingerprint"], [])) for body in images if _ours(body)]
    return tuple(sorted(found, key=lambda image: image.created_at, reverse=True))


async def by_alias(connection: Connection, alias: str) -> str:
    """The fingerprint that an alias leads to, or "" when there is none such."""
    try:
        body: Json = await connection.get(f"/1.0/images/aliases/{quote(alias, safe='')}")
    except FleetError as error:
        if error.code == "NOT_FOUND":
            return ""
        raise
    return str(body["target"])


async def one(connection: Connection, fingerprint: str) -> Image:
    """The image with this fingerprint. Raises FleetError NOT_FOUND."""
    return _image(connection, await connection.get(f"/1.0/images/{fingerprint}"), [])


async def point(connection: Connection, alias: str, fingerprint: str) -> None:
    """Makes an alias lead to an image, wherever it led before."""
    body = {"target": fingerprint, "description": ""}
    if await by_alias(connection, alias):
        await connection.call("PUT", f"/1.0/images/aliases/{quote(alias, safe='')}", body)
    else:
        await connection.call("POST", "/1.0/images/aliases", {"name": alias, **body})


async def prune(connection: Connection) -> tuple[str, ...]:
    """Deletes our images that no instance came from and that are not the latest, and all bases but the newest; and
    build containers of hours ago.

    Deployments on a copy-on-write pool keep what they need of a deleted image. Returns the aliases that went.
    """
    await _remove_builders(connection)
    images = await listed(connection)
    newest_base = next((image for image in images if image.base), None)
    idle = [image for image in images if not image.latest and not image.used_by and image is not newest_base]
    for image in idle:
        await operations.run(connection, "DELETE", f"/1.0/images/{image.fingerprint}", within=DELETE_S)
    return tuple(image.alias or image.fingerprint[:12] for image in idle)


async def _remove_builders(connection: Connection) -> None:
    long_ago = (datetime.now(UTC) - LEFT_BEHIND).isoformat()
    for instance in await connection.get("/1.0/instances", {"recursion": 1}):
        if (instance.get("config") or {}).get(BUILDER) != "1" or instance["created_at"] > long_ago:
            continue
        path = f"/1.0/instances/{instance['name']}"
        with contextlib.suppress(FleetError):
            stop = {"action": "stop", "force": True, "timeout": 30}
            await operations.run(connection, "PUT", f"{path}/state", stop, within=DELETE_S)
        await operations.run(connection, "DELETE", path, within=DELETE_S)


def _ours(body: Json) -> bool:
    properties: dict[str, Any] = body.get("properties") or {}
    return properties.get(names.IMAGE_MARK) == "1" or properties.get(names.BASE_MARK) == "1"


def _image(connection: Connection, body: Json, used_by: list[str]) -> Image:
    properties: dict[str, str] = body.get("properties") or {}
    aliases = [entry["name"] for entry in body.get("aliases") or []]
    return Image(
        remote=connection.name,
        alias=next(
            (alias for alias in sorted(aliases) if alias != names.LATEST), aliases[0] if aliases else ""
        ),
        fingerprint=body["fingerprint"],
        version=properties.get(names.IMAGE_VERSION, ""),
        openclaw=properties.get(names.IMAGE_OPENCLAW, ""),
        created_at=properties.get(names.IMAGE_CREATED) or _seconds(body.get("uploaded_at", "")),
        size=body.get("size"),
        used_by=tuple(sorted(used_by)),
        latest=names.LATEST in aliases,
        base=properties.get(names.BASE_MARK) == "1",
    )


def _seconds(stamp: str) -> str:
    """Incus writes nanoseconds."""
    return re.sub(r"\.(\d{3})\d*Z$", r".\1Z", stamp)
