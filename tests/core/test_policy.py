"""Policies: what is read, what is refused in words, and that reading what was written changes nothing."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from ccp_tui.policy import Auto, Policy, PolicyError, ReviewBy

FULL: dict[str, Any] = {
    "review": "agent_then_person",
    "auto": "full",
    "concurrency": 2,
    "budget_tokens": 1000,
    "budget_usd": 2.5,
    "task_budget_tokens": 100,
    "task_budget_usd": 0.5,
    "planner": "ccp-planner",
    "reviewer": "bob",
}


def test_every_setting_is_read_and_written_back() -> None:
    policy = Policy.read(FULL)
    assert (policy.review, policy.auto) == (ReviewBy.AGENT_THEN_PERSON, Auto.FULL)
    assert policy.to_json() == FULL
    assert Policy.read(policy.to_json()) == policy
    assert set(FULL) == {field.name for field in fields(Policy)}, "a new setting belongs in here"


def test_the_defaults_leave_the_verdict_and_the_approval_to_the_person() -> None:
    policy = Policy()
    assert (policy.review, policy.auto) == (ReviewBy.PERSON, Auto.DISPATCH)
    assert all(value is None for name, value in policy.to_json().items() if name not in ("review", "auto"))


def test_what_is_not_given_comes_from_the_base() -> None:
    base = Policy.read(FULL)
    assert Policy.read({}, base) == base
    changed = Policy.read({"concurrency": None, "auto": "off", "reviewer": ""}, base)
    assert (changed.concurrency, changed.auto, changed.reviewer) == (None, Auto.OFF, None)
    assert changed.budget_tokens == 1000
    assert base == Policy.read(FULL), "the base stays"


def test_dollars_may_be_whole_and_tokens_must_be() -> None:
    assert Policy.read({"budget_usd": 3}).budget_usd == 3.0
    with pytest.raises(PolicyError, match="budget_tokens: must be a whole number above 0"):
        Policy.read({"budget_tokens": 3.5})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("colour", "red"),
        ("review", "nobody"),
        ("review", None),
        ("auto", True),
        ("auto", ["off"]),
        ("concurrency", 0),
        ("concurrency", -1),
        ("concurrency", True),
        ("concurrency", "2"),
        ("budget_tokens", 10**15),
        ("budget_usd", float("nan")),
        ("budget_usd", float("inf")),
        ("budget_usd", "1.5"),
        ("task_budget_usd", -0.1),
        ("planner", 7),
        ("reviewer", ["bob"]),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.read({"concurrency": 1, field: value})
    assert caught.value.field == field
    assert str(caught.value).startswith(f"{field}: ")


def test_a_refusal_says_what_there_is() -> None:
    with pytest.raises(PolicyError, match="person, agent, agent_then_person"):
        Policy.read({"review": "x"})
    with pytest.raises(PolicyError, match="task_budget_usd"):
        Policy.read({"x": 1})
