"""A store in a home of its own, with a mission, two agents and ways to put things in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from ccp_tui.lifecycle import Actor, ActorKind, State
from ccp_tui.paths import Home
from ccp_tui.store import Committed, Store

T = TypeVar("T")
ME = Actor(ActorKind.PERSON, "me")


class Shelf:
    """A store with words for tests: every method is one transaction."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.mission = self.do(lambda store: store.missions.create("Web", prefix="WEB"))
        for agent in ("ann", "bob"):
            self.do(self._agent(agent))

    def _agent(self, agent: str) -> Callable[[Store], None]:
        return lambda store: store.agents.add(
            agent, agent.title(), role="", emoji="", model=None, workspace=None
        )

    def do(self, work: Callable[[Store], T]) -> T:
        return self.store.transaction(work)[0]

    def told(self, work: Callable[[Store], Any]) -> Committed:
        """What subscribers hear of a piece of work."""
        return self.store.transaction(work)[1]

    def task(self, title: str = "Build it", *, mission: int | None = None, **columns: Any) -> int:
        home = mission or self.mission

        def work(store: Store) -> int:
            return store.tasks.capture(State.INBOX, home, store.missions.next_ref(home), title, **columns)

        return self.do(work)

    def event(self, text: str, **where: Any) -> int:
        return self.do(lambda store: store.events.add(ME, "noted", text, **where))

    def one(self, sql: str, *values: Any) -> Any:
        row = self.store.db.execute(sql, values).fetchone()
        return row[0] if row else None

    def refs(self, rows: list[dict[str, Any]]) -> list[str]:
        return [row["ref"] for row in rows]


@pytest.fixture
def store(home: Home) -> Iterator[Store]:
    opened = Store(home.database, home.backups)
    yield opened
    opened.close()


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return Shelf(store)
