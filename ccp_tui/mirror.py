"""The client's copy of the service's state: built from a snapshot, kept current by events, free of any screen.

A listener is told *what* changed, so that a screen repaints only that::

    mirror.subscribe(lambda change: board.update(change.tasks, change.columns))
"""

from __future__ import annotations

import logging
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ccp_tui.healthrows import Health
from ccp_tui.rows import AgentRow, Attention, Card, Link, MissionRow, read_activity
from ccp_tui.wire import Event

log = logging.getLogger(__name__)

Json = dict[str, Any]
ColumnKey = tuple[str, str]  # mission slug, state
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Change:
    """What one snapshot or batch of events changed. Falsy when nothing did.

    ``full`` means: read everything again (a new snapshot came; an open chat or history must be fetched again, too).
    ``columns`` names the columns whose members or order changed; ``tasks`` those whose card looks different.
    ``events`` are the happenings that leave no trace in the mirror, in order: feed, message and run.* events.
    """

    full: bool = False
    tasks: frozenset[str] = frozenset()
    columns: frozenset[ColumnKey] = frozenset()
    missions: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    health: bool = False
    attention: bool = False
    link: bool = False
    events: tuple[Event, ...] = ()

    def __bool__(self) -> bool:
        return self != NOTHING

    def merged(self, other: Change) -> Change:
        """Both changes as one, the other being the later."""
        return Change(
            self.full or other.full,
            self.tasks | other.tasks,
            self.columns | other.columns,
            self.missions | other.missions,
            self.agents | other.agents,
            self.health or other.health,
            self.attention or other.attention,
            self.link or other.link,
            self.events + other.events,
        )


NOTHING = Change()
Listener = Callable[[Change], None]


class Mirror:
    """The state of the service as this client knows it. Used on one thread; nothing here waits."""

    def __init__(self) -> None:
        self.missions: dict[str, MissionRow] = {}  # by slug
        self.agents: dict[str, AgentRow] = {}  # by id
        self.tasks: dict[str, Card] = {}  # by ref
        self.health = Health()
        self.attention: tuple[Attention, ...] = ()  # the most urgent first, as the service ordered them
        self.link = Link()
        self.loaded = False  # a snapshot has been applied
        self.revision = 0  # grows with every change
        self._columns: dict[ColumnKey, _Column] = {}
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls the listener after every change; the result ends that."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def column(self, mission: str, state: str) -> tuple[str, ...]:
        """The refs in one column, in the person's order (position, then id)."""
        column = self._columns.get((mission, state))
        return column.refs() if column else ()

    def columns(self, mission: str) -> Mapping[str, tuple[str, ...]]:
        """The mission's columns that have tasks: state → refs in order."""
        return {
            state: column.refs()
            for (slug, state), column in self._columns.items()
            if slug == mission and column
        }

    def count(self, mission: str, state: str) -> int:
        """How many tasks stand in one column."""
        column = self._columns.get((mission, state))
        return len(column) if column else 0

    def open_missions(self) -> list[MissionRow]:
        """The missions that are not archived, oldest first."""
        return sorted((row for row in self.missions.values() if not row.archived), key=lambda row: row.id)

    def apply_snapshot(self, snapshot: Json) -> Change:
        """Replaces everything by what ``subscribe`` returned."""
        self.missions = {row.slug: row for row in _rows(snapshot, "missions", MissionRow.from_json)}
        self.agents = {row.id: row for row in _rows(snapshot, "agents", AgentRow.from_json)}
        self.tasks = {card.ref: card for card in _rows(snapshot, "tasks", Card.from_json)}
        self.health = Health.from_json(snapshot.get("health") or {})
        self.attention = tuple(_rows(snapshot, "attention", Attention.from_json))
        entries: dict[ColumnKey, list[_Entry]] = {}
        for card in self.tasks.values():
            entries.setdefault((card.mission, card.state), []).append((card.position, card.id, card.ref))
        self._columns = {key: _Column(members) for key, members in entries.items()}
        self.loaded = True
        return self._announce(
            Change(
                full=True,
                tasks=frozenset(self.tasks),
                columns=frozenset(self._columns),
                missions=frozenset(self.missions),
                agents=frozenset(self.agents),
                health=True,
                attention=True,
            )
        )

    def apply(self, name: str, payload: Json) -> Change:
        """Takes in one event of the service and says what it changed. A malformed or unknown event changes nothing."""
        return self.apply_many((Event(name, payload),))

    def apply_many(self, events: Iterable[Event]) -> Change:
        """Takes in several events in order; the listeners hear of them once."""
        total = NOTHING
        for event in events:
            change = self._take(event)
            if change is not NOTHING:
                total = change if total is NOTHING else total.merged(change)
        return self._announce(total)

    def set_link(self, link: Link) -> Change:
        """Notes how this client stands with the service."""
        if link == self.link:
            return NOTHING
        self.link = link
        return self._announce(Change(link=True))

    def _announce(self, change: Change) -> Change:
        if change:
            self.revision += 1
            for listener in tuple(self._listeners):
                try:
                    listener(change)
                except Exception:  # one broken listener must not cut the others off from the service
                    log.exception("a listener of the mirror failed")
        return change

    def _take(self, event: Event) -> Change:
        payload = event.payload
        try:
            match event.name:
                case "task.changed":
                    return self._put_task(Card.from_json(payload["task"]))
                case "activity":
                    return self._put_activity(payload["ref"], payload["activity"])
                case "agent.changed":
                    agent = AgentRow.from_json(payload["agent"])
                    known, self.agents[agent.id] = self.agents.get(agent.id), agent
                    return NOTHING if known == agent else Change(agents=frozenset((agent.id,)))
                case "agent.removed":
                    gone = self.agents.pop(payload["id"], None)
                    return Change(agents=frozenset((gone.id,))) if gone else NOTHING
                case "mission.changed":
                    mission = MissionRow.from_json(payload["mission"])
                    known_mission, self.missions[mission.slug] = self.missions.get(mission.slug), mission
                    return (
                        NOTHING if known_mission == mission else Change(missions=frozenset((mission.slug,)))
                    )
                case "health":
                    health, self.health = self.health, Health.from_json(payload["health"])
                    return NOTHING if health == self.health else Change(health=True)
                case "attention":
                    attention, self.attention = (
                        self.attention,
                        tuple(_rows(payload, "attention", Attention.from_json)),
                    )
                    return NOTHING if attention == self.attention else Change(attention=True)
                case "feed" | "message" | "run.delta" | "run.tool" | "run.state":
                    return Change(events=(event,))
        except (KeyError, TypeError, AttributeError) as error:
            log.warning("event %s is malformed (%r) and was left out", event.name, error)
        return NOTHING

    def _put_task(self, card: Card) -> Change:
        known = self.tasks.get(card.ref)
        if known == card:
            return NOTHING
        self.tasks[card.ref] = card
        entry = (card.position, card.id, card.ref)
        key = (card.mission, card.state)
        moved: set[ColumnKey] = set()
        if known is not None:
            old_entry, old_key = (known.position, known.id, known.ref), (known.mission, known.state)
            if (old_key, old_entry) == (key, entry):
                return Change(tasks=frozenset((card.ref,)))
            self._columns[old_key].remove(old_entry)
            moved.add(old_key)
        self._columns.setdefault(key, _Column([])).add(entry)
        moved.add(key)
        return Change(tasks=frozenset((card.ref,)), columns=frozenset(moved))

    def _put_activity(self, ref: str, row: Any) -> Change:
        card = self.tasks.get(ref)
        activity = read_activity(row)
        if card is None or card.activity == activity:
            return NOTHING
        self.tasks[ref] = card._replace(activity=activity)
        return Change(tasks=frozenset((ref,)))


_Entry = tuple[float, int, str]  # position, task id, ref


class _Column:
    """The tasks of one column, kept sorted; the refs are handed out as one tuple until something changes."""

    def __init__(self, entries: list[_Entry]) -> None:
        self._entries = sorted(entries)
        self._refs: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def refs(self) -> tuple[str, ...]:
        if self._refs is None:
            self._refs = tuple(ref for _, _, ref in self._entries)
        return self._refs

    def add(self, entry: _Entry) -> None:
        insort(self._entries, entry)
        self._refs = None

    def remove(self, entry: _Entry) -> None:
        at = bisect_left(self._entries, entry)
        if at < len(self._entries) and self._entries[at] == entry:
            del self._entries[at]
            self._refs = None


def _rows(source: Json, key: str, read: Callable[[Json], Row]) -> list[Row]:
    """The rows of one list; a malformed one is left out rather than taking the whole board down with it."""
    rows = []
    for item in source.get(key) or ():
        try:
            rows.append(read(item))
        except (KeyError, TypeError, AttributeError) as error:
            log.warning("a row of %s is malformed (%r) and was left out", key, error)
    return rows
