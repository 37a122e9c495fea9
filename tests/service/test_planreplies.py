"""Reading a planner's reply: what fits is taken, and what does not is told in words that a planner can act on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ccp_tui.service.planning.planreplies import LARGEST_REPLY, Option, Plan, Question, ReplyError, read

QUESTION: dict[str, Any] = {
    "kind": "question",
    "header": "Readers",
    "question": "Who reads it?",
    "why": "It decides the tone.",
    "options": [
        {"id": "a", "label": "Newcomers", "description": "all is explained"},
        {"id": "b", "label": "Us"},
    ],
    "multiple": True,
}
WORK: dict[str, Any] = {
    "title": "A guide",
    "summary": "What it is for.",
    "deliverables": [{"path": "guide.md", "description": "the guide"}],
    "success_criteria": ["it can be followed"],
}


def plan(**more: Any) -> str:
    return json.dumps({"kind": "plan", "plan": {**WORK, **more}})


def part(key: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {**WORK, "key": key, "title": f"Part {key}", "needs": list(needs), **more}


def problem(text: str) -> str:
    with pytest.raises(ReplyError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "```json\n{}\n```",
        "Here is what I must know:\n\n```json\n{}\n```\nThank you.",
        "```\n{}\n```",
        "I thought about it. {} That is all.",
    ],
)
def test_a_question_is_found_alone_in_a_fence_and_among_words(wrapped: str) -> None:
    assert read(wrapped.replace("{}", json.dumps(QUESTION))) == Question(
        "Who reads it?",
        "Readers",
        "It decides the tone.",
        (Option("a", "Newcomers", "all is explained"), Option("b", "Us")),
        True,
    )


def test_the_last_fence_counts_when_an_earlier_one_is_no_json() -> None:
    assert isinstance(read(f"```\nnot this\n```\n```json\n{plan()}\n```"), Plan)


def test_a_question_that_only_words_can_answer() -> None:
    found = read(json.dumps({"kind": "question", "question": "What is the name?", "options": []}))
    assert found == Question("What is the name?")


def test_a_plan_becomes_the_spec_that_a_person_reads() -> None:
    found = read(
        plan(
            agent="Scout",
            checks=[{"name": "there", "command": "test -s guide.md", "timeout_s": 30}, "true"],
            constraints=["no jargon"],
            assumptions=["it is short"],
            agents=[{"name": "Scout", "role": "finds", "emoji": "🔭", "soul": "# Scout\n\nYou find things."}],
            tasks=[part("gather", agent="Scout"), part("write", "gather")],
        )
    )
    assert isinstance(found, Plan)
    made = found.spec
    assert (made.title, made.agent, made.assumptions) == ("A guide", "Scout", ("it is short",))
    assert made.agents[0].soul == "# Scout\n\nYou find things."
    assert [(one.key, one.needs) for one in made.tasks] == [("gather", ()), ("write", ("gather",))]
    assert [(check.command, check.timeout_s) for check in made.checks] == [
        ("test -s guide.md", 30),
        ("true", 60),
    ]
    assert made.text.startswith("title: A guide\n")


def test_what_is_no_reply_is_told_in_words() -> None:
    assert "no JSON object" in problem("I shall plan it soon.")
    assert "can't be read" in problem('{"kind": "plan", "plan": {')
    assert "must be a JSON object" in problem("[1, 2]")
    assert "kind" in problem('{"question": "Who?"}')
    assert "kind" in problem('{"kind": "poem"}')
    assert "longer than" in problem("x" * (LARGEST_REPLY + 1))
    assert "nested too deeply" in problem("[" * 100_000) or "can't be read" in problem("{" + "[" * 50_000)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"question": ""}, "what you want to know"),
        ({"question": 3}, "must be text"),
        ({"options": [{"id": "a", "label": "One"}]}, "2 to 6 options"),
        ({"options": [{"id": str(n), "label": "x"} for n in range(7)]}, "2 to 6 options"),
        ({"options": [{"id": "a", "label": "x"}, {"id": "a", "label": "y"}]}, "same id"),
        ({"options": [{"id": "a"}, {"id": "b", "label": "y"}]}, "an id and a label"),
        ({"options": "a or b"}, "must be a list"),
        ({"multiple": "yes"}, "true or false"),
        ({"questions": ["two"]}, "has no questions"),
        ({"question": "x" * 3000}, "longer than"),
    ],
)
def test_a_question_that_does_not_fit(change: dict[str, Any], told: str) -> None:
    assert told in problem(json.dumps({**QUESTION, **change}))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"title": ""}, "title and a summary"),
        ({"deliverables": []}, "no deliverable"),
        ({"success_criteria": []}, "no success criterion"),
        ({"deliverables": [{"path": "../x"}]}, "no path inside the workspace"),
        ({"deliverables": [{"file": "x"}]}, "has no file"),
        ({"checks": [{"name": "x"}]}, "a check needs a command"),
        ({"checks": [{"command": "true", "timeout_s": -1}]}, "timeout_s must be seconds"),
        ({"constraints": [1]}, "must be a list of texts"),
        ({"steps": []}, "has no steps"),
        ({"agents": [{"name": "Scout"}]}, "needs a soul"),
        ({"agents": [{"name": "§§", "soul": "x"}]}, "a name with letters"),
        ({"tasks": [part("a", "b"), part("b", "a")]}, "in a circle: a → b → a"),
        ({"tasks": [part("a", "nowhere")]}, "no such sub-task"),
        ({"tasks": [part("a"), part("a")]}, "stands twice"),
        ({"tasks": [part("a", deliverables=[])]}, "no deliverable"),
        ({"tasks": ["write it"]}, "must be a JSON object"),
    ],
)
def test_a_plan_that_does_not_hold(change: dict[str, Any], told: str) -> None:
    assert told in problem(plan(**change))


def test_words_of_a_planner_are_data() -> None:
    found = read(
        plan(title="A\u001b[31m guide", summary="# not a comment: 'quoted' {x}\n--- end of spec ---")
    )
    assert isinstance(found, Plan)
    assert found.spec.title == "A guide"
    assert found.spec.summary == "# not a comment: 'quoted' {x}\n--- end of spec ---"
