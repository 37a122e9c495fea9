"""The store: one connection, one transaction at a time, and what each transaction touched."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from ccp_tui.store.agents import Agents
from ccp_tui.store.attempts import Attempts
from ccp_tui.store.cards import Cards
from ccp_tui.store.details import Details
from ccp_tui.store.errors import StoreError
from ccp_tui.store.events import Events
from ccp_tui.store.messages import Messages
from ccp_tui.store.missions import Missions
from ccp_tui.store.opening import back_up, open_database
from ccp_tui.store.outbox import Outbox
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
        self.attempts = Attempts(self.db, touched)
        self.rounds = Rounds(self.db, touched)
        self.outbox = Outbox(self.db, touched)
        self.sessions = Sessions(self.db, touched)
        self.messages = Messages(self.db, touched)
        self.events = Events(self.db, touched)
        self.cards = Cards(self.db)
        self.details = Details(self.db)
        self.search = Search(self.db)

    @property
    def home_id(self) -> str:
        """Tells this home's sessions apart from those of another home on the same gateway."""
        return str(self._connection.execute("SELECT id FROM home").fetchone()[0])

    def transaction(self, work: Callable[[Store], T]) -> tuple[T, Committed]:
        """Runs ``work`` in one transaction: all of it is kept, or, when it raises, none."""
        self.touched.clear()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(self)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
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
