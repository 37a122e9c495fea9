"""A whole control service in this process, on an embedded gateway, with a client: what tests of the duties drive."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.client import ServiceClient, ServiceFailure
from ccp_tui.gateway import GatewaySettings
from ccp_tui.gateway.demo.server import EmbeddedGateway
from ccp_tui.gateway.demo.turn import Run
from ccp_tui.paths import Home
from ccp_tui.policy import Auto
from ccp_tui.service.core import ControlService
from ccp_tui.service.door.agentsocket import AgentsServer
from ccp_tui.service.door.hub import Hub
from ccp_tui.service.door.sockets import ControlServer
from ccp_tui.service.reports.tokens import Tokens
from ccp_tui.service.settings import Settings
from ccp_tui.wire import Event, Json
from tests.support.waiting import until as until

SPEED = 20.0
IDLE = "!pause 4000"  # a worker that does nothing for as long as a test runs
HELLO: Json = {"service": "ccp", "version": "test", "pid": 1, "home": "", "demo": False}
CCP = f"{sys.executable} -m ccp_tui"


def spec(
    *script: str,
    paths: tuple[str, ...] = ("hello.md",),
    checks: tuple[str | Json, ...] = (),
    title: str = "Say hello",
) -> str:
    """A spec in YAML. ``script`` is what the worker does (see the scripted agents); without it, its best."""
    return json.dumps(
        {
            "title": title,
            "summary": "A greeting.",
            "deliverables": [{"path": path, "description": f"the file {path}"} for path in paths],
            "success_criteria": ["it greets"],
            "checks": list(checks),
            "constraints": list(script),
        },
        ensure_ascii=False,
    )


class Client(ServiceClient):
    """A client that keeps every event it got."""

    def __init__(self, home: Home, name: str = "test") -> None:
        super().__init__(home.control_socket, name)
        self.got: list[Event] = []
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Client:
        await super().__aenter__()
        return self

    async def keep(self) -> Json:
        """Subscribes and keeps all that is told from now on."""
        snapshot = await self.subscribe()

        async def forever() -> None:
            async for event in self.events():
                self.got.append(event)

        self._keeping = asyncio.create_task(forever())
        return snapshot

    async def close(self) -> None:
        await super().close()
        if self._keeping:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._keeping

    def named(self, name: str) -> list[Json]:
        return [event.payload for event in self.got if event.name == name]

    def feed(self, kind: str = "") -> list[Json]:
        """The events of the feed, of one kind or of all."""
        rows = [payload["event"] for payload in self.named("feed")]
        return [row for row in rows if row["kind"] == kind] if kind else rows

    def states(self, ref: str) -> list[str]:
        """The states that this client saw a task in, one after another."""
        seen: list[str] = []
        for payload in self.named("task.changed"):
            task = payload["task"]
            if task["ref"] == ref and seen[-1:] != [task["state"]]:
                seen.append(task["state"])
        return seen


class Talk:
    """What a test says to a service through its socket, whichever gateway is behind it."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.client = Client(home)
        self.agent = ""
        self.workspace = Path()

    async def call(self, method: str, **params: Any) -> Json:
        return await self.client.call(method, params, timeout=90)

    async def fails(self, method: str, code: str, **params: Any) -> ServiceFailure:
        """The error of a call that must fail with this code."""
        with pytest.raises(ServiceFailure) as caught:
            await self.call(method, **params)
        assert caught.value.code == code, caught.value
        return caught.value

    async def refused(self, method: str, gate: str, **params: Any) -> ServiceFailure:
        """The refusal of a call: it names the gate, is recorded as an event, and changes no state."""
        ref = params["ref"]
        before = await self.card(ref)
        failure = await self.fails(method, "REFUSED", **params)
        assert failure.details["gate"] == gate, failure.details
        assert failure.details["reason"]
        live = {"updated_at": "", "activity": None}
        assert {**await self.card(ref), **live} == {**before, **live}
        last = (await self.history(ref))[-1]
        assert (last["kind"], last["data"]["gate"]) == ("refused", gate)
        assert failure.details["reason"] in last["text"]
        return failure

    # -- tasks ------------------------------------------------------------------------------------------------

    async def card(self, ref: str) -> Json:
        found: Json = (await self.show(ref)).copy()
        return {key: found[key] for key in found if key not in ("attempts", "specs", "spec", "moves", "why")}

    async def show(self, ref: str) -> Json:
        task: Json = (await self.call("task.show", ref=ref))["task"]
        return task

    async def history(self, ref: str, kind: str = "") -> list[Json]:
        rows: list[Json] = (await self.call("task.history", ref=ref))["events"]
        return [row for row in rows if row["kind"] == kind] if kind else rows

    async def add(self, text: str | None = None, *, title: str = "Say hello", **more: Any) -> str:
        """A captured task; its ref."""
        given = {"title": title, "spec": spec() if text is None else text, **more}
        ref: str = (await self.call("task.add", **given))["task"]["ref"]
        return ref

    async def approved(self, text: str | None = None, **more: Any) -> str:
        ref = await self.add(text, **more)
        await self.call("task.approve_spec", ref=ref, version=1)
        return ref

    async def assigned(self, text: str | None = None, *, agent: str = "", **more: Any) -> str:
        ref = await self.approved(text, **more)
        await self.call("task.assign", ref=ref, agent=agent or self.agent)
        return ref

    async def dispatched(self, text: str | None = None, *, agent: str = "", **more: Any) -> str:
        """A task whose worker runs; by default the worker only waits, and the test reports for it."""
        ref = await self.assigned(spec(IDLE) if text is None else text, agent=agent, **more)
        card = (await self.call("task.dispatch", ref=ref))["task"]
        assert card["state"] == "in_progress", card
        return ref

    async def reach(self, ref: str, *states: str, seconds: float = 20.0) -> Json:
        """The task once it is in one of these states (or, for ``held``, carries a hold)."""

        async def there() -> Json | None:
            task = await self.show(ref)
            return task if task["state"] in states or ("held" in states and task["hold"]) else None

        try:
            found: Json = await until(there, seconds, told=f"{ref} in {states}")
        except BaseException:
            print(json.dumps((await self.show(ref)), indent=1)[:6000])
            raise
        return found

    async def in_review(self, text: str | None = None, **more: Any) -> str:
        """A task that its worker (the test) submitted and that passed its checks."""
        ref = await self.dispatched(text, **more)
        await self.work(ref)
        await self.reach(ref, "review")
        return ref

    async def work(self, ref: str, content: str = "Hello, world.\n") -> None:
        """Does what a good worker does: writes, delivers and submits."""
        for one in (await self.show(ref))["approved_spec"]["deliverables"]:
            path = self.workspace / one["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            await self.report(ref, "deliver", path=one["path"])
        await self.report(ref, "submit", summary="made it")

    # -- the worker -------------------------------------------------------------------------------------------

    async def token(self, ref: str) -> str:
        """The token of the open attempt, as its agent got it."""
        key = (await self.card(ref))["session_key"]
        assert key, f"{ref} has no open attempt"
        return self.token_of(key)

    def token_of(self, session_key: str) -> str:
        return Tokens(self.home.root / "token.key").of(session_key)

    async def report(self, ref: str, kind: str, *, token: str | None = None, **more: Any) -> str:
        """A report as the agent of the open attempt makes it; the words it gets."""
        return await self.report_as(await self.token(ref) if token is None else token, kind, **more)

    async def report_as(self, token: str, kind: str, **more: Any) -> str:
        async with ServiceClientOn(self.home.agents_socket) as line:
            answer = await line.call("report", {"token": token, "kind": kind, **more})
        assert answer["ok"] is True
        return str(answer["message"])

    async def transcript(self, ref: str, attempt: int | None = None) -> list[Json]:
        more = {} if attempt is None else {"attempt": attempt}
        rows: list[Json] = (await self.call("task.transcript", ref=ref, **more))["messages"]
        return rows


class ServiceClientOn(ServiceClient):
    """A client of the agents' socket, where nobody says hello."""

    async def connect(self, timeout: float = 5.0) -> Json:  # noqa: ASYNC109
        call = self.call

        async def quiet(method: str, params: Json | None = None, *, timeout: float = 30.0) -> Json:  # noqa: ASYNC109
            return {} if method == "hello" else await call(method, params, timeout=timeout)

        self.call = quiet  # type: ignore[method-assign]
        return await super().connect(timeout)


class Board(Talk):
    """The service and its gateway, both to be stopped, killed and started again by a test."""

    def __init__(self, home: Home, state: Path, settings: Settings) -> None:
        super().__init__(home)
        self.settings = settings
        self.gateway = EmbeddedGateway(state, token="secret", speed=SPEED)
        self.service: ControlService
        self._servers: tuple[ControlServer, AgentsServer]

    async def start(self) -> None:
        await self.gateway.start()
        await self.start_service()
        await self.connected()
        made = await self.call("agent.create", name="Ada", soul="You are ADA.")
        self.agent = made["agent"]["id"]
        self.workspace = Path(made["agent"]["workspace"])

    async def start_service(self) -> None:
        hub = Hub()
        self.service = ControlService(self.home, hub, self._gateway_settings, self.settings)
        await self.service.start()
        self._servers = (
            ControlServer(
                self.home.control_socket,
                hub,
                self.service.methods,
                snapshot=self.service.snapshot,
                hello=HELLO,
            ),
            AgentsServer(self.home.agents_socket, self.service.report),
        )
        for server in self._servers:
            await server.start()
        self.client = Client(self.home)
        await self.client.connect()

    def _gateway_settings(self) -> GatewaySettings:
        return GatewaySettings(self.gateway.url, "secret", "the test", self.home.device)

    async def stop_service(self) -> None:
        await self.client.close()
        for server in self._servers:
            await server.stop(1.0)
        await self.service.stop()

    async def restart_service(self) -> None:
        await self.stop_service()
        await self.start_service()
        await self.connected()

    async def restart_service_away(self) -> None:
        """As :meth:`restart_service`, with the gateway away."""
        await self.stop_service()
        await self.start_service()

    async def stop(self) -> None:
        with contextlib.suppress(Exception):
            await self.stop_service()
        await self.gateway.kill()

    async def connected(self, seconds: float = 15.0) -> None:
        async def there() -> bool:
            return bool((await self.call("status"))["gateway"]["state"] == "connected")

        await until(there, seconds, told="the gateway connected")

    async def away(self) -> None:
        """Kills the gateway, and returns when the service knows it."""
        await self.gateway.kill()

        async def gone() -> bool:
            return bool((await self.call("status"))["gateway"]["state"] != "connected")

        await until(gone, told="the gateway away")

    async def back(self) -> None:
        """Starts the gateway again, and returns when the service has it."""
        await self.gateway.start()
        self.service.gateway.retry_now()
        await self.connected()

    async def second_agent(self, name: str = "Bob") -> str:
        agent: str = (await self.call("agent.create", name=name))["agent"]["id"]
        return agent

    async def dispatched(
        self, text: str | None = None, *, agent: str = "", told: bool = True, **more: Any
    ) -> str:
        """The same, once the worker has its prompt, unless ``told`` is false."""
        ref = await super().dispatched(text, agent=agent, **more)
        key = (await self.card(ref))["session_key"]
        await until(lambda: not told or self.prompts(key), told="the worker was told")
        return ref

    # -- the gateway's side -----------------------------------------------------------------------------------

    def rows(self, session_key: str) -> list[Json]:
        """The gateway's history of a session."""
        world = self.gateway._world
        assert world is not None
        session = world.store.sessions.get(session_key)
        return list(session.rows) if session else []

    def prompts(self, session_key: str) -> list[str]:
        """What the service sent into a session, in order: what the agent got, and what waits until it listens."""
        sent = [row for row in self.rows(session_key) if row["role"] == "user"]
        told = [row["content"] for row in sent if row["__openclaw"].get("idempotencyKey")]
        run = self._run(session_key)
        world = self.gateway._world
        session = world.store.sessions.get(session_key) if world else None
        waiting = [*(run.steered if run else []), *(session.pending if session else [])]
        return told + [message["text"] for message in waiting]

    def running(self, session_key: str) -> str | None:
        """The run that goes on in a session at the gateway."""
        run = self._run(session_key)
        return run.id if run else None

    def _run(self, session_key: str) -> Run | None:
        world = self.gateway._world
        assert world is not None
        return world.runs.active(session_key)


@contextlib.asynccontextmanager
async def board_on(home: Home, **settings: Any) -> AsyncIterator[Board]:
    """A started board; all of it is gone afterwards."""
    state = Path(tempfile.mkdtemp(prefix="ccp-gateway-"))
    quiet = {"auto": Auto.OFF, "check_commands": False, "install_skill": False}
    given = {"gateway_grace": 0.3, "resume_grace": 1.0, "ccp_command": CCP, **quiet, **settings}
    made = Board(home, state, Settings(**given))
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
        shutil.rmtree(state, ignore_errors=True)


def report_token(prompt: str) -> str:
    """The token in a prompt, as its agent reads it."""
    found = re.search(r"^Report command: .* --attempt (\S+)$", prompt, re.MULTILINE)
    assert found, prompt
    return found[1]
