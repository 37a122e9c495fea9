"""What a task and its mission may spend, and whether they have: the gateway's figures against the budgets."""

from __future__ import annotations

from ccp_tui.policy import Policy
from ccp_tui.service.board.moves import Row
from ccp_tui.store import Store

WAY_ON = "It goes on when the budget is raised or removed."


class Purse:
    """What may be spent, in one transaction: each mission's policy and sum is read once, however many tasks ask."""

    def __init__(self, store: Store, base: Policy) -> None:
        self._store = store
        self._base = base
        self._policies: dict[int, Policy] = {}
        self._missions: dict[int, str] = {}

    def problem(self, task: Row) -> str:
        """Why the task may spend nothing now, in words with figures; empty when it may.

        A task's own budget wins over the one that its mission's policy gives every task.
        """
        mission = task["mission_id"]
        if mission not in self._policies:
            self._policies[mission] = self._store.missions.policy(mission, self._base)
        policy = self._policies[mission]
        tokens = task["budget_tokens"] or policy.task_budget_tokens
        usd = task["budget_usd"] or policy.task_budget_usd
        spent = self._store.costs.of_task
        if (tokens or usd) and (over := _over("the task", spent(task["id"]), tokens, usd)):
            return over
        return self._of_mission(mission, policy)

    def _of_mission(self, mission: int, policy: Policy) -> str:
        tokens, usd = policy.budget_tokens, policy.budget_usd
        if not (tokens or usd):
            return ""
        if mission not in self._missions:
            spent = self._store.costs.of_mission(mission)
            self._missions[mission] = _over("the mission", spent, tokens, usd)
        return self._missions[mission]


def problem(store: Store, task: Row, base: Policy) -> str:
    """Why one task may spend nothing now, see :class:`Purse`. ``base`` holds where its mission's policy is silent."""
    return Purse(store, base).problem(task)


def _over(what: str, spent: Row, tokens: int | None, usd: float | None) -> str:
    if tokens and spent["tokens"] >= tokens:
        return f"{what} has spent {spent['tokens']:,} of its {tokens:,} tokens"
    if usd and spent["cost_usd"] >= usd:
        return f"{what} has spent {dollars(spent['cost_usd'])} of its {dollars(usd)}"
    return ""


def dollars(amount: float) -> str:
    """An amount for people: cents, or as many digits as a small one needs."""
    return f"${amount:,.2f}" if amount >= 0.1 or not amount else f"${amount:.4g}"
