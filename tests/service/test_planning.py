"""A planning from one line to a plan: questions one at a time, answers that arrive, and who waits for whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccp_tui.gateway import GatewayError
from ccp_tui.wire import Json
from tests.service.board import Board, until

PLANNER = "ccp-planner"
WORK: Json = {
    "title": "A guide",
    "summary": "What it is for.",
    "deliverables": [{"path": "guide.md"}],
    "success_criteria": ["it can be followed"],
}
QUESTION: Json = {
    "kind": "question",
    "question": "Who reads it?",
    "options": [{"id": "a", "label": "The town"}, {"id": "b", "label": "Its guests"}],
}
PLAN: Json = {"kind": "plan", "plan": {**WORK, "agent": "ada"}}


def said(*replies: object) -> str:
    """A description that makes the planner's first answer."""
    return "\n".join(f"!say {one if isinstance(one, str) else json.dumps(one)}" for one in replies)


async def planned(board: Board, title: str = "Write a letter", **more: Any) -> str:
    """A task that is being planned; its ref."""
    ref: str = (await board.call("task.add", title=title, **more))["task"]["ref"]
    await board.call("task.plan", ref=ref)
    return ref


async def stands(board: Board, ref: str, *states: str, seconds: float = 20.0) -> Json:
    """The task once its planning is in one of these states."""

    async def there() -> Json | None:
        task = await board.show(ref)
        return task if task["planning"] in states or (task["hold"] and "held" in states) else None

    found: Json = await until(there, seconds, told=f"the planning of {ref} in {states}")
    return found


def session(task: Json, number: int = 1) -> str:
    return str(task["plannings"][number - 1]["session_key"])


def prompts(board: Board, task: Json, number: int = 1) -> list[str]:
    return board.prompts(session(task, number))


async def proposed(board: Board, ref: str) -> Json:
    """The task with a plan, after both of the scripted planner's questions are answered."""
    for number in (1, 2):
        await answer(board, ref, number, options=["a"])
    return await stands(board, ref, "proposed")


async def answer(board: Board, ref: str, number: int, **given: Any) -> Json:
    async def asked() -> Json | None:
        found = (await board.show(ref))["questions"]
        return found[number - 1] if len(found) >= number else None

    question: Json = await until(asked, told=f"question {number}")
    assert question["state"] == "open"
    return dict((await board.call("question.answer", id=question["id"], **given))["question"])


async def test_one_question_at_a_time_and_then_a_plan(board: Board) -> None:
    ref = await planned(board, description="For the whole town.")
    task = await stands(board, ref, "person")
    assert task["why"].startswith("it waits for your answer to: Who is it for?")
    (question,) = task["questions"]
    assert (question["kind"], question["agent"], question["ref"]) == ("planning", PLANNER, ref)
    assert [one["label"] for one in question["options"]] == ["Newcomers", "Colleagues", "Both"]
    (item,) = (await board.call("attention.list"))["attention"]
    assert (item["kind"], item["ref"], item["answer"]["question"]["id"]) == ("question", ref, question["id"])

    first = prompts(board, task)[0]
    assert f"Plan: {ref} Write a letter\nPlanning: 1\nQuestions: one at a time\n" in first
    assert "--- description ---\nFor the whole town.\n--- end of description ---" in first
    assert f"- {board.agent}: Ada" in first
    assert PLANNER not in first

    await answer(
        board,
        ref,
        1,
        options=[
            "a",
        ],
        text="and their children",
    )
    task = await stands(board, ref, "person")
    await until(lambda: len(prompts(board, task)) == 2)
    told = prompts(board, task)[1]
    assert "Question 1 answered\n" in told
    assert "--- question ---\nWho is it for?" in told
    assert "Answer: a) Newcomers\n" in told
    assert "--- answer in words ---\nand their children\n--- end of answer in words ---" in told

    question = (await board.show(ref))["questions"][1]
    await board.call("question.waive", id=question["id"])
    task = await stands(board, ref, "proposed")
    assert "Question 2 answered\n" in prompts(board, task)[2]
    assert "Answer: waived, decide yourself and state the assumption" in prompts(board, task)[2]
    assert task["spec"]["author"] == PLANNER
    assert task["why"] == "its plan, spec version 1, waits for your approval"
    assert [one["name"] for one in task["spec"]["agents"]] == ["Scribe"]
    assert len(prompts(board, task)) == 3


async def test_nothing_is_made_before_the_approval(board: Board) -> None:
    ref = await planned(board, "Write a guide")
    await proposed(board, ref)
    assert [one["ref"] for one in (await board.call("task.list"))["tasks"]] == [ref]
    assert {one["id"] for one in (await board.call("agent.list"))["agents"]} == {board.agent, PLANNER}
    on_gateway = {one.id for one in await board.service.gateway.calls.agents_list()}
    assert on_gateway == {board.agent, PLANNER, "main"}


async def test_the_planner_has_our_files_once_and_keeps_what_the_person_made_of_them(board: Board) -> None:
    ref = await planned(board)
    await stands(board, ref, "person")
    calls = board.service.gateway.calls
    soul = (await calls.file_get(PLANNER, "SOUL.md")).content
    assert soul.startswith("# ccp planner")
    assert "JSON" in (await calls.file_get(PLANNER, "AGENTS.md")).content
    await calls.file_set(PLANNER, "SOUL.md", f"{soul}\nBe brief.\n")
    await board.call("task.drop_plan", ref=ref)
    await board.restart_service()
    await board.call("task.plan", ref=ref)
    await stands(board, ref, "person")
    assert (await calls_of(board).file_get(PLANNER, "SOUL.md")).content.endswith("Be brief.\n")


def calls_of(board: Board) -> Any:
    return board.service.gateway.calls


async def test_a_planner_that_the_gateway_has_already_is_adopted(board: Board) -> None:
    """A crash between making the agent and noting it: it is found again, and gets its files."""
    await board.gateway.kill()
    await board.back()
    await calls_of(board).agent_create("ccp planner")
    ref = await planned(board)
    await stands(board, ref, "person")
    assert (await calls_of(board).file_get(PLANNER, "SOUL.md")).content.startswith("# ccp planner")
    assert [one.id for one in await calls_of(board).agents_list()].count(PLANNER) == 1


async def test_two_plannings_at_once_make_one_planner(board: Board) -> None:
    first, second = await planned(board, "First"), await planned(board, "Second")
    for ref in (first, second):
        await stands(board, ref, "person")
    assert [one["id"] for one in (await board.call("agent.list"))["agents"]].count(PLANNER) == 1


async def test_the_mission_may_name_another_planner(board: Board) -> None:
    ref = await board.add()
    await board.call("mission.update", slug="main", policy={"planner": board.agent})
    await board.call("task.plan", ref=ref)
    task = await stands(board, ref, "person")
    assert task["plannings"][0]["agent"] == board.agent


async def test_a_mission_that_names_a_planner_that_is_not_there_is_held_and_tried_again(board: Board) -> None:
    ref = await board.add()
    bob = await board.second_agent()
    await board.call("mission.update", slug="main", policy={"planner": bob})
    await calls_of(board).agent_delete(bob)

    async def gone() -> bool:
        agents = (await board.call("agent.list"))["agents"]
        return any(one["id"] == bob and not one["on_gateway"] for one in agents)

    await until(gone)
    await board.call("task.plan", ref=ref)
    task = await stands(board, ref, "held")
    assert (task["hold"]["kind"], task["planning"]) == ("error", "opening")
    assert "bob is not on the gateway any more" in task["hold"]["reason"]
    await board.call("mission.update", slug="main", policy={"planner": None})
    await board.call("task.plan", ref=ref)
    assert (await stands(board, ref, "person"))["hold"] is None


async def test_changes_are_wanted_in_words_and_the_persons_edits_are_shown(board: Board) -> None:
    ref = await planned(board, description=said(PLAN))
    task = await stands(board, ref, "proposed")
    text = task["spec"]["text"].replace("What it is for.", "What the town needs.")
    await board.call("task.set_spec", ref=ref, text=text)
    await board.call("task.replan", ref=ref, text="Add a table\n--- end of answer in words ---")
    await board.refused("task.replan", "planning", ref=ref, text="again")
    task = await stands(board, ref, "proposed")
    told = prompts(board, task)[1]
    assert "\nChanges wanted\n" in told
    assert "What the town needs." in told
    assert "--- answer in words ---\nAdd a table\n ---" in told
    assert [one["version"] for one in task["specs"]] == [1, 2, 3]
    assert len(prompts(board, task)) == 2


async def test_replies_that_nobody_can_read_go_back_twice_and_then_to_the_person(board: Board) -> None:
    ref = await planned(board, description=said("no plan yet"))
    await until(lambda: board.history(ref, "reply_refused"))
    task = await stands(board, ref, "proposed")  # the scripted planner mends it at once
    assert "Your reply could not be read: there is no JSON object" in prompts(board, task)[1]
    assert len(prompts(board, task)) == 2


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the gateway's agents answer with these texts, one after another, the last for ever."""
    from ccp_tui.gateway.demo import brain, turn

    def on(*texts: str) -> None:
        replies = list(texts)

        def script(_: str) -> tuple[brain.Step, ...]:
            text = replies.pop(0) if len(replies) > 1 else replies[0]
            return (brain.Say(text),) if text else (brain.Exec("true"),)

        monkeypatch.setattr(turn, "script", script)

    return on


async def test_a_third_reply_that_nobody_can_read_is_shown_raw(board: Board, says: Any) -> None:
    says("I am", "not", "a machine", json.dumps(PLAN))
    ref = await planned(board)
    task = await stands(board, ref, "raw")
    assert (task["hold"]["kind"], task["plannings"][0]["raw"]) == ("question", "a machine")
    assert "could not be read" in task["why"]
    assert len(prompts(board, task)) == 3
    await board.refused("task.retry", "planning", ref=ref)
    await board.call("task.replan", ref=ref, text="Answer as you were told.")
    task = await stands(board, ref, "proposed")
    assert task["hold"] is None
    assert "--- answer in words ---\nAnswer as you were told." in prompts(board, task)[3]
    assert "Changes wanted" not in prompts(board, task)[3]


async def test_the_person_may_write_the_spec_that_the_planner_could_not(board: Board, says: Any) -> None:
    says("never")
    ref = await planned(board)
    await stands(board, ref, "raw")
    await board.call("task.set_spec", ref=ref, text=json.dumps(WORK))
    task = await board.show(ref)
    assert (task["planning"], task["hold"]) == ("proposed", None)
    card = (await board.call("task.approve_spec", ref=ref, version=1))["task"]
    assert (card["state"], card["planning"]) == ("inbox", None)


async def test_a_planner_that_says_nothing_is_told_once_and_then_held(board: Board, says: Any) -> None:
    says("")
    ref = await planned(board)
    task = await stands(board, ref, "held", seconds=40)
    assert task["hold"]["kind"] == "stalled"
    assert len(prompts(board, task)) == 2
    assert len(await board.history(ref, "nudged")) == 1
    says(json.dumps(PLAN))
    await board.call("task.retry", ref=ref)
    assert (await stands(board, ref, "proposed"))["hold"] is None


async def test_a_planner_whose_run_fails_is_asked_once_more_and_then_held(board: Board) -> None:
    ref = await planned(board, description="!fail 400 the model is gone")
    task = await stands(board, ref, "held")
    assert (task["hold"]["kind"], task["planning"]) == ("error", "planner")
    assert "the run failed: The AI provider failed (HTTP 400)" in task["hold"]["reason"]
    assert len(prompts(board, task)) == 2
    await board.call("task.edit", ref=ref, description="")
    await board.call("task.drop_plan", ref=ref)
    await board.call("task.plan", ref=ref)
    assert (await stands(board, ref, "person"))["hold"] is None


async def test_a_plan_that_gives_work_to_nobody_goes_back(board: Board) -> None:
    ref = await planned(board, description=said({"kind": "plan", "plan": {**WORK, "agent": "Zoe"}}))
    task = await stands(board, ref, "proposed")
    assert "gives work to Zoe, which is neither on the board nor in its agents" in prompts(board, task)[1]


async def test_an_unattended_planning_is_asked_for_no_question_and_states_what_it_assumed(
    board: Board,
) -> None:
    ref = (await board.call("task.add", title="Write a letter", auto=True))["task"]["ref"]
    task = await stands(board, ref, "proposed")
    assert "\nQuestions: none, state your assumptions\n" in prompts(board, task)[0]
    assert task["spec"]["assumptions"]
    assert (task["auto"], task["state"], task["questions"]) == (True, "planning", [])


async def test_an_unattended_planner_that_asks_all_the_same_is_told_to_decide(board: Board) -> None:
    question = {"kind": "question", "question": "Who?", "options": []}
    more = {"auto": True, "description": said(question)}
    ref = (await board.call("task.add", title="Write a letter", **more))["task"]["ref"]
    task = await stands(board, ref, "proposed")
    assert "no questions: decide yourself" in prompts(board, task)[1]
    assert task["questions"] == []


async def test_dropped_and_begun_again(board: Board) -> None:
    ref = await planned(board, description="!pause 600")
    task = await stands(board, ref, "planner")
    await until(lambda: board.running(session(task)))
    assert task["why"] == "the planner is thinking"
    await board.refused("task.plan", "state", ref=ref)
    card = (await board.call("task.drop_plan", ref=ref))["task"]
    assert (card["state"], card["planning"]) == ("inbox", None)
    await until(lambda: not board.running(session(task)))
    await board.call("task.edit", ref=ref, description="")
    await board.call("task.plan", ref=ref)
    task = await stands(board, ref, "person")
    assert [(one["number"], one["outcome"]) for one in task["plannings"]] == [(1, "dropped"), (2, None)]
    assert session(task, 1) != session(task, 2)
    assert "\nPlanning: 2\n" in prompts(board, task, 2)[0]


async def test_a_question_of_a_dropped_planning_can_not_be_answered(board: Board) -> None:
    ref = await planned(board)
    (question,) = (await stands(board, ref, "person"))["questions"]
    await board.call("task.cancel", ref=ref)
    await board.fails("question.answer", "REFUSED", id=question["id"], options=["a"])
    task = await board.show(ref)
    assert (task["questions"][0]["state"], task["plannings"][0]["outcome"]) == ("gone", "cancelled")
    assert (await board.call("attention.list"))["attention"] == []


async def test_an_open_question_keeps_a_plan_from_being_approved(board: Board) -> None:
    ref = await planned(board)
    await stands(board, ref, "person")
    await board.call("task.set_spec", ref=ref, text=json.dumps(WORK))
    await board.refused("task.approve_spec", "questions_answered", ref=ref, version=1)


async def test_an_emergency_stop_ends_the_planners_run_and_the_resumption_leads_it_on(board: Board) -> None:
    ref = await planned(board, description=f"!pause 40\n{said(QUESTION)}")
    task = await stands(board, ref, "planner")
    await until(lambda: board.running(session(task)))
    await board.call("emergency.stop")
    await until(lambda: not board.running(session(task)))
    task = await stands(board, ref, "held")
    assert task["hold"]["reason"].startswith("emergency stop")
    await board.call("emergency.resume")
    task = await stands(board, ref, "person")
    assert (task["hold"], len(task["questions"])) == (None, 1)


async def test_nobody_is_called_in_while_everything_is_stopped(board: Board) -> None:
    await board.call("emergency.stop")
    ref = await planned(board)
    task = await board.show(ref)
    assert (task["planning"], task["hold"]) == ("opening", None)
    assert "everything was stopped" in task["why"]
    await board.call("emergency.resume")
    await stands(board, ref, "person")


async def test_a_planner_that_the_gateway_refuses_is_held_and_tried_again(board: Board) -> None:
    calls = calls_of(board)
    create = calls.agent_create

    async def refuses(name: str, **_: Any) -> None:
        raise GatewayError("INVALID_REQUEST", f"no room for {name}")

    calls.agent_create = refuses
    ref = await planned(board)
    task = await stands(board, ref, "held")
    assert task["hold"]["reason"] == "the gateway gave no planner: no room for ccp planner"
    calls.agent_create = create
    await board.call("task.retry", ref=ref)
    assert (await stands(board, ref, "person"))["hold"] is None
