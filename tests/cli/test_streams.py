"""Verbs that follow what happens: events and chats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ccp_tui.wire import Event
from tests.cli.conftest import Ccp
from tests.cli.fake_service import NOW, FakeService, Json, card, feed

HANG_UP = Event("hang up")
KEY = "agent:ada:main"


def _feed(number: int, text: str, **changes: Any) -> Event:
    return Event("feed", {"event": feed(number, text, **changes)})


def test_events_are_listed_oldest_first(ccp: Ccp, service: FakeService) -> None:
    service.answers["events.list"] = {"events": [feed(2, "two"), feed(1, "one")]}
    assert [event["id"] for event in ccp("events", "--json").json()] == [1, 2]
    assert [line[-3:] for line in ccp("events", "--task", "web-12", "--kind", "moved").out.splitlines()] == [
        "one",
        "two",
    ]
    assert service.asked("events.list")[1] == {"task": "WEB-12", "kind": "moved", "limit": 50}


def test_following_prints_each_event_once_and_filters(ccp: Ccp, service: FakeService) -> None:
    service.answers["subscribe"] = {}
    service.answers["events.list"] = {"events": [feed(1, "one"), feed(2, "two")]}
    service.after["events.list"] = [
        _feed(2, "two"),
        Event("task.changed", {"task": card()}),
        _feed(3, "other", task="WEB-1"),
        _feed(4, "four"),
        HANG_UP,
    ]
    ran = ccp("events", "--follow", "--task", "WEB-12", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line.get("id") for line in lines[:-1]] == [1, 2, 4]
    assert lines[-1]["error"]["code"] == "UNAVAILABLE"
    assert ran.code == 5


def test_following_catches_up_after_a_resync(ccp: Ccp, service: FakeService) -> None:
    pages = iter([[feed(1, "one")], [feed(3, "three"), feed(2, "two")]])
    service.answers["subscribe"] = {}
    service.answers["events.list"] = lambda params: {"events": next(pages)}
    service.after["events.list"] = [Event("resync")]

    def subscribed_again(params: Json) -> Json:
        service.after["events.list"] = [HANG_UP]
        return {}

    service.after["subscribe"] = []
    service.answers["subscribe"] = lambda params: (
        {} if not service.asked("events.list") else subscribed_again(params)
    )
    ran = ccp("events", "--follow")
    assert [line.split()[-1] for line in ran.out.splitlines()] == ["one", "two", "three"]
    assert service.asked("events.list")[1]["after"] == 1


def _message(number: int, role: str, text: str, status: str = "final", **changes: Any) -> Json:
    return {
        "id": number, "session_key": KEY, "agent": "ada", "role": role, "text": text, "tool": None, "run_id": None,
        "status": status, "usage": None, "attachments": [], "at": NOW, **changes,
    }  # fmt: skip


def _chat(service: FakeService, *messages: Json) -> None:
    service.answers["chat.open"] = {
        "session_key": KEY,
        "agent": "ada",
        "messages": list(messages),
        "live": None,
    }
    service.answers["watch"] = {}
    service.answers["chat.send"] = lambda params: {"message": _message(10, "user", params["text"], "queued")}


def test_reading_a_chat(ccp: Ccp, service: FakeService) -> None:
    tool = {"call_id": "c", "name": "exec", "args": {"command": "ls\x07 -l"}, "output": "", "is_error": False}
    _chat(
        service,
        _message(1, "user", "hi"),
        _message(2, "assistant", "hello\x1b[2J"),
        _message(3, "tool", "", tool=tool),
    )
    out = ccp("chat", "ada").out
    assert "  hello\n" in out
    assert "tool exec: ls -l" in out
    assert [m["id"] for m in ccp("chat", "ada", "--limit", "1", "--json").json()] == [3]


def test_sending(ccp: Ccp, service: FakeService, tmp_path: Path) -> None:
    _chat(service)
    file = tmp_path / "a.txt"
    file.write_text("x")
    sent = ccp("chat", "ada", "say", "hi", "--attach", str(file), "--mode", "steer", "--json").json()
    assert sent["status"] == "queued"
    assert service.asked("chat.send") == [
        {"session_key": KEY, "text": "say hi", "attachments": [str(file)], "mode": "steer"}
    ]
    assert ccp("chat", "ada", "hi", "--attach", str(tmp_path / "none")).code == 2


def _answered(service: FakeService, *last: Event) -> None:
    _chat(service)
    state = {"session_key": KEY, "run_id": "r1"}
    service.after["chat.send"] = [
        Event("run.delta", {"session_key": KEY, "run_id": "r0", "text": "another run"}),
        Event("message", {"message": _message(10, "user", "hi", "sent", run_id="r1")}),
        Event("run.delta", {**state, "text": "Good "}),
        Event("run.delta", {**state, "text": "Good morn"}),
        *last,
    ]


def test_waiting_for_the_answer_streams_it(ccp: Ccp, service: FakeService) -> None:
    over = Event("run.state", {"session_key": KEY, "run_id": "r1", "state": "final"})
    reply = Event("message", {"message": _message(11, "assistant", "Good morning.", run_id="r1")})
    for ends in ((over, reply), (reply, over)):
        _answered(service, *ends)
        service.after["chat.send"].pop(0)
        assert ccp("chat", "ada", "hi", "--wait", "20").out == "Good morning.\n"
    _answered(service, over, reply)
    document = ccp("chat", "ada", "hi", "--wait", "20", "--json").json()
    assert document["reply"]["text"] == "Good morning."
    assert document["message"]["id"] == 10


def test_waiting_fails_when_the_run_does(ccp: Ccp, service: FakeService) -> None:
    _answered(
        service,
        Event("run.state", {"session_key": KEY, "run_id": "r1", "state": "error", "detail": "HTTP 500"}),
    )
    ran = ccp("chat", "ada", "hi", "--wait", "20", "--json")
    assert ran.code == 1
    assert "HTTP 500" in ran.json()["error"]["message"]


def test_waiting_has_a_deadline(ccp: Ccp, service: FakeService) -> None:
    _answered(service)
    ran = ccp("chat", "ada", "hi", "--wait", "0.2")
    assert ran.code == 1
    assert "the agent goes on" in ran.err


def test_following_a_chat(ccp: Ccp, service: FakeService) -> None:
    _chat(service, _message(1, "user", "before"))
    service.after["watch"] = [
        Event("message", {"message": _message(2, "assistant", "half", "partial")}),
        Event("message", {"message": _message(2, "assistant", "whole")}),
        Event("message", {"message": _message(3, "assistant", "elsewhere", session_key="agent:bob:main")}),
        HANG_UP,
    ]
    words = [line.strip() for line in ccp("chat", "ada", "--follow").out.splitlines()]
    assert [word for word in words if word in ("before", "half", "whole", "elsewhere")] == ["before", "whole"]
    _chat(service, _message(1, "user", "before"))
    service.after["watch"] = [Event("run.delta", {"session_key": KEY, "run_id": "r", "text": "x"}), HANG_UP]
    lines = [json.loads(line) for line in ccp("chat", "ada", "--follow", "--json").out.splitlines()]
    assert [line.get("event") for line in lines] == ["message", "run.delta", None]


def test_aborting(ccp: Ccp, service: FakeService) -> None:
    _chat(service)
    service.answers["chat.abort"] = {"aborted": True}
    assert ccp("chat", "ada", "--abort").out == "Aborted.\n"
    assert service.asked("chat.send") == []
