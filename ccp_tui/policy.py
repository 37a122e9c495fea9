"""What a mission lets happen by itself: who reviews, what starts unasked, how much runs at once and may be spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class ReviewBy(StrEnum):
    """Whose verdict takes a task from Review to Done."""

    PERSON = "person"
    AGENT = "agent"
    AGENT_THEN_PERSON = "agent_then_person"


class Auto(StrEnum):
    """``off``: every dispatch is asked for. ``dispatch``: what is assigned starts as soon as its gates hold.

    ``full``: besides, a spec that was planned with ``--auto`` is approved without the person.
    """

    OFF = "off"
    DISPATCH = "dispatch"
    FULL = "full"


class PolicyError(ValueError):
    """A policy that makes no sense; the words name the field and what it takes."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


@dataclass(frozen=True)
class Policy:
    """A mission's policy. ``None`` in a budget or limit: none of its own.

    Budgets are totals: tokens (input and output together) and US dollars as the gateway counts them, for everything
    that the mission, or one task of it, spends. ``concurrency`` is how many of its tasks may run at a time.
    ``planner`` and ``reviewer`` are ids of agents; without one the service makes its own.
    """

    review: ReviewBy = ReviewBy.PERSON
    auto: Auto = Auto.DISPATCH
    concurrency: int | None = None
    budget_tokens: int | None = None
    budget_usd: float | None = None
    task_budget_tokens: int | None = None
    task_budget_usd: float | None = None
    planner: str | None = None
    reviewer: str | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any], base: Policy | None = None) -> Policy:
        """The policy that ``given`` makes of ``base``. Raises PolicyError; an unknown field is one."""
        names = [field.name for field in fields(cls)]
        changes = {name: _value(name, value, names) for name, value in given.items()}
        return replace(base or cls(), **changes)

    def to_json(self) -> dict[str, Any]:
        return {
            field.name: str(value) if isinstance(value := getattr(self, field.name), StrEnum) else value
            for field in fields(self)
        }


def _value(name: str, value: Any, names: list[str]) -> Any:
    if name not in names:
        raise PolicyError(name, f"there is no such setting; there are {', '.join(names)}")
    if name in ("review", "auto"):
        kinds: type[StrEnum] = ReviewBy if name == "review" else Auto
        if value not in list(kinds):
            raise PolicyError(name, f"{value!r} is none of {', '.join(kinds)}")
        return kinds(value)
    if value is None or value == "":
        return None
    if name in ("planner", "reviewer"):
        if not isinstance(value, str):
            raise PolicyError(name, "name an agent")
        return value
    whole = not name.endswith("usd")
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not number or not 0 < value < 1e15:
        raise PolicyError(
            name, f"must be a {'whole number' if whole else 'number'} above 0, or empty for none"
        )
    return value if whole else float(value)
