"""``ccp demo --gateway-only`` plays planner, workers and reviewers: one line and the person's approvals make it Done.

All of it in processes, as in three terminals: the gateway alone, ``ccp serve`` with nothing set but its home and the
gateway's address, and the person's commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.failures import ServiceUnavailable
from ccp_tui.paths import Home
from tests.service.board import Talk, until

pytestmark = pytest.mark.timeout(400)

# What the person has to wait at most for the next thing that needs them.
SECONDS = 90.0
STARTS_S = 30.0


@dataclass
class Terminals:
    """The person: their commands, one after the other, and what the service tells of their tasks."""

    talk: Talk
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)

    async def ccp(self, *words: str) -> Any:
        """A command of the person; its JSON. It must succeed."""
        self.said.append(" ".join(words))
        command = [sys.executable, "-m", "ccp_tui", *words, "--json"]
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        assert process.returncode == 0, (words, out, err)
        return json.loads(out)

    async def reach(self, ref: str, **wanted: Any) -> Any:
        """The task's card, once it has these values."""

        async def there() -> Any:
            card = await self.talk.card(ref)
            assert not card["hold"], card["hold"]
            return card if all(card[key] == value for key, value in wanted.items()) else None

        return await until(there, SECONDS, told=f"{ref} {wanted}")


@pytest.fixture
def gateway() -> Iterator[str]:
    """The address of a gateway that was started as the README says."""
    with tempfile.TemporaryDirectory(prefix="g-", dir="/tmp") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "ccp_tui", "demo", "--gateway-only"],
            env={**os.environ, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            address = None
            while address is None and (words := process.stdout.readline()):
                address = re.search(r"CCP_GATEWAY_URL=(\S+)", words)
            assert address, "it said no address"
            yield address[1]
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()


def serve(environment: dict[str, str], said: Path) -> subprocess.Popen[bytes]:
    with said.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "ccp_tui", "serve"], env=environment, stdout=out, stderr=out
        )


@pytest.fixture
async def person(gateway: str, home: Home) -> AsyncIterator[Terminals]:
    """A service with its default settings on that gateway, with nothing in it."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CCP_")}
    environment = {**plain, "CCP_HOME": str(home.root), "CCP_GATEWAY_URL": gateway}
    service = serve(environment, home.root / "serve.out")
    talk = Talk(home)
    try:

        async def answers() -> bool:
            with contextlib.suppress(ServiceUnavailable):
                await talk.client.connect()
                return True
            return False

        await until(answers, STARTS_S, told="the service answers")

        async def connected() -> bool:
            return bool((await talk.call("status"))["gateway"]["state"] == "connected")

        await until(connected, STARTS_S)
        yield Terminals(talk, environment)
    finally:
        await talk.client.close()
        service.terminate()
        await asyncio.to_thread(service.wait, 20)


async def test_a_line_needs_two_approvals(person: Terminals) -> None:
    ref = (await person.ccp("task", "add", "Write a greeting", "--auto"))["ref"]
    await person.reach(ref, planning="proposed")
    await person.ccp("task", "approve-spec", ref)
    await person.reach(ref, state="review")
    await person.ccp("task", "approve", ref)
    task = await person.talk.show(ref)
    assert task["state"] == "done"
    assert person.said == [
        "task add Write a greeting --auto",
        f"task approve-spec {ref}",
        f"task approve {ref}",
    ]
    (attempt,) = task["attempts"]
    (only,) = attempt["rounds"]
    assert all(check["ok"] for check in only["checks"])
    assert [(review["verdict"], review["actor_kind"]) for review in only["reviews"]] == [
        ("approve", "person")
    ]
    workspace = Path(next(each["workspace"] for each in (await person.talk.call("agent.list"))["agents"]
                          if each["id"] == task["agent"]))  # fmt: skip
    assert [(workspace / each["path"]).stat().st_size > 0 for each in only["deliverables"]] == [True]


@pytest.mark.slow
@pytest.mark.parametrize("review", ["person", "agent"])
async def test_a_large_plan_needs_its_approval_and_one_for_each_round(person: Terminals, review: str) -> None:
    if review == "agent":
        await person.ccp("mission", "create", "Main")
        await person.ccp("mission", "policy", "main", "--review", "agent")
    ref = (await person.ccp("task", "add", "Prepare a guide to owls", "--auto"))["ref"]
    await person.reach(ref, planning="proposed")
    await person.ccp("task", "approve-spec", ref)
    parts = [each["ref"] for each in (await person.talk.show(ref))["subtasks"]]
    assert len(parts) == 3
    person.said.clear()
    for each in (*parts, ref):
        if review == "person":
            await person.reach(each, state="review")
            await person.ccp("task", "approve", each)
        await person.reach(each, state="done")
    assert len(person.said) == (4 if review == "person" else 0)
    task = await person.talk.show(ref)
    assert [(one["name"], one["agent"]) for one in task["crew"]] == [("Scout", "scout"), ("Quill", "quill")]
    kinds = ["person" if review == "person" else "reviewer"]
    for each in (*parts, ref):
        (attempt,) = (await person.talk.show(each))["attempts"]
        (only,) = attempt["rounds"]
        assert [review["actor_kind"] for review in only["reviews"]] == kinds
    done_at = [(await person.talk.history(each, "approved"))[0]["id"] for each in (*parts, ref)]
    assert done_at == sorted(done_at), "one needs the other"
