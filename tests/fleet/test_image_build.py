"""Builds on real Incus, from the tiny image and with a recipe of two lines: what is made, reused, and left behind."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ccp_tui.incus import FleetError, names
from ccp_tui.incus.api import files, operations
from ccp_tui.incus.api.connection import Connection
from ccp_tui.incus.image import build, images, recipe
from ccp_tui.incus.image.recipe import Recipe, Step
from tests.fleet.conftest import at_once

pytestmark = pytest.mark.incus

LOOK = 'test -s "$BUILD/files.tar"; test "$OPENCLAW" = 1.2.3; echo "$BUILD" > /etc/steps'


@pytest.fixture
def tiny_recipe(monkeypatch: pytest.MonkeyPatch, prefix: str) -> Iterator[Recipe]:
    """A recipe of its own digest, for the tiny image, which has no systemd. Its images are gone afterwards."""
    given = replace(
        recipe.load(),
        suite=f"test{secrets.token_hex(3)}",
        openclaw="1.2.3",
        base_steps=(Step("first", LOOK),),
        steps=(Step("second", "echo second >> /etc/steps; echo done\n"),),
    )
    _use(monkeypatch, given)
    monkeypatch.setattr(build, "WAIT_FOR_NETWORK", "true")
    monkeypatch.setattr(build, "BUILDER_PREFIX", f"{prefix}build-")
    yield given

    async def remove(connection: Connection) -> None:
        for one in await connection.get("/1.0/images", {"recursion": 1}):
            if one["properties"].get("release") == given.suite:
                with contextlib.suppress(FleetError):
                    await operations.run(connection, "DELETE", f"/1.0/images/{one['fingerprint']}")

    at_once(remove)


def _use(monkeypatch: pytest.MonkeyPatch, given: Recipe) -> None:
    monkeypatch.setattr(recipe, "load", lambda: given)


async def builders(connection: Connection) -> set[str]:
    """This test's build containers."""
    instances = await connection.get("/1.0/instances", {"recursion": 1})
    return {one["name"] for one in instances if one["name"].startswith(build.BUILDER_PREFIX)}


async def test_a_build_is_reused_and_so_is_its_base(
    connection: Connection, tiny_image: str, tiny_recipe: Recipe, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list[str]()
    latest = await images.by_alias(connection, names.LATEST)
    made = await build.build(connection, base=tiny_image, on_line=lines.append, latest=False)
    assert (made.openclaw, made.base, made.latest) == ("1.2.3", False, False)
    assert made.alias.startswith(names.IMAGE_PREFIX)
    assert made.alias == await build.alias_of(connection, tiny_image)
    assert await images.by_alias(connection, names.LATEST) == latest
    assert lines[0] == "» container"
    assert "done" in lines
    (base,) = [one for one in await images.listed(connection) if tiny_recipe.suite in one.alias]
    assert base.base
    assert base.alias.startswith(names.BASE_PREFIX)

    again = list[str]()
    reused = await build.build(connection, base=tiny_image, on_line=again.append, latest=False)
    assert (reused.fingerprint, again) == (made.fingerprint, [f"{made.alias} is there already."])

    _use(monkeypatch, replace(tiny_recipe, steps=(Step("other", "echo other >> /etc/steps"),)))
    third = list[str]()
    other = await build.build(connection, base=tiny_image, on_line=third.append, latest=False)
    assert other.alias != made.alias
    assert third[0] == f"From {base.alias}."
    assert "» first" not in third

    body = {"name": f"{prefix}look", "source": {"type": "image", "fingerprint": other.fingerprint}}
    await operations.run(connection, "POST", "/1.0/instances", {**body, "type": "container"}, within=60)
    assert await files.get(connection, f"{prefix}look", "/etc/steps") == b"/run/ccp-build\nother\n"
    assert not await builders(connection)


async def test_a_step_that_fails_is_told_and_leaves_nothing(
    connection: Connection, tiny_image: str, tiny_recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(
        monkeypatch, replace(tiny_recipe, base_steps=(Step("broken", "echo no room >&2; false; echo never"),))
    )
    lines = list[str]()
    with pytest.raises(FleetError) as caught:
        await build.build(connection, base=tiny_image, on_line=lines.append, latest=False)
    assert caught.value.message == "The step 'broken' ended with 1: no room"
    assert "never" not in lines
    assert not await builders(connection)
    assert not [one for one in await images.listed(connection) if tiny_recipe.suite in one.alias]


@pytest.mark.parametrize("moment", ["» container", "» slow", "running"])
async def test_a_cancelled_build_leaves_nothing(
    connection: Connection, tiny_image: str, tiny_recipe: Recipe, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    reached = asyncio.Event()
    _use(monkeypatch, replace(tiny_recipe, base_steps=(Step("slow", "echo running; exec sleep 600"),)))

    def on_line(line: str) -> None:
        if line == moment:
            reached.set()

    task = asyncio.create_task(build.build(connection, base=tiny_image, on_line=on_line, latest=False))
    async with asyncio.timeout(30):
        await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await task
    assert not await builders(connection)
