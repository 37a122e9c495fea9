"""One run: an agent's steps carried out, and told as OpenClaw tells them.

Words come as ``chat`` deltas and ``agent`` assistant events, one of each per 75 ms at most; tool calls as ``agent``
events to the sender and ``session.tool`` to subscribers; the history gets a row per answer of the model and per tool
result, when it is complete.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from ccp_tui.gateway.demo.brain import Exec, Fail, Pause, Say, Step, Tool, script
from ccp_tui.gateway.demo.protocol import Json
from ccp_tui.gateway.demo.rows import PROVIDER, now_ms
from ccp_tui.gateway.demo.run import Run as Run
from ccp_tui.gateway.demo.run import write
from ccp_tui.gateway.demo.tools import call_tool

if TYPE_CHECKING:
    from ccp_tui.gateway.demo.world import World

COALESCE_SECONDS = 0.075
PREPARE_SECONDS = 0.15
REFUSED_SECONDS = 0.9
RETRY_SECONDS = 1.5
RETRIES = 2
PHASES = ("preparing_workspace", "preparing_context", "starting_model")


_REASONS = {
    401: "auth",
    402: "billing",
    403: "auth",
    404: "model_not_found",
    408: "timeout",
    429: "rate_limit",
}


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
            write(world, run, "stop")
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
    calls = [at for at, step in enumerate(steps) if isinstance(step, Exec | Tool)][:called]
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
            await call_tool(world, run, "exec", {"command": step.command})
        case Tool():
            await world.wait(world.think)
            await call_tool(world, run, step.name, step.arguments)
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


def fail(world: World, run: Run, words: str) -> None:
    """Ends a run with an error, in the gateway's own words."""
    write(world, run, "error")
    run.session.last_run_error = words
    run.outcome = {"status": "error", "error": words}
    run.agent(world, "lifecycle", {"phase": "error", "error": words, "endedAt": now_ms()})
    body: Json = {"errorMessage": words, **_observed(words)}
    # A real gateway tells a failure twice.
    run.chat(world, "error", body)
    run.chat(world, "error", body)


def _observed(words: str) -> Json:
    """What a real gateway says beside the words: the provider's answer, sorted; a kind for a busy provider alone."""
    found = re.search(r"HTTP (\d{3})", words)
    if not found:
        return {}
    status = int(found[1])
    reason = _REASONS.get(status, "server_error" if status >= 500 else "format")
    detail = {"provider": PROVIDER, "failoverReason": reason, "httpStatus": status}
    return {"errorDetail": detail, **({"errorKind": reason} if reason in ("rate_limit", "timeout") else {})}
