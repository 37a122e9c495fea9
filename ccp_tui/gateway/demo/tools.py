"""The tools that scripted agents call: the shell, a question to the person, a sub-agent."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from ccp_tui.gateway.demo.protocol import Json, Refusal
from ccp_tui.gateway.demo.rows import tool_message
from ccp_tui.gateway.demo.run import Run, write
from ccp_tui.gateway.demo.shell import Outcome, environment, run_command

if TYPE_CHECKING:
    from ccp_tui.gateway.demo.world import World

HEADLESS = "exec denied: Headless runs cannot wait for interactive exec approval."
DENIED = "exec denied: the person did not approve this command."
# After so long a command goes on by itself, and the agent is told so.
YIELD_SECONDS = 10.0


async def call_tool(world: World, run: Run, name: str, arguments: Json) -> None:
    """One call: told as it begins and ends, and written into the history; it never raises for what the tool says."""
    call: Json = {"id": f"call_{uuid.uuid4().hex[:20]}", "name": name, "arguments": arguments}
    write(world, run, "toolUse", call)
    head = {"name": name, "toolCallId": call["id"]}
    item = {"kind": "tool", "itemId": call["id"], "title": name, "toolCallId": call["id"]}
    run.agent(world, "item", {**item, "phase": "start", "status": "running"})
    run.agent(world, "tool", {**head, "phase": "start", "args": arguments})
    if name == "exec":
        text, details, is_error = await _exec(world, run, call, {**head, "phase": "update"}, item)
    else:
        text, details, is_error = await _other(world, run, name, arguments)
    run.agent(
        world, "tool", {**head, "phase": "result", "result": _result(text, details), "isError": is_error}
    )
    run.agent(world, "item", {**item, "phase": "end", "status": "failed" if is_error else "completed"})
    world.add_row(run.session, tool_message(run.session, run.id, call, text, details, is_error=is_error))


async def _other(world: World, run: Run, name: str, arguments: Json) -> tuple[str, Json, bool]:
    try:
        if name == "ask_user":
            body = await _ask(world, run, arguments)
        elif name == "sessions_spawn":
            child = world.runs.spawn(run, str(arguments.get("task") or ""), str(arguments.get("label") or ""))
            body = {
                "status": "accepted",
                "childSessionKey": child.session.key,
                "runId": child.id,
                "mode": "run",
            }
        else:
            return f"Tool {name} not found", {"status": "failed"}, True
    except Refusal as refusal:
        return str(refusal), {"status": "failed"}, True
    return json.dumps(body, indent=2, ensure_ascii=False), body, False


async def _ask(world: World, run: Run, arguments: Json) -> Json:
    if run.session.spawned_by:
        raise Refusal("ask_user is available only in the main session")
    questions = [
        {
            "questionId": str(one.get("id") or f"q{number}"),
            "header": str(one.get("header") or "")[:12],
            "question": str(one.get("question") or ""),
            "options": one.get("options") or [],
            **({"multiSelect": True} if one.get("multiSelect") else {}),
            "isOther": True,
        }
        for number, one in enumerate(arguments.get("questions") or [], 1)
    ]
    where = {"agentId": run.session.agent_id, "sessionKey": run.session.key, "runId": run.id}
    answers = await world.desk.ask(where, questions)
    return {"status": "answered", "answers": {"answers": answers}} if answers else {"status": "no_answer"}


async def _exec(world: World, run: Run, call: Json, update: Json, item: Json) -> tuple[str, Json, bool]:
    cwd = Path(world.store.agents[run.session.agent_id].workspace)
    refusal = await _unapproved(world, run, call, cwd)
    if refusal:
        return refusal, {"status": "failed", "cwd": str(cwd)}, True
    heard = True

    def tell(output: str) -> None:
        if heard:
            run.agent(world, "tool", {**update, "partialResult": _result(output)})

    env = environment(world.store.root, world.port, world.path_prepend)
    work = asyncio.create_task(run_command(call["arguments"]["command"], cwd, env, tell))
    try:
        done, _ = await asyncio.wait({work}, timeout=YIELD_SECONDS)
    except asyncio.CancelledError:
        work.cancel()
        await asyncio.wait({work})
        raise
    if not done:
        heard = False
        world.runs.leave_behind(work)
        name = uuid.uuid4().hex[:8]
        text = (
            f"Command still running (session {name}). Use process (list/poll/log/write/kill) for follow-up."
        )
        return text, {"status": "running", "sessionId": name, "cwd": str(cwd)}, False
    outcome = work.result()
    text, details, is_error = _told(outcome, cwd)
    run.agent(world, "command_output", {**item, "phase": "end", "output": outcome.output, **details})
    return text, details, is_error


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
