"""The missions: the list, the policy editor, the costs, the export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.screens.board import BoardScreen
from ccp_tui.screens.missions import CostsScreen, MissionsScreen
from ccp_tui.screens.missions.words import amount, bar, count, money, policy_words
from ccp_tui.screens.widgets.fields import FieldsForm
from tests.screens.conftest import LARGE, SMALL, Stage, StageMaker
from tests.screens.fakes import Json, snapshot
from tests.screens.picture import check_picture
from tests.screens.talk import type_words, until

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
POLICY: Json = {
    "review": "agent_then_person", "auto": "dispatch", "concurrency": 3, "budget_tokens": None, "budget_usd": 5.0,
    "task_budget_tokens": 200_000, "task_budget_usd": None, "planner": None, "reviewer": "owl",
}  # fmt: skip
COSTS: Json = {
    "total": {"tokens": 812_400, "cost_usd": 3.05},
    "by_task": [
        {"ref": "WEB-10", "title": "Receipt with the tax number", "state": "review", "tokens": 600_000,
         "cost_usd": 2.4},
        {"ref": "WEB-7", "title": "Search that forgives typing errors", "state": "in_progress", "tokens": 212_400,
         "cost_usd": 0.65},
    ],
    "by_agent": [{"agent": "fox", "tokens": 700_000, "cost_usd": 2.8}, {"agent": "gone", "tokens": 112_400,
                 "cost_usd": 0.25}],
    "by_purpose": [{"purpose": "plan", "tokens": 112_400, "cost_usd": 0.25},
                   {"purpose": "work", "tokens": 700_000, "cost_usd": 2.8}],
    "budget": {},
}  # fmt: skip
TIMELINE: Json = {"markdown": "# Web shop\n\n- it began\n", "data": {"mission": "web", "events": [{"id": 1}]}}
OLD: Json = {"id": 9, "slug": "old", "title": "Old shop", "icon": "", "prefix": "OLD", "archived": True,
             "counts": {"done": 12}}  # fmt: skip


def board() -> Json:
    made = snapshot()
    made["missions"][0] |= {"policy": {"review": "agent_then_person"}, "effective": POLICY}
    for row in made["tasks"]:
        if row["ref"] == "WEB-10":
            row |= {"tokens": 600_000, "cost_usd": 2.4}
    return made


async def missions(s: Stage, **params: Any) -> MissionsScreen:
    s.live.answers["mission.costs"] = COSTS
    s.live.answers["mission.timeline"] = TIMELINE
    s.live.answers["mission.list"] = {"missions": [OLD]}
    s.live.answers["mission.update"] = changed
    s.app.open("missions", **params)
    await s.settle()
    screen = s.app.screen
    assert isinstance(screen, MissionsScreen)
    return screen


def changed(params: Json) -> Json:
    """The mission as it is after an update."""
    rows = {row["slug"]: row for row in (*board()["missions"], OLD)}
    row = rows[params["slug"]]
    row |= {key: value for key, value in params.items() if key not in ("slug", "policy")}
    row["effective"] = {**POLICY, **params.get("policy", {})}
    return {"mission": row}


@SIZES
@pytest.mark.parametrize(
    ("name", "keys"), [("missions", ()), ("missions-policy", ("p", "tab")), ("missions-costs", ("c",))]
)
async def test_picture(stage: StageMaker, size: tuple[int, int], name: str, keys: tuple[str, ...]) -> None:
    async with stage(size, board()) as s:
        await missions(s, mission="web")
        await s.press(*keys)
        check_picture(s.app, f"{name}-{size[0]}x{size[1]}")


async def test_each_mission_in_one_look(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        await missions(s)
        text = s.text
        assert "11 open" in text
        assert "3 running" in text
        assert "▲ 3" in text
        assert "$2.40" in text
        assert "review: agent, then you · auto: dispatch · 3 at once · $5.00" in text


async def test_enter_opens_its_board(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        await s.press("M", "j", "enter")
        screen = s.app.screen
        assert isinstance(screen, BoardScreen)
        assert screen.view.mission == "ops"
        assert s.app.kept.get("mission") == "ops"


async def test_a_mission_is_made_and_a_refusal_stands_at_its_field(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        screen = await missions(s)
        s.live.answers["mission.create"] = ServiceFailure(
            "USAGE", "the prefix WEB is taken", {"field": "prefix"}
        )
        await s.press("n", "enter")
        assert "It needs a title." in s.text
        await type_words(s, "Sea")
        await s.press("tab")
        await type_words(s, "WEB")
        await s.press("enter")
        form = s.app.screen
        assert isinstance(form, FieldsForm)
        assert "the prefix WEB is taken" in s.text
        assert form.values == {"title": "Sea", "prefix": "WEB", "icon": ""}
        assert form.focused is form.rows[1].control
        row = {"id": 3, "slug": "sea", "title": "Sea", "prefix": "SEA", "icon": "", "archived": False}
        s.live.answers["mission.create"] = {"mission": row}
        await s.press("backspace", "backspace", "backspace", "enter")
        assert s.live.asked("mission.create") == [{"title": "Sea", "prefix": "WEB"}, {"title": "Sea"}]
        assert s.app.screen is screen
        assert screen.rows.key == "sea"


async def test_only_what_was_changed_of_a_policy_is_sent(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        await missions(s, mission="web")
        await s.press("p", "right", "tab", "tab", "tab", "end", "backspace", "backspace", "backspace")
        await type_words(s, "$12.50")
        await s.press("tab")
        await type_words(s, "2M")
        await s.press("enter")
        assert s.live.asked("mission.update") == [
            {"slug": "web", "policy": {"review": "person", "budget_usd": 12.5, "budget_tokens": 2_000_000}}
        ]
        assert "The policy of Web shop holds from now on." in s.text
        assert "review: you · auto: dispatch · 3 at once · $12.50" in s.text


async def test_an_emptied_limit_is_none(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        await missions(s, mission="web")
        await s.press("p", "tab", "tab", "end", "backspace", "enter")
        assert s.live.asked("mission.update") == [{"slug": "web", "policy": {"concurrency": None}}]


@pytest.mark.parametrize(
    ("typed", "words"), [("lots", "Write a number"), ("-3", "above 0"), ("1.5", "Write a number")]
)
async def test_a_bad_number_is_blamed_at_its_field_before_anything_is_sent(
    stage: StageMaker, typed: str, words: str
) -> None:
    async with stage(SMALL, board()) as s:
        await missions(s, mission="web")
        await s.press("p", "tab", "tab", "end", "backspace")
        await type_words(s, typed)
        await s.press("shift+tab", "enter")
        form = s.app.screen
        assert isinstance(form, FieldsForm)
        assert words in s.text
        assert form.focused is form.rows[2].control
        assert form.values["concurrency"] == typed
        assert s.live.asked("mission.update") == []


async def test_a_service_that_says_no_or_is_away_loses_nothing(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        await missions(s, mission="web")
        s.live.answers["mission.update"] = ServiceFailure(
            "USAGE", "there is no agent ghost", {"field": "reviewer"}
        )
        await s.press("p", *["tab"] * 8, "end", "backspace", "backspace", "backspace")
        await type_words(s, "ghost")
        await s.press("enter")
        assert "there is no agent ghost" in s.text
        s.live.answers["mission.update"] = ServiceUnavailable(
            "The control service is away.", "run `ccp serve`."
        )
        await s.press("enter")
        assert "The control service is away." in s.text
        assert "ghost" in s.text
        await s.press("escape")
        assert "is not saved: esc again leaves" in s.text
        await s.press("escape")
        assert isinstance(s.app.screen, MissionsScreen)


async def test_agents_are_listed_for_a_duty(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        await missions(s, mission="web")
        await s.press("p", *["tab"] * 7, "down", *"eel", "enter", "enter")
        assert s.live.asked("mission.update") == [{"slug": "web", "policy": {"planner": "eel"}}]


async def test_archiving_asks_and_shows_a_refusal(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        screen = await missions(s, mission="ops")
        s.live.answers["mission.update"] = ServiceFailure(
            "REFUSED", "no", {"gate": "work_ended", "reason": "OPS-20 runs: stop it first"}
        )
        await s.press("z", "n")
        assert s.live.asked("mission.update") == []
        await s.press("z", "y")
        assert "Refused by work_ended: OPS-20 runs: stop it first" in s.text
        s.live.answers["mission.update"] = changed
        await s.press("z", "y")
        assert s.live.asked("mission.update")[-1] == {"slug": "ops", "archived": True}
        assert [row.key for row in screen.rows.entries] == ["web"]


async def test_archived_ones_are_shown_and_brought_back(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        screen = await missions(s)
        await s.press("a")
        assert "Old shop" in s.text
        assert "12 done" in s.text
        screen.rows.select("old")
        await s.press("enter")
        assert "It is archived: z brings it back first." in s.text
        await s.press("z")
        assert s.live.asked("mission.update") == [{"slug": "old", "archived": False}]
        assert "Old shop is back." in s.text
        assert "old" in {row.slug for row in s.app.mirror.open_missions()}


async def test_costs_by_task_agent_and_purpose_with_the_budget_used(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        await missions(s, mission="web")
        await s.press("c")
        assert isinstance(s.app.screen, CostsScreen)
        text = s.text
        assert "$3.05  812.4k tokens" in text
        assert "[████████████░░░░░░░░] 61 % of $5.00" in text
        assert "planning" in text
        assert "Fox" in text
        assert "gone" in text
        assert "WEB-10  Receipt with the tax number" in text
        assert " 79 %" in text
        s.live.answers["mission.costs"] = COSTS | {"total": {"tokens": 1, "cost_usd": 6.0}}
        await s.press("r")
        assert "120 %" in s.text
        assert "used up: its work is stopped" in s.text


async def test_costs_that_can_not_be_had_say_why(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        await missions(s, mission="web")
        s.live.answers["mission.costs"] = ServiceFailure("NOT_FOUND", "there is no mission web")
        await s.press("c")
        assert "there is no mission web" in s.text


async def test_the_timeline_goes_into_a_file_and_never_over_one(
    stage: StageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "web-timeline-2026-11-23.md"
    async with stage(LARGE, board()) as s:
        await missions(s, mission="web")
        await s.press("x", "enter")
        await until(s, path.exists)
        await until(s, lambda: "is written" in s.text)
        assert f"{path} is written (23 bytes)." in s.text
        assert path.read_text() == TIMELINE["markdown"]
        path.write_text("mine")
        await s.press("x", "enter")
        await until(s, lambda: "Replace" in s.text)
        await s.press("n")
        assert "is there already" in s.text
        assert path.read_text() == "mine"
        await s.press("x", "enter")
        await until(s, lambda: "Replace" in s.text)
        await s.press("y")
        await until(s, lambda: path.read_text() == TIMELINE["markdown"])
        await s.press("x", "end", *["backspace"] * 2)
        await type_words(s, "json")
        await s.press("enter")
        await until(s, path.with_suffix(".json").exists)
        assert json.loads(path.with_suffix(".json").read_text()) == TIMELINE["data"]
        await s.press("x", "end", "ctrl+u")
        await type_words(s, "/no/such/folder/x.md")
        await s.press("enter")
        await until(s, lambda: "can't be written: No such file or directory" in s.text)


async def test_it_follows_what_happens(stage: StageMaker) -> None:
    async with stage(SMALL, board()) as s:
        screen = await missions(s, mission="ops")
        s.live.emit("mission.changed", mission=board()["missions"][0] | {"title": "Web store"})
        await s.settle()
        assert "Web store" in s.text
        assert screen.rows.key == "ops"


def test_words_and_figures() -> None:
    assert [money(n) for n in (0, 0.004, 1234.5)] == ["$0.00", "$0.0040", "$1,234.50"]
    assert [count(n) for n in (0, 950, 12_400, 999_960, 3_100_000)] == ["0", "950", "12.4k", "1M", "3.1M"]
    assert bar(1, 4, ascii_only=True) == "[#####...............] 25 %"
    assert policy_words({}) == "review: you · auto: dispatch"
    assert [amount(text, whole=True) for text in ("", "250k", "1.5M", "1,000")] == [
        None,
        250_000,
        1_500_000,
        1000,
    ]
    assert amount("$2.50", whole=False) == 2.5
    for text in ("x", "1.5", "k"):
        with pytest.raises(ValueError, match=r".*"):
            amount(text, whole=True)
