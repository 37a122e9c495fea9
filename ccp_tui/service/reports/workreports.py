"""A worker's reports on its work: what it delivers, and that it submits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ccp_tui.lifecycle import Trigger
from ccp_tui.service.board.moves import move, record
from ccp_tui.service.context import Context
from ccp_tui.service.door import params as p
from ccp_tui.service.door.errors import Code, ServiceError
from ccp_tui.service.reports.reporter import LONGEST_WORDS, at_work, worker
from ccp_tui.service.reports.tokens import hide
from ccp_tui.service.verification import evidence
from ccp_tui.service.verification.deliverables import Found, NotDelivered, look
from ccp_tui.store import Store
from ccp_tui.text import clean, one_line
from ccp_tui.wire import Json

Row = dict[str, Any]


class WorkReports:
    """The verbs deliver and submit. ``verify`` is called with an attempt that was submitted."""

    def __init__(self, context: Context, verify: Callable[[int], None]) -> None:
        self._c = context
        self._verify = verify

    async def deliver(self, params: Json, attempt: Row, _: Row) -> str:
        path = p.text(params, "path")
        description = one_line(hide(p.maybe_text(params, "description") or ""), LONGEST_WORDS)
        found = await asyncio.to_thread(look, await self._workspace(attempt), path)

        def work(store: Store) -> list[str]:
            task = at_work(store, attempt)
            current = store.rounds.current(attempt["id"])
            store.rounds.deliver(current["id"], found.path, description, found.size, found.sha256)
            store.tasks.edit(task["id"])
            record(store, task, worker(attempt), "delivered", f"delivered {found.path} ({found.size} bytes)")
            return _missing(store, attempt, current["id"])

        missing = await self._c.db(work)
        then = (
            f"Still to deliver: {', '.join(missing)}." if missing else "Everything is delivered: submit now."
        )
        return f"{found.path} is recorded ({found.size} bytes). {then}"

    async def submit(self, params: Json, attempt: Row, _: Row) -> str:
        given = p.maybe_text(params, "summary") or p.maybe_text(params, "text") or ""
        summary = clean(hide(given))[:LONGEST_WORDS]
        workspace = await self._workspace(attempt)
        seen = await self._c.db(lambda store: _reported(store, attempt))
        found, problem = await asyncio.to_thread(_look_again, workspace, seen)
        kept = await asyncio.to_thread(evidence.texts, workspace, found)

        def work(store: Store) -> tuple[int, int]:
            task = at_work(store, attempt)
            current = store.rounds.current(attempt["id"])
            missing = _missing(store, attempt, current["id"])
            reason = problem
            if current["result"]:
                reason = "all rounds of this attempt are used up: stop working, a person decides"
            elif missing:
                reason = f"not delivered yet: {', '.join(missing)}. Run `deliver PATH` for each, then submit"
            text = f"was submitted, round {current['number']}"
            known = {"reason": summary, "deliverables_problem": reason}
            move(store, task, Trigger.SUBMIT, worker(attempt), text, **known)
            for one in found:
                store.rounds.deliver(current["id"], one.path, seen[one.path], one.size, one.sha256)
            evidence.keep(store, kept)
            store.rounds.submitted(current["id"], summary)
            _take_back_questions(store, attempt)
            return current["number"], len(store.specs.get(attempt["spec_id"])["checks"])

        number, checks = await self._c.db(work)
        self._verify(attempt["id"])
        return f"Round {number} is submitted. {checks} checks run now; you are told here if one fails. Stop working."

    async def _workspace(self, attempt: Row) -> Path:
        agent = await self._c.db(lambda store: store.agents.row(attempt["agent_id"]))
        if not agent["workspace"]:
            raise ServiceError(Code.FAILED, "the gateway did not tell where the workspace of this agent is")
        return Path(agent["workspace"])


def _take_back_questions(store: Store, attempt: Row) -> None:
    """A worker that submits does not wait for an answer any more."""
    for question in store.questions.open_of_task(attempt["task_id"]):
        if question["kind"] == "report":
            store.questions.gone(question["id"])


def _missing(store: Store, attempt: Row, round_id: int) -> list[str]:
    reported = {row["path"] for row in store.rounds.delivered(round_id)}
    spec = store.specs.get(attempt["spec_id"])
    return [one["path"] for one in spec["deliverables"] if one["path"] not in reported]


def _reported(store: Store, attempt: Row) -> dict[str, str]:
    current = store.rounds.current(attempt["id"])
    return {row["path"]: row["description"] for row in store.rounds.delivered(current["id"])}


def _look_again(workspace: Path, paths: dict[str, str]) -> tuple[list[Found], str]:
    """The deliverables as they are at the submission, and why one of them is none."""
    found = []
    for path in paths:
        try:
            found.append(look(workspace, path))
        except NotDelivered as error:
            return found, str(error)
    return found, ""
