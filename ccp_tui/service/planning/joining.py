"""Finding or making an agent on the gateway by its name, so that asking again after a crash makes no second one."""

from __future__ import annotations

import asyncio
import time

from ccp_tui.gateway import GatewayClient, GatewayError, GatewayUnavailable, RemoteAgent
from ccp_tui.lifecycle import Actor
from ccp_tui.store import Store
from ccp_tui.text import slug

# The gateway's list follows what was made only after some moments.
LIST_LAGS_S = 20.0


def named(agents: list[RemoteAgent], name: str) -> RemoteAgent | None:
    """The one that is called so; the gateway makes ids from names, so an id counts as the name it was made from."""
    wanted = slug(name, 64)
    by_id = next((agent for agent in agents if agent.id == wanted), None)
    return by_id or next((agent for agent in agents if agent.name.lower() == name.lower()), None)


async def on_gateway(gateway: GatewayClient, name: str) -> RemoteAgent | None:
    """The gateway's agent of this name. Raises GatewayError."""
    return named(await gateway.calls.agents_list(), name)


async def made(
    gateway: GatewayClient, name: str, *, model: str | None, emoji: str | None, workspace: str | None
) -> RemoteAgent:
    """A new agent, or the one that an earlier call made whose answer nobody heard. ``workspace``: see
    :meth:`Context.workspace_for`. Raises GatewayError."""
    try:
        return await gateway.calls.agent_create(
            name, model=model or None, emoji=emoji or None, workspace=workspace
        )
    except GatewayUnavailable:
        raise
    except GatewayError as error:
        if "already exists" not in error.message:
            raise
        end = time.monotonic() + LIST_LAGS_S
        while time.monotonic() < end:
            if found := await on_gateway(gateway, name):
                return found
            await asyncio.sleep(0.2)
        raise


def join(
    store: Store, remote: RemoteAgent, actor: Actor, name: str, *, role: str, emoji: str, model: str | None
) -> None:
    """Puts an agent of the gateway on the board, with an event; one that is there already stays as it is."""
    if any(agent["id"] == remote.id for agent in store.agents.all()):
        store.agents.update(remote.id, on_gateway=True)
        return
    store.agents.add(
        remote.id,
        name,
        role=role,
        emoji=emoji or remote.emoji,
        model=model or remote.model,
        workspace=remote.workspace,
    )
    store.events.add(actor, "agent_added", f"{name} ({remote.id}) joined the board", agent=remote.id)
