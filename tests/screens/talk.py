"""Canned conversations, events, hits and requests for the screens that show them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.screens.conftest import Stage
from tests.screens.fakes import HOUR_AGO, NOW, YESTERDAY, Answer, Json, snapshot

KEY = "agent:fox:ccp-chat-1"

MARKDOWN = """Here is what I found:

## Plan

1. Read `tests/search` and see **what fails**
2. Mend the *tokeniser*
   - keep the old one behind a flag

```python
def score(a: str, b: str) -> float:
    return 1.0 if a == b else 0.0
```

| file | lines |
|------|-------|
| a.py | 120   |

> A quote from [the docs](https://example.org/x).

<b>html stays text</b>, [red]so does markup[/red] and \x1b[31mcolour codes\x1b[0m do not act."""


def message(id: int, role: str, text: str = "", *, minute: int = 0, **more: Any) -> Json:
    """A stored message of the canned chat."""
    row: Json = {
        "id": id, "session_key": KEY, "agent": "fox", "role": role, "text": text, "tool": None, "run_id": None,
        "status": "sent" if role == "user" else "final", "usage": None, "attachments": [],
        "at": f"2026-11-23T11:{minute:02d}:00.000Z",
    }  # fmt: skip
    return row | more


def tool(id: int, name: str, args: Json, output: str, *, minute: int = 0, is_error: bool = False) -> Json:
    """A tool call with its output."""
    call = {"call_id": f"c{id}", "name": name, "args": args, "output": output, "is_error": is_error}
    return message(id, "tool", minute=minute, tool=call)


MESSAGES = [
    message(11, "user", "Please make the search forgive typing errors.", minute=1, attachments=["notes.md"]),
    message(12, "assistant", "I will look at the tests first.", minute=2),
    tool(
        13, "exec", {"command": "pytest tests/search -q"}, "..F.\n1 failed, 3 passed", minute=2, is_error=True
    ),
    tool(14, "read", {"path": "src/tokens.py"}, "\n".join(f"line {n}" for n in range(40)), minute=2),
    message(15, "assistant", MARKDOWN, minute=3),
    message(16, "user", "Good. Also look at the umlauts.", minute=4, status="steered"),
    message(17, "user", "And tell me when done.", minute=5, status="queued"),
]


def session(key: str, agent: str, last: str, *, task: str | None = None, unread: int = 0) -> Json:
    return {"session_key": key, "agent": agent, "title": agent, "task": task, "unread": unread, "last_at": NOW,
            "last_text": last}  # fmt: skip


def opened(params: Json) -> Json:
    """What ``chat.open`` answers: Fox's chat, or an empty one of whoever else is asked for."""
    key = params.get("session_key") or (
        KEY if params["agent"] == "fox" else f"agent:{params['agent']}:ccp-chat-1"
    )
    agent = key.split(":")[1]
    if key == KEY:
        return {"session_key": KEY, "agent": agent, "messages": MESSAGES, "has_more": True, "live": None}
    words = [message(90, "assistant", f"Hello, {agent} here.", session_key=key, agent=agent)]
    return {"session_key": key, "agent": agent, "messages": words, "has_more": False, "live": None}


def older(params: Json) -> Json:
    """What ``chat.history`` answers: ten older messages, then nothing."""
    if params["before"] <= 1:
        return {"messages": [], "has_more": False}
    words = [message(n, "user" if n % 2 else "assistant", f"older words {n}") for n in range(1, 11)]
    return {"messages": words, "has_more": False}


CHAT: dict[str, Answer] = {
    "chat.open": opened,
    "chat.history": older,
    "chat.sessions": {
        "sessions": [
            session(KEY, "fox", "And tell me when done."),
            session("agent:owl:ccp-chat-1", "owl", "The help pages are translated, all but two", unread=3),
            session("agent:fox:ccp-7-1", "fox", "exec: pytest tests/search -q", task="WEB-7"),
        ]
    },
    "chat.totals": {"tokens": 12412, "cost_usd": 0.183},
    "chat.send": lambda params: {
        "message": message(99, "user", params["text"], minute=6, status="sending",
                           attachments=[path.rsplit("/", 1)[-1] for path in params.get("attachments", [])])
    },
    "chat.abort": {"aborted": True},
}  # fmt: skip


def event(id: int, kind: str, text: str, task: str | None = None, actor: str = "person", **more: Any) -> Json:
    """A row of the feed."""
    row: Json = {
        "id": id, "at": f"2026-11-23T11:{id % 60:02d}:05.000Z", "actor": actor, "kind": kind, "task": task,
        "mission": "web" if task else None, "agent": None, "attempt": None, "round": None, "text": text,
        "reason": None, "data": {},
    }  # fmt: skip
    return row | more


EVENTS = [
    event(1, "task.created", "captured Search that forgives typing errors", "WEB-7", at=YESTERDAY),
    event(2, "task.dispatched", "dispatched to Fox", "WEB-7", "service", agent="fox"),
    event(3, "report.delivered", "delivered src/tokens.py", "WEB-7", "agent:fox", agent="fox"),
    event(
        4,
        "check.failed",
        "check pytest failed",
        "WEB-9",
        "service",
        agent="owl",
        reason="2 failed, 31 passed",
    ),
    event(5, "task.held", "held: the run ended without a submission", "WEB-8", "service", agent="owl"),
    event(6, "gateway.connected", "the gateway is connected", None, "service"),
    event(7, "review.approved", "approved round 1", "WEB-11"),
]

HITS: list[Json] = [
    {"kind": "task", "ref": "WEB-7", "title": "Search that forgives typing errors", "at": HOUR_AGO,
     "snippet": "\x02Search\x03 that forgives typing errors", "session_key": None, "agent": "fox",
     "event_id": None, "message_id": None},
    {"kind": "spec", "ref": "WEB-7", "title": "Search that forgives typing errors", "at": YESTERDAY,
     "snippet": "success_criteria: a \x02search\x03 for “recieve”\n finds “receive”", "session_key": None,
     "agent": None, "event_id": None, "message_id": None},
    {"kind": "message", "ref": None, "title": "Chat with Fox", "at": HOUR_AGO,
     "snippet": "so many words before it that the line would end " * 2 + "but make the \x02search\x03 forgive",
     "session_key": KEY, "agent": "fox", "event_id": None, "message_id": 12},
    {"kind": "event", "ref": "WEB-7", "title": "report.delivered", "at": HOUR_AGO,
     "snippet": "delivered src/\x02search\x03/tokens.py \x1b[31mred", "session_key": None, "agent": "fox",
     "event_id": 3, "message_id": None},
]  # fmt: skip

TEXTS = {
    1: "# Fox\n\nYou are Fox, a careful coder.\n\n- small commits\n- tests first\n",
    2: "# Fox\n\nYou are Fox, a careful and quick coder.\n\n- small commits\n- tests first\n- say what is left\n",
}


def agent_file(params: Json) -> Json:
    """What ``agent.file`` answers: two versions of SOUL.md, the other files empty."""
    if params["name"] != "SOUL.md":
        return {"name": params["name"], "content": "", "version": None, "versions": []}
    version = params.get("version") or 2
    versions = [{"version": 1, "created_at": YESTERDAY, "author": "import"},
                {"version": 2, "created_at": HOUR_AGO, "author": "person"}]  # fmt: skip
    return {"name": "SOUL.md", "content": TEXTS[version], "version": version, "created_at": HOUR_AGO,
            "author": "person", "versions": versions}  # fmt: skip


AGENTS: dict[str, Answer] = {
    "agent.file": agent_file,
    "model.list": {
        "models": [{"id": "openai/gpt-5", "name": "GPT-5", "provider": "openai"},
                   {"id": "anthropic/opus", "name": "Opus", "provider": "anthropic"}]
    },
    "agent.importable": {
        "agents": [
            {"id": "main", "name": "Main", "emoji": "🦞", "model": "openai/gpt-5", "workspace": "/home/o/main"},
            {"id": "cat", "name": "Cat", "emoji": "🐱", "model": None, "workspace": "/home/o/cat"},
        ]
    },
}  # fmt: skip

ANSWERS: dict[str, Answer] = {**CHAT, **AGENTS, "events.list": {"events": EVENTS}, "search": {"hits": HITS}}

APPROVAL: Json = {
    "key": "approval:ap1", "urgency": 0, "kind": "approval", "ref": "WEB-7", "agent": "fox", "since": HOUR_AGO,
    "text": "fox wants to run: rm -rf build && make release",
    "answer": {"method": "approval.resolve", "id": "ap1", "decisions": ["allow-once", "deny"],
               "command": "rm -rf build && \\\n  make release", "cwd": "/home/openclaw/fox", "expires_at": None},
}  # fmt: skip
QUESTION: Json = {
    "key": "question:1", "urgency": 1, "kind": "question", "ref": None, "agent": "owl", "since": HOUR_AGO,
    "text": "owl asks: Which tone shall the help pages have?",
    "answer": {
        "method": "question.answer",
        "question": {
            "id": 1, "kind": "report", "ref": None, "agent": "owl", "session_key": "agent:owl:ccp-1", "header": "Tone",
            "text": "Which tone shall the help pages have?", "multiple": False, "free": True, "state": "open",
            "options": [{"id": "a", "label": "formal", "description": "as in contracts"},
                        {"id": "b", "label": "friendly", "description": "as among colleagues"}],
            "answer": None, "asked_at": HOUR_AGO, "expires_at": None,
        },
    },
}  # fmt: skip


def asked(**more: Any) -> Json:
    """The queue's item of a question that differs from QUESTION in these keys."""
    question = QUESTION["answer"]["question"] | more
    item = QUESTION | {
        "ref": question["ref"],
        "agent": question["agent"],
        "key": f"question:{question['id']}",
    }
    return item | {"answer": QUESTION["answer"] | {"question": question}}


def busy_board() -> Json:
    """The canned board with an exec approval and a question on top of its queue."""
    board = snapshot()
    board["attention"] = [APPROVAL, QUESTION, *board["attention"]]
    return board


async def until(s: Stage, holds: Callable[[], object]) -> None:
    """Waits for what follows a pause of the screen itself: gathered marks, a paced repaint, a debounced question."""
    for _ in range(500):
        if holds():
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError(f"it did not come about; the screen:\n{s.text}")
    await s.settle()


async def type_words(s: Stage, text: str) -> None:
    """Types words, blanks too."""
    for character in text:
        await s.pilot.press("space" if character == " " else character)
    await s.settle()
