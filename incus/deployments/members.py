"""The machines of a cluster: which there are, whether they are up, and moving a deployment from one to another."""

from __future__ import annotations

from collections.abc import Iterable

from ccp_tui import doors
from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.deployments import lifecycle, listing, stored
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import Member
from ccp_tui.text import one_line

ONLINE = "Online"
MOVE_S = 1800.0


async def listed(connection: Connection) -> tuple[Member, ...]:
    """The members of a remote's cluster by name; none when it is a machine alone. Raises FleetError."""
    server = await connection.get("/1.0")
    if not (server.get("environment") or {}).get("server_clustered"):
        return ()
    found = await connection.get("/1.0/cluster/members", {"recursion": 1})
    members = [
        Member(
            str(one.get("server_name") or ""),
            str(one.get("status") or "Offline"),
            str(one.get("url") or ""),
            one_line(str(one.get("message") or ""), 200),
        )
        for one in found or ()
    ]
    return tuple(sorted(members, key=lambda one: one.name))


def host(connection: Connection, location: str, members: Iterable[Member]) -> str:
    """The machine that the ports of a deployment are on: its member of the cluster, or what the remote's URL names."""
    own = next((one.url for one in members if one.name == location), "")
    return one_line(doors.host_of(own or connection.endpoint.url))


def note(location: str, members: Iterable[Member]) -> str:
    """What is unusual about the machine a deployment is on, in a line; "" when nothing is."""
    for member in members:
        if member.name == location and member.state != ONLINE:
            return f"{member.name} is {member.state.lower()}"
    return ""


async def check_target(connection: Connection, target: str) -> None:
    """Nothing, when a deployment can be put on this member. Raises FleetError NOT_FOUND or REFUSED."""
    members = await listed(connection)
    if not members:
        raise FleetError("REFUSED", f"{connection.name} is not a cluster.", "Leave --target out.")
    member = next((one for one in members if one.name == target), None)
    if member is None:
        there = ", ".join(one.name for one in members)
        raise FleetError("NOT_FOUND", f"The cluster has no member {target}.", f"It has {there}.")
    if member.state != ONLINE:
        up = ", ".join(one.name for one in members if one.state == ONLINE) or "none"
        raise FleetError("REFUSED", f"{target} is {member.state.lower()}.", f"Online: {up}.")


async def move(connection: Connection, name: str, target: str) -> None:
    """Moves a deployment to another member; a running one is stopped gracefully before and started there.

    Raises FleetError; REFUSED when it is there already, or when its own machine is away.
    """
    # Asked of the list: a machine that is away can't be asked about the instance itself.
    location = {
        str(one["name"]): str(one.get("location") or "") for one in await listing.look(connection)
    }.get(name)
    if location and (away := note(location, await listed(connection))):
        raise FleetError("REFUSED", f"{name} can't be moved: {away}.", "Bring that machine back first.")
    instance = await lifecycle.owned(connection, name)
    await check_target(connection, target)
    if location == target:
        raise FleetError("REFUSED", f"{name} is on {target} already.")
    async with stored.stopped(connection, instance):
        await stored.through(_migrate(connection, name, target))


async def _migrate(connection: Connection, name: str, target: str) -> None:
    body = {"name": name, "migration": True}
    path = f"/1.0/instances/{name}"
    await operations.run(connection, "POST", path, body, params={"target": target}, within=MOVE_S)
