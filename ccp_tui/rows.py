"""What the service says of its nouns, as small immutable rows that the screens read.

Named tuples rather than frozen dataclasses: a board of 10,000 tasks is built from its snapshot several times faster,
and two rows compare in one step, which is how the mirror knows that nothing changed. Keys the service adds later are
ignored; keys it leaves out get a harmless default. Words that agents or people wrote are one safe line: no control
characters, escape sequences or direction overrides reach a screen from here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from ccp_tui.text import one_line

Json = dict[str, Any]


class Hold(NamedTuple):
    """Why a task can't move: the kind, the reason in words, since when, and what releases it."""

    kind: str
    reason: str
    since: str
    release: str


class Activity(NamedTuple):
    """The last sign of life of a running attempt. ``kind``: words, tool or status."""

    kind: str
    text: str
    at: str


class Card(NamedTuple):
    """One task as the board shows it."""

    id: int
    ref: str
    title: str
    state: str
    mission: str
    priority: str
    position: float
    due: str | None
    agent: str | None
    agent_name: str
    agent_emoji: str
    hold: Hold | None
    attempt: int | None
    round: int | None
    queued: bool
    waiting: str | None
    spec_version: int | None
    spec_approved: bool
    session_key: str | None
    activity: Activity | None
    created_at: str
    updated_at: str
    state_since: str

    @classmethod
    def from_json(cls, row: Json) -> Card:
        """The card of a task object. Raises KeyError when it has no id, ref or state."""
        get = row.get
        hold = get("hold")
        activity = get("activity")
        waiting = get("waiting")
        return cls(
            row["id"],
            row["ref"],
            safe(get("title")),
            row["state"],
            get("mission") or "",
            get("priority") or "normal",
            get("position") or 0.0,
            get("due"),
            get("agent"),
            safe(get("agent_name")),
            safe(get("agent_emoji")),
            _hold(hold) if hold else None,
            get("attempt"),
            get("round"),
            bool(get("queued")),
            safe(waiting) if waiting else None,
            get("spec_version"),
            bool(get("spec_approved")),
            get("session_key"),
            read_activity(activity),
            get("created_at") or "",
            get("updated_at") or "",
            get("state_since") or "",
        )


class AgentRow(NamedTuple):
    """One agent. ``live``: idle, working, waiting or offline; ``working_on`` is a task's ref."""

    id: str
    name: str
    role: str
    emoji: str
    model: str | None
    workspace: str | None
    on_gateway: bool
    live: str
    working_on: str | None
    unread: int
    files: tuple[str, ...]
    created_at: str
    updated_at: str

    @classmethod
    def from_json(cls, row: Json) -> AgentRow:
        """The row of an agent object. Raises KeyError when it has no id."""
        get = row.get
        return cls(
            row["id"],
            safe(get("name")) or safe(row["id"]),
            safe(get("role")),
            safe(get("emoji")),
            get("model"),
            get("workspace"),
            bool(get("on_gateway")),
            get("live") or "offline",
            get("working_on"),
            get("unread") or 0,
            tuple(safe(name) for name in get("files") or ()),
            get("created_at") or "",
            get("updated_at") or "",
        )


class MissionRow(NamedTuple):
    """One mission (a board). Counts per column come from the mirror, which has the tasks themselves."""

    id: int
    slug: str
    title: str
    icon: str
    prefix: str
    archived: bool

    @classmethod
    def from_json(cls, row: Json) -> MissionRow:
        """The row of a mission object. Raises KeyError when it has no slug."""
        get = row.get
        return cls(
            get("id") or 0,
            row["slug"],
            safe(get("title")) or row["slug"],
            safe(get("icon")),
            safe(get("prefix")),
            bool(get("archived")),
        )


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


class Health(NamedTuple):
    """How the service and the gateway are, as the service sees it."""

    service: ServiceInfo = ServiceInfo()
    gateway: GatewayInfo = GatewayInfo()

    @classmethod
    def from_json(cls, row: Json) -> Health:
        """The health object; a part that is missing keeps its defaults."""
        service: Json = row.get("service") or {}
        gateway: Json = row.get("gateway") or {}
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
        )


class Attention(NamedTuple):
    """One thing that needs the person. ``urgency`` 0 is the highest; ``answer`` names the method that settles it."""

    key: str
    urgency: int
    kind: str
    ref: str | None
    agent: str | None
    text: str
    since: str
    answer: Json | None

    @classmethod
    def from_json(cls, row: Json) -> Attention:
        """The row of a needs-you item. Raises KeyError when it has no key."""
        get = row.get
        return cls(
            row["key"],
            get("urgency") or 0,
            get("kind") or "",
            get("ref"),
            get("agent"),
            safe(get("text")),
            get("since") or "",
            get("answer"),
        )


class LinkState(StrEnum):
    """Where a client stands with the control service."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"


class Link(NamedTuple):
    """A client's link to the service, with the reason and the fix when it is not there."""

    state: LinkState = LinkState.CONNECTING
    detail: str = ""
    fix: str = ""
    since: str = ""


def safe(text: object) -> str:
    """Any value as one safe line. A printable string, by far the commonest, passes untouched and cheaply."""
    if not isinstance(text, str):
        return "" if text is None else str(text)
    return text if text.isprintable() else one_line(text)


def read_activity(row: Any) -> Activity | None:
    """The activity object of a card or of an ``activity`` event; None when there is none."""
    if not isinstance(row, dict):
        return None
    return Activity(row.get("kind") or "status", safe(row.get("text")), row.get("at") or "")


def _hold(row: Json) -> Hold:
    return Hold(
        row.get("kind") or "", safe(row.get("reason")), row.get("since") or "", safe(row.get("release"))
    )
