"""What the service says of its nouns, as small immutable rows that the screens read.

Named tuples rather than frozen dataclasses: a board of 10,000 tasks is built from its snapshot several times faster,
and two rows compare in one step, which is how the mirror knows that nothing changed. Keys the service adds later are
ignored; keys it leaves out get a harmless default. Words that agents or people wrote are one safe line: no control
characters, escape sequences or direction overrides reach a screen from here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from ccp_tui.text import clean, one_line

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
    """One task as the board shows it.

    ``planning`` is where its plan stands (opening, planner, person, proposed, raw), None when none is being made;
    ``waits_for`` and ``parent`` are refs; ``questions`` counts those open; ``reviewer`` is the agent that reviews now;
    ``cost_usd`` is in dollars, as are the budgets that end in it.
    """

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
    auto: bool = False
    parent: str | None = None
    planning: str | None = None
    waits_for: tuple[str, ...] = ()
    subtasks: int = 0
    subtasks_done: int = 0
    questions: int = 0
    reviewer: str | None = None
    tokens: int = 0
    cost_usd: float = 0.0
    budget_tokens: int | None = None
    budget_usd: float | None = None

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
            bool(get("auto")),
            get("parent"),
            get("planning"),
            tuple(get("waits_for") or ()),
            get("subtasks") or 0,
            get("subtasks_done") or 0,
            get("questions") or 0,
            get("reviewer"),
            get("tokens") or 0,
            get("cost_usd") or 0.0,
            get("budget_tokens"),
            get("budget_usd"),
        )


class AgentRow(NamedTuple):
    """One agent. ``live``: idle, working, waiting or offline; ``working_on`` is a task's ref.

    ``duty``: planner or reviewer, for an agent that the service made for it.
    """

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
    duty: str | None = None

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
            get("duty"),
        )


class MissionRow(NamedTuple):
    """One mission (a board). Counts per column come from the mirror, which has the tasks themselves.

    ``policy`` holds what the mission says itself, ``effective`` every setting with what holds for it.
    """

    id: int
    slug: str
    title: str
    icon: str
    prefix: str
    archived: bool
    policy: Json = {}  # noqa: RUF012  # never written to
    effective: Json = {}  # noqa: RUF012

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
            get("policy") or {},
            get("effective") or {},
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

    @property
    def question(self) -> Question | None:
        """The question that waits for an answer; None when the item is something else."""
        answer = self.answer or {}
        found = answer.get("question")
        if answer.get("method") != "question.answer" or not isinstance(found, dict) or "id" not in found:
            return None
        return Question.from_json(found)

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


class Option(NamedTuple):
    """One answer that a question offers: what is sent (id), what people read (label, description)."""

    id: str
    label: str
    description: str


class Question(NamedTuple):
    """A question to the person. ``kind``: planning, report or gateway; ``free``: own words are taken.

    ``state``: open, answered, waived or gone; ``chosen`` and ``words`` are the answer once there is one. ``text``,
    ``why`` and ``words`` may have several lines.
    """

    id: int
    kind: str
    ref: str | None
    agent: str
    session_key: str
    header: str
    text: str
    why: str
    options: tuple[Option, ...]
    multiple: bool
    free: bool
    state: str
    chosen: tuple[Option, ...]
    words: str
    asked_at: str
    expires_at: str | None

    @classmethod
    def from_json(cls, row: Json) -> Question:
        """The row of a question object. Raises KeyError when it has no id."""
        get = row.get
        answer: Json = get("answer") or {}
        options = _options(get("options"))
        return cls(
            row["id"],
            get("kind") or "",
            get("ref"),
            get("agent") or get("agent_id") or "",
            get("session_key") or "",
            safe(get("header")),
            clean(str(get("text") or "")),
            clean(str(get("why") or "")),
            options,
            bool(get("multiple")),
            bool(get("free", True)) or not options,
            get("state") or "open",
            _options(answer.get("options")),
            clean(str(answer.get("text") or "")),
            get("asked_at") or "",
            get("expires_at"),
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


def _options(rows: Any) -> tuple[Option, ...]:
    listed = [row for row in rows or () if isinstance(row, dict)]
    return tuple(
        Option(str(row.get("id") or ""), safe(row.get("label")), safe(row.get("description")))
        for row in listed
    )


def _hold(row: Json) -> Hold:
    return Hold(
        row.get("kind") or "", safe(row.get("reason")), row.get("since") or "", safe(row.get("release"))
    )
