"""What really reaches the AI provider behind the real gateway: the prompt, the files of the agent, its model."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from ccp_tui.gateway import RunFinal
from tests.support.line import line, unique
from tests.support.provider import Provider, prompt_and_turn
from tests.support.realgateway import RealGateway


@pytest.mark.real
async def test_soul_and_model_reach_the_provider(real_gateway: RealGateway, provider: Provider) -> None:
    real_gateway.ensure()
    async with line(real_gateway.url, real_gateway.token, real_gateway.folder) as on:
        await on.connected()
        agent = await on.calls.agent_create(unique("Soulful"), model="lab/fake-1")
        await on.calls.agent_update(agent.id, model="lab/fake-2")
        for name in ("SOUL.md", "USER.md", "AGENTS.md"):
            await on.calls.file_set(agent.id, name, f"These are the words of {name} for {agent.id}.\n")
        session = await on.calls.session_create(agent.id, "ccp-1-1")
        run, mark = unique("soul"), unique("MARK")
        await on.calls.chat_send(session, f"!say {mark}\n!exec echo tool", run)
        assert isinstance(await on.ended(run, seconds=60), RunFinal)
    asked = provider.requests_with(mark)
    assert [request.turn for request in asked] == [0, 1]
    assert provider.prompts(mark) == 1
    for request in asked:
        assert request.model == "fake-2"
        assert request.prompt == f"!say {mark}\n!exec echo tool"
        assert "exec" in request.tools
        for name in ("SOUL.md", "USER.md", "AGENTS.md"):
            assert f"These are the words of {name} for {agent.id}." in request.system


@pytest.fixture
def alone() -> Iterator[Provider]:
    with Provider() as running:
        yield running


def ask(provider: Provider, messages: list[dict[str, Any]], stream: bool = True) -> tuple[int, str]:
    body = json.dumps({"model": "m", "stream": stream, "messages": messages}).encode()
    request = urllib.request.Request(f"{provider.url}/chat/completions", body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_script_is_played_turn_by_turn(alone: Provider) -> None:
    prompt = {"role": "user", "content": "[Mon 2026-11-23 04:59 UTC] !say First.\n!exec ls -l\n!say Last."}
    context = {"role": "user", "content": "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nnone"}
    status, body = ask(alone, [prompt, context])
    assert status == 200
    chunks = [json.loads(part[6:]) for part in body.split("\n\n") if part.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "First."
    calls = [delta["tool_calls"] for delta in deltas if "tool_calls" in delta]
    assert json.loads(calls[0][0]["function"]["arguments"]) == {"command": "ls -l"}
    assert chunks[-1]["usage"]["completion_tokens"] == 1
    assert body.endswith("data: [DONE]\n\n")
    told = [prompt, {"role": "assistant", "content": "First."}, {"role": "tool", "content": "x"}, context]
    status, body = ask(alone, told, stream=False)
    choice = json.loads(body)["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Last.", "stop")
    assert alone.prompts("First.") == 1


def test_a_failure_is_an_http_error(alone: Provider) -> None:
    status, body = ask(alone, [{"role": "user", "content": "!fail 429"}])
    assert status == 429
    assert "error" in json.loads(body)
    assert ask(alone, "nonsense")[0] == 400  # type: ignore[arg-type]


def test_the_prompt_is_found_among_what_openclaw_adds() -> None:
    wrapped = (
        '[Mon 2026-11-23 07:09 UTC] Conversation info: \u27e6openclaw:ctx\u27e7\n```json\n{"sender":{}}\n```\n\n'
        "!say one\n!say two\n\nRuntime: name=Bob | agent=bob"
    )
    crashed = (
        "[Mon 2026-11-23 07:41 UTC] [Queued user message from a previous active turn; preserved as context only.]\n"
        "!say three\n\n[System] Your previous turn was interrupted by a gateway restart while it waited.\nGo on."
    )
    resumed = "[System] Your previous turn was interrupted by a gateway restart."

    def user(text: str) -> dict[str, Any]:
        return {"role": "user", "content": [{"type": "text", "text": text}]}

    assert prompt_and_turn((user(wrapped),)) == ("!say one\n!say two", 0)
    assert prompt_and_turn((user(wrapped), {"role": "tool"}, user(resumed))) == ("!say one\n!say two", 1)
    assert prompt_and_turn((user(wrapped), {"role": "tool"}, user(crashed))) == ("!say three", 0)
    assert prompt_and_turn(()) == ("", 0)
