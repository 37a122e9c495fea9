"""The store: one connection, one transaction at a time, and what each transaction touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from ccp_tui import clock
from ccp_tui.store.agents import Agents
from ccp_tui.store.attempts import Attempts
from ccp_tui.store.cards import Cards
from ccp_tui.store.costs import Costs
from ccp_tui.store.dependencies import Dependencies
from ccp_tui.store.details import Details
from ccp_tui.store.errors import StoreError
from ccp_tui.store.events import Events
from ccp_tui.store.messages import Messages
from ccp_tui.store.missions import Missions
from ccp_tui.store.opening import back_up, open_database
from ccp_tui.store.outbox import Outbox
from ccp_tui.store.plannings import Crew, Plannings
from ccp_tui.store.questions import Questions
from ccp_tui.store.reviewing import Contents, ReviewRequests
from ccp_tui.store.rounds import Rounds
from ccp_tui.store.search import Search
from ccp_tui.store.sessions import Sessions
from ccp_tui.store.specs import Specs
from ccp_tui.store.tasks import Tasks
from ccp_tui.store.touched import Touched

T = TypeVar("T")
Row = dict[str, Any]


@dataclass
class Committed:
    """What a transaction changed, as it reads after the commit: what subscribers must hear."""

    tasks: list[Row] = field(default_factory=list)
    missions: list[Row] = field(default_factory=list)
    agents: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)


class Store:
    """Everything that is kept, as one object with a part per noun. Synchronous; used from one thread at a time.

    Writes go through :meth:`transaction`, so that a move and the event that records it are one.
    """

    def __init__(self, path: Path, backups: Path) -> None:
        """Opens or creates the database. Raises StoreError in words when that can't be done."""
        self.path = path
        self._connection = open_database(path, backups)
        self.db = Database(self._connection)
        self.touched = touched = Touched()
        self.missions = Missions(self.db, touched)
        self.agents = Agents(self.db, touched)
        self.tasks = Tasks(self.db, touched)
        self.specs = Specs(self.db, touched)
        self.dependencies = Dependencies(self.db, touched)
        self.plannings = Plannings(self.db, touched)
        self.crew = Crew(self.db, touched)
        self.questions = Questions(self.db, touched)
        self.attempts = Attempts(self.db, touched)
        self.rounds = Rounds(self.db, touched)
        self.review_requests = ReviewRequests(self.db, touched)
        self.contents = Contents(self.db, touched)
        self.outbox = Outbox(self.db, touched)
        self.sessions = Sessions(self.db, touched)
        self.messages = Messages(self.db, touched)
        self.events = Events(self.db, touched)
        self.cards = Cards(self.db)
        self.details = Details(self.db)
        self.costs = Costs(self.db)
        self.search = Search(self.db)

    @property
    def home_id(self) -> str:
        """Tells this home's sessions apart from those of another home on the same gateway."""
        return str(self._connection.execute("SELECT id FROM home").fetchone()[0])

    def emergency(self) -> Row | None:
        """Since when and by whom everything is stopped; None when it is not."""
        at, by = self._connection.execute("SELECT stopped_at, stopped_by FROM home").fetchone()
        return {"at": at, "by": by} if at else None

    def set_emergency(self, by: str | None) -> None:
        """Stops everything in the name of somebody, or, with None, lets it go on."""
        self._connection.execute(
            "UPDATE home SET stopped_at = ?, stopped_by = ?", (clock.now() if by else None, by)
        )

    def transaction(self, work: Callable[[Store], T], *, durable: bool = False) -> tuple[T, Committed]:
        """Runs ``work`` in one transaction: all of it is kept, or, when it raises, none.

        A commit survives every crash of the service. One that is ``durable``, and with it all that came before,
        survives a power cut too: that waits for the disk, so it is for what others are told right after.
        """
        self.touched.clear()
        try:
            try:
                if durable:
                    self._connection.execute("PRAGMA synchronous = FULL")
                self._connection.execute("BEGIN IMMEDIATE")
                result = work(self)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            finally:
                if durable:
                    self._connection.execute("PRAGMA synchronous = NORMAL")
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"the database can't be written ({error}): check the free disk space."
            ) from error
        return result, self._committed()

    def _committed(self) -> Committed:
        touched = self.touched
        return Committed(
            tasks=self.cards.of(touched.tasks) if touched.tasks else [],
            missions=[self.missions.row(i) for i in sorted(touched.missions)],
            agents=[self.agents.row(i) for i in sorted(touched.agents)],
            messages=[self.messages.row(i) for i in sorted(touched.messages)],
            events=[self.events.row(i) for i in sorted(touched.events)],
        )

    def back_up(self, target: Path) -> int:
        """An online copy at ``target``; returns its bytes."""
        return back_up(self._connection, target)

    def close(self) -> None:
        self._connection.close()
