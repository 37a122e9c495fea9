"""What was spent, by task, agent and mission: the gateway's own figures, summed over its sessions."""

from __future__ import annotations

from ccp_tui.store.part import Reader, Row

_SUM = "coalesce(sum(s.tokens), 0) AS tokens, coalesce(sum(s.cost_usd), 0.0) AS cost_usd"


class Costs(Reader):
    """Tokens are input and output together, dollars as the gateway's model prices make them."""

    def of_task(self, task: int) -> Row:
        return self._all(f"SELECT {_SUM} FROM sessions s WHERE s.task_id = ?", (task,))[0]

    def of_mission(self, mission: int) -> Row:
        sql = f"SELECT {_SUM} FROM sessions s JOIN tasks t ON t.id = s.task_id WHERE t.mission_id = ?"
        return self._all(sql, (mission,))[0]

    def by_task(self, mission: int) -> list[Row]:
        return self._all(
            f"SELECT t.ref, t.title, t.state, {_SUM} FROM tasks t JOIN sessions s ON s.task_id = t.id "
            "WHERE t.mission_id = ? GROUP BY t.id ORDER BY cost_usd DESC, tokens DESC",
            (mission,),
        )

    def by_agent(self, mission: int | None = None) -> list[Row]:
        """Of one mission, or of everything, chats included."""
        where = "" if mission is None else "JOIN tasks t ON t.id = s.task_id AND t.mission_id = ?"
        return self._all(
            f"SELECT s.agent_id AS agent, {_SUM} FROM sessions s {where} GROUP BY s.agent_id "
            "ORDER BY cost_usd DESC, tokens DESC",
            () if mission is None else (mission,),
        )

    def by_purpose(self, mission: int) -> list[Row]:
        """How much went into planning, work, review and sub-agents."""
        return self._all(
            f"SELECT s.purpose, {_SUM} FROM sessions s JOIN tasks t ON t.id = s.task_id WHERE t.mission_id = ? "
            "GROUP BY s.purpose ORDER BY s.purpose",
            (mission,),
        )
