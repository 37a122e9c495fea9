"""Agents: created on the gateway or imported from it, with their model really set there."""

from __future__ import annotations

from typing import Any

from ccp_tui.gateway import GatewayError, RemoteAgent
from ccp_tui.model import AGENT_FILES
from ccp_tui.service.board.agentfiles import AgentFiles, check_size
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import not_found, usage
from ccp_tui.service.door.methods import Method
from ccp_tui.store import Store
from ccp_tui.text import one_line
from ccp_tui.wire import Json


class Agents:
    """The methods ``agent.*`` and ``model.list``."""

    def __init__(self, context: Context) -> None:
        self._c = context
        self.files = AgentFiles(context)

    def methods(self) -> dict[str, Method]:
        return {
            "agent.list": self.list,
            "agent.create": self.create,
            "agent.importable": self.importable,
            "agent.import": self.import_,
            "agent.update": self.update,
            "model.list": self.models,
            **self.files.methods(),
        }

    async def list(self, _: Json) -> Json:
        agents = await self._c.db(lambda store: store.agents.all())
        return {"agents": [self._c.live.agent(agent) for agent in agents]}

    async def create(self, params: Json) -> Json:
        name = one_line(p.text(params, "name"), 60)
        role = one_line(p.maybe_text(params, "role") or "", 200)
        emoji, model, soul = (p.maybe_text(params, key) for key in ("emoji", "model", "soul"))
        check_size(soul)
        await self._c.need_gateway()
        made = await self._c.gateway.calls.agent_create(
            name, model=model or None, emoji=emoji or None, workspace=self._c.workspace_for(name)
        )
        await self._c.db(lambda store: _join(store, made, name, role, emoji or made.emoji, model))
        if soul:
            await self.files.write(made.id, "SOUL.md", soul)
        return await self._answer(made.id)

    async def importable(self, _: Json) -> Json:
        await self._c.need_gateway()
        remote = await self._c.gateway.calls.agents_list()
        known = {agent["id"] for agent in await self._c.db(lambda store: store.agents.all())}
        return {"agents": [_remote(agent) for agent in remote if agent.id not in known]}

    async def import_(self, params: Json) -> Json:
        wanted = p.texts(params, "ids")
        if not wanted:
            raise usage("name the agents to import", field="ids")
        await self._c.need_gateway()
        remote = {agent.id: agent for agent in await self._c.gateway.calls.agents_list()}
        if missing := [one for one in wanted if one not in remote]:
            raise not_found(f"the gateway has no agent {', '.join(missing)}; it has {', '.join(remote)}")
        for agent in (remote[one] for one in wanted):
            await self._import_one(agent)
        agents = await self._c.db(lambda store: [store.agents.row(one) for one in wanted])
        return {"agents": [self._c.live.agent(agent) for agent in agents]}

    async def _import_one(self, agent: RemoteAgent) -> None:
        await self._c.db(lambda store: _join(store, agent, agent.name, "", agent.emoji, agent.model))
        for name in AGENT_FILES:
            await self.files.reread(agent.id, name)

    async def update(self, params: Json) -> Json:
        agent = await self._find(params)
        changes: dict[str, Any] = {
            key: one_line(value, 200)
            for key in ("name", "role", "emoji")
            if (value := p.maybe_text(params, key)) is not None
        }
        if changes.get("name") == "":
            raise usage("an agent needs a name", field="name")
        if "model" in params:
            changes["model"] = p.maybe_text(params, "model") or None
        remote = {key: value for key, value in changes.items() if key != "role" and value is not None}
        # Without a model of its own an agent goes by the gateway's default, which the gateway shows as its model.
        own_model = "model" not in changes or changes["model"] is not None
        if remote or not own_model:
            await self._c.need_gateway()
            await self._c.gateway.calls.agent_update(agent, **remote, own_model=own_model)

        def work(store: Store) -> None:
            store.agents.update(agent, **changes)
            told = ", ".join(f"{key}: {value or 'none of its own'}" for key, value in changes.items())
            store.events.add(person(), "agent_changed", f"{agent} was changed: {told}", agent=agent)

        await self._c.db(work)
        if not own_model:
            await self.refresh()
        return await self._answer(agent)

    async def models(self, _: Json) -> Json:
        await self._c.need_gateway()
        models = await self._c.gateway.calls.models_list()
        return {"models": [{"id": one.id, "name": one.name, "provider": one.provider} for one in models]}

    async def refresh(self) -> None:
        """Compares the board's agents with the gateway's: names, models, workspaces, and who is gone."""
        try:
            remote = {agent.id: agent for agent in await self._c.gateway.calls.agents_list()}
        except GatewayError:
            return  # the next connect asks again

        def work(store: Store) -> None:
            for agent in store.agents.all():
                there = remote.get(agent["id"])
                if there is None:
                    store.agents.update(agent["id"], on_gateway=False)
                else:
                    store.agents.update(
                        agent["id"],
                        on_gateway=True,
                        name=there.name or agent["name"],
                        model=there.model,
                        workspace=there.workspace or agent["workspace"],
                    )

        await self._c.db(work)

    async def _find(self, params: Json) -> str:
        named = p.text(params, "id")
        return await self._c.db(lambda store: store.agents.find(named))

    async def _answer(self, agent: str) -> Json:
        row = await self._c.db(lambda store: store.agents.row(agent))
        return {"agent": self._c.live.agent(row)}


def _join(store: Store, remote: RemoteAgent, name: str, role: str, emoji: str, model: str | None) -> None:
    store.agents.add(
        remote.id, name, role=role, emoji=emoji, model=model or remote.model, workspace=remote.workspace
    )
    store.events.add(person(), "agent_added", f"{name} ({remote.id}) joined the board", agent=remote.id)


def _remote(agent: RemoteAgent) -> Json:
    return {
        "id": agent.id, "name": agent.name, "emoji": agent.emoji, "model": agent.model, "workspace": agent.workspace
    }  # fmt: skip
