"""The forms of a mission: a new one, its name, and its policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from ccp_tui.failures import ServiceFailure, ServiceUnavailable
from ccp_tui.policy import Policy, PolicyError
from ccp_tui.rows import AgentRow, MissionRow
from ccp_tui.screens.missions.words import AUTOS, REVIEWS, amount, policy_of
from ccp_tui.screens.widgets.base import failure_words
from ccp_tui.screens.widgets.dialogs import Choice
from ccp_tui.screens.widgets.fields import Few, Field, FieldsForm, Problem, Text, Values

Json = dict[str, Any]
Call = Callable[[Json], Awaitable[object]]

NUMBERS = {
    "concurrency": ("Tasks at once", "no limit of its own", True),
    "budget_usd": ("Budget, $", "none", False),
    "budget_tokens": ("Budget, tokens", "none; 500k or 2M will do", True),
    "task_budget_usd": ("Budget of a task, $", "none", False),
    "task_budget_tokens": ("Budget of a task, tokens", "none", True),
}
DUTIES = {
    "planner": ("Planner", "the service's own; ↓ lists the agents"),
    "reviewer": ("Reviewer", "the service's own; ↓ lists the agents"),
}


def mission_form(call: Call) -> FieldsForm:
    """A new mission. ``call`` makes it of what was written."""

    async def submit(values: Values) -> Problem | None:
        if not values["title"].strip():
            return Problem("It needs a title.", "title")
        return await sent(call, {name: value.strip() for name, value in values.items() if value.strip()})

    fields = [
        Field("title", "Title", Text(placeholder="Web shop")),
        Field("prefix", "Prefix of its tasks", Text(placeholder="WEB makes WEB-1; made from the title")),
        Field("icon", "Icon", Text(placeholder="one sign that stands for it")),
    ]
    return FieldsForm("New mission", fields, submit)


def name_form(mission: MissionRow, call: Call) -> FieldsForm:
    """A mission's title and icon; the prefix of its tasks stays what it is."""

    async def submit(values: Values) -> Problem | None:
        if not values["title"].strip():
            return Problem("It needs a title.", "title")
        return await sent(call, form.changed) if form.changed else None

    form = FieldsForm(
        f"Change {mission.title}",
        [Field("title", "Title", Text(mission.title)), Field("icon", "Icon", Text(mission.icon))],
        submit,
    )
    return form


def policy_form(mission: MissionRow, agents: Iterable[AgentRow], call: Call) -> FieldsForm:
    """A mission's policy. Only what was changed is sent, so that the rest stays the service's."""
    now = policy_of(mission)

    async def submit(_: Values) -> Problem | None:
        changes: Json = {}
        for name, value in form.changed.items():
            try:
                changes[name] = _read(name, value)
            except ValueError:
                return Problem("Write a number, like 12, 500k or 2M; empty: none.", name)
        try:
            Policy.read(changes)
        except PolicyError as error:
            return Problem(error.args[0].removeprefix(f"{error.field}: "), error.field)
        return await sent(call, changes) if changes else None

    choices = [Choice(agent.id, agent.name, agent.role) for agent in agents]
    form = FieldsForm(f"Policy of {mission.title}", list(_policy_fields(now, choices)), submit)
    return form


def _policy_fields(now: Mapping[str, Any], agents: list[Choice[str]]) -> Iterable[Field]:
    yield Field("review", "Review by", Few(list(REVIEWS.items()), now["review"]))
    yield Field("auto", "Automation", Few(list(AUTOS.items()), now["auto"]))
    for name, (label, about, _) in NUMBERS.items():
        value = now[name]
        yield Field(name, label, Text("" if value is None else f"{value:.15g}", about))
    for name, (label, about) in DUTIES.items():
        yield Field(name, label, Text(now[name] or "", about, agents))


def _read(name: str, value: Any) -> Any:
    if name in NUMBERS:
        return amount(value, whole=NUMBERS[name][2])
    if name in DUTIES:
        return value.strip() or None
    return value


async def sent(call: Call, values: Json) -> Problem | None:
    """Sends the values; a refusal comes back as the problem, at its field when the service names one."""
    try:
        await call(values)
    except ServiceFailure as failure:
        field = str(failure.details.get("field") or "")
        return Problem(failure_words(failure).removeprefix(f"{field}: "), field)
    except ServiceUnavailable as away:
        return Problem(f"{away.message} {away.fix}".strip())
    except TimeoutError:
        return Problem("The control service does not answer; see its log, logs/serve.log.")
    return None
