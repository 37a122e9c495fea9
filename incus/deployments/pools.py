"""Storage pools: where the disks of deployments are, and how much room there is."""

from __future__ import annotations

import asyncio

from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Pool


async def listed(connection: Connection) -> tuple[Pool, ...]:
    """The storage pools of a remote by name, with their room. Raises FleetError."""

    async def one(pool: Json) -> Pool:
        name = str(pool["name"])
        used, total = await room(connection, name)
        return Pool(name, str(pool.get("driver") or ""), used, total)

    found = await connection.get("/1.0/storage-pools", {"recursion": 1})
    return tuple(
        sorted(await asyncio.gather(*(one(pool) for pool in found or ())), key=lambda pool: pool.name)
    )


async def room(connection: Connection, pool: str) -> tuple[int | None, int | None]:
    """The used and the total bytes of a pool; None where Incus does not tell."""
    try:
        found = await connection.get(f"/1.0/storage-pools/{pool}/resources")
    except FleetError:
        return None, None
    space: Json = (found or {}).get("space") or {}
    used, total = space.get("used"), space.get("total")
    return (used if isinstance(used, int) else None), (total if isinstance(total, int) and total else None)
