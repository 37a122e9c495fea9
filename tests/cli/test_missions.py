"""``ccp mission policy``, ``costs`` and ``export``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ccp
from tests.cli.fake_service import FakeService, Json, Refusal

POLICY: Json = {
    "review": "person",
    "auto": "dispatch",
    "concurrency": None,
    "budget_usd": 5.0,
    "planner": None,
}
MISSION: Json = {
    "id": 1, "slug": "web", "title": "Web", "icon": "", "prefix": "WEB", "archived": False, "counts": {},
    "policy": {"budget_usd": 5.0}, "effective": POLICY,
}  # fmt: skip
COSTS: Json = {
    "total": {"tokens": 812_400, "cost_usd": 3.05},
    "by_purpose": [{"purpose": "work", "tokens": 812_400, "cost_usd": 3.05}],
    "by_agent": [{"agent": "fox", "tokens": 812_400, "cost_usd": 3.05}],
    "by_task": [{"ref": "WEB-10", "title": "Re\x1b[31mceipt", "state": "done", "tokens": 812_400, "cost_usd": 3.05}],
    "budget": {"tokens": None, "usd": 5.0, "task_tokens": None, "task_usd": None},
}  # fmt: skip
TIMELINE: Json = {"markdown": "# Web\n\nit \x1b[31mbegan\n", "data": {"mission": MISSION, "events": []}}


def test_a_policy_is_shown_with_what_the_mission_says_itself(ccp: Ccp, service: FakeService) -> None:
    service.answers["mission.list"] = {"missions": [MISSION]}
    assert ccp("mission", "policy", "web", "--json").json() == {
        "slug": "web",
        "policy": MISSION["policy"],
        "effective": POLICY,
    }
    rows = [line.split() for line in ccp("mission", "policy", "WEB").out.splitlines()]
    assert ["budget", "usd", "5.0", "*"] in rows
    assert ["concurrency", "none"] in rows
    assert ccp("mission", "policy", "sea").code == 3
    assert service.asked("mission.update") == []


def test_a_policy_is_set(ccp: Ccp, service: FakeService) -> None:
    service.answers["mission.update"] = {"mission": MISSION}
    words = [
        "--review",
        "agent-then-person",
        "--auto",
        "full",
        "--concurrency",
        "3",
        "--budget-usd",
        "$12.50",
    ]
    more = ["--budget-tokens", "2M", "--task-budget-usd", "none", "--planner", "owl", "--reviewer", "none"]
    assert ccp("mission", "policy", "web", *words, *more).code == 0
    assert service.asked("mission.update") == [
        {
            "slug": "web",
            "policy": {
                "review": "agent_then_person",
                "auto": "full",
                "concurrency": 3,
                "budget_usd": 12.5,
                "budget_tokens": 2_000_000,
                "task_budget_usd": None,
                "planner": "owl",
                "reviewer": None,
            },
        }
    ]


def test_a_policy_that_makes_no_sense_names_its_field(ccp: Ccp, service: FakeService) -> None:
    service.answers["mission.update"] = Refusal("USAGE", "budget_usd: must be above 0", field="budget_usd")
    ran = ccp("mission", "policy", "web", "--budget-usd", "1", "--json")
    assert ran.code == 2
    assert ran.json()["error"]["field"] == "budget_usd"


def test_an_archive_that_is_refused_names_the_gate(ccp: Ccp, service: FakeService) -> None:
    service.answers["mission.update"] = Refusal("REFUSED", "work goes on in it: WEB-1", gate="idle")
    assert ccp("mission", "archive", "web").code == 4


def test_costs(ccp: Ccp, service: FakeService) -> None:
    service.answers["mission.costs"] = COSTS
    assert ccp("mission", "costs", "web", "--json").json() == COSTS
    out = ccp("mission", "costs", "web").out
    for words in ("$3.05, 812,400 tokens", "61 % of $5.00", "WEB-10 Receipt", "fox"):
        assert words in out
    assert "\x1b" not in out


def test_a_timeline_goes_to_standard_output(ccp: Ccp, service: FakeService) -> None:
    service.answers["mission.timeline"] = TIMELINE
    assert ccp("mission", "export", "web").out == "# Web\n\nit began\n"
    assert json.loads(ccp("mission", "export", "web", "--format", "json").out) == TIMELINE["data"]
    assert ccp("mission", "export", "web", "--json").json() == TIMELINE["data"]
    assert ccp("mission", "export", "web", "--format", "md", "--json").json() == {
        "markdown": TIMELINE["markdown"]
    }


@pytest.mark.parametrize(("name", "kind"), [("t.md", "md"), ("t.json", "json"), ("t.txt", "md")])
def test_a_timeline_goes_into_a_new_file(
    ccp: Ccp, service: FakeService, tmp_path: Path, name: str, kind: str
) -> None:
    service.answers["mission.timeline"] = TIMELINE
    path = tmp_path / name
    ran = ccp("mission", "export", "web", "--out", str(path), "--json")
    assert ran.json() == {"path": str(path), "format": kind, "bytes": path.stat().st_size}
    before = path.read_text()
    assert json.loads(before) == TIMELINE["data"] if kind == "json" else before == "# Web\n\nit began\n"
    ran = ccp("mission", "export", "web", "--out", str(path))
    assert ran.code == 1
    assert "is there already" in ran.err
    assert path.read_text() == before
    assert ccp("mission", "export", "web", "--out", "/no/such/folder/x.md").code == 1
