"""Typed calls: the gateway's methods as we use them. Each may raise GatewayError and its kinds."""

from __future__ import annotations

import asyncio
import base64
import json
import mimetypes
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from ccp_tui.gateway.nouns import (
    History,
    Json,
    RemoteAgent,
    RemoteFile,
    RemoteModel,
    SendAck,
    SessionRow,
    mapping,
    sequence,
    text,
)
from ccp_tui.gateway.status import GatewayError

# The gateway writes agents into its configuration and reads that again some moments after it acknowledged.
AGENT_SETTLES_S = 20.0
# A gateway that has just started, or reads its configuration again, answers "Model catalog is not ready" meanwhile.
CATALOG_READY_S = 20.0
CATALOG_LOOKS_S = 0.5
# A model that was taken away leaves the list within a second, unless it is the default too.
MODEL_SETTLES_S = 3.0
SLOW_S = 60.0
MOST_CHILDREN = 200


class Caller(Protocol):
    async def call(self, method: str, params: Json, *, timeout: float = 30.0) -> Json: ...  # noqa: ASYNC109


class GatewayCalls:
    """Bound to a client; holds no state of its own."""

    def __init__(self, caller: Caller) -> None:
        self._call = caller.call

    async def agents_list(self) -> list[RemoteAgent]:
        body = await self._call("agents.list", {})
        return [
            agent for row in sequence(body.get("agents")) if (agent := RemoteAgent.parse(mapping(row))).id
        ]

    async def agent_create(
        self, name: str, *, model: str | None = None, emoji: str | None = None, workspace: str | None = None
    ) -> RemoteAgent:
        """Creates the agent, under an id that the gateway makes from the name, and waits until it is really there.

        Right after the answer it is not in the list yet, and messages to it are refused.
        """
        params = _given(name=name, model=model, emoji=emoji, workspace=workspace)
        created = await self._call("agents.create", params, timeout=SLOW_S)
        agent_id = text(created.get("agentId"))
        return await self._settled(agent_id) or RemoteAgent.parse({**created, "id": agent_id})

    async def agent_update(
        self,
        agent_id: str,
        *,
        name: str | None = None,
        model: str | None = None,
        emoji: str | None = None,
        own_model: bool = True,
    ) -> None:
        """Changes what is given, and waits until it took effect: a run that begins meanwhile would fail.

        ``own_model=False`` takes the agent's model from it: the gateway's default holds for it then.
        """
        wanted = _given(name=name, model=model, emoji=emoji)
        params = {"agentId": agent_id, **wanted}
        before = None if own_model else await self._model_of(agent_id)
        await self._call("agents.update", params if own_model else {**params, "model": None}, timeout=SLOW_S)
        await self._settled(agent_id, **wanted)
        if not own_model:
            await self._model_left(agent_id, before)

    async def agent_delete(self, agent_id: str, delete_files: bool = False) -> None:
        """Deletes an agent, and waits until the list has it no more: it lags behind the answer."""
        await self._call("agents.delete", {"agentId": agent_id, "deleteFiles": delete_files}, timeout=SLOW_S)
        end = time.monotonic() + AGENT_SETTLES_S
        while time.monotonic() < end:
            if agent_id not in [agent.id for agent in await self.agents_list()]:
                return
            await asyncio.sleep(0.1)

    async def file_get(self, agent_id: str, name: str) -> RemoteFile:
        body = await self._call("agents.files.get", {"agentId": agent_id, "name": name})
        return RemoteFile.parse(mapping(body.get("file")))

    async def file_set(
        self, agent_id: str, name: str, content: str, expected_hash: str | None = None
    ) -> RemoteFile:
        """Writes one of the agent's files. With ``expected_hash``, refused if somebody else changed it meanwhile."""
        params = _given(agentId=agent_id, name=name, content=content, expectedHash=expected_hash)
        body = await self._call("agents.files.set", params)
        return RemoteFile.parse(mapping(body.get("file")))

    async def config(self) -> Json:
        """The gateway's configuration: ``parsed`` as written, ``config`` in force, secrets blacked out, ``hash``."""
        return await self._call("config.get", {})

    async def config_patch(self, patch: Json, base_hash: str) -> None:
        """Merges a change into the configuration, which is taken up at once. ``base_hash``: that of :meth:`config`,
        refused if the configuration changed since. Runs that are just beginning fail: they were superseded."""
        params = {"raw": json.dumps(patch), "baseHash": base_hash}
        await self._call("config.patch", params, timeout=SLOW_S)

    async def skills(self) -> list[Json]:
        """The skills that the default agent has or could have, as the gateway tells of them."""
        return _rows(await self._call("skills.status", {}), "skills")

    async def models_list(self) -> list[RemoteModel]:
        """The models that the gateway is configured for; one that is not ready yet is asked again, for some seconds."""
        end = time.monotonic() + CATALOG_READY_S
        while True:
            try:
                body = await self._call("models.list", {"view": "configured"})
                break
            except GatewayError as error:
                if not (
                    error.code == "UNAVAILABLE" and "not ready" in error.message and time.monotonic() < end
                ):
                    raise
            await asyncio.sleep(CATALOG_LOOKS_S)
        return [RemoteModel.parse(mapping(row)) for row in sequence(body.get("models"))]

    async def session_create(self, agent_id: str, key: str) -> str:
        """The full key of the session, as the gateway spells it; an existing session is kept."""
        body = await self._call("sessions.create", {"agentId": agent_id, "key": key})
        return text(body.get("key")) or key

    async def session_describe(self, key: str) -> SessionRow | None:
        body = await self._call("sessions.describe", {"key": key})
        row = body.get("session")
        return SessionRow.parse(row) if isinstance(row, dict) else None

    async def session_children(self, key: str) -> list[SessionRow]:
        """The sub-agents that runs of this session spawned, the one that was last active first."""
        body = await self._call("sessions.list", {"spawnedBy": key, "limit": MOST_CHILDREN})
        rows = [SessionRow.parse(mapping(row)) for row in sequence(body.get("sessions"))]
        return [row for row in rows if row.key and row.key != key]

    async def session_patch(self, key: str, **fields: Any) -> None:
        """Changes fields of a session by the gateway's names, e.g. ``permissionMode="guarded"``."""
        await self._call("sessions.patch", {"key": key, **fields})

    async def chat_send(
        self,
        session_key: str,
        message: str,
        idempotency_key: str,
        *,
        attachments: Iterable[Path | Json] = (),
        mode: str | None = None,
    ) -> SendAck:
        """Sends a message. ``mode`` says what happens while a run is going on: steer (default), followup, interrupt.

        ``idempotency_key`` becomes the run id. The same key again does nothing as long as the gateway lives; after a
        restart of the gateway it would be a new message, so ask the history first. An attachment is a path, or an
        object as the gateway wants it.
        """
        given = list(attachments)
        prepared = await asyncio.to_thread(lambda: [_attachment(one) for one in given]) if given else None
        params = _given(
            sessionKey=session_key,
            message=message,
            idempotencyKey=idempotency_key,
            attachments=prepared,
            queueMode=mode,
        )
        body = await self._call("chat.send", params)
        return SendAck(text(body.get("runId")) or idempotency_key, text(body.get("status")))

    async def chat_abort(self, session_key: str, run_id: str | None = None) -> list[str]:
        """The ids of the runs that were aborted; empty when nothing was running."""
        body = await self._call("chat.abort", _given(sessionKey=session_key, runId=run_id))
        return [run for run in sequence(body.get("runIds")) if isinstance(run, str)]

    async def chat_history(self, session_key: str, *, limit: int = 200, offset: int | None = None) -> History:
        """The latest messages, oldest first; ``offset`` skips so many of the latest."""
        params = _given(sessionKey=session_key, limit=limit, offset=offset)
        return History.parse(await self._call("chat.history", params))

    async def approvals_list(self) -> list[Json]:
        """Exec approvals that wait for a decision, as the gateway gives them ({id, request, expiresAtMs, …})."""
        return _rows(await self._call("exec.approval.list", {}), "items", "approvals")

    async def approval_resolve(self, approval_id: str, decision: str) -> None:
        """``decision``: one of the request's allowedDecisions (allow-once, deny, allow-always)."""
        await self._call("exec.approval.resolve", {"id": approval_id, "decision": decision})

    async def questions_list(self) -> list[Json]:
        """Questions of agents that wait for an answer, as the gateway gives them."""
        return _rows(await self._call("question.list", {}), "questions", "items")

    async def question_resolve(self, question_id: str, answers: dict[str, list[str]]) -> None:
        """``answers``: for each question's id the chosen labels, or the person's own words."""
        await self._call("question.resolve", {"id": question_id, "answers": {"answers": answers}})

    async def _model_of(self, agent_id: str) -> str | None:
        return next((agent.model for agent in await self.agents_list() if agent.id == agent_id), None)

    async def _model_left(self, agent_id: str, before: str | None) -> None:
        """Waits until the list shows another model; not long, for the default may be the very same."""
        end = time.monotonic() + MODEL_SETTLES_S
        while time.monotonic() < end:
            if await self._model_of(agent_id) != before:
                return
            await asyncio.sleep(0.1)

    async def _settled(self, agent_id: str, **wanted: str) -> RemoteAgent | None:
        """The agent once the list shows it with the wanted fields; None if that takes too long."""
        end = time.monotonic() + AGENT_SETTLES_S
        while time.monotonic() < end:
            for agent in await self.agents_list():
                if agent.id == agent_id and all(
                    getattr(agent, name) == value for name, value in wanted.items()
                ):
                    return agent
            await asyncio.sleep(0.1)
        return None


def _given(**params: Any) -> Json:
    """The parameters that were given: the gateway refuses null where it expects a value, and unknown names."""
    return {name: value for name, value in params.items() if value is not None}


def _rows(body: Json, *names: str) -> list[Json]:
    for name in names:
        if isinstance(body.get(name), list):
            return [mapping(row) for row in sequence(body[name])]
    return []


def _attachment(given: Path | Json) -> Json:
    if isinstance(given, dict):
        return given
    try:
        data = given.read_bytes()
    except OSError as error:
        raise GatewayError("ATTACHMENT", f"{given} can't be read: {error.strerror}") from None
    kind = mimetypes.guess_type(given.name)[0] or "application/octet-stream"
    return {
        "type": "image" if kind.startswith("image/") else "file",
        "mimeType": kind,
        "fileName": given.name,
        "content": base64.b64encode(data).decode(),
    }
