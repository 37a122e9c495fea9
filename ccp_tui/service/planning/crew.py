"""The agents that an approved plan asks for: made on the gateway with their souls, and given their tasks."""

from __future__ import annotations

import asyncio
from typing import Any

from ccp_tui import clock
from ccp_tui.gateway import GatewayError, GatewayUnavailable, RemoteAgent
from ccp_tui.lifecycle import State, Trigger
from ccp_tui.model import HoldKind
from ccp_tui.service.background import Background, survive
from ccp_tui.service.board.moves import SERVICE, move
from ccp_tui.service.context import Context
from ccp_tui.service.execution.outcomes import hold
from ccp_tui.service.execution.queueing import queue_if_auto
from ccp_tui.service.planning import joining
from ccp_tui.service.planning.planagents import board_agent
from ccp_tui.store import Store

Row = dict[str, Any]

AGAIN_S = 5.0
_WAITS = (State.INBOX, State.ASSIGNED)
WAY_ON = "It is tried again when the gateway connects; or retry, or add an agent of that name yourself."


class Crew:
    """Woken by commits and connects. What failed is tried again at the next connect, or when the person says so."""

    def __init__(self, context: Context, background: Background) -> None:
        self._c = context
        self._background = background
        self._wakeup = asyncio.Event()

    def start(self) -> None:
        self._background.start(self._loop(), "crew")
        self.wake()

    def wake(self) -> None:
        self._wakeup.set()

    async def connected(self) -> None:
        """What the gateway refused before may be possible now."""
        await self._c.db(_try_all_again)
        self.wake()

    async def _loop(self) -> None:
        while True:
            await self._wakeup.wait()
            self._wakeup.clear()
            await survive(self._look_through(), "making the agents of a plan")

    async def _look_through(self) -> None:
        for member in await self._c.db(self._take_known):
            if self._c.connected and not member["problem"]:
                await survive(self._make(member), f"making {member['name']}")

    async def _make(self, member: Row) -> None:
        """One agent. The note that it was asked for comes before the call, so that a crash between the two is known:
        an agent of this name is ours then, and otherwise somebody else's, whose soul is left as it is."""
        gateway = self._c.gateway
        try:
            remote = await joining.on_gateway(gateway, member["name"])
            ours = remote is None or member["asked_at"] is not None
            if remote is None:
                if member["asked_at"] is None:
                    await self._c.db(lambda store: store.crew.change(member["id"], asked_at=clock.now()))
                remote = await joining.made(
                    gateway,
                    member["name"],
                    model=member["model"],
                    emoji=member["emoji"],
                    workspace=self._c.workspace_for(member["name"]),
                )
            soul = _soul(member) if ours else ""
            if soul:
                await gateway.calls.file_set(remote.id, "SOUL.md", soul)
        except GatewayUnavailable:
            if self._c.connected:  # no connect will wake us
                self._background.start(self._wake_later(), "making an agent again")
        except GatewayError as error:
            reason = f"the gateway did not make the agent {member['name']}: {error.message}"
            await self._c.db(lambda store: _fail(store, member, reason))
        else:
            await self._c.db(lambda store: _join(store, member, remote, soul))

    async def _wake_later(self) -> None:
        await asyncio.sleep(AGAIN_S)
        self.wake()

    def _take_known(self, store: Store) -> list[Row]:
        """Gives every approved task whose agent is there to it, through the lifecycle; the members still to be made."""
        missing = _adopt_known(store)
        for task in store.tasks.wanting_agent():
            agent = board_agent(store, task["wanted_agent"])
            if agent is None or task["hold_kind"]:
                continue
            move(store, task, Trigger.ASSIGN, SERVICE, f"was assigned to {agent}, as planned", agent=agent)
            store.tasks.edit(task["id"], agent_id=agent)
            queue_if_auto(store, task, store.missions.policy(task["mission_id"], self._c.settings.policy))
        return missing


def try_again(store: Store, task: Row) -> bool:
    """The person has a plan's agents asked for again; False when none of the task's is missing."""
    missing = failed(store, task)
    for member in missing:
        store.crew.change(member["id"], problem="")
    if missing:
        _hold(store, task["id"])
    return bool(missing)


def failed(store: Store, task: Row) -> list[Row]:
    """The agents of a task's plan that could not be made."""
    return [one for one in store.crew.of(task["id"]) if one["problem"] and not one["agent_id"]]


def _try_all_again(store: Store) -> None:
    for member in store.crew.wanted():
        if member["problem"]:
            try_again(store, store.tasks.get(member["task_id"]))


def _adopt_known(store: Store) -> list[Row]:
    """The members that are still to be made; those that joined the board meanwhile are taken as they are."""
    missing = []
    for member in store.crew.wanted():
        known = board_agent(store, member["name"])
        if known is None:
            task = store.tasks.get(member["task_id"])
            if (
                member["problem"]
                and task["state"] == State.INBOX
                and not (task["hold_kind"] or task["agent_id"])
            ):
                store.crew.change(member["id"], problem="")  # it waits again, after a restore for instance
                member = {**member, "problem": ""}
            missing.append(member)
        else:
            store.crew.change(member["id"], agent_id=known, problem="")
            _hold(store, member["task_id"])
    return missing


def _join(store: Store, member: Row, remote: RemoteAgent, soul: str) -> None:
    name, model = member["name"], member["model"]
    joining.join(store, remote, SERVICE, name, role=member["role"], emoji=member["emoji"], model=model)
    if soul:
        store.agents.save_file(remote.id, "SOUL.md", soul, SERVICE.name)
    if store.crew.find(member["id"]):
        store.crew.change(member["id"], agent_id=remote.id, problem="")


def _fail(store: Store, member: Row, reason: str) -> None:
    """The gateway said no, so nothing was made: what is there under this name later is not ours."""
    now = store.crew.find(member["id"])
    if now is None or now["model"] != member["model"]:
        return  # another version of the plan was approved meanwhile: it is asked for anew, or not at all
    store.crew.change(member["id"], asked_at=None, problem=reason)
    _hold(store, member["task_id"])


def _hold(store: Store, task_id: int) -> None:
    """The planned task is held as long as one of its agents can't be made, with what is wrong with the first.

    Not one that somebody works on all the same, nor one that is over or is planned anew.
    """
    task = store.tasks.get(task_id)
    problems = [one["problem"] for one in failed(store, task)]
    if problems and task["state"] in _WAITS:
        hold(store, task, HoldKind.ERROR, problems[0], WAY_ON)
    elif task["hold_release"] == WAY_ON:
        store.tasks.hold(task_id, None)


def _soul(member: Row) -> str:
    """The SOUL.md that the plan gives the agent, or the least that makes one."""
    return (
        str(member["soul"]).strip()
        or f"# {member['name']}\n\nYou are {member['name']}. {member['role']}".strip()
    )
