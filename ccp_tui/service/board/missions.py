"""Missions: the methods ``mission.*``, without the timeline."""

from __future__ import annotations

from typing import Any

from ccp_tui.lifecycle import State
from ccp_tui.policy import Policy, PolicyError
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import refused, usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.execution.queueing import queue_assigned
from ccp_tui.store import Store
from ccp_tui.wire import Json

_WORKED_ON = (State.IN_PROGRESS, State.TESTING, State.REVIEW)


class Missions:
    def __init__(self, context: Context) -> None:
        self._c = context

    def methods(self) -> dict[str, Method]:
        return {
            "mission.list": self.list,
            "mission.create": self.create,
            "mission.update": self.update,
            "mission.costs": self.costs,
        }

    async def list(self, params: Json) -> Json:
        archived = p.maybe_bool(params, "archived")
        rows = await self._c.db(lambda store: store.missions.all(archived=bool(archived)))
        return {"missions": [self._c.live.mission(row) for row in rows]}

    async def create(self, params: Json) -> Json:
        title = p.text(params, "title")
        slug, icon, prefix = (p.maybe_text(params, key) or "" for key in ("slug", "icon", "prefix"))
        policy = self._policy(params)

        def work(store: Store) -> Json:
            mission = store.missions.create(title, name=slug, icon=icon, prefix=prefix.upper())
            if policy:
                store.missions.set_policy(mission, _known_agents(store, policy))
            row = store.missions.row(mission)
            text = f"mission {row['title']} was created{_told(row['policy'], ' with ')}"
            store.events.add(
                person(), "mission_created", text, mission=mission, data={"policy": row["policy"]}
            )
            return row

        return {"mission": self._c.live.mission(await self._c.db(work))}

    async def update(self, params: Json) -> Json:
        slug = p.text(params, "slug")
        title, icon, archived = (
            p.maybe_text(params, "title"), p.maybe_text(params, "icon"), p.maybe_bool(params, "archived")
        )  # fmt: skip
        policy = self._policy(params)

        def work(store: Store) -> Json:
            mission = store.missions.by_slug(slug)
            if archived:
                _refuse_if_busy(store, mission)
            store.missions.update(mission, title=title, icon=icon, archived=archived)
            before = store.missions.row(mission)["policy"]
            news = {
                key: value
                for key, value in _known_agents(store, policy).items()
                if key not in before or before[key] != value
            }
            if news:
                store.missions.set_policy(mission, news)
            row = store.missions.row(mission)
            told = {True: "was archived", False: "was taken out of the archive", None: "was changed"}[
                archived
            ]
            text = f"mission {row['title']} {told}{_told(news, ': ')}"
            store.events.add(person(), "mission_changed", text, mission=mission, data={"policy": news})
            if "auto" in news and not row["archived"]:
                queue_assigned(store, mission, store.missions.policy(mission, self._c.settings.policy))
            return row

        return {"mission": self._c.live.mission(await self._c.db(work))}

    async def costs(self, params: Json) -> Json:
        """What the mission spent, by the gateway's own figures, and what it may spend."""
        slug = p.text(params, "slug")

        def work(store: Store) -> Json:
            mission = store.missions.by_slug(slug)
            policy = store.missions.policy(mission, self._c.settings.policy)
            return {
                "total": store.costs.of_mission(mission),
                "by_task": store.costs.by_task(mission),
                "by_agent": store.costs.by_agent(mission),
                "by_purpose": store.costs.by_purpose(mission),
                "budget": {
                    "tokens": policy.budget_tokens,
                    "usd": policy.budget_usd,
                    "task_tokens": policy.task_budget_tokens,
                    "task_usd": policy.task_budget_usd,
                },
            }

        return await self._c.db(work)

    def _policy(self, params: Json) -> dict[str, Any]:
        """The given settings of a policy, as they are kept. Raises USAGE that names the setting."""
        given = params.get("policy")
        if given is None:
            return {}
        if not isinstance(given, dict):
            raise usage("policy must be an object: a setting, and its value", field="policy")
        try:
            read = Policy.read(given).to_json()
        except PolicyError as error:
            raise usage(str(error), field=error.field) from error
        return {key: read[key] for key in given}


def _known_agents(store: Store, policy: dict[str, Any]) -> dict[str, Any]:
    """The policy with its agents' ids. Raises NotFound for an agent that the board does not know."""
    named = {key: store.agents.find(policy[key]) for key in ("planner", "reviewer") if policy.get(key)}
    return {**policy, **named}


def _refuse_if_busy(store: Store, mission: int) -> None:
    refs = [
        task["ref"]
        for task in store.tasks.in_states(State.PLANNING, State.ASSIGNED, *_WORKED_ON)
        if task["mission_id"] == mission
        and (task["state"] in _WORKED_ON or task["queued_at"] or store.plannings.of_task(task["id"]))
    ]
    if refs:
        some = ", ".join(refs[:5]) + (f" and {len(refs) - 5} more" if len(refs) > 5 else "")
        reason = f"work goes on in it: {some}. Finish it, or stop, unassign or cancel it first"
        raise refused("idle", reason, state="", trigger="archive")


def _told(policy: dict[str, Any], before: str) -> str:
    words = [f"{key.replace('_', ' ')} {'none' if value is None else value}" for key, value in policy.items()]
    return before + ", ".join(words) if words else ""
