"""Files in an instance, running or stopped. Contents travel in the request's body: in no argument, log or setting."""

from __future__ import annotations

from ccp_tui.incus.api.connection import Connection

FILE_S = 60.0


async def put(
    connection: Connection,
    instance: str,
    path: str,
    content: bytes,
    *,
    uid: int = 0,
    gid: int = 0,
    mode: int = 0o644,
    within: float = FILE_S,
) -> None:
    """Writes a file with its owner and mode, over one that is there. The folder must be there. Raises FleetError."""
    await connection.raw(
        "POST",
        f"/1.0/instances/{instance}/files",
        params={"path": path},
        data=content,
        headers=_headers("file", uid, gid, mode),
        within=within,
    )


async def folder(
    connection: Connection, instance: str, path: str, *, uid: int = 0, gid: int = 0, mode: int = 0o755
) -> None:
    """Makes a folder; one that is there keeps its owner and mode. Raises FleetError."""
    await connection.raw(
        "POST",
        f"/1.0/instances/{instance}/files",
        params={"path": path},
        data=b"",
        headers=_headers("directory", uid, gid, mode),
    )


async def get(connection: Connection, instance: str, path: str, within: float = FILE_S) -> bytes:
    """The content of a file (of what a symlink points to). Raises FleetError NOT_FOUND."""
    answer = await connection.raw(
        "GET", f"/1.0/instances/{instance}/files", params={"path": path}, within=within
    )
    return bytes(answer.content)


async def delete(connection: Connection, instance: str, path: str) -> None:
    """Deletes a file. Raises FleetError NOT_FOUND."""
    await connection.raw("DELETE", f"/1.0/instances/{instance}/files", params={"path": path})


def _headers(kind: str, uid: int, gid: int, mode: int) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "X-Incus-type": kind,
        "X-Incus-uid": str(uid),
        "X-Incus-gid": str(gid),
        "X-Incus-mode": f"{mode:04o}",
        "X-Incus-write": "overwrite",
    }
