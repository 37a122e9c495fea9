"""Which rows a transaction changed, so that whoever looks at them can be told after the commit."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Touched:
    tasks: set[int] = field(default_factory=set)
    missions: set[int] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    messages: set[int] = field(default_factory=set)
    events: set[int] = field(default_factory=set)

    def clear(self) -> None:
        for rows in (self.tasks, self.missions, self.agents, self.messages, self.events):
            rows.clear()
