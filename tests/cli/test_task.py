"""The verbs of ``ccp task``: what they ask, what they print, how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ccp_tui.wire import Event
from tests.cli.conftest import Ccp
from tests.cli.fake_service import NOW, FakeService, Json, Refusal, card, feed


def _detail(**changes: Any) -> Json:
    return card(
        state="review", agent="ada", agent_name="Ada", attempt=2, round=3, spec_version=4, why="",
        description="Two\nlines",
        moves=[{"trigger": "approve", "target": "done", "label": "Approve", "gate": None, "reason": None}],
        spec={"version": 4, "summary": "Why", "deliverables": [{"path": "a.md", "description": ""}],
              "success_criteria": ["good"], "checks": [{"name": "there", "command": "test -s a.md"}],
              "constraints": [], "approved_at": None, "text": "title: x"},
        attempts=[{"number": 2, "agent": "ada", "state": "open", "outcome": None, "started_at": NOW,
                   "ended_at": None, "tokens": 1200, "cost_usd": 0.5,
                   "rounds": [{"number": 3, "summary": "made it", "result": "passed",
                               "deliverables": [{"path": "a.md", "present": True, "size": 2048}],
                               "checks": [{"name": "there", "ok": False, "exit_code": 1, "output": "boom"}],
                               "reviews": [{"verdict": "reject", "actor": "ann", "reason": "thin"}]}]}],
        **changes,
    )  # fmt: skip


ERRORS = [
    ("FAILED", 1, {}),
    ("USAGE", 2, {"line": 7, "field": "checks"}),
    ("NOT_FOUND", 3, {}),
    (
        "REFUSED",
        4,
        {"gate": "spec_approved", "state": "inbox", "trigger": "assign", "reason": "not approved"},
    ),
    ("UNAVAILABLE", 5, {"fix": "start it"}),
    ("NOT_ALLOWED", 6, {}),
    ("SOMETHING_NEW", 1, {}),
]


@pytest.mark.parametrize(("code", "exit_code", "details"), ERRORS)
def test_every_error_has_its_exit_code_and_its_json(
    ccp: Ccp, service: FakeService, code: str, exit_code: int, details: Json
) -> None:
    service.answers["task.cancel"] = Refusal(code, "the reason", **details)
    ran = ccp("task", "cancel", "web-12", "--json")
    assert ran.code == exit_code
    known = code if code != "SOMETHING_NEW" else "FAILED"
    assert ran.json() == {"error": {"code": known, "message": "WEB-12: the reason", **details}}
    ran = ccp("task", "cancel", "web-12")
    assert (ran.code, ran.out) == (exit_code, "")
    for detail in ("gate", "fix"):
        assert str(details.get(detail, "")) in ran.err


def test_list_for_people_is_safe_and_aligned(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.list"] = {
        "tasks": [
            card("WEB-1", title="\x1b[31mred\x07 title\nof two lines", agent="ada", agent_name="Äda 🦊"),
            card(
                "WEB-12",
                hold={"kind": "error", "reason": "r", "since": None, "release": "x"},
                priority="urgent",
            ),
        ]
    }
    lines = ccp("task", "list", "--held", "--mission", "web").out.splitlines()
    assert service.asked("task.list") == [{"held": True, "mission": "web"}]
    assert lines[0].split() == ["REF", "STATE", "PRIORITY", "AGENT", "SINCE", "TITLE"]
    assert lines[1].endswith("red title of two lines")
    assert "held: error" in lines[2]
    assert "urgent" in lines[2]
    assert "\x1b" not in "".join(lines)


def test_json_carries_no_control_characters(ccp: Ccp, service: FakeService) -> None:
    title = "a\x1b[31m b\x9b31m c\u202ed"
    service.answers["task.list"] = {"tasks": [card(title=title)]}
    ran = ccp("task", "list", "--json")
    assert ran.json()[0]["title"] == title
    assert not set("\x1b\x9b\u202e") & set(ran.out)


def test_nothing_to_list(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.list"] = {"tasks": []}
    assert "ccp task add" in ccp("task", "list").out
    assert ccp("task", "list", "--state", "done").out == "No task matches.\n"
    assert ccp("task", "list", "--json").json() == []


def test_show(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.show"] = {"task": _detail()}
    shown = ccp("task", "show", "web-12", "--json").json()
    assert shown == _detail()
    out = ccp("task", "show", "web-12").out
    for words in (
        "not approved yet",
        "a.md  2,048 bytes",
        "FAIL  there (exit 1)",
        "boom",
        "reject by ann: thin",
        "Approve",
    ):
        assert words in out


def test_several_references_go_on_after_a_failure(ccp: Ccp, service: FakeService) -> None:
    def cancel(params: Json) -> Json:
        if params["ref"] == "WEB-2":
            raise Refusal("REFUSED", "no cancel from Done", gate="state", state="done")
        return {"task": card(params["ref"], state="cancelled")}

    service.answers["task.cancel"] = cancel
    ran = ccp("task", "cancel", "web-1", "web-2", "web-3", "--reason", "old", "--json")
    assert ran.code == 4
    document = ran.json()
    assert [row["ref"] for row in document] == ["WEB-1", "WEB-2", "WEB-3"]
    assert document[1]["error"]["gate"] == "state"
    assert service.asked("task.cancel")[0] == {"ref": "WEB-1", "reason": "old"}


def test_add(ccp: Ccp, service: FakeService, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("title: x\n")
    service.answers["task.add"] = {"task": card()}
    ran = ccp(
        "task", "add", "Write", "the", "report", "-m", "web", "-a", "ada", "-p", "high", "-d", "long", "--due",
        "2026-12-24", "--spec", str(spec),
    )  # fmt: skip
    assert ran.out == "WEB-12  inbox  Write the report\n"
    assert service.asked("task.add") == [
        {"title": "Write the report", "mission": "web", "agent": "ada", "priority": "high", "description": "long",
         "due": "2026-12-24", "spec": "title: x\n"}
    ]  # fmt: skip


def test_edit_can_take_the_due_date_away(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.edit"] = {"task": card()}
    ccp("task", "edit", "web-12", "--due", "none", "--priority", "low")
    assert service.asked("task.edit") == [{"ref": "WEB-12", "due": "", "priority": "low"}]


def test_assign_by_last_word_or_by_option(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.assign"] = {"task": card(state="assigned")}
    ccp("task", "assign", "web-1", "web-2", "ada")
    ccp("task", "assign", "web-3", "--agent", "bob")
    assert [(call["ref"], call["agent"]) for call in service.asked("task.assign")] == [
        ("WEB-1", "ada"),
        ("WEB-2", "ada"),
        ("WEB-3", "bob"),
    ]


def test_spec_is_printed_as_written(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.spec"] = {"spec": {"version": 4, "text": "title: x\n# note\n"}}
    assert ccp("task", "spec", "web-12", "--version", "4").out == "title: x\n# note\n"
    assert service.asked("task.spec") == [{"ref": "WEB-12", "version": 4}]


def test_a_bad_spec_names_its_line(ccp: Ccp, service: FakeService, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("titel: x\n")
    service.answers["task.set_spec"] = Refusal("USAGE", "spec has no key 'titel'", line=1, field="spec")
    ran = ccp("task", "spec", "web-12", "--file", str(file))
    assert ran.code == 2
    assert "line 1" in ran.err


def test_the_template_is_a_valid_spec(ccp: Ccp) -> None:
    from ccp_tui import spec

    parsed = spec.parse(ccp("task", "spec", "--template").out)
    assert spec.incomplete(parsed.deliverables, parsed.success_criteria) == ""


def test_approve_spec_takes_the_latest_version(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.show"] = {"task": _detail()}
    service.answers["task.approve_spec"] = {"task": card()}
    ccp("task", "approve-spec", "web-12")
    ccp("task", "approve-spec", "web-12", "--version", "2")
    assert [call["version"] for call in service.asked("task.approve_spec")] == [4, 2]


def test_approve_spec_without_one(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.show"] = {"task": card()}
    ran = ccp("task", "approve-spec", "web-12", "--json")
    assert ran.code == 4
    assert ran.json()["error"]["gate"] == "spec_complete"


def test_a_verdict_is_for_the_round_that_stands(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.show"] = {"task": _detail()}
    service.answers["task.approve"] = service.answers["task.reject"] = {"task": card(state="done")}
    ccp("task", "approve", "web-12")
    ccp("task", "reject", "web-12", "--attempt", "1", "--round", "2", "--reason", "thin")
    assert service.asked("task.approve") == [{"ref": "WEB-12", "attempt": 2, "round": 3}]
    assert service.asked("task.reject") == [{"ref": "WEB-12", "attempt": 1, "round": 2, "reason": "thin"}]


@pytest.mark.parametrize(
    ("words", "method", "params"),
    [
        (("unassign",), "task.unassign", {}),
        (("plan",), "task.plan", {}),
        (("drop-plan",), "task.drop_plan", {}),
        (("dispatch",), "task.dispatch", {}),
        (("stop",), "task.stop", {}),
        (("restore",), "task.restore", {}),
        (("retry",), "task.retry", {}),
        (("reopen", "--reason", "again"), "task.reopen", {"reason": "again"}),
        (("move", "--to", "done"), "task.move", {"to": "done"}),
        (("place", "--before", "web-3"), "task.place", {"before": "WEB-3"}),
    ],
)
def test_moves(ccp: Ccp, service: FakeService, words: tuple[str, ...], method: str, params: Json) -> None:
    service.answers[method] = {"task": card(queued=True, waiting="ada is busy")}
    ran = ccp("task", words[0], "web-12", *words[1:])
    assert ran.code == 0
    assert "queued: ada is busy" in ran.out
    assert service.calls == [(method, {"ref": "WEB-12", **params})]


def _dispatched(service: FakeService, *events: Event) -> None:
    service.answers["subscribe"] = {}
    service.answers["task.dispatch"] = service.answers["task.show"] = {"task": card(state="in_progress")}
    service.after["task.show"] = list(events)


def test_dispatch_waits_until_the_review(ccp: Ccp, service: FakeService) -> None:
    _dispatched(
        service,
        Event("feed", {"event": feed(1, "Ada started")}),
        Event("task.changed", {"task": card("WEB-9", state="review")}),
        Event("task.changed", {"task": card(state="review")}),
    )
    ran = ccp("task", "dispatch", "web-12", "--wait", "20", "--json")
    assert ran.code == 0
    assert ran.json()["state"] == "review"
    assert "Ada started" in ran.err


def test_dispatch_wait_is_not_misled_by_old_news(ccp: Ccp, service: FakeService) -> None:
    early, late = "2026-11-23T06:54:10.000Z", "2026-11-23T06:54:20.000Z"
    _dispatched(
        service,
        Event("task.changed", {"task": card(state="assigned", updated_at=early)}),
        Event("task.changed", {"task": card(state="assigned", queued=True)}),
        Event("task.changed", {"task": card(state="review", updated_at=late)}),
    )
    assert ccp("task", "dispatch", "web-12", "--wait", "20", "--json").json()["state"] == "review"


def test_dispatch_wait_tells_of_a_stop(ccp: Ccp, service: FakeService) -> None:
    _dispatched(
        service,
        Event("task.changed", {"task": card(state="assigned", updated_at="2026-11-23T07:00:00.000Z")}),
    )
    ran = ccp("task", "dispatch", "web-12", "--wait", "20")
    assert ran.code == 1
    assert "nothing runs" in ran.err


def test_show_says_the_way_on_once(ccp: Ccp, service: FakeService) -> None:
    hold = {"kind": "error", "reason": "It broke", "since": None, "release": "Retry, or cancel."}
    service.answers["task.show"] = {"task": _detail() | {"hold": hold, "why": "It broke. Retry, or cancel."}}
    out = ccp("task", "show", "web-12").out
    assert "  not moving: It broke.\n  to go on: Retry, or cancel.\n" in out
    assert out.count("Retry, or cancel.") == 1


def test_wait(ccp: Ccp, service: FakeService) -> None:
    _dispatched(service, Event("task.changed", {"task": card(state="review")}))
    assert ccp("task", "wait", "web-12", "--json").json()["state"] == "review"
    service.answers["task.show"] = {"task": card(state="inbox")}
    assert ccp("task", "wait", "web-12").code == 1


@pytest.mark.parametrize("planning", ["person", "proposed"])
def test_wait_for_the_planner(ccp: Ccp, service: FakeService, planning: str) -> None:
    _dispatched(service, Event("task.changed", {"task": card(state="planning", planning=planning)}))
    service.answers["task.show"] = {"task": card(state="planning", planning="opening")}
    assert ccp("task", "wait", "web-12", "--json").json()["planning"] == planning


def test_dispatch_wait_fails_on_a_hold(ccp: Ccp, service: FakeService) -> None:
    hold = {"kind": "error", "reason": "the provider said 500", "since": None, "release": "retry"}
    _dispatched(service, Event("task.changed", {"task": card(state="in_progress", hold=hold)}))
    ran = ccp("task", "dispatch", "web-12", "--wait", "20", "--json")
    assert ran.code == 1
    assert "the provider said 500" in ran.json()["error"]["message"]


def test_dispatch_wait_ends_in_time(ccp: Ccp, service: FakeService) -> None:
    _dispatched(service)
    ran = ccp("task", "dispatch", "web-12", "--wait", "0.2")
    assert ran.code == 1
    assert "goes on by itself" in ran.err


def test_history_is_oldest_first(ccp: Ccp, service: FakeService) -> None:
    service.answers["task.history"] = {"events": [feed(2, "second"), feed(1, "first", reason="why")]}
    first, second = ccp("task", "history", "web-12").out.splitlines()
    assert first.endswith("first: why")
    assert second.endswith("second")
