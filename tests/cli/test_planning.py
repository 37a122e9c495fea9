"""The verbs around planning, questions, dependencies, and stopping everything."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Ccp
from tests.cli.fake_service import NOW, FakeService, Json, Refusal, card

QUESTION: Json = {
    "id": 7, "kind": "planning", "ref": "WEB-12", "agent": "ccp-planner", "session_key": "s", "header": "", "text":
    "Which \x1b[31mtone?", "options": [{"id": "a", "label": "Plain", "description": "short words"},
                                       {"id": "b", "label": "Warm", "description": ""}],
    "multiple": False, "free": True, "state": "open", "answer": None, "asked_at": NOW, "expires_at": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def tasks(service: FakeService) -> None:
    for method in ("add", "edit", "plan", "replan", "depend", "review", "drop_plan", "approve"):
        service.answers[f"task.{method}"] = lambda params: {"task": card(params.get("ref", "WEB-12"))}


def test_a_task_is_planned_at_once(ccp: Ccp, service: FakeService) -> None:
    words = ["--auto", "--needs", "web-1", "WEB-2", "--needs", "web-3", "--parent", "web-9"]
    ran = ccp("task", "add", "Write it", *words, "--budget-usd", "$2.50", "--budget-tokens", "500k", "--json")
    assert ran.json() == card()
    assert service.asked("task.add") == [
        {"title": "Write it", "auto": True, "needs": ["WEB-1", "WEB-2", "WEB-3"], "parent": "WEB-9",
         "budget_usd": 2.5, "budget_tokens": 500_000}
    ]  # fmt: skip
    ccp("task", "add", "Plain")
    assert service.asked("task.add")[1] == {"title": "Plain"}


def test_a_budget_is_raised_and_taken_away(ccp: Ccp, service: FakeService) -> None:
    assert ccp("task", "edit", "WEB-1", "--budget-usd", "9").code == 0
    assert ccp("task", "edit", "WEB-1", "--budget-usd", "none", "--title", "T").code == 0
    assert service.asked("task.edit") == [
        {"ref": "WEB-1", "budget_usd": 9.0},
        {"ref": "WEB-1", "title": "T", "budget_usd": None},
    ]


def test_planning_is_begun_corrected_and_dropped(ccp: Ccp, service: FakeService) -> None:
    ccp("task", "plan", "web-1", "web-2")
    ccp("task", "plan", "web-1", "--auto")
    ccp("task", "replan", "web-1", "two", "chapters")
    ccp("task", "drop-plan", "web-1")
    assert service.asked("task.plan") == [{"ref": "WEB-1"}, {"ref": "WEB-2"}, {"ref": "WEB-1", "auto": True}]
    assert service.asked("task.replan") == [{"ref": "WEB-1", "text": "two chapters"}]
    assert service.asked("task.drop_plan") == [{"ref": "WEB-1"}]


def test_dependencies(ccp: Ccp, service: FakeService) -> None:
    ccp("task", "depend", "web-1", "--needs", "web-2", "web-3")
    ccp("task", "depend", "web-1", "--needs", "web-2", "--remove")
    assert service.asked("task.depend") == [
        {"ref": "WEB-1", "needs": ["WEB-2", "WEB-3"]},
        {"ref": "WEB-1", "needs": ["WEB-2"], "remove": True},
    ]
    service.answers["task.depend"] = Refusal("REFUSED", "WEB-2 needs WEB-1", gate="circle")
    assert ccp("task", "depend", "web-1", "--needs", "web-2").code == 4


def test_reviews(ccp: Ccp, service: FakeService) -> None:
    ccp("task", "review", "web-1")
    verdict = ["--attempt", "1", "--round", "2"]
    ccp("task", "approve", "web-1", *verdict)
    ccp("task", "approve", "web-1", *verdict, "--accept-changes")
    assert service.asked("task.review") == [{"ref": "WEB-1"}]
    assert service.asked("task.approve") == [
        {"ref": "WEB-1", "attempt": 1, "round": 2},
        {"ref": "WEB-1", "attempt": 1, "round": 2, "accept_changes": True},
    ]


def test_what_a_task_waits_for_is_shown(ccp: Ccp, service: FakeService) -> None:
    shown = card(
        state="assigned", subtasks=3, subtasks_done=1, waits_for=["WEB-13", "WEB-14"], parent="WEB-2"
    )
    service.answers["task.show"] = {"task": shown}
    out = ccp("task", "show", "WEB-12").out
    for words in ("1/3 sub-tasks done", "waits for WEB-13 WEB-14", "part of WEB-2"):
        assert words in out


def test_questions_are_listed_with_their_options(ccp: Ccp, service: FakeService) -> None:
    answered = QUESTION | {"id": 8, "state": "answered",
                           "answer": {"options": [{"id": "b", "label": "Warm"}], "text": "and short"}}  # fmt: skip
    service.answers["question.list"] = {"questions": [QUESTION, answered]}
    assert ccp("question", "list", "--json").json() == [QUESTION, answered]
    out = ccp("question", "list", "--task", "web-12").out
    for words in ("WEB-12", "Which tone?", "a) Plain: short words", "* b) Warm", "* and short", "answered"):
        assert words in out
    assert service.asked("question.list") == [{}, {"ref": "WEB-12"}]
    service.answers["question.list"] = {"questions": []}
    assert ccp("question", "list").out == "No question is open.\n"


def test_questions_are_answered_and_waived(ccp: Ccp, service: FakeService) -> None:
    answer = {"options": [{"id": "a", "label": "Plain"}], "text": "but kind"}
    service.answers["question.answer"] = {"question": QUESTION | {"state": "answered", "answer": answer}}
    service.answers["question.waive"] = {"question": QUESTION | {"state": "waived"}}
    out = ccp("question", "answer", "7", "--option", "a", "-o", "b", "--text", "but kind").out
    assert out == "question 7  answered  a) Plain, but kind\n"
    assert ccp("question", "waive", "7", "--json").json()["state"] == "waived"
    assert service.asked("question.answer") == [{"id": 7, "options": ["a", "b"], "text": "but kind"}]
    assert service.asked("question.waive") == [{"id": 7}]
    service.answers["question.answer"] = Refusal("NOT_FOUND", "there is no question 9")
    assert ccp("question", "answer", "9", "--text", "x").code == 3


def test_everything_is_stopped_and_goes_on(ccp: Ccp, service: FakeService) -> None:
    stopped = {"emergency": {"at": NOW, "by": "ada"}}
    service.answers["emergency.stop"] = stopped
    service.answers["emergency.resume"] = {"emergency": None}
    assert "Everything is stopped, by ada." in ccp("stop-work").out
    assert ccp("stop-work", "--json").json() == stopped
    assert ccp("resume-work").out == "Everything goes on.\n"
    assert len(service.asked("emergency.stop")) == 2


def test_the_dispatcher_explains_itself(ccp: Ccp, service: FakeService) -> None:
    plan = {"would": ["WEB-1"], "waiting": [{"ref": "WEB-2", "reason": "it needs WEB-1"}]}
    service.answers["dispatch.plan"] = plan
    assert ccp("dispatch-plan", "--json").json() == plan
    lines = [line.split(maxsplit=1) for line in ccp("dispatch-plan").out.splitlines()]
    assert lines[1:] == [["WEB-1", "starts now"], ["WEB-2", "it needs WEB-1"]]
    service.answers["dispatch.plan"] = {"would": [], "waiting": []}
    assert ccp("dispatch-plan").out == "No task is assigned.\n"


def test_an_agent_is_deleted_only_with_a_yes(ccp: Ccp, service: FakeService) -> None:
    service.answers["agent.delete"] = {"id": "ada"}
    assert ccp("agent", "delete", "ada").code == 2
    assert service.asked("agent.delete") == []
    assert ccp("agent", "delete", "ada", "--yes").out == "ada is deleted.\n"
    ran = ccp("agent", "delete", "ada", "--work", "stop", "--delete-files", "--yes", "--json")
    assert ran.json() == {"deleted": True, "id": "ada"}
    assert service.asked("agent.delete") == [
        {"id": "ada"},
        {"id": "ada", "work": "stop", "delete_files": True},
    ]
    service.answers["agent.delete"] = Refusal("REFUSED", "ada works on WEB-1", gate="work")
    assert ccp("agent", "delete", "ada", "--yes").code == 4


def test_a_file_that_the_gateway_changed_is_refused_or_forced(
    ccp: Ccp, service: FakeService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("soul") / "SOUL.md"
    file.write_text("Be kind.\n")
    service.answers["agent.set_file"] = Refusal("REFUSED", "it was changed", gate="file_changed", theirs="x")
    assert ccp("agent", "set-file", "ada", "SOUL.md", str(file)).code == 4
    service.answers["agent.set_file"] = {"version": 4}
    assert ccp("agent", "set-file", "ada", "SOUL.md", str(file), "--force").code == 0
    assert service.asked("agent.set_file")[-1]["force"] is True
