"""A real cluster of three: where deployments are, moving them, and members that are evacuated or gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest

from ccp_tui.incus import CreateRequest, FleetError, Member
from ccp_tui.incus.api.connection import Connection, Endpoint
from ccp_tui.incus.deployments import create, lifecycle, listing, logs, members, snapshots, transfer, upgrade
from ccp_tui.incus.live import look_once
from tests.fleet import private
from tests.fleet.daemons import Cluster, cluster

pytestmark = pytest.mark.incus
T = TypeVar("T")
ONE = "ccptest-cluster-one"


@pytest.fixture(scope="module")
def three(incus: None) -> Iterator[Cluster]:
    with cluster() as made:
        first = made.members["m1"]
        private.image(first, "ccp/one", "1.0.1")
        private.image(first, "ccp/two", "1.0.2")
        yield made


@pytest.fixture
def connection(three: Cluster) -> Iterator[Connection]:
    made = Connection(Endpoint("local", str(three.members["m1"].socket)))
    yield made
    made.close()


async def where(connection: Connection) -> dict[str, tuple[str, str]]:
    found = [listing.deployment("local", one) for one in await listing.look(connection)]
    return {one.name: (one.location, one.state) for one in found}


async def states(connection: Connection) -> dict[str, str]:
    return {one.name: one.state for one in await members.listed(connection)}


async def until(ask: Callable[[], Awaitable[T]], true: Callable[[T], bool], within: float = 40) -> None:
    """Returns when what the cluster says is so: Incus tells of its members by no event."""
    for _ in range(int(within / 0.3)):
        if true(await ask()):
            return
        await asyncio.sleep(0.3)
    raise AssertionError(await ask())


async def test_a_deployment_is_put_where_it_is_wanted_and_moves_with_all_it_has(
    connection: Connection,
) -> None:
    assert await states(connection) == {"m1": "Online", "m2": "Online", "m3": "Online"}
    made = await create.create(
        connection, CreateRequest(ONE, private.SMALL, image="ccp/one", target="m2"), lambda stage: None
    )
    assert made.location == "m2"
    (seen,), remote = await look_once(connection)
    assert (remote.state, seen.location, seen.host, seen.port) == ("ready", "m2", "10.99.0.2", made.port)
    await private.sh(connection, ONE, private.DATA)
    await snapshots.create(connection, ONE, "first")

    await members.move(connection, ONE, "m3")
    assert await where(connection) == {ONE: ("m3", "running")}
    assert await private.sh(connection, ONE, "cat /var/lib/ccp/mission.db") == "board"
    assert [one.name for one in await snapshots.listed(connection, ONE)] == ["first"]
    for target, code in (("m3", "REFUSED"), ("m9", "NOT_FOUND")):
        with pytest.raises(FleetError) as caught:
            await members.move(connection, ONE, target)
        assert caught.value.code == code
    assert await where(connection) == {ONE: ("m3", "running")}


async def test_upgrade_and_copy_stay_on_the_member(connection: Connection) -> None:
    await upgrade.upgrade(connection, ONE, "ccp/two")
    assert await private.sh(connection, ONE, "cat /etc/system /var/lib/ccp/mission.db") == "1.0.2board"
    new = f"{ONE}-copy"
    await transfer.copy(connection, ONE, new)
    assert await where(connection) == {ONE: ("m3", "running"), new: ("m3", "stopped")}
    await lifecycle.delete(connection, new)


async def test_an_evacuated_member_is_told_and_takes_nothing(connection: Connection, three: Cluster) -> None:
    await asyncio.to_thread(three.members["m1"].incus, "cluster", "evacuate", "m2", "--force")
    try:
        assert (await states(connection))["m2"] == "Evacuated"
        (seen,), _ = await look_once(connection)
        assert (seen.location, seen.note) == ("m3", "")
        with pytest.raises(FleetError, match="m2 is evacuated") as caught:
            await members.check_target(connection, "m2")
        assert caught.value.code == "REFUSED"
        assert caught.value.fix == "Online: m1, m3."
    finally:
        await asyncio.to_thread(three.members["m1"].incus, "cluster", "restore", "m2", "--force")
    await members.check_target(connection, "m2")


async def test_what_is_left_on_an_evacuated_member_says_so(connection: Connection, three: Cluster) -> None:
    first = three.members["m1"]
    await asyncio.to_thread(first.incus, "cluster", "evacuate", "m3", "--force", "--action", "stop")
    try:
        (seen,), _ = await look_once(connection)
        assert (seen.location, seen.state, seen.note) == ("m3", "stopped", "m3 is evacuated")
        assert seen.host == "10.99.0.3"
    finally:
        await asyncio.to_thread(first.incus, "cluster", "restore", "m3", "--force")
    assert await where(connection) == {ONE: ("m3", "running")}


async def test_a_member_that_is_gone_takes_no_listing_with_it(connection: Connection, three: Cluster) -> None:
    await asyncio.to_thread(three.members["m3"].kill)
    assert await where(connection) == {ONE: ("m3", "error")}
    (seen,), remote = await look_once(connection)
    assert (remote.state, seen.host, seen.created_at) == ("ready", "10.99.0.3", "")
    assert seen.note == "The cluster member m3 is out of reach."
    for action in (
        lifecycle.owned(connection, ONE),
        snapshots.create(connection, ONE, "late"),
        logs.tail(connection, ONE, "boot"),
    ):
        with pytest.raises(FleetError) as caught:
            await action
        assert (caught.value.code, caught.value.message) == (
            "UNAVAILABLE",
            f"{ONE} is on m3, which is out of reach.",
        )
        assert "incus cluster list" in caught.value.fix
    new = CreateRequest(f"{ONE}-new", private.SMALL, image="ccp/one", target="m3")
    with pytest.raises(FleetError, match=r"m3 is offline|is out of reach"):
        await create.create(connection, new, lambda stage: None)
    await until(lambda: states(connection), lambda found: found["m3"] == "Offline")
    there = await members.listed(connection)
    assert members.note("m3", there) == "m3 is offline"
    (seen,), _ = await look_once(connection)
    assert (seen.state, seen.note) == ("error", "m3 is offline")
    assert members.note("m1", there) == members.note("", there) == ""
    gone = next(one for one in there if one.name == "m3")
    assert "heartbeat" in gone.words
    with pytest.raises(FleetError, match="can't be moved: m3 is offline"):
        await members.move(connection, ONE, "m1")
    with pytest.raises(FleetError, match="m3 is offline"):
        await members.check_target(connection, "m3")

    await asyncio.to_thread(three.members["m3"].start)
    await until(lambda: where(connection), lambda found: found[ONE] == ("m3", "running"))  # it ran before


async def test_a_machine_alone_has_no_members(private_connection: Connection) -> None:
    assert await members.listed(private_connection) == ()
    assert members.note("none", [Member("m1", "Offline")]) == ""
    with pytest.raises(FleetError, match="not a cluster"):
        await members.check_target(private_connection, "m1")
