"""The bridge of our own that deployments are on, and what they may reach from it.

A bridge of our own, so that the rules hold for our containers and for nobody else's. Rules stand on the whole network:
many kernels can't do them per card. Incus puts rejecting rules before allowing ones, so hosts can't be taken out of an
allowed range: what is allowed is the complement. The bridge's own DNS and DHCP are always allowed by Incus.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from ccp_tui.incus import names
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.deployments import listing
from ccp_tui.incus.errors import FleetError

# Networks of homes, offices and providers, loopback, link-local (a cloud's metadata), multicast and reserved ones.
PRIVATE = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.168.0.0/16", "224.0.0.0/3",
    )
)  # fmt: skip
SUBNETS = tuple(
    ipaddress.IPv4Network(f"10.{second}.{third}.0/24") for third in (83, 0) for second in range(201, 251)
)
MARK = "user.ccp.network"
ASKED = "asked for"
RESOLVE_S = 3.0


async def settle(connection: Connection, more: Sequence[str] = ()) -> str:
    """Sees to it that the bridge and its rules are there and right; the bridge's address (it answers DNS).

    The rules allow the internet, and what living deployments (and ``more``) may reach besides. Raises FleetError.
    """
    async with connection.lock:
        found = await connection.get("/1.0/networks", {"recursion": 1})
        there = {str(one["name"]): one for one in found or ()}
        hosts = await _hosts(connection, found)
        living = await listing.look(connection)
        await _rules(connection, living, more, hosts)
        bridge = there.get(names.NETWORK)
        if bridge is None:
            await _create(connection, hosts)
            bridge = await connection.get(f"/1.0/networks/{names.NETWORK}")
        elif (bridge.get("config") or {}).get(MARK) != "1":
            raise FleetError(
                "EXISTS",
                f"There is a network {names.NETWORK} that is not ours.",
                "Rename it or take it away.",
            )
        return str(bridge["config"]["ipv4.address"]).partition("/")[0]


async def tidy(connection: Connection) -> None:
    """After a deployment has gone: what only it might reach is closed; after the last one, bridge and rules go too.

    Raises FleetError. One that is made at this moment finds no bridge and makes it anew.
    """
    async with connection.lock:
        living = await listing.look(connection)
        if living:
            hosts = await _hosts(connection, await connection.get("/1.0/networks", {"recursion": 1}))
            await _rules(connection, living, (), hosts)
            return
        for path in (f"/1.0/networks/{names.NETWORK}", f"/1.0/network-acls/{names.ACL}"):
            try:
                found = await connection.get(path)
                if (found.get("config") or {}).get(MARK) == "1" and not found.get("used_by"):
                    await connection.call("DELETE", path)
            except FleetError as error:
                if error.code in ("UNAVAILABLE", "TIMEOUT"):
                    raise
                continue  # it is gone, or in use again: either is right


def card() -> Json:
    """The network device of a deployment: on our bridge, out of reach of its neighbours."""
    return {
        "type": "nic",
        "name": "eth0",
        "network": names.NETWORK,
        "security.port_isolation": "true",
    }


def entries(instance: Json) -> list[str]:
    """What a deployment may reach besides the internet: "address", "network/bits", or either with ":port"."""
    return [one for one in str((instance.get("config") or {}).get(names.EGRESS) or "").split(",") if one]


async def exceptions(egress: Iterable[str], provider_url: str) -> tuple[str, ...]:
    """The egress entries of a request, checked, and the provider's address when it is not on the internet.

    Raises FleetError USAGE for an entry that is no address.
    """
    found = [_entry(one) for one in egress]
    host = urlsplit(provider_url).hostname or "" if provider_url else ""
    if host:
        parts = urlsplit(provider_url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found += [f"{address}:{port}" for address in await _resolve(host) if _private(address)]
    return tuple(dict.fromkeys(found))


def allowed(blocked: Iterable[ipaddress.IPv4Network]) -> str:
    """All of IPv4 without these networks, as the ranges of a rule."""
    ranges, start = [], 0
    for network in sorted(ipaddress.collapse_addresses(blocked)):
        first, last = int(network.network_address), int(network.broadcast_address)
        if first > start:
            ranges.append(f"{ipaddress.IPv4Address(start)}-{ipaddress.IPv4Address(first - 1)}")
        start = last + 1
    if start < 2**32:
        ranges.append(f"{ipaddress.IPv4Address(start)}-{ipaddress.IPv4Address(2**32 - 1)}")
    return ",".join(ranges)


async def _rules(
    connection: Connection,
    living: Sequence[Json],
    more: Sequence[str],
    hosts: Sequence[ipaddress.IPv4Interface],
) -> None:
    """The rules for these deployments; nothing is written when they are there already."""
    path = f"/1.0/network-acls/{names.ACL}"
    try:
        there = await connection.get(path)
    except FleetError as error:
        if error.code != "NOT_FOUND":
            raise
        there = None
    if there is not None and (there.get("config") or {}).get(MARK) != "1":
        raise FleetError(
            "EXISTS", f"There is a network ACL {names.ACL} that is not ours.", "Rename it or take it away."
        )
    blocked = [*PRIVATE, *(ipaddress.IPv4Network(host.ip) for host in hosts)]
    internet = {
        "action": "allow",
        "state": "enabled",
        "description": "the internet",
        "destination": allowed(blocked),
    }
    asked = [_rule(entry) for entry in {*more, *(entry for one in living for entry in entries(one))}]
    if there and not all(listing.readable(one) for one in living):
        # What these may reach is not known now; it stays as it is.
        asked += [rule for rule in there.get("egress") or () if rule.get("description") == ASKED]
    egress = [internet]
    for rule in sorted(asked, key=lambda rule: sorted(rule.items())):
        if rule not in egress:
            egress.append(rule)
    wanted: Json = {
        "description": "What deployments of ccp may reach. ccp keeps it; changes are lost.",
        "config": {MARK: "1"},
        "egress": egress,
        "ingress": [],
    }
    if there is None:
        await connection.call("POST", "/1.0/network-acls", {"name": names.ACL, **wanted})
    elif there.get("egress") != egress or there.get("ingress"):
        await connection.call("PUT", path, wanted)


def _rule(entry: str) -> dict[str, str]:
    address, _, port = entry.partition(":")
    rule = {"action": "allow", "state": "enabled", "description": ASKED, "destination": address}
    return rule | ({"protocol": "tcp", "destination_port": port} if port else {})


async def _create(connection: Connection, hosts: Sequence[ipaddress.IPv4Interface]) -> None:
    """The bridge; in a cluster on each member first, as Incus wants it."""
    used = [host.network for host in hosts]
    subnet = next((one for one in SUBNETS if not any(one.overlaps(other) for other in used)), SUBNETS[0])
    body: Json = {"name": names.NETWORK, "type": "bridge", "description": "The deployments of ccp"}
    config = {
        "ipv4.address": f"{subnet.network_address + 1}/{subnet.prefixlen}",
        "ipv4.nat": "true",
        "ipv6.address": "none",
        "security.acls": names.ACL,
        "security.acls.default.ingress.action": "reject",
        "security.acls.default.egress.action": "reject",
        MARK: "1",
    }
    for member in await _members(connection):
        await connection.call("POST", "/1.0/networks", body, params={"target": member})
    try:
        await connection.call("POST", "/1.0/networks", body | {"config": config}, within=30)
    except FleetError as error:
        if error.code != "EXISTS":  # made by another ccp in the meantime
            raise


async def _members(connection: Connection) -> list[str]:
    server = await connection.get("/1.0")
    if not (server.get("environment") or {}).get("server_clustered"):
        return []
    found = await connection.get("/1.0/cluster/members", {"recursion": 1})
    return [str(one["server_name"]) for one in found or ()]


async def _hosts(connection: Connection, networks: Sequence[Json]) -> list[ipaddress.IPv4Interface]:
    """The addresses of the machine (of each member): what a container must not reach through them is the host."""
    cards = [str(one["name"]) for one in networks if one["name"] not in (names.NETWORK, "lo")]
    members = await _members(connection)
    asked = [(card, member) for card in cards for member in (members or [""])]

    async def ask(card: str, member: str) -> Any:
        try:
            return await connection.get(f"/1.0/networks/{card}/state", {"target": member} if member else None)
        except FleetError:
            return {}  # another member's card, an offline member, or a card that is gone

    found = []
    for state in await asyncio.gather(*(ask(*one) for one in asked)):
        for address in (state or {}).get("addresses") or ():
            if address.get("family") == "inet":
                found.append(ipaddress.IPv4Interface(f"{address['address']}/{address['netmask']}"))
    return sorted(set(found))


def _entry(text: str) -> str:
    address, colon, port = text.strip().partition(":")
    try:
        network = ipaddress.IPv4Network(address)
    except ValueError:
        raise FleetError(
            "USAGE",
            f"egress {text!r} is no address.",
            "Write 192.168.1.5, 192.168.1.0/24 or 192.168.1.5:8080.",
        ) from None
    if colon and not (re.fullmatch(r"\d{1,5}", port) and 1 <= int(port) <= 65535):
        raise FleetError("USAGE", f"egress {text!r} has no port after the ':'.")
    return f"{network if network.num_addresses > 1 else network.network_address}{colon}{port}"


async def _resolve(host: str) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await loop.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []  # the container may know the name; if nobody does, the gateway says so
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _private(address: str) -> bool:
    return any(ipaddress.IPv4Address(address) in network for network in PRIVATE)
