"""Agents: created on the gateway or imported from it, their files and model really set there, with versions kept."""

from __future__ import annotations

from typing import Any

from ccp_tui.gateway import GatewayError, RemoteAgent
from ccp_tui.model import AGENT_FILES
from ccp_tui.service import params as p
from ccp_tui.service.context import Context, person
from ccp_tui.service.errors import not_found, usage
from ccp_tui.service.methods import Method
from ccp_tui.store import Store
from ccp_tui.text import one_line
from ccp_tui.wire import Json

LARGEST_FILE = 256 * 1024
FROM_GATEWAY = "gateway"


class Agents:
    """The methods ``agent.*`` and ``model.list``."""

    def __init__(self, context: Context) -> None:
        self._c = context

    def methods(self) -> dict[str, Method]:
        return {
            "agent.list": self.list,
            "agent.create": self.create,
            "agent.importable": self.importable,
            "agent.import": self.import_,
            "agent.update": self.update,
            "agent.file": self.file,
            "agent.set_file": self.set_file,
            "model.list": self.models,
        }

    async def list(self, _: Json) -> Json:
        agents = await self._c.db(lambda store: store.agents.all())
        return {"agents": [self._c.live.agent(agent) for agent in agents]}

    async def create(self, params: Json) -> Json:
        name = one_line(p.text(params, "name"), 60)
        role = one_line(p.maybe_text(params, "role") or "", 200)
        emoji, model, soul = (p.maybe_text(params, key) for key in ("emoji", "model", "soul"))
        _check_size(soul)
        await self._c.need_gateway()
        made = await self._c.gateway.calls.agent_create(
            name, model=model or None, emoji=emoji or None, workspace=None
        )
        await self._c.db(lambda store: _join(store, made, name, role, emoji or made.emoji, model))
        if soul:
            await self._write(made.id, "SOUL.md", soul)
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
            await self._read_file(agent.id, name)

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
        if remote:
            await self._c.need_gateway()
            await self._c.gateway.calls.agent_update(agent, **remote)

        def work(store: Store) -> None:
            store.agents.update(agent, **changes)
            told = ", ".join(f"{key}: {value}" for key, value in changes.items())
            store.events.add(person(), "agent_changed", f"{agent} was changed: {told}", agent=agent)

        await self._c.db(work)
        return await self._answer(agent)

    async def file(self, params: Json) -> Json:
        agent, name, version = (
            await self._find(params),
            p.text(params, "name"),
            p.maybe_int(params, "version"),
        )
        if version is None and self._c.connected and name in AGENT_FILES:
            await self._read_file(agent, name)
        return await self._c.db(lambda store: store.agents.file(agent, name, version))

    async def set_file(self, params: Json) -> Json:
        agent, name = await self._find(params), p.text(params, "name")
        content = params.get("content")
        if not isinstance(content, str):
            raise usage("content is missing", field="content")
        if name not in AGENT_FILES:
            raise not_found(f"agents have {', '.join(AGENT_FILES)}; there is no {name!r}")
        _check_size(content)
        await self._c.need_gateway()
        await self._write(agent, name, content)
        return await self._c.db(lambda store: store.agents.file(agent, name))

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

    async def _write(self, agent: str, name: str, content: str) -> None:
        """The gateway first: what it refused is no version of ours."""
        await self._c.gateway.calls.file_set(agent, name, content)

        def work(store: Store) -> None:
            version = store.agents.save_file(agent, name, content, person().name)
            text = f"{name} of {agent} is at version {version}"
            store.events.add(
                person(), "agent_file", text, agent=agent, data={"name": name, "version": version}
            )

        await self._c.db(work)

    async def _read_file(self, agent: str, name: str) -> None:
        """A file that was changed on the gateway's side becomes a version of its own."""
        try:
            file = await self._c.gateway.calls.file_get(agent, name)
        except GatewayError:
            return  # away, or the agent is gone from it: what is kept is shown
        if not file.missing and file.content:
            await self._c.db(lambda store: store.agents.save_file(agent, name, file.content, FROM_GATEWAY))

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


def _check_size(content: str | None) -> None:
    if content and len(content.encode()) > LARGEST_FILE:
        raise usage(f"the file is larger than {LARGEST_FILE // 1024} KiB", field="content")
