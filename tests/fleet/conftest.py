"""What the fleet's tests have: a real Incus, a tiny image in it, and names whose instances are gone afterwards.

Everything is called ``ccptest-<hex>-…``, so that whatever a killed run leaves behind is recognised.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from ccp_tui.incus import Fleet, FleetError, Limits
from ccp_tui.incus.api import operations
from ccp_tui.incus.api.connection import Connection, local_endpoint
from ccp_tui.incus.deployments import lifecycle, network
from ccp_tui.incus.model import CreateRequest
from tests.fleet import tiny
from tests.fleet.full import full_image  # noqa: F401
from tests.fleet.private import private_connection, private_server  # noqa: F401
from tests.fleet.site import bridge_provider, site  # noqa: F401

T = TypeVar("T")
SMALL = Limits("1", "1GiB", "2GiB", 500)
# Before any test says that its Incus is elsewhere.
DAEMON = local_endpoint()


BUILD_S = 900  # the first test that needs the whole image waits for its build, which takes five minutes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever needs the whole image may be the first to; the end of the whole deployment comes after all who use it."""
    items.sort(key=lambda item: item.path.name == "test_removal.py")
    for item in items:
        if "full_image" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(BUILD_S))


def at_once(work: Callable[[Connection], Awaitable[T]]) -> T:
    """What ``work`` gives, outside of any test's event loop."""

    async def run() -> T:
        connection = Connection(DAEMON)
        try:
            return await work(connection)
        finally:
            connection.close()

    return asyncio.run(run())


@pytest.fixture(scope="session")
def incus() -> None:
    """A running Incus that lets us in. Without one: skipped, or failed when CCP_REQUIRE_REAL=1."""
    try:
        at_once(lambda connection: connection.get("/1.0/instances"))
    except FleetError as error:
        if os.environ.get("CCP_REQUIRE_REAL") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def tiny_image(incus: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The alias of a busybox image with nothing of ours in it."""
    yield from imported(tiny.build(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="session")
def deaf_image(incus: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The alias of an image whose init ignores every wish to stop."""
    yield from imported(tiny.build(tmp_path_factory.mktemp("deaf"), deaf=True))


@pytest.fixture
def connection(incus: None) -> Iterator[Connection]:
    """A connection to this machine's Incus."""
    made = Connection(DAEMON)
    yield made
    made.close()


@pytest.fixture
def prefix(incus: None) -> Iterator[str]:
    """How the names of a test's instances begin; all of them are gone afterwards, whatever happened."""
    with named() as found:
        yield found


@contextlib.contextmanager
def named() -> Iterator[str]:
    """A prefix for names. What has one of them is gone in the end."""
    found = f"ccptest-{secrets.token_hex(3)}-"
    try:
        yield found
    finally:
        at_once(lambda connection: remove_all(connection, found))


@pytest.fixture
def request_for(prefix: str, tiny_image: str) -> Callable[..., CreateRequest]:
    """A request for a small deployment of the tiny image, under the test's prefix."""

    def make(name: str = "one", **more: object) -> CreateRequest:
        given: dict[str, object] = {"name": f"{prefix}{name}", "limits": SMALL, "image": tiny_image}
        return CreateRequest(**(given | more))  # type: ignore[arg-type]

    return make


async def remove_all(connection: Connection, prefix: str) -> None:
    """Deletes every instance whose name begins like this, and our bridge when nothing is on it any more."""
    for instance in await connection.get("/1.0/instances", {"recursion": 1}, within=60):
        name = str(instance["name"])
        if not name.startswith(prefix):
            continue
        with contextlib.suppress(FleetError):
            await lifecycle.state(connection, name, "stop", within=20, force=True)
        with contextlib.suppress(FleetError):
            await lifecycle.remove(connection, name)
    await network.tidy(connection)


async def until(fleet: Fleet, true: Callable[[], object], within: float = 20.0) -> float:
    """Returns when it is true, asked at each change that the fleet tells; the seconds that it took."""
    started, changed = time.monotonic(), asyncio.Event()
    unsubscribe = fleet.subscribe(changed.set)
    try:
        async with asyncio.timeout(within):
            while not true():
                await changed.wait()
                changed.clear()
    finally:
        unsubscribe()
    return time.monotonic() - started


def imported(path: Path) -> Iterator[str]:
    """Imports a tar as an image under an alias of its own; both are gone afterwards."""
    alias = f"ccptest-{secrets.token_hex(3)}-image"

    async def put(connection: Connection) -> str:
        with path.open("rb") as file:
            answer = await connection.raw("POST", "/1.0/images", data=file, within=60)
        ended = await operations.wait(connection, answer.json()["metadata"], 60)
        fingerprint = str(ended["metadata"]["fingerprint"])
        await connection.call("POST", "/1.0/images/aliases", {"name": alias, "target": fingerprint})
        return fingerprint

    fingerprint = at_once(put)
    try:
        yield alias
    finally:
        at_once(lambda connection: unless_gone(connection, f"/1.0/images/{fingerprint}"))


async def unless_gone(connection: Connection, path: str) -> None:
    """Deletes something that somebody else may have deleted."""
    try:
        await operations.run(connection, "DELETE", path)
    except FleetError as error:
        if error.code != "NOT_FOUND":
            raise
