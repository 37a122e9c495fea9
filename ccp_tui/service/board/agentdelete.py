"""Deleting an agent: from the gateway and from the board, after the person said what becomes of its work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.lifecycle import State, Trigger
from ccp_tui.model import Outcome
from ccp_tui.service.board.moves import Row, end_attempt, move
from ccp_tui.service.context import Context, person
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import Code, ServiceError, usage
from ccp_tui.service.door.methods import Method
from ccp_tui.service.sessions.delivery import Deliveries
from ccp_tui.service.verification.reviewing import end_silent
from ccp_tui.store import Store
from ccp_tui.wire import Json

_RUNS = (State.IN_PROGRESS, State.TESTING, State.REVIEW)
MOST_NAMED = 20


class WorkIs(StrEnum):
    """What becomes of an agent's work: it keeps the agent, it is stopped too, or only what has not begun is taken."""

    REFUSE = "refuse"
    STOP = "stop"
    UNASSIGN = "unassign"


@dataclass(frozen=True)
class Work:
    """What an agent has to do, as refs: assigned to it, worked on or in review, read by it, planned by it."""

    waiting: list[str]
    begun: list[str]
    reviews: list[str]
    plans: list[str]

    def words(self) -> str:
        kinds = (
            ("works on", self.begun),
            ("is assigned", self.waiting),
            ("reviews", self.reviews),
            ("plans", self.plans),
        )
        return " and ".join(f"{verb} {', '.join(refs[:MOST_NAMED])}" for verb, refs in kinds if refs)

    @property
    def refs(self) -> list[str]:
        return list(dict.fromkeys([*self.begun, *self.waiting, *self.reviews, *self.plans]))


class AgentDelete:
    """The method ``agent.delete``. An agent that the service made for a duty is made again when it is needed."""

    def __init__(self, context: Context, deliveries: Deliveries) -> None:
        self._c = context
        self._deliveries = deliveries

    def methods(self) -> dict[str, Method]:
        return {"agent.delete": self.delete}

    async def delete(self, params: Json) -> Json:
        """Deletes an agent. Asked again after a failure, it goes on where it was."""
        named, given = p.text(params, "id"), p.maybe_text(params, "work") or WorkIs.REFUSE
        if given not in list(WorkIs):
            raise usage(f"work must be one of {', '.join(WorkIs)}", field="work")
        files = p.maybe_bool(params, "delete_files") or False
        agent = await self._c.db(lambda store: store.agents.row(store.agents.find(named)))
        if files:
            await self._spare(agent)
        if agent["on_gateway"]:
            await self._c.need_gateway()  # before its work is taken from it
        for session_key in await self._c.db(lambda store: _take_work(store, agent["id"], WorkIs(given))):
            self._deliveries.abort(session_key)
        if agent["on_gateway"]:
            await self._delete_remote(agent["id"], files)
        await self._c.db(lambda store: _leave(store, agent))
        return {"id": agent["id"]}

    async def _delete_remote(self, agent: str, files: bool) -> None:
        calls = self._c.gateway.calls
        try:
            await calls.agent_delete(agent, files)
        except GatewayUnavailable:
            raise
        except GatewayError:
            if agent in [one.id for one in await calls.agents_list()]:
                raise
            # It was gone already: what was asked for is so.

    async def _spare(self, agent: Row) -> None:
        """Files that somebody may still want are not deleted: unapproved deliverables, or another agent's folder."""

        def work(store: Store) -> tuple[list[str], list[Row]]:
            others = [
                one["id"]
                for one in store.agents.all()
                if one["workspace"] == agent["workspace"] and one["id"] != agent["id"]
            ]
            return others, store.agents.unapproved(agent["id"])

        others, rows = await self._c.db(work)
        if others:
            raise _refused(
                "files", f"{', '.join(others)} works in the same folder: keep the files", others, agent
            )
        if rows and agent["workspace"]:
            left = await asyncio.to_thread(_there, Path(agent["workspace"]), rows)
            if left:
                paths = ", ".join(f"{row['path']} ({row['ref']})" for row in left[:MOST_NAMED])
                reason = f"these deliverables are not approved yet: {paths}. Keep the files, or decide on them first"
                raise _refused("files", reason, list(dict.fromkeys(row["ref"] for row in left)), agent)


def _there(workspace: Path, rows: list[Row]) -> list[Row]:
    return [row for row in rows if _exists(workspace / row["path"])]


def _exists(path: Path) -> bool:
    """Whether something is there; what may not be looked at, for it is another user's, counts as there."""
    try:
        return path.exists()
    except PermissionError:
        return True


def _refused(gate: str, reason: str, refs: list[str], agent: Row) -> ServiceError:
    details = {
        "gate": gate,
        "state": "",
        "trigger": "delete",
        "reason": reason,
        "refs": refs,
        "agent": agent["id"],
    }
    return ServiceError(Code.REFUSED, reason, details)


def work_of(store: Store, agent: str) -> Work:
    """What the agent has to do now."""
    tasks = [row for row in store.tasks.in_states(State.ASSIGNED, *_RUNS) if row["agent_id"] == agent]
    return Work(
        waiting=[row["ref"] for row in tasks if row["state"] == State.ASSIGNED],
        begun=[row["ref"] for row in tasks if row["state"] != State.ASSIGNED],
        reviews=[row["ref"] for row in store.review_requests.open_by(agent)],
        plans=[
            store.tasks.get(row["task_id"])["ref"]
            for row in store.plannings.open_ones()
            if row["agent_id"] == agent
        ],
    )


def _take_work(store: Store, agent: str, wish: WorkIs) -> list[str]:
    """Takes the agent's work from it, as the person wishes; the sessions to abort. Raises ServiceError."""
    work = work_of(store, agent)
    kept = work.refs if wish is WorkIs.REFUSE else work.begun if wish is WorkIs.UNASSIGN else []
    if kept or work.plans:
        way = {
            WorkIs.REFUSE: "say what becomes of it: stop all of it, or unassign what has not begun",
            WorkIs.UNASSIGN: "what has begun must be stopped",
            WorkIs.STOP: "drop the plan first",
        }[WorkIs.STOP if not kept else wish]
        raise _refused("work", f"{agent} {work.words()}: {way}", work.refs, store.agents.row(agent))
    sessions = [_stop(store, store.tasks.by_ref(ref)) for ref in work.begun]
    for ref in [*work.begun, *work.waiting]:
        task = store.tasks.by_ref(ref)
        move(store, task, Trigger.UNASSIGN, person(), f"was taken from {agent}, which is deleted")
    store.agents.forget_choice(agent)
    for request in store.review_requests.open_by(agent):
        context = store.review_requests.context(request["id"])
        task = store.tasks.get(context["task_id"])
        end_silent(store, task, context, f"{agent}, which read round {context['round']}, is deleted")
        sessions.append(request["session_key"])
    return [key for key in sessions if key]


def _stop(store: Store, task: Row) -> str | None:
    move(store, task, Trigger.STOP, person(), "was stopped")
    ended = end_attempt(store, task["id"], Outcome.STOPPED)
    return ended["session_key"] if ended else None


def _leave(store: Store, agent: Row) -> None:
    store.agents.delete(agent["id"])
    text = f"{agent['name']} ({agent['id']}) was deleted"
    store.events.add(person(), "agent_removed", text, agent=agent["id"])
