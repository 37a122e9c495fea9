"""Where a deployment's SSH port is: on the machine that its Incus runs on, not at the container's own address."""

from __future__ import annotations

import platform
from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """The machine behind an Incus address; this machine's own name for a socket."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return parts.hostname
    return platform.node() or "localhost"


def door(host: str, port: int | None) -> str:
    """``host:port``; empty without a port."""
    if port is None:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def login(host: str, port: int | None) -> str:
    """The command that opens a board from anywhere; empty without a port."""
    return f"ssh -p {port} ccp@{host}" if port is not None else ""
