"""When to try again: exponential, with full jitter, so that many clients never knock at the same moment."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 1.0
# The gateway is on this machine: knocking costs nothing, and agents work on unseen while nobody listens.
LONGEST_S = 5.0
LONGEST_WISH_S = 30.0
# Full jitter may draw zero; a floor keeps a gateway that drops us at once from being hammered.
SHORTEST_S = 0.25
STARTING_S = 1.0
REFUSED_S = 30.0
# A connection must have lived this long before the schedule begins anew.
STABLE_S = 10.0

Draw = Callable[[], float]


def lost(attempt: int, draw: Draw = random.random) -> float:
    """Seconds before attempt number ``attempt`` (0 is the first retry) after nobody answered or the line was lost."""
    ceiling = min(LONGEST_S, FIRST_S * float(2 ** min(attempt, 10)))
    return max(SHORTEST_S, ceiling * draw())


def starting(retry_after_s: float | None, draw: Draw = random.random) -> float:
    """Seconds before asking a gateway again that says it is starting; its own wish is honoured, up to the longest."""
    wish = STARTING_S * (0.5 + draw()) if retry_after_s is None else retry_after_s
    return min(LONGEST_WISH_S, max(SHORTEST_S, wish))


def refused(retry_after_s: float | None, draw: Draw = random.random) -> float:
    """Seconds before asking again after a refusal that a person must mend."""
    return max(REFUSED_S, retry_after_s or 0.0) * (0.9 + 0.2 * draw())
