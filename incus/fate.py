"""What became of a deployment to which something was attached that was cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ccp_tui.incus import names
from ccp_tui.incus.model import Deployment, RemoteState

FATE_S = 3.0  # Incus tells soon after


class Watched(Protocol):
    """A fleet that is kept up to date."""

    @property
    def deployments(self) -> tuple[Deployment, ...]: ...
    @property
    def remotes(self) -> tuple[RemoteState, ...]: ...
    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]: ...


async def fate(fleet: Watched, ref: str, within: float = FATE_S) -> str:
    """Why the connection ended, in words; "" when after so many seconds the deployment still runs."""
    changed = asyncio.Event()
    unsubscribe = fleet.subscribe(changed.set)
    try:
        async with asyncio.timeout(within):
            while not (said := _now(fleet, ref)):
                await changed.wait()
                changed.clear()
        return said
    except TimeoutError:
        return ""
    finally:
        unsubscribe()


def _now(fleet: Watched, ref: str) -> str:
    where, name = names.split_ref(ref)
    remote = next((one for one in fleet.remotes if one.name == where), None)
    if remote is None or remote.state == "connecting":
        return ""
    if remote.state != "ready":
        return f"The connection was cut off. {remote.words}"
    one = next((one for one in fleet.deployments if (one.remote, one.name) == (where, name)), None)
    state = one.state if one else "gone"
    return (
        "" if state == "running" else f"The connection was cut off: {names.join_ref(where, name)} is {state}."
    )
