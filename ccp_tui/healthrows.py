"""How the service, its machine and its link to the gateway are, as rows for the screens (see :mod:`ccp_tui.rows`)."""

from __future__ import annotations

from typing import NamedTuple

from ccp_tui.rows import Json, safe


class ServiceInfo(NamedTuple):
    """The control service at the other end. ``demo``: it runs a throw-away home with scripted agents."""

    pid: int = 0
    version: str = ""
    home: str = ""
    started_at: str = ""
    demo: bool = False


class GatewayInfo(NamedTuple):
    """The service's link to the gateway. ``state``: connecting, starting, connected, refused, unreachable, stopped."""

    state: str = "connecting"
    url: str = ""
    detail: str = ""
    fix: str = ""
    version: str | None = None
    since: str = ""
    retry_at: str | None = None


class Emergency(NamedTuple):
    """The emergency stop, while it holds: since when, and who pressed it."""

    at: str
    by: str


class Shortage(NamedTuple):
    """What the service's machine ran short of, memory or processes: when, what happened, and what mends it."""

    at: str
    text: str
    fix: str


class Health(NamedTuple):
    """How the service and the gateway are, as the service sees it; ``emergency`` while everything is stopped."""

    service: ServiceInfo = ServiceInfo()
    gateway: GatewayInfo = GatewayInfo()
    emergency: Emergency | None = None
    shortages: tuple[Shortage, ...] = ()

    @classmethod
    def from_json(cls, row: Json) -> Health:
        """The health object; a part that is missing keeps its defaults."""
        service: Json = row.get("service") or {}
        gateway: Json = row.get("gateway") or {}
        stopped = row.get("emergency")
        return cls(
            ServiceInfo(
                service.get("pid") or 0,
                safe(service.get("version")),
                safe(service.get("home")),
                service.get("started_at") or "",
                bool(service.get("demo")),
            ),
            GatewayInfo(
                gateway.get("state") or "connecting",
                safe(gateway.get("url")),
                safe(gateway.get("detail")),
                safe(gateway.get("fix")),
                safe(gateway.get("version")) or None,
                gateway.get("since") or "",
                gateway.get("retry_at"),
            ),
            Emergency(stopped.get("at") or "", safe(stopped.get("by"))) if stopped else None,
            tuple(
                Shortage(one.get("at") or "", safe(one.get("text")), safe(one.get("fix")))
                for one in row.get("shortages") or ()
            ),
        )
