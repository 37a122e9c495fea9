"""The one port a deployment has on the host: free ones, and the device that forwards it to the SSH server inside."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from ccp_tui.incus import names
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.errors import FleetError

# Ports that were given to somebody who has not made an instance of them yet.
_promised: WeakKeyDictionary[Connection, set[int]] = WeakKeyDictionary()


@asynccontextmanager
async def promised(connection: Connection, wanted: int | None = None) -> AsyncIterator[int]:
    """A free port (see :func:`free`) that nobody else here is given within. Raises FleetError REFUSED."""
    others = _promised.setdefault(connection, set())
    async with connection.lock:
        port = await free(connection, wanted, frozenset(others))
        others.add(port)
    try:
        yield port
    finally:
        others.discard(port)


async def free(connection: Connection, wanted: int | None = None, avoid: frozenset[int] = frozenset()) -> int:
    """A port that no instance on this remote forwards and, on this machine, nothing listens on.

    ``wanted`` is taken when it is free. Raises FleetError REFUSED when it is not, or when no port is left. On another
    machine only the start of the instance shows whether something else listens there.
    """
    used = await in_use(connection)
    if wanted is not None:
        if wanted in used:
            raise FleetError("REFUSED", f"Port {wanted} belongs to {used[wanted]}.", "Choose another port.")
        if connection.endpoint.local and not bindable(wanted):
            raise FleetError("REFUSED", f"Port {wanted} is taken on this machine.", "Choose another port.")
        return wanted
    for port in names.PORTS:
        if port not in used and port not in avoid and (not connection.endpoint.local or bindable(port)):
            return port
    raise FleetError(
        "REFUSED",
        f"No port from {names.PORTS[0]} to {names.PORTS[-1]} is free.",
        "Name another one with --port.",
    )


async def in_use(connection: Connection) -> dict[int, str]:
    """The ports that instances of this remote forward, ours or not, and the instances' names."""
    found = await connection.get("/1.0/instances", {"recursion": 1})
    used: dict[int, str] = {}
    for instance in found or ():
        for device in (instance.get("expanded_devices") or instance.get("devices") or {}).values():
            if device.get("type") == "proxy":
                for port in _ports(str(device.get("listen") or "")):
                    used[port] = str(instance.get("name") or "another instance")
    return used


def bindable(port: int) -> bool:
    """Whether nothing on this machine listens on a TCP port. One that only root may bind counts as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            return error.errno == errno.EACCES
    return True


def device(port: int) -> Json:
    """The device that forwards a port of the host to the SSH server on the container's loopback."""
    return {
        "type": "proxy",
        "bind": "host",
        "listen": f"tcp:0.0.0.0:{port}",
        "connect": "tcp:127.0.0.1:22",
    }


def _ports(listen: str) -> set[int]:
    """The ports of "tcp:0.0.0.0:80,90-92"."""
    kind, _, rest = listen.partition(":")
    if kind != "tcp":
        return set()
    found: set[int] = set()
    for part in rest.rpartition(":")[2].split(","):
        if span := re.fullmatch(r"(\d+)(?:-(\d+))?", part):
            found.update(range(int(span[1]), int(span[2] or span[1]) + 1))
    return found
