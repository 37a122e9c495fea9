"""Unix sockets: one whose file is private from birth, who is at the other end, and how many there may be."""

from __future__ import annotations

import asyncio
import grp
import os
import socket
import stat
import struct
from pathlib import Path

from websockets.asyncio.server import ServerConnection


class SocketError(Exception):
    """A socket can't be opened; the text says why and what to do."""


def group_id(name: str) -> int:
    """The id of a group, or -1, which changes nothing, for no name. Raises SocketError."""
    try:
        return grp.getgrnam(name).gr_gid if name else -1
    except KeyError:
        raise SocketError(f"CCP_AGENTS_GROUP names {name}, and there is no such group.") from None


def listen(path: Path, mode: int, group: str = "") -> socket.socket:
    """A bound Unix socket whose file is this user's alone from birth, then has ``mode`` and belongs to ``group``; a
    socket file that is there is replaced. Raises SocketError."""
    gid = group_id(group)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        try:
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise SocketError(f"{path} is there and is no socket: move it away.")
            path.unlink()
        except FileNotFoundError:
            pass
        before = os.umask(0o177)
        try:
            server.bind(str(path))
        finally:
            os.umask(before)
        if gid != -1:
            os.chown(path, -1, gid)
        path.chmod(mode)
    except OSError as error:
        server.close()
        raise SocketError(f"{path} can't be opened ({error.strerror or error}).") from None
    except SocketError:
        server.close()
        raise
    server.setblocking(False)
    return server


def guarded(most: int) -> type[ServerConnection]:
    """A kind of connection, for one server, of which at most so many exist: the next is cut at birth.

    A handshake that is never begun costs a descriptor too, and nothing else would bound those.
    """
    alive: set[ServerConnection] = set()

    class Guarded(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            alive.add(self)
            if len(alive) > most:
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            alive.discard(self)
            super().connection_lost(exc)

    return Guarded


def peer(connection: ServerConnection) -> tuple[int | None, int | None]:
    """The pid and the user id of the process at the other end, where the system tells."""
    peer: socket.socket | None = connection.transport.get_extra_info("socket")
    if peer is None or not hasattr(socket, "SO_PEERCRED"):
        return None, None
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None, None
    pid, uid, _ = struct.unpack("3i", raw)
    return pid, uid
