"""What Incus would refuse, said before it is asked: why an action does not apply to a deployment."""

from __future__ import annotations

from ccp_tui.incus import Deployment
from ccp_tui.screens.fleet.words import lasting, state_word

Answer = bool | str


def free(each: Deployment | None) -> Answer:
    """Nothing is being done to it."""
    if each is None:
        return False
    if each.state == "error":
        return f"{each.name} is out of reach: its state is error."
    return lasting(each) or f"{each.name} is busy: {state_word(each.state)}."


def can_start(each: Deployment | None) -> Answer:
    if (answer := free(each)) is not True or each is None:
        return answer
    if each.state == "frozen":
        return f"{each.name} is frozen: z lets it go on."
    return each.state == "stopped" or f"{each.name} runs already."


def can_stop(each: Deployment | None) -> Answer:
    if (answer := free(each)) is not True or each is None:
        return answer
    return each.state != "stopped" or f"{each.name} is stopped already."


def is_running(each: Deployment | None) -> Answer:
    if (answer := free(each)) is not True or each is None:
        return answer
    if each.state == "frozen":
        return f"{each.name} is frozen: z lets it go on."
    return each.state == "running" or f"{each.name} is stopped: s starts it."


def can_freeze(each: Deployment | None) -> Answer:
    if each is not None and each.state == "frozen":
        return False
    return is_running(each)


def can_thaw(each: Deployment | None) -> Answer:
    return each is not None and each.state == "frozen"
