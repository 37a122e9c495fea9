"""What Incus would refuse, said before it is asked: why an action does not apply to a deployment."""

from __future__ import annotations

from collections.abc import Callable

from ccp_tui.incus import Deployment
from ccp_tui.screens.fleet.words import lasting, state_word
from ccp_tui.text import one_line

Answer = bool | str
Guard = Callable[[Deployment | None], Answer]


def free(each: Deployment | None) -> Answer:
    """Nothing is being done to it."""
    if each is None:
        return False
    if each.state == "error":
        return f"{each.name} is out of reach: {one_line(each.note) or 'its state is error'}."
    return lasting(each) or f"{each.name} is busy: {state_word(each.state)}."


def _free_and(look: Callable[[Deployment], Answer]) -> Guard:
    """A guard that looks at deployments to which nothing is being done."""

    def guard(each: Deployment | None) -> Answer:
        answer = free(each)
        return look(each) if each is not None and answer is True else answer

    return guard


@_free_and
def can_start(each: Deployment) -> Answer:
    if each.state == "frozen":
        return f"{each.name} is frozen: z lets it go on."
    return each.state == "stopped" or f"{each.name} runs already."


@_free_and
def can_stop(each: Deployment) -> Answer:
    return each.state != "stopped" or f"{each.name} is stopped already."


@_free_and
def is_running(each: Deployment) -> Answer:
    if each.state == "frozen":
        return f"{each.name} is frozen: z lets it go on."
    return each.state == "running" or f"{each.name} is stopped: s starts it."


def can_freeze(each: Deployment | None) -> Answer:
    if each is not None and each.state == "frozen":
        return False
    return is_running(each)


def can_thaw(each: Deployment | None) -> Answer:
    return each is not None and each.state == "frozen"
