"""A scripted AI provider: an OpenAI-compatible ``/v1/chat/completions`` on loopback, with no AI in it.

What it answers is decided by :func:`ccp_tui.gateway.demo.brain.script` from the last message of the user, so the
real gateway and the embedded one let their agents do the very same things. The script is cut into turns, one per
tool call; which turn is due is the number of tool results after that message. Every request is kept, so a test can
see which prompt, model and files of the agent really arrived.

By hand: ``python -m tests.support.provider --port 9999``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ccp_tui.gateway.demo.brain import Exec, Fail, Pause, Say, Step, Tool, last_prompt, script

# What OpenClaw puts around the words of the last message: who sent it, and what it runs on.
# A message that a crash left unanswered comes inside the one that says so.
_WRAPPING = re.compile(
    r"\AConversation info:.*?\n```json\n.*?\n```\s*|\A\[Queued user message from a previous[^\n]*\n"
    r"|\n+\[System\] Your previous turn was interrupted.*|\n+Runtime: name=[^\n]*\s*\Z",
    re.DOTALL,
)


@dataclass(frozen=True)
class ModelRequest:
    """One request that reached the provider."""

    model: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[str, ...]
    at: float = field(default_factory=time.time)

    @property
    def system(self) -> str:
        """The system prompt: where SOUL.md and the other files of the agent end up."""
        return "\n".join(
            content_text(m.get("content")) for m in self.messages if m.get("role") in ("system", "developer")
        )

    @property
    def prompt(self) -> str:
        return prompt_and_turn(self.messages)[0]

    @property
    def turn(self) -> int:
        return prompt_and_turn(self.messages)[1]


def content_text(content: object) -> str:
    """The words of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def prompt_and_turn(messages: tuple[dict[str, Any], ...]) -> tuple[str, int]:
    """The last message that a person (or the service) wrote, and how many tool results came after it.

    Messages that OpenClaw adds by itself (context, "your turn was interrupted") come after it and are no prompts.
    """
    prompt, start = "", -1
    for at, message in enumerate(messages):
        if message.get("role") == "user" and (words := last_prompt([content_text(message.get("content"))])):
            prompt, start = _WRAPPING.sub("", words), at
    return prompt, sum(1 for message in messages[start + 1 :] if message.get("role") == "tool")


def turns(steps: tuple[Step, ...]) -> list[list[Step]]:
    """The script cut after each tool call: what one answer of the model holds."""
    cut: list[list[Step]] = [[]]
    for step in steps:
        cut[-1].append(step)
        if isinstance(step, Exec | Tool):
            cut.append([])
    return cut


class Provider:
    """The server, in threads of its own. Use as a context manager."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self._lock = threading.Lock()
        self._requests: list[ModelRequest] = []
        provider = self

        class Handler(_Handler):
            owner = provider

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="provider", daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self._server.server_address[0]!s}:{self._server.server_address[1]}/v1"

    @property
    def requests(self) -> list[ModelRequest]:
        """All requests so far, oldest first."""
        with self._lock:
            return list(self._requests)

    def requests_with(self, words: str) -> list[ModelRequest]:
        """The requests whose prompt holds these words."""
        return [request for request in self.requests if words in request.prompt]

    def prompts(self, words: str = "") -> int:
        """How often a prompt with these words was *begun*: tool results going back do not count."""
        return sum(1 for request in self.requests if request.turn == 0 and words in request.prompt)

    def told(self, words: str) -> int:
        """How often a conversation holds a prompt with these words: a turn that the gateway begins anew adds none."""
        return max(
            (
                sum(
                    words in content_text(m.get("content"))
                    for m in request.messages
                    if m.get("role") == "user"
                )
                for request in self.requests
            ),
            default=0,
        )

    def record(self, request: ModelRequest) -> None:
        with self._lock:
            self._requests.append(request)

    def start(self) -> Provider:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Provider:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Handler(BaseHTTPRequestHandler):
    owner: Provider

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: a test's output is not the place for an access log."""

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            messages = tuple(dict(message) for message in body["messages"])
        except (ValueError, KeyError, TypeError):
            return self._json(400, {"error": {"message": "not a chat completion request"}})
        names = tuple(str(tool.get("function", {}).get("name", "")) for tool in body.get("tools") or ())
        request = ModelRequest(str(body.get("model", "")), messages, names)
        self.owner.record(request)
        steps = turns(script(request.prompt))
        turn = steps[min(request.turn, len(steps) - 1)]
        failure = next((step for step in turn if isinstance(step, Fail)), None)
        if failure is not None:
            return self._json(failure.status, {"error": {"message": failure.message, "type": "server_error"}})
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if body.get("stream"):
                self._stream(request, turn)
            else:
                self._whole(request, turn)

    def _stream(self, request: ModelRequest, turn: list[Step]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self._chunk(request, {"role": "assistant", "content": ""})
        words, finish = 0, "stop"
        for step in turn:
            match step:
                case Say():
                    for word in _words(step.text):
                        self._chunk(request, {"content": word})
                        words += 1
                        if step.per_second > 0:
                            time.sleep(1 / step.per_second)
                case Pause():
                    time.sleep(step.seconds)
                case Exec() | Tool():
                    self._chunk(request, {"tool_calls": [{"index": 0, **_tool_call(request, step)}]})
                    finish = "tool_calls"
        self._chunk(request, {}, finish)
        self._data(
            {
                **_head(request),
                "object": "chat.completion.chunk",
                "choices": [],
                "usage": _usage(request, words),
            }
        )
        self.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, request: ModelRequest, delta: dict[str, Any], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self._data({**_head(request), "object": "chat.completion.chunk", "choices": [choice]})

    def _data(self, body: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())
        self.wfile.flush()

    def _whole(self, request: ModelRequest, turn: list[Step]) -> None:
        text = "".join(step.text for step in turn if isinstance(step, Say))
        calls = [_tool_call(request, step) for step in turn if isinstance(step, Exec | Tool)]
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
        usage = _usage(request, len(text.split()))
        self._json(200, {**_head(request), "object": "chat.completion", "choices": [choice], "usage": usage})

    def _json(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _words(text: str) -> Iterator[str]:
    yield from re.findall(r"\s*\S+\s*$|\s*\S+", text) or ([text] if text else [])


def _head(request: ModelRequest) -> dict[str, Any]:
    return {"id": f"chatcmpl-{id(request):x}", "created": int(request.at), "model": request.model}


def _tool_call(request: ModelRequest, step: Exec | Tool) -> dict[str, Any]:
    """The call as the model makes it: a tool that OpenClaw did not hand out is called through its ``tool_call``."""
    name, arguments = (
        ("exec", {"command": step.command}) if isinstance(step, Exec) else (step.name, step.arguments)
    )
    if name not in request.tools and "tool_call" in request.tools:
        name, arguments = "tool_call", {"id": name, "args": arguments}
    identity = f"call_{int(request.at * 1000):x}_{request.turn}"
    return {
        "id": identity,
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


def _usage(request: ModelRequest, words: int) -> dict[str, int]:
    given = sum(len(content_text(message.get("content"))) for message in request.messages) // 4
    return {"prompt_tokens": given, "completion_tokens": words, "total_tokens": given + words}


def main() -> None:
    """Serves until interrupted and prints each prompt."""
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible provider on loopback.")
    parser.add_argument("--port", type=int, default=0)
    with Provider(parser.parse_args().port) as provider:
        print(provider.url, flush=True)
        seen = 0
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                for request in provider.requests[seen:]:
                    seen += 1
                    print(f"{request.model} turn {request.turn}: {request.prompt[:200]!r}", flush=True)
                time.sleep(0.2)


if __name__ == "__main__":
    main()
