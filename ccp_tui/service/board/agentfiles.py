"""Agents' files: written to the gateway with every version kept, and read back, for others write them too.

The gateway's copy is what the agent goes by. Whatever it holds that the board has not seen becomes a version by
``gateway``, and nothing overwrites it before the person has: an edit says which version it was made from.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass

from ccp_tui.gateway import GatewayError, RemoteFile
from ccp_tui.lifecycle import Actor, ActorKind
from ccp_tui.model import AGENT_FILES
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import Code, ServiceError, not_found, usage
from ccp_tui.service.door.methods import Method
from ccp_tui.store import Store
from ccp_tui.wire import Json

LARGEST_FILE = 256 * 1024
FROM_GATEWAY = "gateway"
# How the gateway's refusal names that a file is not what it was when it was read.
CONFLICT = "agent_file_conflict"


@dataclass(frozen=True)
class _There:
    """A file as the gateway has it, and the board's versions of it before and after that was noted."""

    file: RemoteFile
    known: int
    version: int


class AgentFiles:
    """The methods ``agent.file`` and ``agent.set_file``, and the duty that notices changes on the gateway's side."""

    def __init__(self, context: Context) -> None:
        self._c = context
        # What we write is not to be taken for somebody else's change before its version is kept.
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def methods(self) -> dict[str, Method]:
        return {"agent.file": self.file, "agent.set_file": self.set_file}

    async def file(self, params: Json) -> Json:
        """One version of a file with the list of all; the newest is compared with the gateway's first."""
        agent, name = await self._find(params), p.text(params, "name")
        version = p.maybe_int(params, "version")
        if version is None and self._c.connected and name in AGENT_FILES:
            await self.reread(agent, name)
        return await self._c.db(lambda store: store.agents.file(agent, name, version))

    async def set_file(self, params: Json) -> Json:
        """A new version, made from ``base_version`` (the newest that the board knows, when it is not given).

        Refused by the gate ``file_changed``, with theirs in the details, when that is not what the gateway has;
        ``force`` overwrites what was just refused.
        """
        agent, name = await self._find(params), p.text(params, "name")
        base, force = p.maybe_int(params, "base_version"), p.maybe_bool(params, "force") or False
        content = params.get("content")
        if not isinstance(content, str):
            raise usage("content is missing", field="content")
        if name not in AGENT_FILES:
            raise not_found(f"agents have {', '.join(AGENT_FILES)}; there is no {name!r}")
        check_size(content)
        await self._c.need_gateway()
        async with self._one_at_a_time[agent]:
            there = await self._look(agent, name)
            started_from = there.known if base is None else base
            if not force and there.version != started_from and there.file.content != content:
                raise await self._changed(agent, name)
            await self._put(agent, name, content, there.file.hash)
        return await self._c.db(lambda store: store.agents.file(agent, name))

    async def write(self, agent: str, name: str, content: str) -> None:
        """The person's words for a file of an agent that was just made. Raises GatewayError."""
        async with self._one_at_a_time[agent]:
            await self._put(agent, name, content, None)

    async def reread(self, agent: str, name: str) -> None:
        """A file that was changed on the gateway's side becomes a version of its own."""
        try:
            async with self._one_at_a_time[agent]:
                await self._look(agent, name)
        except GatewayError:
            return  # away, or the agent is gone from it: what is kept is shown

    async def refresh(self) -> None:
        """Compares every file that the board knows with the gateway's, after a connect and when the gateway tells."""

        def work(store: Store) -> list[tuple[str, str]]:
            there = [agent["id"] for agent in store.agents.all() if agent["on_gateway"]]
            return [(agent, name) for agent in there for name in store.agents.known_files(agent)]

        for agent, name in await self._c.db(work):
            if not self._c.connected:
                return  # the next connect compares again
            await self.reread(agent, name)

    async def _look(self, agent: str, name: str) -> _There:
        """What the gateway has; news of it is kept as a version. Raises GatewayError."""
        file = await self._c.gateway.calls.file_get(agent, name)

        def work(store: Store) -> _There:
            before = store.agents.file(agent, name)
            if file.missing or (not file.content and not before["version"]):
                return _There(file, before["version"], before["version"])
            version = store.agents.save_file(agent, name, file.content, FROM_GATEWAY)
            if version != before["version"] and before["version"]:
                text = f"{name} of {agent} was changed on the gateway: version {version}"
                _note(store, Actor(ActorKind.SERVICE, FROM_GATEWAY), agent, name, version, text)
            return _There(file, before["version"], version)

        return await self._c.db(work)

    async def _put(self, agent: str, name: str, content: str, expected: str | None) -> None:
        """The gateway first: what it refused is no version of ours."""
        try:
            await self._c.gateway.calls.file_set(agent, name, content, expected)
        except GatewayError as error:
            if error.details.get("type") != CONFLICT:
                raise
            await self._look(agent, name)  # changed between our look and our writing
            raise await self._changed(agent, name) from error

        def work(store: Store) -> None:
            version = store.agents.save_file(agent, name, content, person().name)
            _note(store, person(), agent, name, version, f"{name} of {agent} is at version {version}")

        await self._c.db(work)

    async def _changed(self, agent: str, name: str) -> ServiceError:
        theirs = await self._c.db(lambda store: store.agents.file(agent, name))
        by = "on the gateway" if theirs["author"] == FROM_GATEWAY else f"by {theirs['author']}"
        reason = f"{name} was changed {by} meanwhile (version {theirs['version']}): compare, then take theirs or yours"
        details = {
            "gate": "file_changed",
            "state": "",
            "trigger": "set_file",
            "reason": reason,
            "theirs": {key: theirs[key] for key in ("content", "version", "author", "created_at")},
        }
        return ServiceError(Code.REFUSED, reason, details)

    async def _find(self, params: Json) -> str:
        named = p.text(params, "id")
        return await self._c.db(lambda store: store.agents.find(named))


def check_size(content: str | None) -> None:
    """Raises ServiceError for a file that no agent should have to read at every turn."""
    if content and len(content.encode(errors="replace")) > LARGEST_FILE:
        raise usage(f"the file is larger than {LARGEST_FILE // 1024} KiB", field="content")


def _note(store: Store, actor: Actor, agent: str, name: str, version: int, text: str) -> None:
    store.events.add(actor, "agent_file", text, agent=agent, data={"name": name, "version": version})
