"""The agents that a plan names: those of the board by name or id, and those that would not exist."""

from __future__ import annotations

from typing import Any

from ccp_tui.store import NotFound, Store
from ccp_tui.text import slug

Row = dict[str, Any]

# The ids that the gateway makes of the names of the service's own agents.
OWN = frozenset(slug(name, 64) for name in ("ccp planner", "ccp reviewer"))


def board_agent(store: Store, named: str) -> str | None:
    """The id of the board's agent of this name, or of the id made from it; none of the service's own."""
    for one in (named, slug(named, 64)):
        try:
            found = store.agents.find(one)
        except NotFound:
            continue
        return None if store.agents.row(found)["duty"] else found
    return None


def not_for_a_plan(agents: list[Row]) -> list[str]:
    """The new agents of a plan whose names are those of the service's own: one would be taken for the other."""
    return [one["name"] for one in agents if slug(one["name"], 64) in OWN]


def unknown_agents(store: Store, agent: str, agents: list[Row], tasks: list[Row]) -> list[str]:
    """The agents that a plan gives work to and that would not exist."""
    new = {slug(one["name"], 64) for one in agents}
    wanted = dict.fromkeys(name for name in (agent, *(one["agent"] for one in tasks)) if name)
    return [name for name in wanted if slug(name, 64) not in new and board_agent(store, name) is None]
