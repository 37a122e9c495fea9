"""One run: an agent's steps carried out, and told as OpenClaw tells them.

Words come as ``chat`` deltas and ``agent`` assistant events, one of each per 75 ms at most; tool calls as ``agent``
events to the sender and ``session.tool`` to subscribers; the history gets a row per answer of the model and per tool
result, when it is complete.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ccp_tui.gateway.demo.brain import Exec, Fail, Pause, Say, Step, script
from ccp_tui.gateway.demo.protocol import Json
from ccp_tui.gateway.demo.rows import assistant_message, now_ms, tool_message, usage
from ccp_tui.gateway.demo.shell import Outcome, environment, run_command
from ccp_tui.gateway.demo.store import Session

if TYPE_CHECKING:
    from ccp_tui.gateway.demo.world import World

COALESCE_SECONDS = 0.075
PREPARE_SECONDS = 0.15
REFUSED_SECONDS = 0.9
RETRY_SECONDS = 1.5
RETRIES = 2
PHASES = ("preparing_workspace", "preparing_context", "starting_model")
HEADLESS = "exec denied: Headless runs cannot wait for interactive exec approval."
DENIED = "exec denied: the person did not approve this command."


@dataclass
class Run:
    """A run and what it said so far; ``segment`` is the part of ``text`` that the history does not have yet."""

    id: str
    session: Session
    starter: str
    prompt: str = ""
    text: str = ""
    segment: str = ""
    words: int = 0
    seq: int = 0
    started_at_ms: int = field(default_factory=now_ms)
    steered: list[Json] = field(default_factory=list)
    abort_reason: str = "rpc"
    keep_partial: bool = True
    called: int = 0  # tool calls of this prompt that were made before a restart; they are not made again
    outcome: Json = field(default_factory=lambda: {"status": "pending"})
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def message(self) -> Json:
        return {"role": "assistant", "content": [{"type": "text", "text": self.text}], "timestamp": now_ms()}

    def chat(self, world: World, state: str, body: Json) -> None:
        """Tells a ``chat`` event of this run."""
        payload = {**self._where(), "state": state, **body}
        world.tell("chat", payload, lambda connection: connection.hears_run(self.session.key))

    def agent(self, world: World, stream: str, data: Json) -> None:
        """Tells an ``agent`` event of this run; one of the tool stream also as ``session.tool``."""
        key = self.session.key
        payload = {**self._where(), "ts": now_ms(), "stream": stream, "data": data}
        if stream == "tool":
            world.tell("agent", payload, lambda connection: connection.hears_tool(key, self.starter))
            world.tell("session.tool", payload, lambda connection: connection.hears_session_tool(key))
        else:
            world.tell("agent", payload, lambda connection: connection.hears_run(key))

    def _where(self) -> Json:
        self.seq += 1
        key, agent_id = self.session.key, self.session.agent_id
        return {"runId": self.id, "sessionKey": key, "agentId": agent_id, "seq": self.seq}


class ProviderFailed(Exception):
    """The scripted provider was told to fail; the gateway keeps the provider's own words to itself."""


async def perform(world: World, run: Run, take_steered: Callable[[], bool]) -> None:
    """Carries out a run to its end. ``take_steered`` makes the next steered message the prompt, if there is one."""
    try:
        await _prepare(world, run)
        run.agent(world, "lifecycle", {"phase": "start", "startedAt": run.started_at_ms})
        run.agent(world, "lifecycle", {"phase": "model", "model": "scripted-1"})
        while True:
            for step in _still_to_do(script(run.prompt), run.called):
                await _step(world, run, step)
            run.called = 0
            _write(world, run, "stop")
            if not take_steered():
                break
    except ProviderFailed as failure:
        fail(world, run, str(failure))
        return
    run.agent(world, "usage", {"outputTokens": run.words})
    run.agent(world, "lifecycle", {"phase": "finishing"})
    run.agent(world, "lifecycle", {"phase": "end", "endedAt": now_ms()})
    run.outcome = {"status": "ok", "terminalReply": {"text": run.text}, "endedAt": now_ms()}
    run.chat(world, "final", {"stopReason": "stop", **({"message": run.message()} if run.text else {})})


def _still_to_do(steps: tuple[Step, ...], called: int) -> tuple[Step, ...]:
    """The steps after so many tool calls."""
    calls = [at for at, step in enumerate(steps) if isinstance(step, Exec)][:called]
    return steps[calls[-1] + 1 :] if calls else steps


async def _prepare(world: World, run: Run) -> None:
    for phase in PHASES:
        run.chat(world, "status", {"phase": phase})
        run.agent(world, "run_status", {"phase": phase})
        await world.wait(PREPARE_SECONDS / len(PHASES))


async def _step(world: World, run: Run, step: Step) -> None:
    match step:
        case Say():
            await _say(world, run, step)
        case Pause():
            await world.wait(step.seconds)
        case Exec():
            await world.wait(world.think)
            await _exec(world, run, step.command)
        case Fail():
            # A refusal of the provider is final; a fault of its own is tried again first.
            for _ in range(RETRIES if step.status >= 500 else 0):
                await world.wait(RETRY_SECONDS)
                await _prepare(world, run)
            await world.wait(REFUSED_SECONDS)
            raise ProviderFailed(f"The AI provider failed (HTTP {step.status}).")


# -- words ------------------------------------------------------------------------------------------------------


async def _say(world: World, run: Run, step: Say) -> None:
    words = re.findall(r"\s*\S+\s*$|\s*\S+", step.text)
    rate = step.per_second * world.speed
    clock = asyncio.get_running_loop()
    started, sent = clock.time(), 0
    while sent < len(words):
        due = len(words) if rate <= 0 else min(len(words), int((clock.time() - started) * rate) + 1)
        if due > sent:
            _tell_words(world, run, "".join(words[sent:due]), due - sent)
            sent = due
        pause = COALESCE_SECONDS if rate <= 0 else max(COALESCE_SECONDS, 1 / rate)
        if sent < len(words):
            await asyncio.sleep(pause)
    if rate > 0:
        await asyncio.sleep(max(0.0, started + len(words) / rate - clock.time()))


def _tell_words(world: World, run: Run, words: str, count: int) -> None:
    # What is said after a tool call is a paragraph of its own.
    delta = f"\n\n{words}" if run.text and not run.segment else words
    run.text += delta
    run.segment += words
    run.words += count
    run.agent(world, "assistant", {"text": run.text, "delta": delta, "itemId": f"{run.id}:text"})
    run.chat(world, "delta", {"deltaText": delta, "message": run.message()})


def _write(world: World, run: Run, stop_reason: str, call: Json | None = None) -> None:
    """Writes what was said since the last row into the history, and its price onto the session."""
    if not run.segment and not call:
        return
    session = run.session
    used = usage(len(run.prompt) + len(run.text), len(run.segment.split()))
    session.input_tokens, session.output_tokens = used["input"], session.output_tokens + used["output"]
    session.cost += used["cost"]["total"]
    row = assistant_message(session, run.segment, run.id, usage=used, stop_reason=stop_reason, call=call)
    run.segment = ""
    world.add_row(session, row)


# -- tools ------------------------------------------------------------------------------------------------------


async def _exec(world: World, run: Run, command: str) -> None:
    call: Json = {"id": f"call_{uuid.uuid4().hex[:20]}", "name": "exec", "arguments": {"command": command}}
    _write(world, run, "toolUse", call)
    cwd = Path(world.store.agents[run.session.agent_id].workspace)
    head = {"name": "exec", "toolCallId": call["id"]}
    item = {"kind": "tool", "itemId": call["id"], "title": "exec", "toolCallId": call["id"]}
    run.agent(world, "item", {**item, "phase": "start", "status": "running"})
    run.agent(world, "tool", {**head, "phase": "start", "args": call["arguments"]})
    refusal = await _unapproved(world, run, call, cwd)
    if refusal:
        text, details, is_error = refusal, {"status": "failed", "cwd": str(cwd)}, True
    else:
        outcome = await run_command(
            command,
            cwd,
            environment(world.store.root, world.port),
            lambda output: run.agent(
                world, "tool", {**head, "phase": "update", "partialResult": _result(output)}
            ),
        )
        text, details, is_error = _told(outcome, cwd)
        run.agent(world, "command_output", {**item, "phase": "end", "output": outcome.output, **details})
    run.agent(
        world, "tool", {**head, "phase": "result", "result": _result(text, details), "isError": is_error}
    )
    run.agent(world, "item", {**item, "phase": "end", "status": "failed" if is_error else "completed"})
    world.add_row(run.session, tool_message(run.session, run.id, call, text, details, is_error=is_error))


def _told(outcome: Outcome, cwd: Path) -> tuple[str, Json, bool]:
    """The words, the details and the error mark of a command's result: a failing exit code is no tool error."""
    text = outcome.output.rstrip() or "(no output)"
    if outcome.exit_code:
        text = f"{outcome.output.rstrip()}\n\n(Command exited with code {outcome.exit_code})"
    timed_out = outcome.exit_code is None
    details: Json = {
        "status": "failed" if timed_out else "completed",
        "exitCode": outcome.exit_code,
        "durationMs": outcome.duration_ms,
        "aggregated": text,
        "cwd": str(cwd),
    }
    return text, details, timed_out


def _result(text: str, details: Json | None = None) -> Json:
    return {"content": [{"type": "text", "text": text}], **({"details": details} if details else {})}


async def _unapproved(world: World, run: Run, call: Json, cwd: Path) -> str:
    """Why a command may not run; empty if it may."""
    if run.session.settings.get("permissionMode") != "guarded":
        return ""
    if not any(connection.takes_approvals for connection in world.connections):
        return HEADLESS
    run.agent(world, "lifecycle", {"phase": "waiting-approval", "toolCallId": call["id"]})
    approved = await world.desk.approve(
        {
            "command": call["arguments"]["command"],
            "cwd": str(cwd),
            "agentId": run.session.agent_id,
            "sessionKey": run.session.key,
            "runId": run.id,
            "toolCallId": call["id"],
        }
    )
    run.agent(
        world, "lifecycle", {"phase": "approval-resolved", "toolCallId": call["id"], "approved": approved}
    )
    return "" if approved else DENIED


def fail(world: World, run: Run, words: str) -> None:
    """Ends a run with an error, in the gateway's own words."""
    _write(world, run, "error")
    run.session.last_run_error = words
    run.outcome = {"status": "error", "error": words}
    run.agent(world, "lifecycle", {"phase": "error", "error": words, "endedAt": now_ms()})
    body = {"errorMessage": words, "errorKind": "provider", "errorDetail": {"kind": "provider"}}
    # A real gateway tells a failure twice.
    run.chat(world, "error", body)
    run.chat(world, "error", body)
